# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A distribution's driver moves to another version that is offered as a whole: apt is told each package of it, up and down."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import install, pinned, plan, prepare
from tests.unit.plugins.module_utils.driver.test_plan import package, seen, wish

NEW, OLD = "535.309.01-0+deb12u1", "535.261.03-1"
WISHED = ["nvidia-smi", "libcuda1", "libnvidia-ml1"]
ALONG = ["libnvidia-ptxjitcompiler1", "libnvcuvid1", "nvidia-alternative"]
OTHERS = {"nvidia-persistenced": "535.171.04-1", "bash": "5.2-1", "nvidia-imex-535": NEW}


def debian(**other):
    return wish(source="distribution", branch=None, packages=WISHED, packages_absent=[], kernel_modules=False, **other)


def here(version, **other):
    return seen(packages={name: package(one) for name, one in {**dict.fromkeys(WISHED + ALONG, version), **OTHERS, **other}.items()})


@pytest.mark.parametrize(("there", "goal"), [(NEW, OLD), (OLD, NEW)])
def test_the_rest_of_the_driver_is_named_up_and_down(there, goal):
    picked = dict.fromkeys(WISHED, goal)
    names = plan.family(debian(), here(there), picked)
    assert names == sorted(ALONG), "neither what has a version of its own nor what goes along"
    available = {**dict.fromkeys(ALONG, [NEW, OLD]), "libnvcuvid1": [there]}
    found = plan.family_at(debian(), names, available, picked)
    assert found == {"libnvidia-ptxjitcompiler1": goal, "nvidia-alternative": goal}, "what is not offered is no part of that driver"


def test_what_is_of_the_driver_that_comes_is_not_named():
    assert plan.family(debian(), here(NEW), dict.fromkeys(WISHED, NEW)) == []


def test_a_move_that_was_killed_goes_on():
    """Its own packages are there already, and the rest is of the driver before, which only the manifest tells."""
    host = here(NEW, **dict.fromkeys(WISHED, OLD))
    host["manifest"] = {"driver": "535.309.01"}
    assert plan.family(debian(), host, dict.fromkeys(WISHED, OLD)) == sorted(ALONG)


def test_what_goes_is_not_named():
    host = here(NEW, **{"nvidia-kernel-dkms": NEW})
    assert "nvidia-kernel-dkms" not in plan.family(debian(), host, dict.fromkeys(WISHED, OLD), ["nvidia-kernel-dkms"])
    assert "nvidia-kernel-dkms" in plan.family(debian(), host, dict.fromkeys(WISHED, OLD))


def test_which_build_of_a_version():
    two = {"nvidia-alternative": ["535.261.03-2", OLD]}
    picked, names = dict.fromkeys(WISHED, OLD), ["nvidia-alternative"]
    assert plan.family_at(debian(), names, two, picked) == {"nvidia-alternative": OLD}, "as the rest of it"
    pins = {"packages": {"nvidia-alternative": "535.261.03-2"}}
    assert plan.family_at(debian(pins=pins), names, two, picked) == {"nvidia-alternative": "535.261.03-2"}
    assert plan.family_at(debian(), names, {"nvidia-alternative": ["535.261.03-2"]}, picked) == {"nvidia-alternative": "535.261.03-2"}


class Program:
    """Stands where apt is."""

    def __init__(self):
        self.done = []

    def versions(self, names, options):
        return {name: [NEW, OLD] for name in names}

    def simulate(self, names, options):
        self.done.append(("simulate", *sorted(names)))
        return []

    def install(self, what, names):
        self.done.append((what, *sorted(names)))

    def call(self, what, command):
        self.done.append(tuple(command))
        return "libnvcuvid1\n"


def test_apt_is_told_all_of_it_and_what_came_along_stays_so(monkeypatch):
    monkeypatch.setattr(prepare.room, "problems", lambda *unused: [])
    decided = {"settled": False, "remove": [], "kernel_packages": [], "files_due": []}
    job = install.Install(debian(pins=None), {**here(NEW), "lost": []}, decided, Program())
    del job.seen["packages"]["nvidia-imex-535"]
    job.picked = dict.fromkeys(WISHED, OLD)
    prepare.from_distribution(job, [])
    prepare.simulate(job, [], [])
    exact = sorted(f"{name}={OLD}" for name in WISHED + ALONG)
    assert sorted(pinned.wished(job)) == exact
    for name, does in (("_fetch", lambda: None), ("_without_old_driver", dict)):
        monkeypatch.setattr(job, name, does)
    job._install(type("Change", (), {"keep_settings": lambda self, names: None})())
    marks = ("apt-mark", "showauto", *sorted(ALONG)), ("driver", *exact), ("apt-mark", "auto", "libnvcuvid1")
    assert job.program.done == [("simulate", *exact), *marks]
