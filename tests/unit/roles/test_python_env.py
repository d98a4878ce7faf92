# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where role python_env keeps the list of a framework."""

from __future__ import annotations

import os

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import torch_index


def test_a_relative_list_is_the_same_file_for_module_and_lookup(value_of):
    """The one takes it from the working directory, the other would look for it beside the playbook."""
    name = "_python_env_framework_lock"
    assert value_of("python_env", name, python_env_framework_lock="locks/torch.txt") == os.path.abspath("locks/torch.txt")
    named = value_of("python_env", name, python_env_framework="torch==2.9.1", inventory_dir="/srv/inventory")
    assert named == "/srv/inventory/locks/torch-cuda-none.txt"


@pytest.mark.parametrize(
    ("mark", "given", "index"),
    [
        (torch_index.MARK, {}, "https://download.pytorch.org/whl"),
        (torch_index.MARK, {"python_env_framework_index": "https://mirror.example.org/whl"}, "https://mirror.example.org/whl"),
        (torch_index.MARK, {"python_env_framework_index": ""}, ""),
        (torch_index.MARK, {"mlinfra_mirrors": {"pypi": "https://mirror.example.org/simple"}}, ""),
        ("", {}, None),
    ],
)
def test_what_was_locked_from_pytorchs_index_is_installed_from_there(value_of, tmp_path, mark, given, index):
    path = tmp_path / "list.txt"
    path.write_text(f"# made\n{mark}torch==2.11.0+cu128 --hash=sha256:0\n")
    known = {"python_env_framework": "torch==2.11.0", "python_env_framework_lock": str(path), "ansible_check_mode": False, **given}
    (project,) = value_of("python_env", "_python_env_framework_projects", **known)
    assert project["of_pytorch"] is (index is not None) and "torch==2.11.0+cu128" in project["requirements"]
    assert index is None or value_of("python_env", "_python_env_framework_index", **known) == index
    # The project is a loop's item, which Ansible prints.
    assert "https" not in str({**project, "requirements": ""})
