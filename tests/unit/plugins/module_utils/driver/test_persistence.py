# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's persistence daemon: what systemd says of its unit, what is due, and what is told when that cannot be done."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import persistence

EXEC = "ExecStart={ path=/usr/bin/nvidia-persistenced ; argv[]=/usr/bin/nvidia-persistenced --user nvpd%s ; ignore_errors=no ; }"


def debian(active, file_state):
    return f"LoadState=loaded\nActiveState={active}\nUnitFileState={file_state}\nWantedBy=\n" + EXEC % ""


def ubuntu(active, wanted_by):
    states = f"LoadState=loaded\nActiveState={active}\nUnitFileState=static\nWantedBy={wanted_by}\n"
    return states + EXEC % " --no-persistence-mode --verbose"


ABSENT = "LoadState=not-found\nActiveState=inactive\nUnitFileState=\nWantedBy="
UDEV = "sys-bus-pci-drivers-nvidia.device"


def due(answer, usable=True, drop_in=None):
    return persistence.due(persistence.parse(answer, drop_in), usable)


@pytest.mark.parametrize(
    ("answer", "usable", "drop_in", "steps"),
    [
        (debian("active", "enabled"), True, None, []),
        (debian("inactive", "enabled"), False, None, []),
        (debian("inactive", "enabled"), True, None, ["start"]),
        (debian("activating", "enabled"), True, None, []),
        (debian("failed", "disabled"), True, None, ["enable", "start"]),
        (debian("inactive", "disabled"), False, None, ["enable"]),
        (ubuntu("inactive", ""), False, None, ["drop_in", "want"]),
        (ubuntu("active", UDEV), True, None, ["drop_in", "want", "restart"]),
        (ubuntu("inactive", ""), True, None, ["drop_in", "want", "start"]),
        (ubuntu("active", UDEV + " multi-user.target"), True, persistence.DROP_IN_TEXT, []),
        (ubuntu("active", "multi-user.target"), True, "[Service]\n", ["drop_in", "restart"]),
        (ABSENT, True, None, []),
        ("", True, None, []),
        (ABSENT.replace("not-found", "masked"), True, None, []),
    ],
)
def test_steps(answer, usable, drop_in, steps):
    assert due(answer, usable, drop_in) == steps


def test_a_masked_unit_is_refused_with_the_next_step():
    masked = persistence.parse(ABSENT.replace("not-found", "masked"), None)
    (told,) = persistence.refusals(masked)
    assert "is masked, and nvidia_driver_persistence is true. Nothing was changed. Set it to false, or unmask" in told
    assert [persistence.refusals(persistence.parse(one, None)) for one in (ABSENT, debian("active", "enabled"))] == [[], []]


def test_steps_are_carried_out_in_order_until_one_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(persistence, "DROP_IN", str(tmp_path / "unit.d" / "mlinfra.conf"))
    ran = []

    def run(command):
        ran.append(command[-2:])
        return (1, "", "Job failed.\n") if "restart" in command else (0, "", "")

    assert persistence.carry_out(run, ["drop_in", "want"]) == ""
    assert (tmp_path / "unit.d" / "mlinfra.conf").read_text() == persistence.DROP_IN_TEXT
    assert [one.name for one in (tmp_path / "unit.d").iterdir()] == ["mlinfra.conf"]
    told = persistence.carry_out(run, ["enable", "restart", "start"])
    assert told.startswith("systemctl restart nvidia-persistenced.service: Job failed. Look at journalctl -u nvidia-persistenced.service")
    unit = persistence.UNIT
    assert ran == [["systemctl", "daemon-reload"], ["multi-user.target", unit], ["enable", unit], ["restart", unit]]


def test_a_drop_in_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(persistence, "DROP_IN", str(tmp_path / "file" / "mlinfra.conf"))
    assert "mlinfra.conf cannot be written: " in persistence.carry_out(lambda command: (0, "", ""), ["drop_in", "want"])
