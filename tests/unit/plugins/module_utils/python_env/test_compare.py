# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import compare, installed


def environment(packages, python="3.11.2", sha256="a", there=True, machine="x86_64"):
    return {
        "name": "vision",
        "path": "/envs/vision",
        "there": there,
        "python": python,
        "machine": machine,
        "requirements_sha256": sha256,
        "installed": packages,
        "digest": installed.digest(packages),
    }


def told(*environments):
    return compare.differences({f"host-{number}": [each] for number, each in enumerate(environments)})


def test_the_same():
    assert told(environment({"six": "1"}), environment({"six": "1"}, python="3.13.5")) == {"failures": [], "notes": []}


def test_the_same_list_made_something_else():
    found = told(environment({"six": "1", "idna": "2"}), environment({"six": "2", "tomli": "1"}))
    assert found["notes"] == []
    assert found["failures"] == [
        "vision on host-0 and host-1: the same list has made something else: tomli 1 is there in addition, idna 2 is not there, "
        "six is 2 instead of 1. Remove /envs/vision there, and run role python_env again"
    ]


def test_what_is_meant_to_differ_is_a_note():
    found = told(
        environment({"six": "1"}),
        environment({"six": "2"}, python="3.13.5"),
        environment({"six": "3"}, sha256="b"),
        environment({"six": "4"}, machine="aarch64"),
    )
    assert found == {
        "failures": [],
        "notes": [
            "vision on host-0 and host-1: the list means something else for Python 3.13.5 on x86_64 than for "
            "Python 3.11.2 on x86_64: six is 2 instead of 1",
            "vision on host-0 and host-2: they are made from different lists",
            "vision on host-0 and host-3: the list means something else for Python 3.11.2 on aarch64 than for "
            "Python 3.11.2 on x86_64: six is 4 instead of 1",
        ],
    }


def test_a_host_without_it_is_not_compared():
    assert told(environment({}, there=False), environment({"six": "1"})) == {"failures": [], "notes": []}
