# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where role python_env keeps the list of a framework."""

from __future__ import annotations

import os


def test_a_relative_list_is_the_same_file_for_module_and_lookup(value_of):
    """The one takes it from the working directory, the other would look for it beside the playbook."""
    name = "_python_env_framework_lock"
    assert value_of("python_env", name, python_env_framework_lock="locks/torch.txt") == os.path.abspath("locks/torch.txt")
    named = value_of("python_env", name, python_env_framework="torch==2.9.1", inventory_dir="/srv/inventory")
    assert named == "/srv/inventory/locks/torch-cuda-none.txt"
