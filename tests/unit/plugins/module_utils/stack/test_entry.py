# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a user can act on ends as one message; whatever is a mistake of ours does not pass for one."""

from __future__ import annotations

import pytest
from botocore.exceptions import NoCredentialsError

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import entry
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import parse
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.entry import fail_cleanly, wished


class Module:
    params = {"name": "vision", "region": None, "profile": "ops"}
    region = "eu-west-1"

    def fail_json(self, **result):
        self.result = result
        raise SystemExit(1)


def failed(error: Exception) -> dict:
    module = Module()
    with pytest.raises(SystemExit), fail_cleanly(module):
        raise error
    return module.result


def test_a_stack_error():
    result = failed(StackError("the lock is held by ci@host", "Wait, or set break_lock", code="Held", owner="ci@host"))
    assert result["msg"] == "the lock is held by ci@host. Wait, or set break_lock."
    assert (result["code"], result["owner"]) == ("Held", "ci@host")
    assert "exception" not in result


def test_what_a_failed_run_has_to_say_beside_is_a_warning(monkeypatch):
    said = []
    monkeypatch.setattr(entry, "warn", said.append)  # the list that core keeps is emptied by modules that other tests run in this process
    # core deprecates warnings among the values of fail_json
    result = failed(StackError("no offer is left", warnings=["vol-1 stays and costs"], applied=[]))
    assert "warnings" not in result and said == ["vol-1 stays and costs"]


def test_an_error_of_boto():
    result = failed(NoCredentialsError())
    assert "no usable AWS credentials" in result["msg"]
    assert "exception" not in result


def test_a_document_error(wrong):
    module = Module()
    with pytest.raises(SystemExit), fail_cleanly(module):
        parse(wrong({"pools[0].count": -1}))
    assert module.result["msg"] == "pools[0].count is -1: 0 or more is possible. Use 0 for a pool without hosts."
    assert module.result["problems"] == [
        {"path": "pools[0].count", "value": "-1", "expected": "0 or more is possible", "hint": "Use 0 for a pool without hosts"}
    ]


def test_a_bug_is_not_hidden():
    with pytest.raises(KeyError), fail_cleanly(Module()):
        raise KeyError("bug")


def test_own_options_and_the_region_in_use():
    assert wished(Module(), ["name"]) == {"name": "vision", "region": "eu-west-1"}
