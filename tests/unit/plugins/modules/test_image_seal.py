# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's answer; what it does is in tests/unit/plugins/module_utils/seal, and on hosts in tests/scenarios/test_golden_image.py."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.module_utils.seal import act, places
from ansible_collections.mlinfra.hosts.plugins.modules import image_seal as module

STEPS = [
    {"what": "history", "path": "/home/me/.bash_history", "act": "remove"},
    {"what": "machine id", "path": "/etc/machine-id", "act": "empty"},
]


@pytest.fixture(autouse=True)
def never_here(monkeypatch):
    """This is the machine of whoever runs the tests."""

    def no(steps, _run, _root=""):
        raise AssertionError(steps)

    monkeypatch.setattr(act, "carry_out", no)
    monkeypatch.setattr(module.os, "geteuid", lambda: 0)
    monkeypatch.setattr(module, "look", lambda _module: (list(STEPS), []))


def run(capsys, **options):
    with patch_module_args(options), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_check_mode_says_what_would_go_and_does_nothing(capsys):
    answer = run(capsys, _ansible_check_mode=True)
    assert answer["changed"] and answer["steps"] == STEPS and answer["counts"] == {"history": 1, "machine id": 1}
    assert answer["diff"]["after"] == "/etc/machine-id (empty)\n"


def test_done(capsys, monkeypatch):
    monkeypatch.setattr(act, "carry_out", lambda _steps, _run: [])
    assert run(capsys)["changed"]
    monkeypatch.setattr(module, "look", lambda _module: ([], []))
    assert run(capsys)["changed"] is False


def test_what_is_left_is_told_with_the_next_step(capsys, monkeypatch):
    monkeypatch.setattr(act, "carry_out", lambda _steps, _run: ["/home/me/.bash_history: Operation not permitted"])
    answer = run(capsys)
    assert answer["failed"] and answer["problems"] == ["/home/me/.bash_history: Operation not permitted"]
    assert "not sealed, make no image of it: /home/me/.bash_history: Operation not permitted. Mend that" in answer["msg"]


def test_credentials_that_stay_are_named(capsys, monkeypatch):
    kept = [{"what": "credential", "path": "/srv/build/.aws/credentials", "removable": True}]
    monkeypatch.setattr(module, "look", lambda _module: (list(STEPS), kept))
    told = []
    monkeypatch.setattr(module.AnsibleModule, "warn", lambda _self, text: told.append(text))
    answer = run(capsys, _ansible_check_mode=True)
    assert answer["left"] == ["/srv/build/.aws/credentials"] and len(told) == 1 and "will have /srv/build/.aws/credentials" in told[0]


@pytest.mark.parametrize(("wish", "gone", "kept"), [("keep", 0, 2), ("remove", 1, 1)])
def test_credentials_go_by_wish(monkeypatch, wish, gone, kept):
    monkeypatch.undo()
    seen = [{"what": "credential", "path": path, "removable": path != "/b"} for path in ("/a", "/b")]
    monkeypatch.setattr(module.left, "look", lambda _homes: seen)

    class Module:
        params = {"authorized_keys": False, "credentials": wish}
        get_bin_path = staticmethod(lambda _name: None)

    steps, stays = module.look(Module)
    assert [step for step in steps if step["what"] == "credential"] == [{"what": "credential", "path": "/a", "act": "remove"}][:gone]
    assert len(stays) == kept and all(one["path"] == "/b" for one in stays) == (wish == "remove")


def test_it_takes_root(capsys, monkeypatch):
    monkeypatch.setattr(module.os, "geteuid", lambda: 1000)
    assert "become" in run(capsys)["msg"]


def test_the_unit_that_writes_a_seed_is_stopped_before_the_seed_goes(monkeypatch):
    monkeypatch.undo()

    class Module:
        params = {"authorized_keys": False, "credentials": "keep"}

        @staticmethod
        def get_bin_path(name):
            return "/bin/" + name if name == "systemctl" else None

        @staticmethod
        def run_command(command):
            return (0 if command == ["systemctl", "is-active", "--quiet", places.SEED_UNIT] else 1, "", "")

    assert module.look(Module)[0][0] == {"what": "random seed", "path": places.SEED_UNIT, "act": places.STOP}
