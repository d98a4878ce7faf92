# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role python_env finds out once for all hosts of a play is right for each of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

FAILURE = r"fatal: \[([\w-]+)(?: -> localhost)?\]: FAILED! => (.*?)(?= (?:fatal|ok|changed|skipping): \[| TASK \[| PLAY |$)"
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}


def proof(digest="same", sha256="a", there=True):
    environment = {"name": "vision", "path": "/envs/vision", "there": there, "python": "3.11.2", "machine": "x86_64"}
    return {"environments": [{**environment, "requirements_sha256": sha256, "digest": digest, "installed": {"six": digest}}]}


@pytest.fixture
def play(tmp_path):
    """Function (hosts with variables, tasks, arguments, keywords of the play) → (what was printed, {host: its failure})."""

    def run(hosts, tasks, *arguments, **keywords):
        inventory = {"all": {"vars": LOCAL, "hosts": hosts}}
        (tmp_path / "hosts.json").write_text(json.dumps(inventory))
        (tmp_path / "play.json").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks, **keywords}]))
        command = ["ansible-playbook", "-i", str(tmp_path / "hosts.json"), str(tmp_path / "play.json"), *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stdout + done.stderr and "WARNING" not in done.stderr, done.stdout + done.stderr
        told = " ".join(done.stdout.split())
        failed = dict(re.findall(FAILURE, told))
        assert (done.returncode == 0) is (not failed), done.stdout + done.stderr
        return told, failed

    return run


def role(tasks):
    return {"ansible.builtin.include_role": {"name": "mlinfra.hosts.python_env", "tasks_from": tasks, "rolespec_validate": False}}


COMPARE = [
    {"ansible.builtin.fail": {"msg": "down"}, "when": "down | default(false)"},
    {"ansible.builtin.set_fact": {"__python_env_proof": "{{ seen }}"}, "when": "seen is defined"},
    role("compare.yml"),
    {"ansible.builtin.debug": {"msg": "{{ inventory_hostname }} goes on"}},
]
HOSTS = {
    "first": {"seen": proof(there=False)},
    "gpu-0": {"seen": proof()},
    "gpu-1": {"seen": proof()},
    "odd": {"seen": proof("other")},
    "gone": {"seen": proof("third"), "down": True},
    "list": {"seen": proof("fourth", sha256="b")},
    "none": {},
}


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_each_host_is_told_its_own_differences(play, arguments):
    told, failed = play(HOSTS, COMPARE, *arguments)
    assert set(failed) == {"gone", "gpu-0", "odd"} and failed["gpu-0"] == failed["odd"]
    assert "vision on gpu-0 and odd: the same list has made something else: six is other instead of same" in failed["odd"]
    assert sorted(re.findall(r'"?msg"?: "?([\w-]+) goes on', told)) == ["first", "gpu-1", "list", "none"]
    assert told.count("vision on gpu-0 and list: they are made from different lists") == 1


def test_only_hosts_of_the_play_are_compared(play):
    assert not play(HOSTS, COMPARE, "--limit", "gpu-0,gpu-1,none")[1]


def test_a_later_batch_is_compared_with_those_before(play):
    _told, failed = play(HOSTS, COMPARE, "--limit", "gpu-0,gpu-1,odd,list", serial=2)
    assert set(failed) == {"odd"}


LOCK = [
    role("lock.yml"),
    {"ansible.builtin.debug": {"msg": "{{ inventory_hostname }} has <{{ __python_env_lock.requirement }}>"}},
]


def wish(tmp_path, framework, name):
    return {"python_env_framework": framework, "python_env_framework_lock": str(tmp_path / name), "python_env_framework_pins": {}}


@pytest.mark.parametrize("keywords", [{}, {"serial": 3}])
def test_one_host_asks_for_each_list(play, tmp_path, keywords):
    newer, older = "tensorflow==2.19.0", "tensorflow==2.18.0"
    hosts = {"one": (newer, "a"), "two": (newer, "a"), "three": (newer, "b"), "four": (older, "a")}
    told, failed = play({host: wish(tmp_path, *each) for host, each in hosts.items()}, LOCK, "--check", **keywords)
    assert not failed
    assert {host: told.count(f"changed: [{host} -> localhost]") for host in ("one", "two", "three", "four")} == {
        "one": 1,
        "two": 0,
        "three": 1,
        "four": 1,
    }
    for host, release in (("one", "2.19.0"), ("two", "2.19.0"), ("three", "2.19.0"), ("four", "2.18.0")):
        assert re.search(rf"{host} has <tensorflow\S*=={release}>", told), told


def test_a_list_that_cannot_be_made_fails_those_that_want_it(play, tmp_path):
    wrong, right = wish(tmp_path, "mxnet==1", "a"), wish(tmp_path, "tensorflow==2.19.0", "b")
    told, failed = play({"one": wrong, "two": wrong, "three": right}, LOCK, "--check")
    assert set(failed) == {"one", "two"} and told.count("-> localhost]: FAILED") == 1
    assert "mxnet" in failed["one"] and "mxnet" in failed["two"], failed
    assert "three has <tensorflow" in told
