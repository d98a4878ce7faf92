# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts and a mirror in disorder: refused with the reason and nothing done; once the disorder is gone, the next run does it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from plays import changes, on_hosts
from untidy import FULL, NOT_FULL, Untidy, found, half_configured, lock, lost, on_each, unplugged

SCENARIO = Path(__file__).resolve().parents[1]
BLOCKED = "/etc/modprobe.d/mlinfra-nvidia.conf"
INITRD = "initrd.img-6.1.0-99-amd64"
# As a run leaves it that was killed when it had blocked nouveau, and had not made the initramfs again.
KILLED = f"""
mv {BLOCKED} /run/blocked
update-initramfs -u -k {INITRD[len("initrd.img-") :]} >/dev/null 2>&1
mv /run/blocked {BLOCKED}
touch /var/lib/mlinfra/nvidia_driver/begun
systemctl --quiet disable nvidia-persistenced
"""
# As Ubuntu's packages have it: wanted by no target, with persistence mode off; and a start of the host that loads this driver.
UBUNTUS_UNIT = """
sed -e 's/--verbose/--no-persistence-mode &/' -e '/Install/,$d' /usr/lib/systemd/system/nvidia-persistenced.service >/run/unit
systemctl --quiet disable nvidia-persistenced
mv /run/unit /etc/systemd/system/nvidia-persistenced.service
systemctl daemon-reload
stub-nvidia load 580.95.05 proprietary
"""
FOLDER = "/srv/www/nvidia/compute/cuda/repos/debian13/x86_64"
BEFORE = {
    "nvidia-bookworm-0": half_configured("flaky") + lock(600),
    "debian-bookworm-0": "apt-mark unhold libcuda1 >/dev/null\n" + half_configured("stubborn"),
    "volta-0": FULL,
    "mirror-0": lost(FOLDER, "*580.95.05*"),
}
# The first one waits for a process that lets go by itself; the second one's mirror goes away when all has been fetched.
MENDED = {
    "nvidia-bookworm-0": lock(20) + KILLED + "touch /srv/flaky-may",
    "nvidia-trixie-0": unplugged("/etc/apt/sources.list.d/mlinfra-nvidia.sources") + UBUNTUS_UNIT,
    "debian-bookworm-0": "touch /srv/stubborn-may",
    "volta-0": NOT_FULL,
    "mirror-0": found(FOLDER),
}
WISHES = {
    "nvidia-bookworm-0": {"nvidia_driver_version": "580.126.09"},
    "nvidia-trixie-0": {"nvidia_driver_version": "580.95.05", "nvidia_driver_branch": None},
    "debian-bookworm-0": {},
    "volta-0": {"nvidia_driver_version": "580.95.05", "nvidia_driver_kernel_modules": False, "nvidia_driver_flavor": "proprietary"},
}
MESSAGES = {
    "nvidia-bookworm-0": r"^apt is in use: \S*python3 .*\(pid \d+\) holds /var/lib/dpkg/lock-frontend, and did not let go within 2 s",
    "nvidia-trixie-0": r"(?s)^Driver 580\.95\.05 could not be installed \(step: download\):.*404 .*\nThe host is as it was before "
    r"\(no package had changed\)\. The package source is not what it was when this run chose from it, or has gone: mend it",
    "debian-bookworm-0": r"^dpkg cannot finish stubborn, which was half installed before\. It says: .*it must not be yet.*apt-get purge",
    "volta-0": r"^/var/cache/apt/archives has 0 MiB free: installing .* needs 1 MiB there\. Make room .*Nothing was changed\.$",
}
# The driver's packages and those that were half configured, each with version, selection and state.
LOOK = r"""#!/bin/sh
dpkg --audit
dpkg-query -W -f '${Package} ${Version} ${db:Status-Want} ${db:Status-Status}\n' '*nvidia*' 'libcuda*' flaky stubborn 2>/dev/null |
    grep -v -e ' not-installed$' -e ' config-files$'
ls /run/unplugged 2>/dev/null || true
"""
DAEMON = f"""#!/bin/sh
lsinitramfs /boot/{INITRD} 2>/dev/null | grep -x {BLOCKED[1:]}
systemctl is-active --quiet nvidia-persistenced && echo runs || echo rests
systemctl show --no-pager -P WantedBy nvidia-persistenced
cat /run/stub-nvidia/persistence 2>/dev/null || true
"""
# Of a driver that is loaded it runs, with persistence mode on.
DAEMONS = {
    "nvidia-bookworm-0": [BLOCKED[1:], "rests", "multi-user.target"],
    "nvidia-trixie-0": ["runs", "multi-user.target", "1"],
}
DRIVERS = {"nvidia-bookworm-0": "580.126.09", "nvidia-trixie-0": "580.95.05", "volta-0": "580.95.05"}


HOSTS = Untidy(SCENARIO, WISHES, "refuse.yml", (SCENARIO / "snapshot.sh").read_text())


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """({host: message}, {host: lines that came or went meanwhile})"""
    return HOSTS.refused(BEFORE, tmp_path_factory.mktemp("untidy"), "-e", "apt_lock_timeout=2")


@pytest.mark.parametrize("name", sorted(WISHES))
def test_refused_by_name_and_nothing_done(refused, name):
    told, differences = refused
    assert re.search(MESSAGES[name], told[name]), told[name]
    assert differences[name] == []


def undone(tmp_path):
    """{host: what tells whether nouveau is out of the initramfs, and whether the persistence daemon runs, and will}"""
    script = tmp_path / "daemon.sh"
    script.write_text(DAEMON)
    return {name: text.split() for name, text in on_hosts(SCENARIO, sorted(DAEMONS), {"cmd": str(script)}, tmp_path).items()}


def test_the_next_run_goes_through_and_needs_the_mirror_only_until_all_is_fetched(refused, tmp_path):
    on_each(SCENARIO, MENDED, tmp_path)
    assert all(changes(HOSTS.converge(tmp_path, 0)).values())
    script = tmp_path / "look.sh"
    script.write_text(LOOK)
    for name, text in on_hosts(SCENARIO, WISHES, {"cmd": str(script)}, tmp_path).items():
        lines = text.replace("\r", "").splitlines()
        there = dict(line.split(" ", 1) for line in lines if not line.startswith("/run/"))
        assert {about.split()[-1] for about in there.values()} == {"installed"}, (name, there)
        versions = {about.split()[0] for one, about in there.items() if "pinning" not in one and one not in ("flaky", "stubborn")}
        assert name not in DRIVERS or versions == {f"{DRIVERS[name]}-1"}, (name, there)
        assert {about.split()[1] for one, about in there.items() if one.startswith("libcuda")} == {"hold"}, (name, there)
        assert ("/run/unplugged" in lines) == (name == "nvidia-trixie-0")
    assert undone(tmp_path) == DAEMONS
