# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which toolkits a host gets, and which its driver or its repository forbids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.cuda_toolkit import plan
from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import repository
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import tables

URL = "http://mirror.example/debian12/x86_64/"
WISH = {
    "versions": ["12.8"], "default": None, "profile": "full", "pinned": {}, "driver": "580.95.05", "mode": "compatible",
    "architectures": [], "remove_others": False, "hold": True, "repository": URL,
}  # fmt: skip
FILES = {plan.PROFILE: plan.PROFILE_TEXT % {"link": plan.LINK}, repository.SOURCE: repository.source_text(URL)}
FILES |= {repository.KEYRING: "", plan.PREFERENCES: ""}


def host(packages=(), current=None, held=True, **more):
    """packages: {name: version}"""
    known = {name: {"version": version, "status": "installed", "held": held, "broken": False} for name, version in dict(packages).items()}
    return {"packages": known, "sources": {}, "files": dict(FILES), "current": current, **more}


def toolkit(release, update="1"):
    end, version = release.replace(".", "-"), f"{release}.{update}-1"
    names = (
        f"cuda-toolkit-{end}",
        f"cuda-libraries-{end}",
        f"cuda-nvcc-{end}",
        f"libcublas-dev-{end}",
        f"cuda-toolkit-{end}-config-common",
    )
    return dict.fromkeys(names, version)


def decide(seen, **wish):
    found = plan.decide({**WISH, **wish}, seen)
    assert found["problems"] == []
    return found


def problems(seen=None, **wish):
    return "\n".join(plan.decide({**WISH, **wish}, seen or host())["problems"])


def test_a_bare_host_gets_it_all():
    found = decide(host(files={}))
    assert found["missing"] == {"cuda-toolkit-12-8": (12, 8, None)} and found["default"] == (12, 8, None)
    assert set(found["files"]) == {plan.PROFILE, plan.PREFERENCES, repository.SOURCE, repository.KEYRING}
    assert found["files"][repository.KEYRING] is None, "only the repository can tell its key"


def test_as_wished_there_is_nothing_to_do_and_a_newer_update_does_not_count():
    found = decide(host(toolkit("12.8", "0"), "/usr/local/cuda-12.8"))
    assert not any(found[key] for key in ("missing", "remove", "hold", "default", "files"))


def test_the_highest_is_the_default_unless_one_is_named():
    both = host({**toolkit("12.8"), **toolkit("13.0")}, "/usr/local/cuda-12.8")
    assert decide(both, versions=["12.8", "13.0"])["default"] == (13, 0, None)
    assert decide(both, versions=["12.8", "13.0"], default="12.8")["default"] is None


def test_a_source_of_somebody_else_is_used_as_it_is():
    seen = host(files={}, sources={"/etc/apt/sources.list.d/cuda.list": f"deb [signed-by=/x.gpg] {URL} /\n"})
    assert set(decide(seen)["files"]) == {plan.PROFILE}


def test_a_source_that_is_switched_off_is_none():
    """As role nvidia_driver leaves one of somebody else with another key."""
    off = f"Types: deb\nURIs: {URL}\nSuites: /\nEnabled: no\n"
    decided = decide(host(files={}, sources={"/etc/apt/sources.list.d/cuda.sources": off}))
    assert not decided["listed"] and plan.repository.SOURCE in decided["files"]


def test_others_go_only_when_asked_and_nothing_else_does():
    seen = host(
        {**toolkit("12.8"), **toolkit("12.4"), "libcuda1": "580.95.05-1", "libfoo-12-4": "1", "cuda-drivers": "580"}, "/usr/local/cuda-12.8"
    )
    assert decide(seen)["remove"] == []
    assert set(decide(seen, remove_others=True)["remove"]) == {*toolkit("12.4"), "libfoo-12-4"}
    assert decide(host({"libicu-12-4": "1"}, "/usr/local/cuda-12.8"), versions=[], remove_others=True)["remove"] == [], "no toolkit at all"


def test_packages_that_an_upgrade_could_move_are_held():
    assert set(decide(host(toolkit("12.8"), "/usr/local/cuda-12.8", held=False))["hold"]) == set(toolkit("12.8"))
    assert decide(host(toolkit("12.8"), "/usr/local/cuda-12.8", held=False), hold=False)["hold"] == []


def test_pins_and_updates_move_what_is_installed():
    seen = host(toolkit("12.8", "0"), "/usr/local/cuda-12.8")
    assert decide(seen, pinned={"cuda-toolkit-12-8": "12.8.1-1"})["missing"]
    assert decide(seen, versions=["12.8.1"])["missing"] and not decide(seen, versions=["12.8.0"])["missing"]


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"versions": ["12"]}, "cuda_toolkit_versions has '12': expected CUDA releases out of 11.8, 12.0"),
        ({"versions": ["14.7"]}, "cuda_toolkit_versions has '14.7'"),
        ({"versions": ["12.8", "12.8.1"]}, "has 12.8 twice"),
        ({"default": "12.4"}, "cuda_toolkit_default is 12.4: cuda_toolkit_versions has 12.8. Choose one of them."),
        (
            {"driver": "570.10", "mode": "strict"},
            "12.8: driver 570.10 of this host cannot run it (CUDA 12.8 brings driver 570.26, and mode is strict)",
        ),
        ({"driver": "570.10", "mode": "strict"}, "cuda_toolkit_mode compatible would do with branch 525"),
        ({"driver": "570.172.08", "versions": ["13.0"]}, "driver 570.172.08 of this host cannot run it (CUDA 13 runs from branch 580 on)"),
        ({"architectures": ["volta"], "versions": ["13.0"]}, "CUDA 12 is the last one for the volta GPUs"),
    ],
)
def test_what_is_refused(wish, told):
    assert told in problems(**wish)


def test_minor_versions_are_compatible_and_a_host_without_driver_takes_all():
    assert problems(driver="525.60.13") == "" and problems(driver="", versions=["13.0"], mode="strict") == ""


OFFERED = {"cuda-toolkit-12-8": ["12.8.0-1", "12.8.1-1"], "cuda-libraries-12-8": ["12.8.1-1"]}


def test_the_newest_update_the_named_one_or_the_pinned_one():
    assert plan.chosen(WISH, {"cuda-toolkit-12-8": (12, 8, None)}, OFFERED) == ({"cuda-toolkit-12-8": "12.8.1-1"}, [])
    assert plan.chosen(WISH, {"cuda-toolkit-12-8": (12, 8, 0)}, OFFERED)[0] == {"cuda-toolkit-12-8": "12.8.0-1"}
    pinned = {**WISH, "pinned": {"cuda-toolkit-12-8": "12.8.0-1"}}
    assert plan.chosen(pinned, {"cuda-toolkit-12-8": (12, 8, None)}, OFFERED)[0] == {"cuda-toolkit-12-8": "12.8.0-1"}


def test_what_the_repository_does_not_have_is_told_with_what_it_has():
    _picked, told = plan.chosen(WISH, {"cuda-toolkit-12-8": (12, 8, 2)}, OFFERED)
    assert "has no such cuda-toolkit-12-8 (there is: 12.8.0-1, 12.8.1-1)" in told[0]


def test_strict_judges_the_update_that_was_chosen():
    strict = {**WISH, "driver": "570.26", "mode": "strict"}
    assert plan.decide(strict, host())["problems"] == []
    assert "570.124.06" in plan.chosen(strict, {"cuda-toolkit-12-8": (12, 8, None)}, OFFERED)[1][0]


def test_a_change_that_would_touch_anything_else_is_refused():
    known = host({"libc6": "2.36", "tensorrt": "10", "cuda-toolkit-config-common": "12.4.1-1"})["packages"]
    actions = [
        {"action": "install", "name": "libc6", "old": "2.36", "new": "2.41"},
        {"action": "remove", "name": "tensorrt", "old": "10", "new": None},
        {"action": "install", "name": "libcublas-12-8", "old": None, "new": "12.8.1-1"},
        {"action": "install", "name": "cuda-toolkit-config-common", "old": "12.4.1-1", "new": "12.8.1-1"},
    ]
    told = plan.foreign(actions, known, [])
    assert len(told) == 2 and "libc6 would move from 2.36 to 2.41" in told[0] and "tensorrt would be removed" in told[1]


@given(
    st.lists(st.sampled_from(sorted({"%d.%d" % one[:2] for one in tables.CUDA_DRIVERS})), unique=True, max_size=4),
    st.sampled_from(["470.1", "525.60.13", "570.26", "580.95.05", "610.43.02"]),
    st.sampled_from(["compatible", "strict"]),
)
def test_never_a_release_that_the_tables_forbid(wished, driver, mode):
    found = plan.decide({**WISH, "versions": wished, "driver": driver, "mode": mode}, host())
    for text in wished:
        release = tuple(int(part) for part in text.split("."))
        if int(driver.split(".")[0]) < tables.CUDA_BRANCHES[release[0]]:
            assert any(one.startswith(f"cuda_toolkit_versions has {text}: driver") for one in found["problems"])
    if mode == "compatible" and all(int(driver.split(".")[0]) >= tables.CUDA_BRANCHES[int(one.split(".")[0])] for one in wished):
        assert found["problems"] == []
