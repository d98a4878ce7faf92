# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell scripts that leave a host in disorder, as root, and what runs one of them on each host."""

from __future__ import annotations

from pathlib import Path

from plays import on_hosts

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


def on_each(scenario: Path, scripts: dict[str, str], folder: Path) -> None:
    """Run a script on each host. scripts: {host: script}; folder: an empty one of ours."""
    for name, script in scripts.items():
        (folder / f"{name}.sh").write_text(f"#!/bin/sh\nset -eu\n{script}\n")
    on_hosts(scenario, scripts, {"cmd": str(folder / "{{ inventory_hostname }}.sh")}, folder)
