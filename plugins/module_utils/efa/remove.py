# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Takes EFA software off a host with dpkg or rpm, without AWS's archive. What is decided is in removal.py."""

from __future__ import annotations

import contextlib
import os
import time

from ansible_collections.mlinfra.hosts.plugins.module_utils.efa import carry, installed, kmod, removal, unfinished
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import running
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import locks

LOCK_SECONDS, TRY_SECONDS = 300, 3
MODULES = (kmod.NAME, "efa_nv_peermem")


def look(host, programs):
    """What removal.steps decides by, with what plan.py's seen has of the kernel module. :raises carry.Refused:"""
    listed = host.text(installed.FILE)
    entries, begun = removal.names(listed), unfinished.entries()
    known = carry.ask(host, programs, [removal.entry(one)["name"] for one in entries + begun])
    packages = removal.brought(entries, begun, known)
    kernel = os.uname().release
    return {
        "version": installed.parse(listed)["version"],
        "packages": packages,
        "kept": removal.kept(sorted(packages), lambda names: asked(names, packages)),
        "is_recorded": bool(begun) or host.exists(installed.FILE),
        "module": kmod.look(host, kernel),
        "container": programs.container(),
    }


def is_rpm(packages):
    """Whether rpm rules here: only its addresses have no colon and end in its own words for architectures."""
    return any(address.rpartition(".")[2] in ("x86_64", "aarch64", "noarch") for address in packages.values())


def asked(names, packages):
    """removal.needed of a removal that is only tried. :raises carry.Refused: when it would fail for another reason."""
    rpm = is_rpm(packages)
    command = ["rpm", "-e", "--test"] if rpm else ["dpkg", "--no-act", "--remove"]
    done = running.run(command + [packages[name] for name in names], 120)
    if done.code == 0:
        return {}
    found = removal.needed(done.out + "\n" + done.err)
    if rpm:
        found = by_package(found)
    if not set(found) & set(names):
        raise carry.Refused(
            "EFA software cannot be removed: %s says: %s. Nothing was changed. Mend that and run this again."
            % (command[0], done.problem or " | ".join((done.out + done.err).strip().splitlines()[-4:]))
        )
    return found


def by_package(capabilities):
    """rpm names what others need, which may be a library: {package that has it: [who needs it]}."""
    found = {}
    for capability, who in capabilities.items():
        done = running.run(["rpm", "-q", "--whatprovides", "--queryformat", "%{NAME}\n", capability], 60)
        for name in done.out.split() if done.code == 0 else []:
            found.setdefault(name, []).extend(one for one in who if one not in found.get(name, []))
    return found


def wait_for_dpkg():
    """:raises carry.Refused: when another program keeps dpkg's lock."""
    end = time.monotonic() + LOCK_SECONDS
    while True:
        holder = locks.apt_lock(locks.FILES[:2])
        if not holder["held"]:
            return
        if time.monotonic() > end:
            who = holder["command"] or "a process that is not visible from here"
            raise carry.Refused(
                "%s is locked by %s for %d s now. Nothing was changed. Let it end, then run this again."
                % (holder["path"], who, LOCK_SECONDS)
            )
        time.sleep(TRY_SECONDS)


def unload(seen, going):
    """Take the modules out that go with these packages, as AWS's script does. One that cannot go waits for a reboot.

    Returns whether there were any.
    """
    if seen["container"] or "efa" not in going or seen["module"]["loaded"] is None:
        return False
    for name in reversed(MODULES):
        if os.path.isdir("/sys/module/%s" % name):
            running.run(["modprobe", "-r", name], 60)
    return True


def act(seen, timeout, known):
    """Remove what others do not need, and forget the rest. known(names): see carry.ask. :raises carry.Refused, carry.Broken:"""
    packages = seen["packages"]
    going = [name for name in sorted(packages) if name not in seen["kept"]]
    rpm = is_rpm(packages)
    if going and not rpm:
        wait_for_dpkg()
    unloaded = bool(going) and unload(seen, going)
    # At once, as they need each other; then what of two of them would still count.
    purged = [] if rpm else [packages[name] for name in going if name in removal.PURGED]
    commands = [(["rpm", "-e"] if rpm else ["dpkg", "--remove"], [packages[name] for name in going]), (["dpkg", "--purge"], purged)]
    for command, addresses in commands:
        if not addresses:
            continue
        done = running.run(command + addresses, timeout)
        if done.code != 0:
            if unloaded:
                running.run(["modprobe", kmod.NAME], 60)  # what is left of it may still serve
            said = done.problem or " | ".join(line.strip() for line in (done.out + done.err).strip().splitlines()[-6:])
            raise carry.Broken(
                "%s of EFA software failed. It says: %s. Mend that and run this again: what is left is known, and goes then."
                % (" ".join(command), said)
            )
    there = known(going) if going else {}
    left = [name for name in going if there.get(name, {}).get("version") is not None]
    if left:
        raise carry.Broken("EFA software was removed, and these packages are still there: %s." % ", ".join(left))
    forget()


def forget():
    """Nothing of the software is there any more: neither are AWS's list, our record and our log."""
    for path in (installed.FILE, unfinished.FILE, carry.LOG):
        if os.path.lexists(path):
            os.unlink(path)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(installed.FILE))  # others may keep something there
