# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module around its decision: check mode without a driver, and what it leaves for the boot. molecule/mig has it on a host."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.reading import Host
from ansible_collections.mlinfra.hosts.plugins.modules import mig_layout as module


@pytest.fixture
def answer(capsys, monkeypatch, tmp_path):
    """Run the module where nothing can be run, with its files below tmp_path."""
    monkeypatch.setattr(module.boot, "run", lambda argv: (127, "", "no %s here" % argv[0]))
    monkeypatch.setattr(module.kept_program, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(module.kept_program.copy, "__defaults__", (str(tmp_path / "lib"),))
    monkeypatch.setattr(module.carry, "WISH", str(tmp_path / "layout.json"))
    told = []
    monkeypatch.setattr(module.AnsibleModule, "warn", lambda self, text, **options: told.append(text))

    def run(layout, **arguments):
        with patch_module_args({"layout": layout, **arguments}), pytest.raises(SystemExit):
            module.main()
        return {**json.loads(capsys.readouterr().out.strip().splitlines()[-1]), "warned": told}

    return run


def test_check_mode_before_there_is_a_driver_predicts_a_change(answer, tmp_path):
    told = answer([{"config": "all-balanced"}], _ansible_check_mode=True)
    assert told["changed"] and "no nvidia-smi here" in told["warned"][0] and list(tmp_path.iterdir()) == []


def test_without_a_driver_it_fails_with_the_next_step_and_leaves_nothing(answer, tmp_path):
    told = answer([{"config": "all-balanced"}])
    assert told["failed"] and "Install the driver first" in told["msg"] and list(tmp_path.iterdir()) == []


def test_a_driver_that_waits_for_a_reboot_gets_its_layout_then(answer, monkeypatch, tmp_path):
    enabled = []
    monkeypatch.setattr(module.kept_program, "enable", lambda unit, run, start: enabled.append((unit, start)))
    monkeypatch.setattr(module.kept_program, "is_enabled", lambda unit, target: bool(enabled))
    layout = [{"gpus": "all", "config": "all-balanced"}]
    predicted = answer(layout, defer=True, _ansible_check_mode=True)
    assert predicted["changed"] and list(tmp_path.iterdir()) == [] and predicted["warned"] == []
    told = answer(layout, defer=True)
    assert told["changed"] and "no nvidia-smi here" in told["deferred"] and told["reboot_required"] == told["steps"] == []
    assert json.loads((tmp_path / "layout.json").read_text()) == {"layout": layout}
    assert enabled == [(module.UNIT, False)] and (tmp_path / "units" / module.UNIT).exists()
    again = answer(layout, defer=True)
    assert not again["changed"] and again["deferred"] == told["deferred"]


def test_a_wish_that_cannot_be_is_told_before_anything(answer):
    assert answer([{"config": "halves"}])["msg"].startswith("mig_layout[0].config is 'halves'")


@pytest.mark.parametrize(
    ("gpus", "found"),
    [
        (None, []),
        ([{"processes": []}, {"processes": [{"pid": 7, "program": "python3"}]}], [{"pid": 7, "program": "python3"}]),
        ([{"processes": []}, {"processes": None}], None),
    ],
)
def test_jobs_on_all_gpus_are_told(monkeypatch, tmp_path, gpus, found):
    monkeypatch.setattr(module, "Host", lambda: Host(str(tmp_path)))
    assert module.using(gpus) == found


def test_what_is_left_for_the_boot_is_whole():
    files = module.kept_files([{"gpus": "all", "config": "all-balanced"}])
    unit = next(text for path, text in files.items() if path.endswith(module.UNIT))
    assert "Before=docker.service" in unit and "mig.boot" in unit
    assert any(path.endswith("gpu/details.py") for path in files), "what the program imports goes along"
