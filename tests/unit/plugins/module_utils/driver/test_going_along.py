# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is of the driver's version besides a driver: what becomes of it where the driver moves, with apt and with dnf."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, going_along, install, plan, prepare, record, state
from tests.unit.plugins.module_utils.driver.test_plan import package, seen, wish
from tests.unit.plugins.module_utils.driver.test_record import host, known

WISH = {"source": "nvidia", "pins": None, "packages": ["nvidia-driver-cuda"], "companions": [], "branch": 595, "version": "", "hold": True}
HERE = {"libnvidia-nscq-570": "570.172.08-1", "libnvsdm": "580.95.05-1", "nvidia-imex": "580.95.05-1", "nvidia-settings": "1-1"}


def here(**named):
    return {name: package(version) for name, version in named.items()}


def chosen(packages, available, driver, remove=going_along.APT, **wish):
    return going_along.chosen({**WISH, **wish}, here(**packages), available, driver, remove)


@pytest.mark.parametrize(
    ("driver", "source", "called"),
    [
        ("595.58.03", "nvidia", ["libnvidia-nscq", "libnvsdm", "nvidia-imex"]),
        ("580.126.09", "nvidia", ["libnvidia-nscq", "libnvsdm", "nvidia-imex"]),
        ("570.195.03", "nvidia", ["libnvidia-nscq-570", "libnvsdm-570", "nvidia-imex-570"]),
        ("580.126.09", "distribution", ["libnvidia-nscq-580", "libnvsdm-580", "nvidia-imex-580"]),
    ],
)
def test_it_goes_along_by_the_name_of_its_branch(driver, source, called):
    available = {name: ["565.57.01-1", f"{driver}-1.el9", f"{driver}-2.el9"] for name in called}
    names, picked, told = chosen(HERE, available, driver, source=source)
    assert list(names) == ["libnvidia-nscq-570", "libnvsdm", "nvidia-imex"] and list(names.values()) == called
    assert picked == dict.fromkeys(called, f"{driver}-2.el9") and told == []


def test_the_source_says_which_of_two_names_it_has():
    names, picked, told = chosen({"nvidia-imex-570": "570.172.08-1"}, {"nvidia-imex-580": ["580.95.05-0ubuntu1"]}, "580.95.05")
    assert (names, picked, told) == ({"nvidia-imex-570": "nvidia-imex-580"}, {"nvidia-imex-580": "580.95.05-0ubuntu1"}, [])


def test_what_is_of_the_driver_already_needs_no_source():
    names, picked, told = chosen({"nvidia-imex": "580.95.05-1"}, {}, "580.95.05")
    assert (names, picked, told) == ({"nvidia-imex": "nvidia-imex"}, {"nvidia-imex": "580.95.05-1"}, [])


def test_what_a_killed_change_took_off_comes_back():
    """The old name is gone, and the new one was not yet there."""
    available = {"nvidia-imex": ["595.58.03-1"], "nvidia-imex-570": ["570.172.08-1"]}
    one = job(Program(), {})
    one.seen["lost"] = ["nvidia-imex"]
    assert going_along.take(one, available, going_along.APT) == [] and one.picked["nvidia-imex"] == "595.58.03-1"
    assert one.besides == {"nvidia-imex": "nvidia-imex"} and one.leaving() == ["nvidia-kernel-dkms"]
    one.picked = {"nvidia-driver-cuda": "570.172.08-1"}
    assert going_along.take(one, available, going_along.APT) == [] and one.picked["nvidia-imex-570"] == "570.172.08-1"
    assert one.leaving() == ["nvidia-kernel-dkms"], "apt would be told to remove what it does not know"
    one.picked = {"nvidia-driver-cuda": "610.43.02-1"}
    assert going_along.take(one, available, going_along.APT) == [
        "nvidia-imex was on this host when a change of the driver was stopped, and has to be of the driver's version: NVIDIA's repository "
        "has no nvidia-imex 610.43.02 (there is: 595.58.03). Nothing was changed. Empty /var/lib/mlinfra/nvidia_driver/begun (: > "
        "/var/lib/mlinfra/nvidia_driver/begun) to go without it, use a mirror that has it, or choose another driver."
    ]


def test_a_change_writes_down_what_goes_along_before_it_begins(monkeypatch, tmp_path):
    written = {}
    change = type("Change", (), {"write": lambda self, path, data, late=False: written.update({path: data})})()
    one = job(Program(), {"libnvsdm-570": "570.172.08-1", "libnvsdm": "570.172.08-1", "nvidia-imex": "580.95.05-1"}, take_over=False)
    going_along.take(one, {"libnvsdm": ["595.58.03-1"], "nvidia-imex": ["595.58.03-1"]}, going_along.APT)
    monkeypatch.setattr(one, "texts", lambda: pytest.fail("enough"))
    with pytest.raises(pytest.fail.Exception, match="enough"):
        one._forward(change, set(), None)
    begun = tmp_path / "begun"
    begun.write_bytes(written[state.BEGUN])
    assert state.lost(str(begun)) == ["libnvsdm", "nvidia-imex"] and state.lost(str(tmp_path / "none")) == []


def test_half_installed_is_not_here():
    packages = {"nvidia-imex": dict(package("580.95.05-1"), broken=True)}
    assert going_along.chosen(WISH, packages, {}, "595.58.03", going_along.APT) == ({}, {}, [])


@pytest.mark.parametrize(
    ("remove", "source", "told"),
    [
        (
            going_along.APT,
            "nvidia",
            "NVIDIA's repository has no nvidia-imex 595.58.03 (there is: 580.95.05, 590.48.01). Nothing was changed. Remove it "
            "(apt-get remove nvidia-imex), use a mirror that has it, or choose another driver.",
        ),
        (
            going_along.DNF,
            "nvidia",
            "NVIDIA's repository has no nvidia-imex 595.58.03 (there is: 580.95.05, 590.48.01). Nothing was changed. Remove it "
            "(dnf remove nvidia-imex), use a mirror that has it, or choose another driver.",
        ),
        (
            going_along.APT,
            "distribution",
            "the distribution's sources have no nvidia-imex-595 595.58.03 (there is: none). Nothing was changed. Remove it (apt-get remove "
            "nvidia-imex), add a source that has it, or choose another driver.",
        ),
    ],
)
def test_what_is_not_offered_is_told(remove, source, told):
    available = {"nvidia-imex": ["590.48.01-1", "580.95.05-1"]}
    names, picked, found = chosen({"nvidia-imex": "580.95.05-1"}, available, "595.58.03", remove, source=source)
    assert picked == {} and found == ["nvidia-imex 580.95.05-1 is on this host and has to be of the driver's version: " + told]


def test_pins_say_which_build_and_none_else_is_taken():
    available = {"nvidia-imex": ["595.58.03-1", "595.58.03-2"]}
    pins = {"packages": {"nvidia-imex": "595.58.03-1"}}
    assert chosen({"nvidia-imex": "580.95.05-1"}, available, "595.58.03", pins=pins)[1] == {"nvidia-imex": "595.58.03-1"}
    (told,) = chosen({"nvidia-imex": "580.95.05-1"}, {"nvidia-imex": ["595.58.03-2"]}, "595.58.03", pins=pins)[2]
    assert "has no nvidia-imex 595.58.03-1 (there is: 595.58.03-2)" in told
    (told,) = chosen({"nvidia-imex": "580.95.05-1"}, available, "580.126.09", pins=pins)[2]
    assert told.startswith(
        "nvidia_driver_pins.packages.nvidia-imex is 595.58.03-1: it has to be of exactly the driver's version, 580.126.09"
    )


NAMES = ["nvidia-imex", "nvidia-imex-570", "nvidia-imex-580", "libnvsdm", "libnvsdm-570", "libnvidia-nscq-595", "nvidia-settings"]
DRIVERS = ["570.172.08", "580.95.05", "595.58.03"]


@given(
    packages=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(DRIVERS).map("{}-1".format)),
    available=st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(DRIVERS).map("{}-1".format))),
    driver=st.sampled_from(DRIVERS),
    source=st.sampled_from(["nvidia", "distribution"]),
)
def test_all_of_it_is_of_the_driver_or_told(packages, available, driver, source):
    names, picked, told = chosen(packages, available, driver, source=source)
    assert set(names) == set(packages) - {"nvidia-settings"}
    assert set(picked.values()) <= {f"{driver}-1"} and set(picked) <= set(names.values())
    assert len(told) == len([name for name, new in names.items() if new not in picked])
    assert not set(going_along.old_names(names)) & set(picked), "what is picked would be removed"


class Program:
    """Stands where apt is. offered: what its sources have; done: what it was asked."""

    def __init__(self, offered=None, actions=()):
        self.offered, self.actions, self.done = offered or {}, list(actions), []

    def versions(self, names, options):
        self.done.append(("versions", names))
        return {name: self.offered[name] for name in names if name in self.offered}

    def simulate(self, names, options):
        self.done.append(("simulate", names))
        return self.actions

    def install(self, what, names):
        self.done.append((what, names))


def job(program, packages, **wish):
    decided = {"settled": False, "remove": ["nvidia-kernel-dkms"], "kernel_packages": [], "files_due": []}
    found = install.Install({**WISH, **wish}, {"packages": here(**packages), "manifest": {}, "lists": True, "lost": []}, decided, program)
    found.picked = {"nvidia-driver-cuda": "595.58.03-1"}
    return found


def test_the_old_name_goes_in_the_same_step(monkeypatch):
    monkeypatch.setattr(prepare.room, "problems", lambda *unused: [])
    gone = {"action": "remove", "name": "libnvsdm-570", "old": "570.172.08-1", "new": None}
    program = Program(actions=[gone])
    one = job(program, {"libnvsdm-570": "570.172.08-1", "nvidia-imex": "580.95.05-1"})
    assert going_along.take(one, {"libnvsdm": ["595.58.03-1"], "nvidia-imex": ["595.58.03-1"]}, going_along.APT) == []
    assert prepare.simulate(one, [], []) == [gone], "its removal is not that of somebody else's package"
    kept = []
    change = type("Change", (), {"keep_settings": lambda self, names: kept.extend(names)})()
    monkeypatch.setattr(one, "_fetch", lambda: None)
    monkeypatch.setattr(one, "_refresh", lambda: None)
    monkeypatch.setattr(one, "_without_old_driver", dict)
    one._install(change)
    exact = ["nvidia-driver-cuda=595.58.03-1", "libnvsdm=595.58.03-1", "nvidia-imex=595.58.03-1", "nvidia-kernel-dkms-", "libnvsdm-570-"]
    assert program.done == [("simulate", exact), ("driver", exact)] and kept == ["libnvsdm-570"]


def test_other_removals_are_still_refused():
    gone = {"action": "remove", "name": "slurmd", "old": "1-1", "new": None}
    one = job(Program(actions=[gone]), {"libnvsdm-570": "570.172.08-1", "slurmd": "1-1"})
    with pytest.raises(prepare.Refused, match="slurmd would be removed"):
        prepare.simulate(one, [], [])


def test_the_distribution_is_asked_only_where_something_is_here():
    program = Program({"libnvidia-nscq-595": ["595.58.03-0ubuntu1"]})
    one = job(program, {"nvidia-settings": "1-1"}, source="distribution")
    prepare.from_distribution(one, [])
    assert program.done == [] and one.besides == {}
    one = job(program, {"libnvidia-nscq-580": "580.95.05-0ubuntu1"}, source="distribution")
    prepare.from_distribution(one, [])
    assert program.done == [("versions", ["libnvidia-nscq", "libnvidia-nscq-595"])]
    assert one.picked["libnvidia-nscq-595"] == "595.58.03-0ubuntu1" and one.leaving() == ["nvidia-kernel-dkms", "libnvidia-nscq-580"]
    one = job(Program(), {"nvidia-imex-580": "580.95.05-0ubuntu1"}, source="distribution")
    with pytest.raises(prepare.Refused, match="the distribution's sources have no nvidia-imex-595 595.58.03"):
        prepare.from_distribution(one, [])


def test_a_driver_that_stays_moves_nothing():
    one = job(Program(), {"nvidia-imex-580": "580.95.05-0ubuntu1"}, source="distribution")
    one.decided["settled"] = True
    prepare.from_distribution(one, [])
    assert one.besides == {} and one.program.done == []


def test_it_is_held_and_kept_with_the_driver():
    there = here(**{"libnvsdm": "595.58.03-1", "nvidia-imex": "595.58.03-1", "libnvidia-nscq-570": "570.172.08-1"})
    assert set(plan.owned(WISH, there, "595.58.03")) == {"libnvsdm", "nvidia-imex"}
    assert plan.holds_due(WISH, there, "595.58.03") == ["libnvsdm", "nvidia-imex"]


def test_recorded_pins_have_it_also_where_it_came_later():
    there = known("580.95.05", "nvidia-imex", **{"libnvidia-nscq-570": package("570.172.08-1")})
    found = record.snapshot(there, host(), [])
    assert found["packages"]["nvidia-imex"] == "580.95.05-1" and "libnvidia-nscq-570" not in found["packages"]
    before = record.snapshot(known("580.95.05"), host(), [])
    assert record.now(None, before, found) == dict(found) and record.now(None, found, found) is found
    assert record.now(None, found, before) == found, "a record is not made poorer"
    assert record.before({"current": found}, there, before) == found


def test_apt_itself_is_asked_by_the_prepared_names():
    ran = []
    program = apt.Apt(lambda command, **unused: ran.append(command) or (0, "nvidia-imex | 595.58.03-1 | http://x Packages\n", ""))
    one = job(program, {"nvidia-imex": "580.95.05-1"}, source="distribution")
    prepare.from_distribution(one, ["-o", "a=b"])
    assert ran == [["apt-cache", "-o", "a=b", "madison", "nvidia-imex", "nvidia-imex-595"]]
    assert one.picked["nvidia-imex"] == "595.58.03-1"


SETTLED = {"nvidia-driver-cuda": "595.58.03-1", "nvidia-kernel-open-dkms": "595.58.03-1"}


@pytest.mark.parametrize(
    ("beside", "lost", "pinned", "settled"),
    [
        ({}, [], None, True),
        ({"nvidia-imex": "595.58.03-1"}, [], None, True),
        ({"nvidia-imex": "580.95.05-1"}, [], None, False),
        ({"nvidia-imex-570": "570.172.08-1"}, [], None, False),
        ({}, ["nvidia-imex"], None, False),
        ({"nvidia-imex": "595.58.03-1"}, [], "595.58.03-2", False),
    ],
)
def test_a_driver_that_moved_without_them_is_not_settled(beside, lost, pinned, settled):
    """As a run that was killed within dnf leaves it, or one of a release of this collection that let them stay."""
    pins = {"packages": {**SETTLED, "nvidia-imex": pinned}, "kernels": [], "platform": "Debian-12"} if pinned else None
    host = seen(packages=here(**SETTLED, **beside), lost=lost)
    assert plan.decide(wish(branch=595, packages=list(SETTLED), pins=pins), host)["settled"] is settled
