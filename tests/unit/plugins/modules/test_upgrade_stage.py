# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on a file: written in one step, predicted, told what is wrong."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import upgrade_stage as module
from tests.unit.plugins.module_utils.upgrade.hosts import FIRST, LATER, pins

BEGIN = {"stage": "drain", "from": pins(FIRST), "to": pins(LATER), "gpus": {}}


@pytest.fixture
def stage(tmp_path, capsys):
    def run(check=False, **options):
        given = {"path": str(tmp_path / "made" / "upgrade.json"), **options, "_ansible_check_mode": check}
        with patch_module_args(given), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    run.path = tmp_path / "made" / "upgrade.json"
    return run


def test_reads_what_is_not_there(stage):
    told = stage()
    assert (told["changed"], told["record"], told["seconds"]) == (False, None, None) and told["boot"]
    assert not stage.path.parent.exists()


def test_writes_once_and_goes_on(stage):
    foretold = stage(check=True, **BEGIN)
    assert foretold["changed"] and foretold["record"]["stage"] == "drain" and not stage.path.exists()
    assert stage(**BEGIN)["changed"] and not stage(**BEGIN)["changed"]
    told = stage(stage="install")
    assert told["changed"] and json.loads(stage.path.read_text()) == told["record"] == stage()["record"]
    assert told["diff"]["before"].replace('"drain"', '"install"') == told["diff"]["after"] and "packages" not in told["diff"]["after"]
    assert [path.name for path in stage.path.parent.iterdir()] == ["upgrade.json"]


def test_step_that_cannot_be_is_refused(stage):
    told = stage(stage="reboot")
    assert told["failed"] and "no upgrade was begun on this host" in told["msg"]


def test_file_that_is_damaged_counts_for_nothing(stage):
    stage(**BEGIN)
    stage.path.write_text('{"schema": 1, "stage"')
    assert stage()["record"] is None
    assert stage(**BEGIN)["record"]["stage"] == "drain"


def test_folder_that_cannot_be_is_told(stage, tmp_path):
    (tmp_path / "made").write_text("a file\n")
    told = stage(**BEGIN)
    assert told["failed"] and "cannot be written: " in told["msg"] and "Is there room" in told["msg"]
