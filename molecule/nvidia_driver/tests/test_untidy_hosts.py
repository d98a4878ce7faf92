# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts and a mirror in disorder: the driver is refused with the reason and nothing done; once the disorder is gone, the next run does it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from plays import changes, failures, on_hosts, play

SCENARIO = Path(__file__).resolve().parents[1]
HOLD = "import fcntl, time; file = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(file, fcntl.LOCK_EX); time.sleep({seconds})"
LOCK = f"""
systemctl stop hold-lock 2>/dev/null || true
systemd-run --quiet --unit hold-lock --collect python3 -c "{HOLD}"
until grep -q "POSIX .* $(systemctl show --property MainPID --value hold-lock) " /proc/locks; do sleep 0.1; done
"""
# A package whose script fails until /srv/NAME-may is there: dpkg has it half configured.
HALF = """
build=$(mktemp -d)
chmod 755 "$build"
mkdir -p "$build/DEBIAN"
printf 'Package: {name}\\nVersion: 1\\nArchitecture: all\\nMaintainer: T <t@example.org>\\nDescription: x\\n' >"$build/DEBIAN/control"
printf '#!/bin/sh\\ntest -e /srv/{name}-may || {{ echo it must not be yet >&2; exit 1; }}\\n' >"$build/DEBIAN/postinst"
chmod 755 "$build/DEBIAN/postinst"
dpkg-deb --build "$build" "/run/{name}.deb" >/dev/null
rm -r "$build"
dpkg --install "/run/{name}.deb" >/dev/null 2>&1 || true
"""
FOLDER = "/srv/www/nvidia/compute/cuda/repos/debian13/x86_64"
# From the first word with dpkg on, this host reaches no mirror any more.
UNPLUG = """
address=$(sed -n 's#^URIs: http://\\([0-9.]*\\):.*#\\1#p' /etc/apt/sources.list.d/mlinfra-nvidia.sources)
echo "DPkg::Pre-Invoke {\\"ip route replace blackhole $address/32; touch /run/unplugged\\";};" >/etc/apt/apt.conf.d/zz-unplug
"""
BEFORE = {
    "nvidia-bookworm-0": HALF.format(name="flaky") + LOCK.format(seconds=600),
    "nvidia-trixie-0": "",
    "debian-bookworm-0": "apt-mark unhold libcuda1 >/dev/null\n" + HALF.format(name="stubborn"),
    "volta-0": "mount -t tmpfs -o size=4k none /var/cache/apt/archives",
    "mirror-0": f"mkdir -p {FOLDER}-unplugged; mv {FOLDER}/*580.95.05* {FOLDER}-unplugged/",
}
# The first one waits for a process that lets go by itself; the second one's mirror goes away when all has been fetched.
MENDED = {
    "nvidia-bookworm-0": LOCK.format(seconds=20) + "touch /srv/flaky-may",
    "nvidia-trixie-0": UNPLUG,
    "debian-bookworm-0": "touch /srv/stubborn-may",
    "volta-0": "umount /var/cache/apt/archives",
    "mirror-0": f"mv {FOLDER}-unplugged/* {FOLDER}/; rmdir {FOLDER}-unplugged",
}
WISHES = {
    "nvidia-bookworm-0": {"nvidia_driver_version": "580.126.09"},
    "nvidia-trixie-0": {"nvidia_driver_version": "580.95.05", "nvidia_driver_branch": None},
    "debian-bookworm-0": {},
    "volta-0": {"nvidia_driver_version": "580.95.05", "nvidia_driver_kernel_modules": False, "nvidia_driver_flavor": "proprietary"},
}
MESSAGES = {
    "nvidia-bookworm-0": r"^apt is in use: \S*python3 .*\(pid \d+\) holds /var/lib/dpkg/lock-frontend, and did not let go within 2 s\. Wait until",
    "nvidia-trixie-0": r"(?s)^Driver 580\.95\.05 could not be installed \(step: download\):.*404 .*The host is as it was before \(no package had changed\)\. "
    r"The package source is not what it was when this run chose from it, or has gone: mend it",
    "debian-bookworm-0": r"^dpkg cannot finish stubborn, which was half installed before\. It says: .*it must not be yet.*apt-get purge stubborn",
    "volta-0": r"^/var/cache/apt/archives has 0 MiB free: installing .* needs 1 MiB there\. Make room .*Nothing was changed\.$",
}
# The driver's packages and those that were half configured, each with version, selection and state.
LOOK = r"""#!/bin/sh
dpkg --audit
dpkg-query -W -f '${Package} ${Version} ${db:Status-Want} ${db:Status-Status}\n' '*nvidia*' 'libcuda*' flaky stubborn 2>/dev/null |
    grep -v -e ' not-installed$' -e ' config-files$'
ls /run/unplugged 2>/dev/null || true
"""
DRIVERS = {"nvidia-bookworm-0": "580.126.09", "nvidia-trixie-0": "580.95.05", "volta-0": "580.95.05"}


def on_each(scripts, folder):
    for name, script in scripts.items():
        path = folder / f"{name}.sh"
        path.write_text(f"#!/bin/sh\nset -eu\n{script}\n")
    on_hosts(SCENARIO, scripts, {"cmd": str(folder / "{{ inventory_hostname }}.sh")}, folder)


def snapshots(folder):
    """{host: what is on it}."""
    told = on_hosts(SCENARIO, WISHES, {"cmd": str(SCENARIO / "snapshot.sh")}, folder)
    return {name: set(text.splitlines()) for name, text in told.items()}


def converge(folder, code, *options):
    inventory = folder / "wishes.yml"
    inventory.write_text(json.dumps({"all": {"hosts": WISHES}}))
    done = play(SCENARIO, "-i", inventory, *options, SCENARIO / "refuse.yml")
    assert done.returncode == code, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """({host: message}, {host: lines that came or went meanwhile})"""
    folder = tmp_path_factory.mktemp("untidy")
    on_each(BEFORE, folder)
    before = snapshots(folder)
    told = failures(converge(folder, 2, "-e", "apt_lock_timeout=2"))
    return told, {name: sorted(lines ^ before[name]) for name, lines in snapshots(folder).items()}


@pytest.mark.parametrize("name", sorted(WISHES))
def test_refused_by_name_and_nothing_done(refused, name):
    told, differences = refused
    assert re.search(MESSAGES[name], told[name]), told[name]
    assert differences[name] == []


def test_the_next_run_goes_through_and_needs_the_mirror_only_until_all_is_fetched(refused, tmp_path):
    on_each(MENDED, tmp_path)
    assert all(changes(converge(tmp_path, 0)).values())
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
