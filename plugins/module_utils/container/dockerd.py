# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a change of daemon.json asks of dockerd, and what dockerd says of the file: pure functions."""

from __future__ import annotations

import re
import shlex

# Read again at SIGHUP. https://docs.docker.com/reference/cli/dockerd/#configuration-reload-behavior ("features" is listed there, but the
# CDI devices are only looked for at the start, so it is not taken as such here).
RELOADABLE = {
    "debug",
    "labels",
    "live-restore",
    "max-concurrent-downloads",
    "max-concurrent-uploads",
    "max-download-attempts",
    "default-runtime",
    "runtimes",
    "authorization-plugins",
    "insecure-registries",
    "registry-mirrors",
    "shutdown-timeout",
}
# A daemon that starts with other ones does not find the containers that it left running.
# https://docs.docker.com/engine/daemon/live-restore/ (impact on restart)
BREAKS_LIVE_RESTORE = {"data-root", "graph", "exec-root", "storage-driver", "storage-opts", "bip", "bridge", "fixed-cidr", "userns-remap"}
# File systems that overlay2 cannot stand on, or must not. https://docs.docker.com/engine/storage/drivers/select-storage-driver/
WITHOUT_OVERLAY = re.compile(
    r"^(overlay|overlayfs|aufs|nfs4?|cifs|smb3|9p|ceph|glusterfs|lustre|vfat|exfat|msdos|ntfs3?|ecryptfs|fuse(\..*)?)$"
)
# What dockerd says with --validate; and what an older one says to a user who is not root, once it has read flags and file and found
# nothing wrong in them. Found by trying Debian's 20.10.24, which has no --validate (that came with 23.0), and 26.1.5.
ACCEPTED = re.compile(r"^configuration OK|needs to be started with root", re.M)
UNKNOWN_FLAG = re.compile(r"unknown flag: --validate")


def flags(exec_start, environment):
    """dockerd's flags in its unit. exec_start: value of `systemctl show --property ExecStart`; environment: {name: value}."""
    match = re.search(r"argv\[\]=(.*?) ; ignore_errors=", exec_start)
    words = []
    for word in (match.group(1).split() if match else [])[1:]:
        name = re.match(r"^\$\{?(\w+)\}?$", word)
        if name:
            words += split(environment.get(name.group(1), ""))
        else:
            words.append(word)
    return words


def split(text):
    """Words of a variable in a unit's command; where a quote is left open, as spaces part them."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def environment_of(text):
    """{name: value} of the text of an EnvironmentFile."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"^\s*(\w+)=(.*)$", line)
        if match:
            value = match.group(2).strip()
            found[match.group(1)] = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
    return found


def refusal(path, output):
    """Why dockerd does not take the file, in one message; None when it does. output: of dockerd, run for that purpose."""
    if ACCEPTED.search(output):
        return None
    lines = [line.strip() for line in output.splitlines() if line.strip() and "level=warning" not in line and "level=info" not in line]
    said = re.sub(r"^unable to configure the Docker daemon with file \S+: ", "", lines[-1] if lines else "nothing")
    hint = "Nothing was changed. Change container_runtime_daemon or %s." % path
    if "both as a flag and in the configuration file" in said:
        hint = (
            "Nothing was changed. Leave them out of the file, or take the flags away with a drop-in of docker.service "
            "(an empty ExecStart=, then one without them; systemctl cat docker shows them)."
        )
    return "%s would not be taken by dockerd: %s. %s" % (path, said, hint)


def action(keys, running):
    """What makes a change of these top-level keys count: none, reload, restart, or start for a daemon that does not run."""
    if not running:
        return "start"
    if not keys:
        return "none"
    return "reload" if set(keys) <= RELOADABLE else "restart"


def interruption(keys, containers, live_restore, unit, cause=None):
    """Why a restart would stop containers, in one message; None when it would not. live_restore: of the settings to come.

    cause: words for what asks for the restart; the keys when left out.
    """
    if not containers:
        return None
    breaking = sorted(set(keys) & BREAKS_LIVE_RESTORE)
    if live_restore and not breaking:
        return None
    why = "%s changes" % " and ".join(breaking) if breaking else "live-restore is off"
    return (
        "%s must be restarted for %s, which would stop %d running container%s, as %s. Its settings were not changed. Stop them "
        "yourself, or set container_runtime_interrupt to true for this run."
        % (unit, cause or ", ".join(keys), containers, "" if containers == 1 else "s", why)
    )


def file_system_problem(settings, path, mounts):
    """Why images cannot be kept where the settings say; None when they can. path: the nearest folder of it that exists;
    mounts: text of /proc/self/mounts."""
    if settings.get("storage-driver") not in (None, "overlay2", "overlay"):
        return None
    kind = file_system(path, mounts)
    if not WITHOUT_OVERLAY.match(kind):
        return None
    return (
        "data-root is %s, on a file system of type %s: the overlay2 storage driver does not work on it. Nothing was changed. "
        "Set container_runtime_data_root to a folder on a local ext4 or xfs, or choose a storage-driver in container_runtime_daemon."
        % (settings.get("data-root", "/var/lib/docker"), kind)
    )


def file_system(path, mounts):
    """Type of the file system that an absolute path is on; of several mounts at one place the last counts."""
    best, kind = "", "unknown"
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = re.sub(r"\\(\d{3})", lambda match: chr(int(match.group(1), 8)), fields[1])
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind
