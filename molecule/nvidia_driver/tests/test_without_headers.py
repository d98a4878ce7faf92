# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose running kernel's headers have left the sources: refused, or moved to a newer kernel. The last test of its host."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plays import changes, failures, on_hosts, play

SCENARIO = Path(__file__).resolve().parents[1]
HOST, DRIVER = "nvidia-bookworm-0", "590.48.01"
OLD, NEW = "6.1.0-97-amd64", "6.1.0-98-amd64"
WISH = {"nvidia_driver_version": DRIVER, "nvidia_driver_kernels": ["running", "newest-installed"]}
WAITS = f"module {DRIVER} is built for kernel {NEW}, not for the running {OLD}"
LOOK = f"""#!/bin/sh
cat /run/kernel /proc/sys/kernel/random/boot_id
modinfo -F version /lib/modules/{NEW}/updates/dkms/nvidia.ko
cat /proc/driver/nvidia/version 2>/dev/null || echo not loaded
"""


@pytest.fixture
def role(tmp_path):
    """Function (code, options, variables) → what the role says on this host."""

    def run(code=0, *options, **wishes):
        inventory = tmp_path / "wishes.yml"
        inventory.write_text(json.dumps({"all": {"hosts": {HOST: {**WISH, **wishes}}}}))
        done = play(SCENARIO, "-i", inventory, "--limit", HOST, *options, SCENARIO / "converge.yml")
        assert done.returncode == code, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout

    return run


@pytest.fixture
def look(tmp_path):
    """Function (script) → the lines that it prints."""

    def run(script):
        path = tmp_path / "look.sh"
        path.write_text(script)
        return on_hosts(SCENARIO, [HOST], {"cmd": str(path)}, tmp_path)[HOST].replace("\r", "").splitlines()

    return run


def test_newer_kernel_by_policy_and_the_restart_by_policy(role, look):
    look((SCENARIO / "older-image.sh").read_text())
    before = look((SCENARIO / "snapshot.sh").read_text())
    (told,) = failures(role(2)).values()
    assert told.startswith(f"linux-headers-{OLD} has no candidate: ") and "Set nvidia_driver_kernel_upgrade to if_required" in told
    output = role(0, "--check", "--diff", nvidia_driver_kernel_upgrade="if_required", nvidia_driver_reboot="if_required")
    assert f"+linux-image-{NEW} 6.1.198-1" in output and f"+linux-headers-{NEW} 6.1.198-1" in output, output
    assert f"the driver would be built for {NEW}, and the host be rebooted into it." in output, output
    assert look((SCENARIO / "snapshot.sh").read_text()) == before

    # Without a restart the role says what waits for one, and that is all that is left to do.
    output = role(0, nvidia_driver_kernel_upgrade="if_required")
    assert changes(output)[HOST] > 0 and WAITS in output and "set nvidia_driver_reboot to if_required" in output, output
    first = look(LOOK)
    assert first[0] == OLD and first[2:] == [DRIVER, "not loaded"]
    output = role(0, nvidia_driver_kernel_upgrade="if_required")
    assert changes(output) == {HOST: 0} and WAITS in output, output

    assert changes(role(0, nvidia_driver_kernel_upgrade="if_required", nvidia_driver_reboot="if_required"))[HOST] > 0
    now = look(LOOK)
    assert now[0] == NEW and now[1] != first[1] and now[2] == DRIVER and DRIVER in now[3]
    output = role(0, nvidia_driver_kernel_upgrade="if_required", nvidia_driver_reboot="if_required")
    assert changes(output) == {HOST: 0} and "waits for a reboot" not in output
