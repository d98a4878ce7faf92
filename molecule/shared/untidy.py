# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell scripts that leave a host in disorder, as root, what runs one of them on each host, and what a role does then."""

from __future__ import annotations

import json
from pathlib import Path

from plays import failures, on_hosts, play

_HOLD = "import fcntl, time; file = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(file, fcntl.LOCK_EX); time.sleep({seconds})"
_HALF = """
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
# apt has no room for what it fetches.
FULL = "mount -t tmpfs -o size=4k none /var/cache/apt/archives"
NOT_FULL = "umount /var/cache/apt/archives"


def lock(seconds: int) -> str:
    """Another process holds apt's lock for so long."""
    return f"""
systemctl stop hold-lock 2>/dev/null || true
systemd-run --quiet --unit hold-lock --collect python3 -c "{_HOLD.format(seconds=seconds)}"
until grep -q "POSIX .* $(systemctl show --property MainPID --value hold-lock) " /proc/locks; do sleep 0.1; done
"""


def half_configured(name: str) -> str:
    """dpkg has not finished with a package: its script fails until /srv/NAME-may is there."""
    return _HALF.format(name=name)


def lost(folder: str, what: str) -> str:
    """On the mirror: packages that its lists have, and it has not. what: a glob."""
    return f"mkdir -p {folder}-unplugged; mv {folder}/{what} {folder}-unplugged/"


def found(folder: str) -> str:
    """They are there again."""
    return f"mv {folder}-unplugged/* {folder}/; rmdir {folder}-unplugged"


def unplugged(source: str) -> str:
    """From dpkg's first word on, this host does not reach the mirror any more that the file names; /run/unplugged tells that it was so."""
    return f"""
address=$(grep -o 'http://[0-9.]*' {source} | head -n 1 | cut -d / -f 3)
echo "DPkg::Pre-Invoke {{\\"ip route replace blackhole $address/32; touch /run/unplugged\\";}};" >/etc/apt/apt.conf.d/zz-unplug
"""


def on_each(scenario: Path, scripts: dict[str, str], folder: Path) -> None:
    """Run a script on each host. scripts: {host: script}; folder: an empty one of ours."""
    for name, script in scripts.items():
        (folder / f"{name}.sh").write_text(f"#!/bin/sh\nset -eu\n{script}\n")
    on_hosts(scenario, scripts, {"cmd": str(folder / "{{ inventory_hostname }}.sh")}, folder)


class Untidy:
    """Hosts of a scenario that get a wish each while they are in disorder.

    wishes: {host: variables}; playbook: its name in the scenario; look: a script that prints what an installation leaves on a host;
    group: what they are all in, for a host that the scenario leaves out otherwise.
    """

    def __init__(self, scenario: Path, wishes: dict[str, dict], playbook: str, look: str, group: str = "all"):
        self.scenario, self.wishes, self.playbook, self.script, self.group = scenario, wishes, playbook, look, group

    def look(self, folder: Path) -> dict[str, set[str]]:
        """{host: lines of what is on it}."""
        (folder / "look.sh").write_text(self.script)
        told = on_hosts(self.scenario, self.wishes, {"cmd": str(folder / "look.sh")}, folder)
        return {name: set(text.replace("\r", "").splitlines()) for name, text in told.items()}

    def converge(self, folder: Path, code: int, *options: str) -> str:
        """What a run says that ends with this code."""
        inventory = folder / "wishes.yml"
        inventory.write_text(json.dumps({self.group: {"hosts": self.wishes}}))
        done = play(self.scenario, "-i", inventory, *options, self.scenario / self.playbook)
        assert done.returncode == code, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout

    def refused(self, before: dict[str, str], folder: Path, *options: str) -> tuple[dict[str, str], dict[str, list[str]]]:
        """({host: message}, {host: lines that came or went meanwhile}) of a run that fails. before: see on_each."""
        on_each(self.scenario, before, folder)
        there = self.look(folder)
        told = failures(self.converge(folder, 2, *options))
        return told, {name: sorted(lines ^ there[name]) for name, lines in self.look(folder).items()}
