# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on the machine that runs it."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import host_settings_info as module


def test_reads_what_there_is_and_null_for_the_rest(capsys, monkeypatch):
    monkeypatch.setattr(module, "output", lambda module, program, arguments: {"apt-config": 'A::B "1";\n'}.get(program, ""))
    with patch_module_args({"sysctl": ["kernel.ostype", "no.such"], "limits": ["NOFILE"], "apt": ["A::B"]}), pytest.raises(SystemExit):
        module.main()
    answer = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert answer["changed"] is False and answer["sysctl"] == {"kernel.ostype": "Linux", "no.such": None}
    assert answer["apt"] == {"A::B": ["1"]} and answer["limits"] == {"NOFILE": {"soft": None, "hard": None}}
    assert answer["clock"] == {"ntp": None, "synchronized": None}
