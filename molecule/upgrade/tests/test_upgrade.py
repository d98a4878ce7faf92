# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook upgrade on hosts that work, in the order of their life: each test begins where the one before ended."""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from plays import changes, on_hosts, play

SCENARIO = Path(__file__).resolve().parents[1]
SNAPSHOT = SCENARIO.parent / "nvidia_driver" / "snapshot.sh"
PINS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "pins"
GPUS = ("gpu-0", "gpu-1", "gpu-2")
FIRST, LATER, POISONED = "580.95.05", "595.58.03", "610.43.02"
# Whatever begins on a host while its modules are built, in place of stop-at.py: a job that no drain has seen.
LATE_JOB = """#!/bin/sh
set -e
cat >/usr/local/sbin/stop-at <<'EOF'
#!/bin/sh
case "$1" in build*) systemd-run --quiet --unit=late-job sh -c 'exec sleep 3600 </dev/nvidia0' || true ;; esac
EOF
: >/dev/nvidia0
cat /proc/sys/kernel/random/boot_id
"""
STILL_THERE = "#!/bin/sh\necho $(cat /proc/sys/kernel/random/boot_id) $(systemctl is-active late-job)\n"
LOOK = (
    "cat /var/lib/mlinfra/upgrade.json; systemctl is-active job.service || true; cat /run/stub-nvidia/loaded 2>/dev/null || echo none; "
    "dpkg-query -W -f '${Version}/${db:Status-Status} ' nvidia-driver-cuda nvidia-container-toolkit-base libnvidia-container1 2>/dev/null "
    "|| true"
)
# Version of the container toolkit in the pins of each driver. The canary alone has it.
TOOLKITS = {FIRST: "1.18.1", LATER: "1.19.0", POISONED: "1.17.8"}
# The machine that the tests run on, as hosts see it.
MACHINE = "10.88.255.254"
# Where the playbook is killed, the stage that is written down then, and {what then is there}. A place is what the host itself says in the
# middle of its work (stop-at.py), or a task that begins, when all before it has ended. Such a task may still do its work on the host.
KILLS = [
    ("Say so", "drain", {"loaded": FIRST, "installed": f"{FIRST}-1/installed"}),
    (f"build {LATER}", "install", {"loaded": FIRST}),
    ("halt", "reboot", {"loaded": LATER}),
    ("Want the pinned driver and GPUs that are no worse", "verify", {"loaded": LATER}),
    ("undrain", "undrain", {"loaded": LATER, "toolkit": [f"{TOOLKITS[LATER]}-1/installed"] * 2}),
]
# The same on the way back; the last one is in the middle of the smoke job.
KILLS_BACK = [
    (f"build {LATER}", {"loaded": "none"}),
    ("halt", {"loaded": LATER}),
    ("Want a host without work", {"loaded": LATER}),
]
# An address where nobody takes ssh, in the group of all hosts.
GONE = {"mlinfra_hosts": {"hosts": {"gone": {"ansible_host": MACHINE}}}}


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

    def killed(self, driver, place, stops, **more):
        """What the playbook prints on the canary until it is killed at a place, with all that it started. stops: a listening socket."""
        command = ["ansible-playbook", "-i", SCENARIO / "inventory", "--limit", "gpu-0", *self.options(driver, **more)]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "PYTHONUNBUFFERED": "1"}
        environment["ANSIBLE_DISPLAY_SKIPPED_HOSTS"] = "1"  # or a task is told of when it has ended
        child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        said = b""
        with child, selectors.DefaultSelector() as events:
            events.register(child.stdout, selectors.EVENT_READ)
            events.register(stops, selectors.EVENT_READ)
            while True:
                if any(key.fileobj is stops for key, _mask in events.select()):
                    with stops.accept()[0] as host:  # which goes on when this is closed
                        reached = host.recv(100).decode()
                        end(child.pid)
                    break
                new = os.read(child.stdout.fileno(), 65536)
                said += new
                reached = place if re.search(rf"^TASK \[{place}\]".encode(), said, re.MULTILINE) else None
                if reached:
                    end(child.pid)
                if reached or not new:
                    break
        assert (reached, child.returncode) == (place, -signal.SIGKILL), said.decode()[-6000:]
        return said.decode()

    def look(self, *names, restarting=False):
        """{host: {record, job, loaded, installed, toolkit}}; the last one a list of versions."""
        path = self.folder / "look.sh"
        path.write_text(f"#!/bin/sh\n{LOOK}\n")
        found = {}
        for name, text in on_hosts(SCENARIO, names, {"cmd": str(path)}, self.folder, restarting).items():
            record, end = json.JSONDecoder().raw_decode(text)
            job, loaded, *toolkit, installed = text[end:].split()  # dpkg-query sorts them by name
            found[name] = {"record": record, "job": job, "loaded": loaded, "installed": installed, "toolkit": toolkit}
        return found

    def snapshots(self, *names):
        return on_hosts(SCENARIO, names, {"cmd": str(SNAPSHOT)}, self.folder)


@pytest.fixture
def hosts(tmp_path):
    return Hosts(tmp_path)


@pytest.fixture
def stops():
    """Where hosts say that they have come to a place."""
    with socket.create_server(("0.0.0.0", 0)) as listening:
        yield listening


def end(pid):
    """SIGKILL to a process and all that it started: Ansible's workers, in sessions of their own, would end their task first."""
    family = [pid]
    for one in family:
        os.kill(one, signal.SIGSTOP)  # or it might start another one meanwhile
        family += [int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
    for one in family:
        os.kill(one, signal.SIGKILL)


def places(stops, *names):
    """For the drain, which says so to the host."""
    return {"_stops": {"address": MACHINE, "port": stops.getsockname()[1], "places": names}}


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


def test_killed_in_each_stage_and_started_again(hosts, stops):
    more = places(stops, f"build {LATER}", "halt", "undrain")
    said = []
    for place, stage, there in KILLS:
        said.append(hosts.killed(LATER, place, stops, **more))
        more = {}
        (canary,) = hosts.look("gpu-0", restarting=place == "halt").values()
        assert (canary["record"]["stage"], canary["record"]["from"], canary["record"]["toolkit"]) == (stage, pins(FIRST), "1.18.1"), place
        assert {"job": "inactive", **there}.items() <= canary.items(), (place, canary)
    restarts = [len(re.findall(r"^TASK \[Restart the container\] \*+\n(?!skipping)", one, re.MULTILINE)) for one in said]
    assert restarts == [0, 0, 1, 0, 0], "one restart is enough"
    told = " ".join(hosts.upgrade(LATER, code=2, upgrade_undrain_tasks=str(SCENARIO / "tasks" / "fail.yml")).split())
    assert (
        "still drained. Ask the scheduler: the scheduler does not answer. Mend that and run the playbook again, which undrains it" in told
    )
    assert "The run stopped there: gpu-1 was not touched." in told and "TASK [Take the work from the host]" not in told
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


def test_driver_that_does_not_load_is_returned_from_and_the_run_stops(hosts, stops):
    """Killed in each stage of the way back, and stranded there, before it comes to its end."""
    others = hosts.snapshots(*GPUS[1:])
    more = places(stops, f"build {LATER}", "halt")
    for place, there in KILLS_BACK:
        hosts.killed(POISONED, place, stops, **more)
        more = {}
        (canary,) = hosts.look("gpu-0", restarting=place == "halt").values()
        assert (canary["record"]["stage"], canary["record"]["failed"], canary["job"]) == ("rollback", "verify", "inactive"), place
        assert there.items() <= canary.items(), (place, canary)
    told = hosts.upgrade(POISONED, code=2, upgrade_smoke_tasks=str(SCENARIO / "tasks" / "fail.yml"))
    assert f"The way back to driver {LATER} failed, too: Ask the scheduler: the scheduler does not answer. The host stays" in told, told
    (canary,) = hosts.look("gpu-0").values()
    assert (canary["record"]["stage"], canary["job"]) == ("stranded", "inactive")
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


def test_job_that_begins_after_the_drain_keeps_its_host(hosts):
    """Neither the way there restarts the host under it, nor the way back, whatever upgrade_reboot says."""
    path = hosts.folder / "job.sh"
    path.write_text(LATE_JOB)
    boot = on_hosts(SCENARIO, ["gpu-1"], {"cmd": str(path)}, hosts.folder)["gpu-1"].strip()
    told = " ".join(hosts.upgrade(FIRST, "--limit", "gpu-1", code=2).split())
    why = r"returned\. Leave running jobs their host: gpu-1 is not restarted: 1 process uses its GPUs \(sleep pid \d+\)"
    assert re.search(why, told), told
    path.write_text(STILL_THERE)
    assert on_hosts(SCENARIO, ["gpu-1"], {"cmd": str(path)}, hosts.folder)["gpu-1"].split() == [boot, "active"]
    (seen,) = hosts.look("gpu-1").values()
    assert (seen["record"]["stage"], seen["record"]["failed"]) == ("rolled_back", "reboot") and is_whole(seen, LATER)
