# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job that an unattended upgrade has parted from its library: nvidia-smi is silent of it, and the host is not rebooted under it."""

from __future__ import annotations

from pathlib import Path

import pytest
from plays import changes, on_hosts, play

SCENARIO = Path(__file__).resolve().parents[1]
HOST = "nvidia-trixie-0"  # its driver is 580.126.09, and it may be rebooted
# The role reboots no container, and a host of these tests is one: for once it says that it is none, and has the kernel of its headers.
BEGIN = """#!/bin/sh
set -eu
printf '#!/bin/sh\\necho none\\nexit 1\\n' >/usr/local/bin/systemd-detect-virt
chmod 755 /usr/local/bin/systemd-detect-virt
: >/boot/vmlinuz-6.1.0-99-amd64
stub-nvidia load 580.95.05 proprietary
: >/dev/nvidia0
systemd-run --quiet --unit=gpu-job sh -c 'exec sleep 3600 </dev/nvidia0'
echo "said: $(cat /proc/sys/kernel/random/boot_id) $(systemctl show -p MainPID --value gpu-job)"
"""
END = """#!/bin/sh
systemctl stop gpu-job
rm -f /dev/nvidia0 /usr/local/bin/systemd-detect-virt /boot/vmlinuz-6.1.0-99-amd64
stub-nvidia unload
"""


def run(script, folder):
    """The words after the last "said:" that a shell script prints on the host."""
    path = folder / "script.sh"
    path.write_text(script)
    return on_hosts(SCENARIO, [HOST], {"cmd": str(path)}, folder)[HOST].rpartition("said:")[2].split()


@pytest.fixture
def job(tmp_path):
    """(id of the boot, number of a process that has a GPU's file open); nothing is left."""
    try:
        yield run(BEGIN, tmp_path)
    finally:
        run(END, tmp_path)


def test_no_reboot_under_a_job_that_only_its_open_file_shows(job, tmp_path):
    boot, pid = job
    done = play(SCENARIO, "--limit", HOST, SCENARIO / "converge.yml")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert f"Not now: 1 process uses its GPUs (sleep pid {pid}). Drain it, then run this again." in done.stdout
    assert "module 580.95.05 is loaded, user space is 580.126.09" in done.stdout, "they were not apart"
    assert changes(done.stdout) == {HOST: 0}
    assert run("#!/bin/sh\necho said: $(cat /proc/sys/kernel/random/boot_id)\n", tmp_path) == [boot]
