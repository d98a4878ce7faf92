# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where role python_env keeps the list of a framework, and which Python lists want."""

from __future__ import annotations

import os
import re

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import framework, torch_index
from scripts import tree


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


HASH = "--hash=sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("requirements", "lowest"),
    [
        ("training.txt", "3.11"),
        (framework.mark_of("torch==2.11.0", ["transformers"], "3.12") + f"torch==2.11.0 {HASH}\n", "3.12"),
        (f"#    uv pip compile --universal --generate-hashes vision.in -o vision.txt --python-version 3.10\nx==1 {HASH}\n", "3.10"),
        (f"#    uv pip compile --python-version=3.12 --universal vision.in\nx==1 {HASH}\n", "3.12"),
        (f"# For Python 3.11 and later\nx==1 {HASH}\n", "3.11"),
        # Made for one Python, and perhaps good for others; a word about Python somewhere.
        (f"#    uv pip compile --generate-hashes vision.in --python-version 3.12\nx==1 {HASH}\n", None),
        (f"# via something for Python 3.9\nx==1 ; python_version < '3.9' {HASH}\n", None),
    ],
)
def test_the_lowest_python_of_a_list(value_of, requirements, lowest):
    projects = [{"name": "vision", "requirements": requirements}]
    role = str(tree.CHECKOUT / "roles" / "python_env")
    (seen,) = value_of("python_env", "_python_env_compared", python_env_projects=projects, ansible_search_path=[role])
    assert seen.get("lowest_python") == lowest


def test_what_is_to_go_wants_no_python(value_of):
    projects = [{"name": "vision", "requirements": "training.txt", "state": "absent"}]
    (seen,) = value_of("python_env", "_python_env_compared", python_env_projects=projects)
    assert "lowest_python" not in seen


def test_the_roles_own_lists_hold_from_where_scripts_lock_makes_them(value_of):
    (made,) = re.findall(r"--python-version (\S+) --universal", (tree.CHECKOUT / "scripts" / "lock").read_text())
    own = {path.name for path in (tree.CHECKOUT / "roles" / "python_env" / "files").glob("*.txt")} - {"uv.txt"}
    assert value_of("python_env", "_python_env_own_lists") == dict.fromkeys(own, made)


@pytest.fixture
def listed(value_of, tmp_path):
    """Function (requirements of project vision) -> (texts of the lists, refusals), with an inventory in a folder of its own."""
    (tmp_path / "beside.txt").write_text("numpy==2.4.6 --hash=sha256:0\n")

    def value(given):
        known = {"inventory_dir": str(tmp_path), "python_env_projects": [{"name": "vision", "requirements": given}]}
        refusals = value_of("python_env", "_python_env_refusals", **known)
        return [] if refusals else [wish["text"] for wish in value_of("python_env", "_python_env_wishes", **known)], refusals

    return value


@pytest.mark.parametrize("given", ["beside.txt", "numpy==2.4.6 --hash=sha256:0"])
def test_a_list_is_a_file_beside_the_inventory_or_text(listed, given):
    assert listed(given) == (["numpy==2.4.6 --hash=sha256:0"], [])


def test_a_list_that_is_not_there_is_refused(listed, tmp_path):
    """Its project was left out without a word: ansible-core drops a call whose argument failed, where only `set` takes its result."""
    _texts, (refusal,) = listed("nowhere.txt")
    assert f"has the requirements nowhere.txt: there is no such list in {tmp_path}" in refusal
