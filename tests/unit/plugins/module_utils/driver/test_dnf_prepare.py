# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked and told of dnf before and while a host of it is changed; a Program stands where dnf is."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import (
    apt,
    dnf_install,
    dnf_prepare,
    install,
    plan,
    prepare,
    rpms,
    versionlock,
)

PICKED = {"nvidia-driver-cuda": "3:595.58.03-1.el9", "kmod-nvidia-open-dkms": "3:595.58.03-1.el9"}
HEADERS = "kernel-devel-5.14.0-503.11.1.el9_5.x86_64"
WISH = {"hold": True, "pins": None, "source": "nvidia", "take_over": False, "packages": list(PICKED), "companions": [], "repository": "u"}


class Program:
    """Notes what is done. fails: what a simulation answers instead of actions."""

    def __init__(self, actions=(), fails=None):
        self.actions, self.fails, self.done = list(actions), fails, []

    def simulate(self, names, options):
        self.done.append(("simulate", names))
        if self.fails:
            raise apt.Failed("simulate", self.fails)
        return self.actions

    def install(self, what, names, options=()):
        self.done.append((what, names, *options))

    def fetch(self, what, names):
        self.done.append((what, names))
        if self.fails:
            raise apt.Failed(what, self.fails)

    def remove(self, what, names):
        self.done.append((what, names))


@pytest.fixture
def locks(tmp_path, monkeypatch):
    """The list of a host that has the plugin."""
    path = tmp_path / "versionlock.list"
    path.write_text("")
    monkeypatch.setattr(versionlock, "here", lambda: str(path))
    return path


def job(program, **decided):
    seen = {"packages": {"theirs": {"version": "1-1", "held": False}}, "manifest": {}, "lists": True, "lost": []}
    found = dnf_install.Install(
        dict(WISH), seen, {"kernel_packages": [HEADERS], "settled": False, "remove": [], "files_due": [], **decided}, program
    )
    found.picked = dict(PICKED)
    return found


def test_one_simulation_has_headers_driver_and_what_locks_them(monkeypatch):
    monkeypatch.setattr(versionlock, "here", lambda: None)
    program = Program()
    dnf_prepare.simulate(job(program), [])
    assert program.done[0][1] == [HEADERS, *(f"{name}={PICKED[name]}" for name in sorted(PICKED)), "dnf-command(versionlock)"]


def test_what_cannot_be_installed_is_refused_with_dnfs_own_words(locks):
    said = "Error: \n Problem: conflicting requests\n  - nothing provides dkms needed by kmod-nvidia-open-dkms-3:595.58.03-1.el9.x86_64\n"
    with pytest.raises(prepare.Refused, match=r"nothing provides dkms needed by .*Nothing was changed\. Add the source .*EPEL has dkms"):
        dnf_prepare.simulate(job(Program(fails=said)), [])


def test_what_goes_along_under_another_name_may_leave_the_old_one(locks):
    gone = [{"action": "remove", "name": "libnvsdm-570", "old": "570.195.03-1", "new": None}]
    one = job(Program(gone))
    one.seen["packages"]["libnvsdm-570"] = {"version": "570.195.03-1", "held": False}
    with pytest.raises(prepare.Refused, match=r"libnvsdm-570 would be removed"):
        dnf_prepare.simulate(one, [])
    one.besides = {"libnvsdm-570": "libnvsdm"}
    assert dnf_prepare.simulate(one, []) == gone


def test_packages_of_others_are_not_taken_along(locks):
    gone = {"action": "remove", "name": "theirs", "old": "1-1", "new": None}
    with pytest.raises(prepare.Refused, match="theirs would be removed with this change"):
        dnf_prepare.simulate(job(Program([gone])), [])


def test_lock_of_somebody_else_is_told_and_the_old_one_of_ours_is_not(locks):
    locks.write_text("nvidia-driver-cuda-3:580.95.05-1.el9.*\n")
    one = job(Program())
    (told,) = dnf_prepare.locked_by_others(one)
    assert told.startswith(f"nvidia-driver-cuda is locked by nvidia-driver-cuda-3:580.95.05-1.el9.* in {locks}, and the driver would move")
    one.seen["manifest"] = {"packages": {"nvidia-driver-cuda": "3:580.95.05-1.el9"}, "held": ["nvidia-driver-cuda"]}
    assert dnf_prepare.locked_by_others(one) == []


def test_source_distribution_is_refused():
    with pytest.raises(prepare.Refused, match="RedHat-family-9 has no packages of NVIDIA's driver"):
        dnf_prepare.refuse_distribution({"source": "distribution"}, {"platform_names": ["RedHat-family-9"]})


def test_simulated_host_has_others_locks_and_sources_but_not_ours(locks, tmp_path, monkeypatch):
    locks.write_text("kernel-0:5.14.0-1.*\nnvidia-driver-cuda-3:580.95.05-1.el9.*\n")
    places = [tmp_path / "plugins-of-host", tmp_path / "yum.repos.d"]
    for place in places:
        place.mkdir()
    (places[0] / "versionlock.conf").write_text("[main]\n")
    (places[0] / "copr.conf").write_text("[main]\n")
    (places[1] / "baseos.repo").write_text("")
    (places[1] / "mlinfra-nvidia.repo").write_text("")
    monkeypatch.setattr(dnf_prepare, "PLUGINS", str(places[0]))
    monkeypatch.setattr(dnf_prepare, "REPOSITORIES", (str(places[1]),))
    monkeypatch.setattr(versionlock, "CONFIGURATION", str(places[0] / "versionlock.conf"))
    monkeypatch.setattr(rpms, "SOURCE", str(places[1] / "mlinfra-nvidia.repo"))
    folder = tmp_path / "folder"
    folder.mkdir()
    (option,) = dnf_prepare.host_options(str(folder), {"nvidia-driver-cuda": "3:580.95.05-1.el9"})
    assert option == f"--setopt=pluginconfpath={folder}/plugins"
    assert sorted(path.name for path in (folder / "plugins").iterdir()) == ["copr.conf", "versionlock.conf"]
    assert (folder / "versionlock.list").read_text() == "kernel-0:5.14.0-1.*\n"
    assert f"locklist = {folder}/versionlock.list" in (folder / "plugins/versionlock.conf").read_text()
    dnf_prepare.others(str(folder))
    assert [path.name for path in (folder / "others").iterdir()] == ["baseos.repo"]


class Change:
    """Stands where the transaction is."""

    def __init__(self):
        self.locked = []

    def lock(self, old, new):
        self.locked.append((old, new))


EXACT = [f"{name}={PICKED[name]}" for name in sorted(PICKED)]
THERE = {"nvidia-driver-cuda": {"version": "3:595.58.03-1.el9", "status": "installed", "held": False, "broken": False}}


def test_the_other_flavor_goes_when_the_new_one_has_been_fetched_and_no_mirror_is_asked_any_more(locks, monkeypatch):
    program, change = Program(), Change()
    one = job(program, remove=["kmod-nvidia-latest-dkms"])
    monkeypatch.setattr(one, "packages", lambda: THERE)
    one._install(change)
    assert program.done == [
        ("headers", [HEADERS]),
        ("download", EXACT),
        ("remove the other flavor", ["kmod-nvidia-latest-dkms"]),
        ("driver", EXACT, "--cacheonly"),
    ]
    assert change.locked == [({}, {})]


def test_a_mirror_that_is_lost_before_all_is_fetched_costs_no_package(locks):
    lost = "kmod-nvidia-open-dkms-3:595.58.03-1.el9.x86_64: Cannot download, all mirrors were already tried without success"
    program = Program(fails=f"\nError: Error downloading packages:\n  {lost}\n")
    one = job(program, remove=["kmod-nvidia-latest-dkms"], kernel_packages=[])
    with pytest.raises(apt.Failed) as failed:
        one._install(Change())
    assert program.done == [("download", EXACT)]
    why = one._why(failed.value)
    assert why["lines"] == ["Error: Error downloading packages:", lost]
    assert why["next"].startswith("The package source is not what it was when this run chose from it, or has gone")


def test_without_another_flavor_dnf_itself_fetches_before_it_changes(locks, monkeypatch):
    program = Program()
    one = job(program, kernel_packages=[])
    monkeypatch.setattr(one, "packages", lambda: THERE)
    one._install(Change())
    assert program.done == [("driver", EXACT)]


def here(**named):
    return {name: {"version": version, "status": "installed", "held": False, "broken": False} for name, version in named.items()}


def test_nothing_goes_along_that_is_not_here(monkeypatch):
    available = {**{name: ["3:595.58.03-1.el9"] for name in PICKED}, "nvidia-imex": ["595.58.03-1.el9"], "libnvidia-nscq": ["595.58.03-1"]}
    one = job(Program())
    one.wish.update(branch=595, version="")
    one.seen["packages"] = here(theirs="1-1")
    dnf_prepare.choose(one, available, [])
    assert one.picked == PICKED and one.besides == {}
    one.seen["packages"] = here(**{"nvidia-imex": "580.95.05-1"})
    dnf_prepare.choose(one, available, [])
    assert one.picked == {**PICKED, "nvidia-imex": "595.58.03-1.el9"} and one.besides == {"nvidia-imex": "nvidia-imex"}


def test_pins_that_know_what_goes_along_say_which_build(monkeypatch):
    available = {"nvidia-imex": ["595.58.03-1.el9", "595.58.03-2.el9"]}
    one = job(Program())
    one.seen["packages"] = here(**{"nvidia-imex": "580.95.05-1"})
    monkeypatch.setattr(prepare, "choose_pinned", lambda job, options: None)
    one.wish["pins"] = {"packages": {**PICKED, "nvidia-imex": "595.58.03-1.el9"}}
    dnf_prepare.choose(one, available, [])
    assert one.picked["nvidia-imex"] == "595.58.03-1.el9"
    one.wish["pins"] = {"packages": PICKED}
    dnf_prepare.choose(one, available, [])
    assert one.picked["nvidia-imex"] == "595.58.03-2.el9"


def test_an_old_name_does_not_stay_beside_the_new_one(locks, monkeypatch):
    program = Program()
    one = job(program, kernel_packages=[])
    one.besides = {"libnvidia-nscq-570": "libnvidia-nscq", "nvidia-imex": "nvidia-imex"}
    there = {**THERE, **here(**{"libnvidia-nscq-570": "570.172.08-1", "libnvidia-nscq": "595.58.03-1", "nvidia-imex": "595.58.03-1"})}
    monkeypatch.setattr(one, "packages", lambda: there)
    one._install(Change())
    assert program.done == [("driver", EXACT), ("remove the old names", ["libnvidia-nscq-570"])]


def test_what_goes_along_is_locked_with_the_driver():
    there = here(**{"libnvsdm": "595.58.03-1.el9", "nvidia-imex": "595.58.03-1.el9", "libnvidia-nscq": "595.58.03-1.el9"})
    assert set(plan.owned(WISH, there, "595.58.03")) == set(there)


def test_the_new_locks_are_of_what_is_there(locks):
    change = Change()
    there = {name: {"version": version, "status": "installed", "held": False, "broken": False} for name, version in PICKED.items()}
    job(Program())._keep(change, there, "595.58.03")
    assert change.locked == [({}, PICKED)]
    job(Program())._keep(change, {name: dict(one, held=True) for name, one in there.items()}, "595.58.03")
    assert len(change.locked) == 1


def test_initramfs_is_made_by_dracut_where_that_is(monkeypatch):
    ran = []
    monkeypatch.setattr(install.shutil, "which", lambda name, path: "/usr/bin/dracut" if name == "dracut" else None)
    program = Program()
    program.call = lambda what, command: ran.append(command)
    job(program)._initramfs({"/boot/initramfs-5.14.0.img"})
    assert ran == [["dracut", "--regenerate-all", "--force"]]
