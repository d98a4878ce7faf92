# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook upgrade on hosts that work, in the order of their life: each test begins where the one before ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from plays import changes, on_hosts, play

SCENARIO = Path(__file__).resolve().parents[1]
SNAPSHOT = SCENARIO.parent / "nvidia_driver" / "snapshot.sh"
PINS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "pins"
GPUS = ("gpu-0", "gpu-1", "gpu-2")
FIRST, LATER, POISONED = "580.95.05", "595.58.03", "610.43.02"
LOOK = (
    "cat /var/lib/mlinfra/upgrade.json; systemctl is-active job.service || true; cat /run/stub-nvidia/loaded; "
    "dpkg-query -W -f '${Version}/${db:Status-Status} ' nvidia-driver-cuda nvidia-container-toolkit-base libnvidia-container1 2>/dev/null "
    "|| true"
)
# Version of the container toolkit in the pins of each driver. The canary alone has it.
TOOLKITS = {FIRST: "1.18.1", LATER: "1.19.0", POISONED: "1.17.8"}
# The task at whose begin ansible-playbook is killed, and the stage that is written down then.
KILLS = [
    (r"mlinfra\.hosts\.nvidia_driver : Install the driver, or undo it", "install"),
    (r"Restart the container", "reboot"),
]
# Address that nobody has, in the group of all hosts.
GONE = {"mlinfra_hosts": {"hosts": {"gone": {"ansible_host": "10.88.255.254"}}}}


class Hosts:
    """The scenario's hosts, as the tests move and look at them."""

    def __init__(self, folder):
        self.folder = folder

    def options(self, driver, **more):
        wishes = json.dumps({"upgrade_pins": str(PINS / f"{driver}.json"), **more})
        playbook = self.folder / "upgrade.yml"
        playbook.write_text("- import_playbook: mlinfra.hosts.upgrade\n")
        return ["-e", wishes, playbook]

    def upgrade(self, driver, *arguments, code=0, **more):
        """What the playbook prints."""
        done = play(SCENARIO, *arguments, *self.options(driver, **more))
        assert done.returncode == code, done.stdout[-6000:] + done.stderr[-2000:]
        assert not re.search(r"\[(DEPRECATION )?WARNING\]|Traceback", done.stdout + done.stderr), done.stdout + done.stderr
        return done.stdout

    def killed(self, driver, task):
        """Kill the playbook on the canary, and all that it started, when a task begins."""
        command = ["ansible-playbook", "-i", SCENARIO / "inventory", "--limit", "gpu-0", *self.options(driver)]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "PYTHONUNBUFFERED": "1"}
        child = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, start_new_session=True
        )
        said = []
        with child:
            for line in child.stdout:
                said.append(line)
                if re.match(rf"TASK \[{task}\]", line):
                    os.killpg(child.pid, signal.SIGKILL)
                    break
        assert child.returncode == -signal.SIGKILL, "".join(said)[-6000:]

    def look(self, *names):
        """{host: {record, job, loaded, installed, toolkit}}; the last one a list of versions."""
        path = self.folder / "look.sh"
        path.write_text(f"#!/bin/sh\n{LOOK}\n")
        found = {}
        for name, text in on_hosts(SCENARIO, names, {"cmd": str(path)}, self.folder).items():
            record, end = json.JSONDecoder().raw_decode(text)
            job, loaded, *toolkit, installed = text[end:].split()  # dpkg-query sorts them by name
            found[name] = {"record": record, "job": job, "loaded": loaded, "installed": installed, "toolkit": toolkit}
        return found

    def snapshots(self, *names):
        return on_hosts(SCENARIO, names, {"cmd": str(SNAPSHOT)}, self.folder)


@pytest.fixture
def hosts(tmp_path):
    return Hosts(tmp_path)


def drained():
    """Hosts in the order in which their work was taken."""
    return (PINS / "drained").read_text().split() if (PINS / "drained").exists() else []


def pins(driver):
    return json.loads((PINS / f"{driver}.json").read_text())


def is_whole(seen, driver, toolkit=None):
    """Whether a host works with a driver and a toolkit."""
    have = (seen["job"], seen["loaded"], seen["installed"], seen["toolkit"])
    return have == ("active", driver, f"{driver}-1/installed", [f"{toolkit}-1/installed"] * 2 if toolkit else [])


def test_check_mode_foretells_and_changes_nothing(hosts, host):
    assert host.backend.get_hostname() in GPUS
    if host.backend.get_hostname() != "gpu-0":
        pytest.skip("once, for all hosts")
    before = hosts.snapshots(*GPUS)
    told = hosts.upgrade(LATER, "--check")
    assert re.search(rf"gpu-0 +{FIRST}  {LATER}  would be upgraded +1\.18\.1 to 1\.19\.0-1", told), told
    assert re.search(rf"gpu-1 +{FIRST}  {LATER}  would be upgraded\W", told), told
    assert re.search(rf"gpu-2 +{LATER}  {LATER}  unchanged", told) and re.search(r"mirror-0 .* no NVIDIA GPU", told), told
    assert hosts.snapshots(*GPUS) == before and drained() == []


def test_host_that_does_not_answer_stops_the_run_before_anything_is_changed(hosts):
    inventory = hosts.folder / "gone.json"
    inventory.write_text(json.dumps(GONE))
    told = " ".join(hosts.upgrade(LATER, "-i", inventory, "--limit", "gpu-1,gone", code=2).split())
    assert "gone (10.88.255.254) does not answer: " in told and "leave it out with --limit 'mlinfra_hosts:!gone'" in told
    assert "PLAY [Upgrade them" not in told and drained() == []


def test_canary_that_is_lost_in_its_drain_is_told_with_its_stage(hosts):
    told = hosts.upgrade(LATER, "--limit", "gpu-0", code=2, upgrade_drain_tasks=str(SCENARIO / "tasks" / "lose.yml"))
    assert f"gpu-0, driver {FIRST} to {LATER}, container toolkit 1.18.1 to 1.19.0-1: no answer. Wait for it: the host went away" in told
    assert "stays as it is, in stage drain" in told and "run the playbook again, which goes on there." in told
    (canary,) = hosts.look("gpu-0").values()
    assert canary["record"]["stage"] == "drain" and is_whole(canary, FIRST, TOOLKITS[FIRST])


def test_failing_drain_leaves_the_driver_and_the_run_stops(hosts):
    told = hosts.upgrade(LATER, code=2, upgrade_drain_tasks=str(SCENARIO / "tasks" / "fail.yml"))
    assert "1.19.0-1: not drained. Ask the scheduler: the scheduler does not answer. Its driver was not touched" in told
    assert "The run stopped there: gpu-1 was not touched." in told and "Install the pinned driver" not in told
    (canary,) = hosts.look("gpu-0").values()
    assert (canary["record"]["stage"], canary["record"]["failed"]) == ("rolled_back", "drain") and is_whole(canary, FIRST, TOOLKITS[FIRST])


def test_killed_and_started_again(hosts):
    for task, stage in KILLS:
        hosts.killed(LATER, task)
        (canary,) = hosts.look("gpu-0").values()
        assert (canary["record"]["stage"], canary["record"]["from"], canary["record"]["toolkit"]) == (stage, pins(FIRST), "1.18.1"), task
    told = " ".join(hosts.upgrade(LATER, code=2, upgrade_undrain_tasks=str(SCENARIO / "tasks" / "fail.yml")).split())
    assert (
        "still drained. Ask the scheduler: the scheduler does not answer. Mend that and run the playbook again, which undrains it" in told
    )
    assert "The run stopped there: gpu-1 was not touched." in told
    (canary,) = hosts.look("gpu-0").values()
    assert (canary["record"]["stage"], canary["job"], canary["loaded"]) == ("undrain", "inactive", LATER)


def test_goes_on_with_what_is_left(hosts):
    told = hosts.upgrade(LATER)
    assert re.search(rf"gpu-0 +{LATER}  {LATER}  upgraded", told) and re.search(rf"gpu-1 +{FIRST}  {LATER}  upgraded", told), told
    assert re.search(rf"gpu-2 +{LATER}  {LATER}  unchanged", told), told
    assert drained() == ["gpu-0", "gpu-1"], "nobody else was drained, and the canary before the others"
    seen = hosts.look("gpu-0", "gpu-1")
    for name, one in seen.items():
        assert (one["record"]["stage"], one["record"]["from"], one["record"]["to"]) == ("done", pins(FIRST), pins(LATER)), name
    assert is_whole(seen["gpu-0"], LATER, TOOLKITS[LATER]) and is_whole(seen["gpu-1"], LATER)


def test_second_run_changes_nothing(hosts):
    before = hosts.snapshots(*GPUS)
    told = hosts.upgrade(LATER)
    assert set(changes(told).values()) == {0} and len(re.findall(r"gpu-\d .* unchanged", told)) == 3, told
    assert hosts.snapshots(*GPUS) == before and "Take the host" not in re.findall(r"TASK \[(.*?)\]", told)[-3:]


def test_driver_that_does_not_load_is_returned_from_and_the_run_stops(hosts):
    others = hosts.snapshots(*GPUS[1:])
    told = hosts.upgrade(POISONED, code=2)
    assert re.search(rf"gpu-0, driver {LATER} to {POISONED}, container toolkit 1.19.0 to 1.17.8-1: returned\. .*reboot_pending", told), told
    assert "The run stopped there: gpu-1, gpu-2 were not touched." in told
    (canary,) = hosts.look("gpu-0").values()
    assert (canary["record"]["stage"], canary["record"]["failed"]) == ("rolled_back", "verify")
    assert is_whole(canary, LATER, TOOLKITS[LATER])
    assert hosts.snapshots(*GPUS[1:]) == others and drained() == ["gpu-0", "gpu-1"]


def test_same_pins_are_not_tried_again_by_themselves(hosts):
    before = hosts.snapshots(*GPUS)
    told = hosts.upgrade(POISONED, code=2)
    assert f"returned from its upgrade (driver {LATER} to {POISONED}, container toolkit 1.19.0 to 1.17.8-1) at 20" in told
    assert "Set upgrade_retry to true" in told
    assert hosts.snapshots(*GPUS) == before
