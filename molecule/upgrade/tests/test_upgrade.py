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
    "dpkg-query -W -f '${Version}\\n' nvidia-driver-cuda"
)
# The task at whose begin ansible-playbook is killed, and the stage that is written down then.
KILLS = [
    (r"Drain it", "drain"),
    (r"mlinfra\.hosts\.nvidia_driver : Install the driver, or undo it", "install"),
    (r"Restart the container", "reboot"),
    (r"Let the driver's role prove it", "verify"),
    (r"Undrain it", "undrain"),
]


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
        """Kill the playbook, and all that it started, when a task begins."""
        command = ["ansible-playbook", "-i", SCENARIO / "inventory", *self.options(driver)]
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
        """{host: {record, job, loaded, installed}}."""
        path = self.folder / "look.sh"
        path.write_text(f"#!/bin/sh\n{LOOK}\n")
        found = {}
        for name, text in on_hosts(SCENARIO, names, {"cmd": str(path)}, self.folder).items():
            record, end = json.JSONDecoder().raw_decode(text)
            job, loaded, installed = text[end:].split()
            found[name] = {"record": record, "job": job, "loaded": loaded, "installed": installed}
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


def test_check_mode_foretells_and_changes_nothing(hosts, host):
    assert host.backend.get_hostname() in GPUS
    if host.backend.get_hostname() != "gpu-0":
        pytest.skip("once, for all hosts")
    before = hosts.snapshots(*GPUS)
    told = hosts.upgrade(LATER, "--check")
    assert len(re.findall(rf"gpu-\d +{FIRST}  {LATER}  would be upgraded", told)) == 3, told
    assert hosts.snapshots(*GPUS) == before and drained() == []


def test_killed_in_each_stage_and_started_again(hosts):
    for task, stage in KILLS:
        hosts.killed(LATER, task)
        (canary,) = hosts.look("gpu-0").values()
        assert (canary["record"]["stage"], canary["record"]["from"]) == (stage, pins(FIRST)), task
    told = hosts.upgrade(LATER)
    assert len(re.findall(rf"gpu-\d +\S* +{LATER}  upgraded", told)) == 3, told
    assert drained() == list(GPUS), "nobody was drained before the canary was done"
    for name, seen in hosts.look(*GPUS).items():
        assert (seen["record"]["stage"], seen["record"]["from"], seen["record"]["to"]) == ("done", pins(FIRST), pins(LATER)), name
        assert (seen["job"], seen["loaded"], seen["installed"]) == ("active", LATER, f"{LATER}-1"), name


def test_second_run_changes_nothing(hosts):
    before = hosts.snapshots(*GPUS)
    told = hosts.upgrade(LATER)
    assert set(changes(told).values()) == {0} and len(re.findall(r"gpu-\d .* unchanged", told)) == 3, told
    assert hosts.snapshots(*GPUS) == before and "Take the host" not in re.findall(r"TASK \[(.*?)\]", told)[-3:]


def test_driver_that_does_not_load_is_returned_from_and_the_run_stops(hosts):
    others = hosts.snapshots(*GPUS[1:])
    told = hosts.upgrade(POISONED, code=2)
    assert re.search(rf"gpu-0, driver {LATER} to {POISONED}: returned\. .*reboot_pending", told), told
    assert "The run stopped there: gpu-1, gpu-2 were not touched." in told
    (canary,) = hosts.look("gpu-0").values()
    assert (canary["record"]["stage"], canary["record"]["failed"]) == ("rolled_back", "verify")
    assert (canary["job"], canary["loaded"], canary["installed"]) == ("active", LATER, f"{LATER}-1")
    assert hosts.snapshots(*GPUS[1:]) == others and drained() == list(GPUS)


def test_same_pins_are_not_tried_again_by_themselves(hosts):
    before = hosts.snapshots(*GPUS)
    told = hosts.upgrade(POISONED, code=2)
    assert f"gpu-0 was returned from driver {POISONED} to {LATER} at 20" in told and "Set upgrade_retry to true" in told
    assert hosts.snapshots(*GPUS) == before
