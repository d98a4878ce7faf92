# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/upgrade.md has every variable that playbook upgrade reads, and no other; its examples are tasks."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible.playbook.block import Block  # noqa: F401  # pylint: disable=unused-import  # task imports it
from ansible.playbook.task import Task

from scripts import tree

PAGE = (tree.CHECKOUT / "docs" / "upgrade.md").read_text()
PLAYBOOK = [tree.CHECKOUT / "playbooks" / "upgrade.yml", tree.CHECKOUT / "playbooks" / "vars" / "upgrade.yml"]
PLAYBOOK += sorted((tree.CHECKOUT / "playbooks" / "tasks").glob("upgrade-*.yml"))
# A variable of the user's; the names of filters and modules of ours begin alike.
NAME = re.compile(r"(?<![\w.-])upgrade_[a-z_]+")
EXAMPLES = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def test_each_variable_is_there():
    read = {name for path in PLAYBOOK for name in NAME.findall(path.read_text())}
    assert "upgrade_canary" in read
    assert set(re.findall(r"^\| `(upgrade_[a-z_]+)` \|", PAGE, re.MULTILINE)) == read


def test_examples_name_variables_that_are_read():
    given = set().union(*(one for one in EXAMPLES if isinstance(one, dict)))
    assert given == {"upgrade_drain_tasks", "upgrade_undrain_tasks", "upgrade_smoke_tasks"}


@pytest.mark.parametrize("task", [one for example in EXAMPLES if isinstance(example, list) for one in example], ids=lambda one: one["name"])
def test_examples_are_tasks(task):
    for one in task.get("tasks", [task]):
        assert Task.load(one).action.startswith(("ansible.builtin.", "mlinfra.hosts."))


def test_readme_leads_there():
    assert "(docs/upgrade.md)" in (tree.CHECKOUT / "README.md").read_text()
