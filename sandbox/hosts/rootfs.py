# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base root file systems for bookworm and trixie, built once with mmdebstrap and kept by a hash of their recipe."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from sandbox.hosts import apt_sources, machine_config
from sandbox.paths import SandboxError, cache_dir

SUITES = ("bookworm", "trixie")
PR_SET_PDEATHSIG = 1  # prctl(2)
GUEST = Path(__file__).parent / "guest"
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "udev", "openssh-server", "sudo", "python3", "python3-apt", "ca-certificates",
    "iproute2", "iputils-ping", "procps", "kmod", "curl", "gnupg", "pciutils", "netbase", "tzdata", "less", "nftables", "xz-utils",
)  # fmt: skip
# In the hosts too: half of an installation's time would be fsync, and nobody reads manuals there.
DPKG = (
    "force-unsafe-io", "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*", "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)  # fmt: skip
# Units that cannot do their work in a host here, or that would wake eight hosts at once for nothing.
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
    "man-db.timer", "systemd-timesyncd.service", "systemd-udevd.service", "systemd-udev-trigger.service", "systemd-udevd-kernel.socket",
    "systemd-udevd-control.socket", "systemd-networkd.service", "systemd-resolved.service", "systemd-modules-load.service",
    "systemd-firstboot.service", "systemd-sysctl.service", "systemd-pstore.service", "kmod-static-nodes.service",
    "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount", "dev-hugepages.mount", "dev-mqueue.mount",
    "systemd-binfmt.service",
    "proc-sys-fs-binfmt_misc.automount", "proc-sys-fs-binfmt_misc.mount", "getty.target", "console-getty.service",
    "systemd-logind-varlink.socket",
)  # fmt: skip
# Runs in the new root ("$1"); the steps that mmdebstrap has no option for.
CUSTOMIZE = r"""
set -eu
root=$1
chroot "$root" update-ca-certificates >/dev/null 2>&1
chroot "$root" useradd --create-home --shell /bin/bash admin
echo 'admin ALL=(ALL) NOPASSWD:ALL' > "$root/etc/sudoers.d/90-admin"
chmod 0440 "$root/etc/sudoers.d/90-admin"
rm -f "$root"/etc/ssh/ssh_host_* "$root"/etc/resolv.conf "$root"/etc/apt/sources.list.d/0000*
: > "$root/etc/machine-id"
: > "$root/etc/hostname"
mkdir -p "$root/var/log/journal" "$root/var/lib/cloud/instances"
for unit in mlinfra-identity.service mlinfra-user-data.service; do
    chroot "$root" systemctl --quiet enable "$unit" 2>/dev/null
done
chroot "$root" systemctl --quiet set-default multi-user.target 2>/dev/null
"""


def recipe(suite: str, mirrors: apt_sources.Mirrors, config: dict[str, bytes]) -> str:
    """The hash (16 hex digits) of all that decides what a root contains, but for what the mirror holds today."""
    guest = {path.name: path.read_text(encoding="utf-8") for path in sorted(GUEST.iterdir())}
    files = {name: hashlib.sha256(data).hexdigest() for name, data in config.items()}
    parts = [suite, mirrors.lines(suite), PACKAGES, MASKED, DPKG, CUSTOMIZE, guest, files, os.uname().machine]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def find(suite: str) -> Path | None:
    """The finished root of ``suite`` for this machine's present configuration, None before it is built."""
    path = _place(suite)[0]
    return path if path.is_dir() else None


def _place(suite: str) -> tuple[Path, apt_sources.Mirrors, dict[str, bytes]]:
    mirrors = apt_sources.choose(apt_sources.read(), apt_sources.machine_codename())
    if mirrors is None:
        raise SandboxError(
            "/etc/apt names no Debian mirror with component main: the hosts are built from the machine's own mirror. "
            "Add a source for this release to /etc/apt/sources.list.d and run it again."
        )
    config = machine_config.files(apt_sources.trusted_keyring(mirrors))
    return cache_dir() / "roots" / f"{suite}-{recipe(suite, mirrors, config)}", mirrors, config


def build(suite: str, say: Callable[[str], None]) -> Path:
    """Make the root of ``suite`` unless it is there, and return it. Safe to interrupt: only a rename shows it.

    :raises SandboxError: mmdebstrap failed; its log is named.
    """
    target, mirrors, config = _place(suite)
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / f".{suite}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        partial = target.parent / f".partial-{suite}"
        _delete(partial)
        say(f"building the {suite} root file system from the machine's own mirror (about a minute, once)")
        _bootstrap(suite, mirrors, config, partial, lock.fileno())
        os.rename(partial, target)
        _prune(target, suite)
    say(f"the {suite} root file system is ready")
    return target


def _bootstrap(suite: str, mirrors: apt_sources.Mirrors, config: dict[str, bytes], root: Path, lock: int) -> None:
    overlay = root.parent / f".files-{suite}"
    _delete(overlay)
    _lay_files(overlay, config)
    hook = overlay.parent / f".customize-{suite}"
    hook.write_text("#!/bin/sh\n" + CUSTOMIZE, encoding="utf-8")
    hook.chmod(0o755)
    keyring = apt_sources.trusted_keyring(mirrors)
    sources = "\n".join(mirrors.lines(suite, str(keyring)))
    log = root.parent / f"{suite}.log"
    command = [
        # With namespaces of its own it leaves neither processes nor mounts when it is killed together with us.
        "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc",
        "mmdebstrap", "--variant=minbase", "--mode=root", f"--include={','.join(PACKAGES)}",
        *(f"--dpkgopt={option}" for option in DPKG), "--aptopt=APT::Install-Recommends false",
        # The files go in before the packages are configured: ca-certificates takes the extra certificates up, and systemd the presets.
        f"--essential-hook=cp -a {overlay}/. \"$1\"/", f"--customize-hook={hook}",
        suite, str(root), "-",
    ]  # fmt: skip
    scratch = root.parent / f".tmp-{suite}"
    _delete(scratch)
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch), "LC_ALL": "C.UTF-8"}
    with open(log, "wb") as out:
        # It inherits the lock: whoever comes next waits until the last of its processes has gone.
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=out, stderr=out, env=environment, pass_fds=(lock,), preexec_fn=_die_with_parent
        )
        child.communicate(sources.encode())
        code = child.returncode
    if code:
        tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise SandboxError(f"mmdebstrap of {suite} ended with {code}: {''.join(tail)} See {log}, mend what it names and run it again.")
    # What the hosts themselves will use is written last: mmdebstrap leaves its own list of sources behind.
    final = "\n".join(mirrors.lines(suite, machine_config.GUEST_KEYRING)) + "\n"
    (root / "etc/apt/sources.list").write_text(final, encoding="utf-8")
    _delete(overlay)
    _delete(scratch)
    hook.unlink()


def progress() -> str:
    """What the builds are at, from the last step that each log names."""
    at = []
    for suite in SUITES:
        log = cache_dir() / "roots" / f"{suite}.log"
        if (log.parent / f".partial-{suite}").is_dir() and log.is_file():
            steps = [line[3:] for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.startswith("I: ")]
            at.append(f"{suite}: {steps[-1].rstrip('.') if steps else 'beginning'}")
    return "; ".join(at)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _lay_files(root: Path, config: dict[str, bytes]) -> None:
    for name, data in config.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    place = {"firstboot": "usr/lib/mlinfra/firstboot", "init": "usr/lib/mlinfra/init"}
    for path in GUEST.iterdir():
        target = root / place.get(path.name, f"etc/systemd/system/{path.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o755 if path.name in place else 0o644)
    for unit in MASKED:
        (root / "etc/systemd/system").mkdir(parents=True, exist_ok=True)
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")


def _delete(path: Path) -> None:
    """An interrupted mmdebstrap leaves /proc and the like mounted in its root: never delete through a mount."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{path}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=True)
    if path.is_dir():
        shutil.rmtree(path)


def _prune(kept: Path, suite: str) -> None:
    """Older recipes of the suite go, unless a host of any sandbox has them mounted."""
    used = ""
    for mountinfo in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            used += mountinfo.read_text(encoding="utf-8")
        except OSError:
            continue
    for path in kept.parent.glob(f"{suite}-*"):
        if path != kept and path.is_dir() and str(path) not in used:
            _delete(path)
