# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as proof on a host."""

from __future__ import annotations

import copy

import pytest

from smoke import judge

HOST = {
    "gpu": {
        "present": True,
        "count": 1,
        "models": ["t4"],
        "driver_state": "coherent",
        "driver_reasons": [],
        "driver": {"installed": {"version": "580.95.05"}},
        "smi": {"gpus": [{"name": "Tesla T4"}]},
    },
    "smi": {"code": 0, "text": "NVIDIA-SMI 580.95.05"},
    "container": {"engine": "docker", "version": "20.10.24", "gpus": ["GPU 0: Tesla T4 (UUID: GPU-0)"], "problem": ""},
    "last_resort": "active",
}


def states(host, sandbox=False) -> dict[str, str]:
    return {one.name: one.state for one in judge.proofs(host, sandbox)}


def test_everything_is_proven_by_what_the_host_says():
    assert set(states(HOST).values()) == {"proven"}
    assert [one.detail for one in judge.proofs(HOST, False)] == [
        "580.95.05, coherent",
        "1 x T4",
        "docker 20.10.24",
        "GPU 0: Tesla T4 (UUID: GPU-0)",
        "its timer is active",
    ]


@pytest.mark.parametrize(
    ("path", "value", "name"),
    [
        (("gpu", "driver_state"), "reboot_pending", judge.DRIVER),
        (("gpu", "driver"), {"installed": {"version": None}}, judge.DRIVER),
        (("gpu", "smi"), {"gpus": []}, judge.SMI),
        (("gpu", "count"), 2, judge.SMI),
        (("gpu", "count"), 0, judge.SMI),
        (("smi", "code"), 9, judge.SMI),
        (("container", "problem"), "docker runs no container", judge.CONTAINER),
        (("container", "version"), "", judge.CONTAINER),
        (("container", "gpus"), [], judge.SMI_IN_CONTAINER),
    ],
)
def test_what_is_missing_fails_its_own_proof_alone(path, value, name):
    host = copy.deepcopy(HOST)
    host[path[0]][path[1]] = value
    assert {one for one, state in states(host).items() if state == "failed"} == {name}


def test_a_simulated_gpu_proves_nothing_even_when_it_answers():
    assert states(HOST, sandbox=True) == {
        judge.DRIVER: "not provable here",
        judge.SMI: "not provable here",
        judge.CONTAINER: "proven",
        judge.SMI_IN_CONTAINER: "not provable here",
        judge.LAST_RESORT: "proven",
    }


@pytest.mark.parametrize("timer", ["", "inactive", "failed"])
def test_a_host_that_would_live_on_is_told(timer):
    assert states({**HOST, "last_resort": timer})[judge.LAST_RESORT] == "failed"


def test_a_container_that_does_not_run_fails_in_the_sandbox_too():
    host = copy.deepcopy(HOST)
    host["container"]["problem"] = "docker runs no container"
    assert states(host, sandbox=True)[judge.CONTAINER] == "failed"


def test_a_host_that_was_never_looked_at_proves_nothing():
    assert set(states(None).values()) == set(states(None, sandbox=True).values()) == {"not run"}
