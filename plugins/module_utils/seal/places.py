# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What of a machine must not be in an image of it, as a table.

Sources: systemd's "Safely Building Images" (machine id, random seeds, credential secret) and machine-id(5); sshd(8); apt(8);
`cloud-init clean`; the manual pages of the shells and programs for their histories.
"""

from __future__ import annotations

from typing import NamedTuple

REMOVE, EMPTY, LINK, STOP, CLEAN = "remove", "empty", "link", "stop", "clean"


class Place(NamedTuple):
    """``patterns`` are globs of absolute paths, ~ for each user's home. ``act`` is what is done with what they find."""

    what: str
    patterns: tuple[str, ...]
    act: str = REMOVE


MACHINE_ID, BUS_ID = "/etc/machine-id", "/var/lib/dbus/machine-id"
CLOUD = "/var/lib/cloud"
# What keeps a host from being reached or known again goes last: after a failure the host is still whom it was.
PLACES = (
    Place("apt", (
        "/var/lib/apt/lists/*", "/var/lib/apt/lists/partial/*", "/var/cache/apt/*.bin", "/var/cache/apt/archives/*.deb",
        "/var/cache/apt/archives/partial/*",
    )),
    Place("dnf", ("/var/cache/dnf/*", "/var/cache/yum/*")),
    Place("cache", ("~/.cache/pip", "~/.cache/uv")),
    Place("journal", ("/var/log/journal/*",)),
    Place("log", ("/var/log/*", "/var/log/*/*", "/var/log/*/*/*"), EMPTY),
    Place("history", (
        "~/.bash_history", "~/.zsh_history", "~/.python_history", "~/.lesshst", "~/.viminfo", "~/.wget-hsts", "~/.mysql_history",
        "~/.psql_history", "~/.sqlite_history", "~/.node_repl_history",
    )),
    Place("udev", ("/etc/udev/rules.d/*-persistent-*.rules",)),
    Place("lease", (
        "/var/lib/dhcp/*.lease*", "/var/lib/dhclient/*.lease*", "/var/lib/NetworkManager/*.lease",
        "/var/lib/NetworkManager/secret_key",
    )),
    # nvme-cli makes one of the machine's UUID where there is none: nvme-connect(1), --hostnqn.
    Place("NVMe name", ("/etc/nvme/hostid", "/etc/nvme/hostnqn")),
    Place("engine", ("/var/lib/docker/engine-id", "/etc/docker/key.json")),
    Place("random seed", (
        "/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed", "/boot/loader/random-seed", "/boot/efi/loader/random-seed",
        "/efi/loader/random-seed", "/var/lib/systemd/credential.secret",
    )),
    Place("cloud-init", (CLOUD + "/*",), CLEAN),
    Place("authorized keys", ("~/.ssh/authorized_keys", "~/.ssh/authorized_keys2")),
    Place("host key", ("/etc/ssh/ssh_host_*_key", "/etc/ssh/ssh_host_*_key.pub", "/etc/ssh/ssh_host_*-cert.pub")),
    # A D-Bus id of its own would be what systemd makes the next machine id of.
    Place("machine id", (BUS_ID,), LINK),
    # Empty, not removed: a boot without the file is a first boot to systemd, which then puts all units back to their presets.
    Place("machine id", (MACHINE_ID,), EMPTY),
)  # fmt: skip
# apt wants these to be there.
KEPT = ("/var/lib/apt/lists/lock", "/var/lib/apt/lists/partial", "/var/lib/apt/lists/auxfiles", "/var/cache/apt/archives/partial")
SEED_UNIT = "systemd-random-seed.service"
