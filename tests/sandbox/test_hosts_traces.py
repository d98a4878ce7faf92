# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed at any point a sandbox comes up again, and ``down`` leaves the machine as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sandbox.lab import CHECKOUT, Lab, differences, fingerprint, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="systemd hosts need root")


@pytest.fixture
def lab(tmp_path: Path):
    found = Lab("trace-test", tmp_path, "10.98.0.0/16")
    found.cli("down")
    yield found
    found.cli("down")


def assert_same(before: dict, after: dict) -> None:
    assert differences(before, after) == {}


def start(lab: Lab, command: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "sandbox", command, "--name", lab.name]
    return subprocess.Popen(
        argv, cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}
    )


def test_down_leaves_the_machine_as_it_was_also_beside_another_sandbox(lab: Lab, tmp_path: Path):
    before = fingerprint("trace-test", "trace-other")
    other = Lab("trace-other", tmp_path / "other", "10.94.0.0/16")
    other.folder.mkdir()
    try:
        lab.cli("up")
        lab.furnish()
        mine = lab.launch(2)
        other.cli("up")
        other.furnish()
        (theirs,) = other.launch()
        lab.said(mine[0], "true")
        assert differences(before, fingerprint("trace-test", "trace-other"))
        shown = lab.cli("down").stdout
        assert "cache" in shown
        assert other.said(theirs, "hostname")
        assert Path("/proc/sys/net/ipv4/ip_forward").read_text(encoding="ascii").strip() == "1"
    finally:
        other.cli("down")
    assert_same(before, fingerprint("trace-test", "trace-other"))
    assert "is not up" in other.cli("down").stdout


def test_after_a_killed_daemon_up_converges_on_what_the_new_one_says(lab: Lab):
    before = fingerprint(lab.name)
    lab.cli("up")
    lab.furnish()
    old = lab.launch(3)
    lab.said(old[0], "true")
    lab.launch(2)
    # At this moment two more hosts are on their way.
    os.kill(lab.status()["pid"], signal.SIGKILL)
    wait_for("down in status", lambda: not lab.status()["up"])
    assert "is not up" in lab.cli("run", "--", "true", check=False).stderr
    lab.cli("up")
    wait_for("old hosts gone", lambda: not any((lab.state / "hosts").glob("i-*")))
    for key in lab.folder.glob("key*"):
        key.unlink()
    lab.furnish()
    (new,) = lab.launch(release=13)
    assert lab.said(new, "systemctl is-system-running --wait") == "running"
    lab.cli("down")
    assert_same(before, fingerprint(lab.name))


def test_a_killed_up_is_taken_up_again(lab: Lab):
    before = fingerprint(lab.name)
    for seconds in (0.3, 0.8, 1.5, 3.0):
        process = start(lab, "up")
        time.sleep(seconds)
        process.kill()
        process.wait()
    lab.cli("up")
    assert lab.status()["up"]
    assert "is up already" in lab.cli("up").stdout
    lab.furnish()
    lab.said(lab.launch(2)[0], "true")
    for seconds in (0.2, 0.3, 0.4):
        process = start(lab, "down")
        time.sleep(seconds)
        process.kill()
        process.wait()
    lab.cli("down")
    assert_same(before, fingerprint(lab.name))


def test_hosts_run_where_control_groups_are_version_2_alone(lab: Lab):
    """The same machine seen with /sys/fs/cgroup as the unified hierarchy: the whole round runs in that view."""
    before = fingerprint(lab.name)
    round_trip = (
        "import pathlib, sys; from tests.sandbox.lab import Lab; from sandbox.hosts import cgroups\n"
        "assert cgroups.machine_layout() == 'v2'\n"
        f"lab = Lab({lab.name!r}, pathlib.Path({str(lab.folder)!r}), {lab.cidr!r})\n"
        "lab.cli('up'); lab.furnish(); (it,) = lab.launch(); print(lab.said(it, 'systemctl is-system-running --wait')); lab.cli('down')"
    )
    view = 'umount -l -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && exec "$@"'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", view, "sh", sys.executable, "-c", round_trip]
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == "running"
    assert_same(before, fingerprint(lab.name))


def test_hosts_get_out_where_the_machine_drops_what_it_forwards():
    """In a network namespace of its own: a chain as Docker leaves it gets an exception for our bridge, and loses it again."""
    script = (
        "from sandbox.command import run; from sandbox.hosts import network\n"
        "chain = ['nft', 'list', 'chain', 'ip', 'filter', 'FORWARD']\n"
        "run(['nft', '-f', '-'], "
        "'table ip filter {\\nchain FORWARD {\\ntype filter hook forward priority 0; policy drop;\\n}\\n}\\n')\n"
        "before, net = run(chain), network.Network('one', 'vpc-1', '10.9.0.0/16')\n"
        "network.apply_rules('one', [net]); network.apply_rules('one', [net]); print(run(chain).count(net.bridge))\n"
        "network.remove_all('one'); print(run(chain) == before)"
    )
    command = ["unshare", "--net", sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}
    )
    assert done.stdout.split() == ["2", "True"], done.stderr
