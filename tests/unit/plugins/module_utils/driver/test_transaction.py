# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders of a change, put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import transaction


class Program:
    """Stands where apt and dpkg are, and systemd; nothing is installed in these tests. running: units that run."""

    def __init__(self):
        self.running, self.broken, self.asked = set(), set(), []

    def run(self, command):
        self.asked.append(command[1:3])
        names = command[command.index("--") + 1 :] if "--" in command else command[2:]
        if command[1] == "show":
            return 0, "\n\n".join("LoadState=loaded\nActiveState=%sactive" % ("" if name in self.running else "in") for name in names), ""
        failed = self.broken.intersection(names)
        self.running.update(set(names) - failed)
        return (1, "", "Job for it\nfailed.") if failed else (0, "", "")

    def call(self, what, command, data=None):
        return ""


@pytest.fixture
def change(tmp_path, monkeypatch):
    for name in ("empty", "used"):
        (tmp_path / name).mkdir()
    (tmp_path / "used/mine").write_text("mine")
    monkeypatch.setattr(transaction, "GROWING", [str(tmp_path / name) for name in ("empty", "used", "absent")])
    monkeypatch.setattr(transaction, "EXTENDED", str(tmp_path / "extended_states"))
    monkeypatch.setattr(transaction, "ARCHIVES", str(tmp_path / "archives"))
    monkeypatch.setattr(transaction, "WANTED", str(tmp_path / "*.wants/*"))
    monkeypatch.setattr(transaction.state, "LISTS", str(tmp_path / "lists"))
    monkeypatch.setattr(transaction.state, "packages", dict)
    return transaction.Transaction(Program(), "nvidia")


def test_undone_is_as_before(change, tmp_path):
    (tmp_path / "settings").write_text("old")
    (tmp_path / "settings").chmod(0o600)
    change.write(str(tmp_path / "settings"), b"new")
    change.write(str(tmp_path / "absent/new"), b"new")
    (tmp_path / "empty/build").mkdir()
    (tmp_path / "used/build").write_text("built")
    assert change.undo() == ([], [])
    assert (tmp_path / "settings").read_text() == "old" and (tmp_path / "settings").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "settings", "used"]
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["mine"] and not list((tmp_path / "empty").iterdir())


def test_what_keeps_apt_from_working_comes_back_last(change, tmp_path, monkeypatch):
    foreign = tmp_path / "cuda.list"
    foreign.write_text("deb foreign")
    change.write(str(foreign), b"# off", late=True)
    seen = []
    monkeypatch.setattr(change, "_restore", lambda back, done, left: seen.append(foreign.read_text()))
    monkeypatch.setattr(transaction, "difference", lambda before, after: {"new": [], "changed": {"a": "1"}, "gone": {}, "revived": []})
    change.undo()
    assert seen == ["# off"] and foreign.read_text() == "deb foreign"


def test_services_that_a_package_left_enabled_go_with_their_unit(change, tmp_path):
    wants = tmp_path / "multi-user.target.wants"
    wants.mkdir()
    (tmp_path / "other.service").write_text("")
    (wants / "gone.service").symlink_to(tmp_path / "gone.service")
    (wants / "other.service").symlink_to(tmp_path / "other.service")
    change.undo()
    assert [path.name for path in wants.iterdir()] == ["other.service"]


def test_services_that_a_package_forgot_are_enabled_again(change, tmp_path):
    wants = tmp_path / "multi-user.target.wants"
    change.wanted = {str(wants / "nvidia-imex.service"): "/usr/lib/systemd/system/nvidia-imex.service"}
    change.undo()
    assert (wants / "nvidia-imex.service").readlink() == Path("/usr/lib/systemd/system/nvidia-imex.service")


@pytest.fixture
def services(tmp_path, monkeypatch):
    """Function (running units) → a change on a host that has three services enabled."""
    monkeypatch.setattr(transaction.shutil, "which", lambda name, path=None: "/usr/bin/" + name)
    (tmp_path / "multi-user.target.wants").mkdir()
    for name in ("nvidia-imex.service", "nvidia-persistenced.service", "off.service", "some.timer"):
        (tmp_path / "multi-user.target.wants" / name).symlink_to(tmp_path / name)
    monkeypatch.setattr(transaction, "WANTED", str(tmp_path / "*.wants/*"))
    monkeypatch.setattr(transaction, "GROWING", [])
    monkeypatch.setattr(transaction.state, "packages", dict)

    def begin(*names):
        program = Program()
        program.running = set(names)
        return transaction.Transaction(program, "nvidia")

    return begin


def test_what_ran_before_and_does_not_any_more_is_started(services):
    change = services("nvidia-imex.service", "nvidia-persistenced.service")
    change.program.running = {"nvidia-persistenced.service"}
    assert change.start_again() == (["nvidia-imex.service started again"], [])
    assert change.program.asked[-2:] == [["daemon-reload"], ["start", "nvidia-imex.service"]]


def test_what_did_not_run_or_runs_is_left(services):
    change = services("nvidia-imex.service")
    assert change.start_again() == ([], []) and [one[0] for one in change.program.asked] == ["show", "show"]


def test_what_cannot_be_started_is_told_and_the_others_are(services):
    change = services("nvidia-imex.service", "nvidia-persistenced.service")
    change.program.running, change.program.broken = set(), {"nvidia-imex.service"}
    told = "nvidia-imex.service ran before and could not be started: Job for it failed."
    assert change.start_again() == (["nvidia-persistenced.service started again"], [told])


def test_a_host_without_systemd_has_no_services(services, monkeypatch):
    monkeypatch.setattr(transaction.shutil, "which", lambda name, path=None: None)
    change = services("nvidia-imex.service")
    assert change.start_again() == ([], []) and not change.program.asked


def test_settings_of_a_package_that_another_one_replaces_come_back(change, tmp_path, monkeypatch):
    """An undo purges the other one, and the settings with it."""
    (nodes, gone) = tmp_path / "nodes.cfg", tmp_path / "gone.cfg"
    nodes.write_text("10.0.0.1\n")
    asked = []
    hashes = "0123456789abcdef" * 2
    told = f"\n {nodes} {hashes}\n {gone} {hashes} obsolete\n"
    monkeypatch.setattr(change.program, "call", lambda what, command, data=None: asked.append(command) or told, raising=False)
    change.keep_settings([])
    assert asked == []
    change.keep_settings(["nvidia-imex-570"])
    assert asked[0][-1] == "nvidia-imex-570"

    def restore(back, done, left):
        nodes.write_text("# of the package\n")
        gone.write_text("# of the package\n")

    monkeypatch.setattr(change, "_restore", restore)
    monkeypatch.setattr(transaction, "difference", lambda before, after: {"new": [], "changed": {"a": "1"}, "gone": {}, "revived": []})
    nodes.unlink()
    change.undo()
    assert nodes.read_text() == "10.0.0.1\n" and not gone.exists()


def test_what_was_fetched_goes_and_what_was_there_before_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(transaction, "ARCHIVES", str(tmp_path))
    monkeypatch.setattr(transaction.state, "packages", dict)
    (tmp_path / "theirs.deb").write_text("")
    change = transaction.Transaction(Program(), "nvidia")
    for name in ("ours.deb", "lock"):
        (tmp_path / name).write_text("")
    change.drop_downloads()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "theirs.deb"]
