# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done with a host in any stage of an upgrade."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import decide
from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import record as stages
from tests.unit.plugins.module_utils.upgrade.hosts import ADDRESS, FIRST, KERNEL, LATER, THIRD, facts, found, pins, record

SETTINGS = {
    "upgrade_retry": False, "upgrade_drains": False, "busy": "refuse", "local": False, "upgrade_reboot": "if_required", "toolkit": None,
}  # fmt: skip
JOB = {"pid": 4711, "program": "python3"}


def plan(seen, old=None, wished=LATER, **settings):
    return decide.plan("gpu-0", seen, old, found(wished), {**SETTINGS, **settings})


def test_host_that_has_another_driver_is_upgraded_from_it():
    told = plan(facts())
    assert (told["action"], told["from"], told["to"], told["resumes"]) == ("upgrade", pins(FIRST), pins(LATER), None)
    assert told["gpus"] == {ADDRESS: "healthy"}
    assert set(told["back"]["packages"]) == {"nvidia-driver-cuda", "nvidia-kernel-open-dkms", f"linux-headers-{KERNEL}"}


def test_what_goes_along_with_its_driver_has_to_come_back_too():
    seen = facts()
    seen["pins"]["current"]["packages"]["nvidia-imex"] = f"{FIRST}-1"
    assert plan(seen)["back"]["packages"]["nvidia-imex"] == f"{FIRST}-1"


@pytest.mark.parametrize("old", [None, record("done"), record("rolled_back", why="x"), record("done", to=THIRD)])
def test_host_that_has_the_pins_is_left_alone(old):
    assert plan(facts(LATER), old)["action"] == "none"


def test_pins_that_apt_is_not_told_of_any_more_are_written_again():
    """As configure without pins leaves a distribution's driver: the record has the pins, and the preferences are gone."""
    host = facts(LATER, previous=FIRST)
    host["pins"]["preferences"] = False
    told = plan(host)
    assert (told["action"], told["from"]) == ("upgrade", pins(LATER)), "and the way back leads to the driver that is there"
    host["pins"]["preferences"] = True
    assert plan(host)["action"] == "none"


def test_host_that_waits_for_a_restart_is_taken_back_to_what_it_was_before():
    told = plan(facts(LATER, previous=FIRST, state="reboot_pending"))
    assert (told["action"], told["from"]) == ("upgrade", pins(FIRST))


def test_host_without_a_gpu_is_skipped():
    assert plan({**facts(), "present": False})["action"] == "skip"


@pytest.mark.parametrize("stage", stages.MOVING)
@pytest.mark.parametrize("driver", [FIRST, LATER])
def test_stopped_upgrade_goes_on_with_its_way_back(stage, driver):
    told = plan(facts(driver), record(stage))
    assert (told["action"], told["from"], told["resumes"]) == ("upgrade", pins(FIRST), stage)


def test_stopped_upgrade_of_a_host_in_use_is_looked_at_again_by_the_role():
    assert plan(facts(processes=[JOB]), record("install"))["action"] == "upgrade"


def test_only_what_is_left_is_done():
    assert plan(facts(LATER), record("undrain"))["action"] == "undrain"
    assert plan(facts(LATER), record("undrain"), wished=THIRD)["action"] == "upgrade"
    assert plan(facts(THIRD, LATER), record("undrain"))["action"] == "refuse"


@pytest.mark.parametrize("stage", ["rollback", "stranded"])
def test_stopped_way_back_is_gone_first(stage):
    old = record(stage, failed="verify", why="no GPU")
    assert plan(facts(LATER), old)["action"] == "return"
    for told in (plan(facts(LATER), old, upgrade_retry=True), plan(facts(LATER), old, wished=THIRD)):
        assert (told["action"], told["from"]) == ("upgrade", pins(FIRST))


def test_pins_that_were_returned_from_are_tried_again_only_when_told():
    old = record("rolled_back", failed="verify", why="nvidia-smi ends with 9.")
    (told,) = plan(facts(), old)["problems"]
    assert told == (
        "gpu-0 was returned from its upgrade (driver 580.95.05 to 595.58.03) at 2026-11-27T10:03:30Z: nvidia-smi ends with 9. Nothing was "
        "changed. Set upgrade_retry to true to try these pins again, give other upgrade_pins, or leave the host out with --limit."
    )
    assert plan(facts(), old, upgrade_retry=True)["action"] == "upgrade"
    assert plan(facts(), old, wished=THIRD)["action"] == "upgrade"


@pytest.mark.parametrize(
    ("seen", "settings", "told"),
    [
        (facts(None), {}, "gpu-0 has no NVIDIA driver: there is nothing to upgrade."),
        (facts(FIRST, current=THIRD), {}, "the pins that are written down there are those of driver 610.43.02"),
        ({**facts(), "pins": {"current": None, "previous": None}}, {}, "written down there are none: expected its own"),
        (facts(driver_state="coherent"), {"local": True}, "gpu-0 is the machine that Ansible runs on"),
        (facts(processes=[JOB]), {}, "gpu-0: 1 process uses its GPUs (python3 pid 4711). Nothing was changed."),
        (facts(state="mismatch", processes=None), {}, "gpu-0: it cannot be told whether processes use its GPUs (nvidia-smi does not say"),
        (facts(), {"upgrade_reboot": "never"}, "upgrade_reboot is 'never': expected if_required or always."),
    ],
)
def test_refused_before_anything_is_changed(seen, settings, told):
    answer = plan(seen, **settings)
    assert answer["action"] == "refuse" and any(told in one for one in answer["problems"]), answer["problems"]


def test_driver_of_somebody_else_is_refused():
    seen = facts()
    seen["driver"]["installed"]["managed"] = False
    assert "which role nvidia_driver did not install" in plan(seen)["problems"][0]


def test_wrong_pins_are_told_by_the_name_of_the_playbook():
    wrong = {"pins": None, "wish": {}, "problems": ["nvidia_driver_pins is /x: there is no such file."]}
    assert decide.plan("gpu-0", facts(), None, wrong, SETTINGS)["problems"] == ["upgrade_pins is /x: there is no such file."]


@pytest.mark.parametrize("settings", [{"upgrade_drains": True}, {"busy": "proceed"}])
def test_host_in_use_is_taken_where_it_is_drained_or_wished(settings):
    assert plan(facts(processes=[JOB]), **settings)["action"] == "upgrade"


@given(
    stage=st.sampled_from((None, *stages.STAGES)), there=st.sampled_from((FIRST, LATER, THIRD)),
    wished=st.sampled_from((FIRST, LATER, THIRD)), state=st.sampled_from(("coherent", "reboot_pending", "mismatch")),
    retry=st.booleans(), to=st.sampled_from((LATER, THIRD)),
)  # fmt: skip
def test_any_host_has_a_next_step(stage, there, wished, state, retry, to):
    old = record(stage, to=to, why="told") if stage else None
    told = plan(facts(there, state=state), old, wished, upgrade_retry=retry)
    assert (told["action"] == "refuse") == bool(told["problems"])
    if told["action"] in ("upgrade", "return"):
        assert told["from"] and told["to"] == pins(wished) and told["back"]
    # What an unfinished upgrade would return to is never lost.
    if stage in (*stages.MOVING, "rollback", "stranded"):
        assert told["from"] == pins(FIRST)
    if told["action"] in ("none", "undrain"):
        assert there == wished and state == "coherent"
    # The way back is never gone for other pins than those it came from.
    assert told["action"] != "return" or to == wished


@pytest.mark.parametrize(
    ("policy", "changed", "old", "boot", "seen", "due"),
    [
        ("if_required", True, record("install"), "one", facts(), False),
        ("if_required", False, record("reboot"), "one", facts(LATER, loaded=FIRST, state="reboot_pending"), True),
        ("if_required", False, record("reboot"), "one", facts(state="reboot_pending", container=True), False),
        ("if_required", False, record("reboot"), "one", facts(kernel={"running": "6.1.0-1-amd64", "newest_installed": KERNEL}), True),
        ("if_required", False, record("reboot"), "one", facts(kernel={"running": "6.1.0-1", "newest_installed": "6.2.0"}), False),
        ("always", True, record("install"), "two", facts(), True),
        ("always", False, record("reboot"), "one", facts(), True),
        ("always", False, record("verify"), "two", facts(), False),  # it has been restarted since
        ("always", False, record("rollback", failed="verify"), "one", facts(), True),
        ("always", False, record("rollback", failed="drain"), "one", facts(), False),  # jobs may run there still
        ("always", False, record("stranded", failed="verify"), "two", facts(), False),
    ],
)
def test_restart(policy, changed, old, boot, seen, due):
    assert decide.is_reboot_due(policy, seen, changed, old, boot, pins(LATER)) is due


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (facts(LATER), None),
        (facts(FIRST), "gpu-0 has driver 580.95.05 installed: expected 595.58.03."),
        (facts(LATER, state="mismatch"), "the driver of gpu-0 is in state mismatch: expected coherent. told."),
        (facts(LATER, state="reboot_pending"), "is in state reboot_pending: expected coherent"),
        (facts(LATER, loaded=FIRST), "gpu-0 has driver 580.95.05 loaded: expected 595.58.03."),
        (facts(LATER, health="unknown"), f"GPU {ADDRESS} of gpu-0 was healthy before and is unknown now: told."),
        (facts(LATER, gpus=[]), f"GPU {ADDRESS} of gpu-0 was healthy before and is failed now: it is not there any more."),
    ],
)
def test_verdict(seen, told):
    problems = decide.verdict("gpu-0", seen, pins(LATER), {ADDRESS: "healthy"})
    assert any(told in one for one in problems) if told else problems == []


def test_gpu_that_was_bad_before_is_no_reason():
    assert decide.verdict("gpu-0", facts(LATER, health="degraded"), pins(LATER), {ADDRESS: "degraded"}) == []


def test_user_space_alone_is_what_pins_without_modules_want():
    assert decide.verdict("gpu-0", facts(LATER, state="user_space_only", loaded=FIRST), pins(LATER, flavor=None), {}) == []
