# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Changes packages and files of a host, and can put all of it back as it was before."""

from __future__ import annotations

import glob
import os
import re
import shutil

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, dkms, state
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import dpkg, units

CONFFILE = re.compile(r"^ (/.*) [0-9a-f]{32}\b", re.MULTILINE)
EXTENDED = "/var/lib/apt/extended_states"
ARCHIVES = "/var/cache/apt/archives"
WANTED = "/etc/systemd/system/*.wants/*"
SEARCHED = "/usr/sbin:/sbin:/usr/bin:/bin"
# dkms and the packages' scripts leave files there that no package owns.
GROWING = (dkms.TREE, dkms.MODULES, "/var/lib/mlinfra", "/etc/apt/keyrings", "/boot")


def snapshot():
    """{name: {version, status, held}} of every package that is not wholly absent."""
    return {name: one for name, one in state.packages().items() if one["status"] != "not-installed"}


def difference(before, after):
    """{new: [names], changed: {name: old version}, gone: {name: old version}, revived: [names]} between two snapshots.

    revived: of these only settings had been left.
    """
    versions = {name: one["version"] for name, one in before.items() if one["version"]}
    return {
        "revived": sorted(name for name, one in after.items() if one["version"] and name in before and name not in versions),
        "new": sorted(name for name in after if name not in before),
        "changed": {name: old for name, old in sorted(versions.items()) if name in after and after[name]["version"] not in (old, None)},
        "gone": {name: old for name, old in sorted(versions.items()) if name not in after or after[name]["version"] is None},
    }


class Kept:
    """Files that a change writes, and what grows besides. growing: folders whose new entries an undo sweeps."""

    reasons = staticmethod(apt.reasons)

    def __init__(self, program, growing):
        self.program = program
        self.files, self.late = {}, set()
        self.wanted = links(WANTED)
        self.ran = running(program.run, sorted({os.path.basename(path) for path in self.wanted if path.endswith(".service")}))
        self.growing = {top: set(listing(top)) if os.path.isdir(top) else None for top in growing}

    def keep(self, path):
        """Remember a file's bytes (None: it is not there) and mode, once."""
        if path not in self.files:
            self.files[path] = (open_bytes(path), os.stat(path).st_mode & 0o7777 if os.path.exists(path) else None)

    def write(self, path, data, late=False):
        """Write a root-owned, readable file in one step; None removes it. late: it comes back last, since apt cannot work with it."""
        self.keep(path)
        if late:
            self.late.add(path)
        put(path, data, 0o644)

    def drop_downloads(self):
        """Remove packages that were fetched ahead; nothing where the package manager does not leave them."""

    def _attempt(self, left, what, command):
        try:
            self.program.call(what, command)
        except apt.Failed as error:
            left.append("%s failed: %s" % (" ".join(command[:2]), "; ".join(self.reasons(error.output))))

    def _restore(self, back, done, left):
        """Set packages back. back: (name, version) each."""
        names = ["%s=%s" % pair for pair in back]
        try:
            self.program.install("restore", names)
            done.append("%d packages set back to their version" % len(back))
        except apt.Failed as error:
            left.append("%s could not be set back: %s" % (", ".join(names), "; ".join(self.reasons(error.output))))

    def _sweep_links(self):
        """Enable what was enabled. What a package enables as it comes back stays so."""
        now = links(WANTED)
        # A package that enables its service may forget it when it goes; what leads to a unit that is there is somebody's.
        for path in set(now) - set(self.wanted):
            if not os.path.exists(path):
                os.unlink(path)
        # A package that is purged has its service disabled, also one that came in the place of the package whose service that was.
        for path in set(self.wanted) - set(now):
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            os.symlink(self.wanted[path], path)

    def start_again(self):
        """Start the services that were enabled and ran before: enabling starts none, nor need a package that comes back. As undo()."""
        stopped = [name for name in self.ran if name not in running(self.program.run, self.ran)]
        if stopped:
            self.program.run(["systemctl", "daemon-reload"])
        failed = {}
        for name in stopped:
            code, out, err = self.program.run(["systemctl", "start", name])
            if code:
                failed[name] = " ".join((err or out).split())
        started = [name for name in stopped if name not in failed]
        left = ["%s ran before and could not be started: %s" % one for one in failed.items()]
        return ["%s started again" % ", ".join(started)] if started else [], left

    def _sweep_growing(self):
        """Remove what no package owns and was not there before, and folders that are empty now."""
        for top, was in self.growing.items():
            for path in set(listing(top)) - (was or set()):
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path, ignore_errors=True)
                elif os.path.lexists(path):
                    os.unlink(path)
            if was is None and os.path.isdir(top) and not os.listdir(top):
                os.rmdir(top)


class Transaction(Kept):
    """Everything goes through write() and program(); undo() puts it all back. lists: how the new apt lists' names begin."""

    def __init__(self, program, lists):
        super().__init__(program, GROWING)
        self.pattern = os.path.join(state.LISTS, lists + "*")
        self.before = snapshot()
        self.downloads = set(glob.glob(os.path.join(ARCHIVES, "*.deb")))
        self.lists = set(glob.glob(self.pattern))
        self.keep(EXTENDED)

    def brought(self):
        """Packages that this transaction has put on the host, sorted."""
        return difference(self.before, snapshot())["new"]

    def keep_settings(self, names):
        """Remember what somebody set in the files of packages that others are about to replace.

        An undo purges these others, and with them the settings, which have one path in both.
        """
        asked = ["dpkg-query", "--show", "--showformat=${Conffiles}\\n", *names]
        for path in CONFFILE.findall(self.program.call("settings", asked)) if names else []:
            self.keep(path)
            self.late.add(path)

    def hold(self, names):
        select(self.program, dict.fromkeys(names, "hold"))

    def drop_downloads(self):
        """Remove what was fetched: gigabytes that apt, told only to fetch, leaves there."""
        for path in set(glob.glob(os.path.join(ARCHIVES, "*.deb"))) - self.downloads:
            os.unlink(path)

    def undo(self):
        """Put everything back. Returns (what was done, in words; what could not be, in words)."""
        done, left = [], []
        for path, (data, mode) in self.files.items():
            if path != EXTENDED and path not in self.late:
                put(path, data, mode)
        moved = difference(self.before, snapshot())
        if moved["new"]:
            self._attempt(left, "purge", ["dpkg", "--purge", "--force-depends", "--force-remove-reinstreq", "--force-hold", *moved["new"]])
            done.append("%d packages purged" % len(moved["new"]))
        if moved["revived"]:
            self._attempt(left, "remove", ["dpkg", "--remove", "--force-depends", "--force-remove-reinstreq", *moved["revived"]])
            done.append("%d packages removed" % len(moved["revived"]))
        back = dict(moved["changed"], **moved["gone"])
        if back:
            self._restore(back.items(), done, left)
        for path in sorted(self.late):
            put(path, *self.files[path])
        self._attempt(left, "configure", ["dpkg", "--configure", "-a", "--force-confold"])
        selections = {name: "hold" if one["held"] else "install" for name, one in self.before.items() if one["version"]}
        now = snapshot()
        changed = {name: how for name, how in selections.items() if name in now and now[name]["held"] != (how == "hold")}
        try:
            select(self.program, changed)
        except apt.Failed as error:
            left.append("holds of %s could not be set back: %s" % (", ".join(changed), "; ".join(apt.reasons(error.output))))
        put(EXTENDED, *self.files[EXTENDED])
        self._sweep()
        rest = difference(self.before, snapshot())
        left += ["%s is still there" % name for name in rest["new"]]
        left += ["%s is not %s any more" % (name, old) for name, old in dict(rest["changed"], **rest["gone"]).items()]
        left += ["dpkg has not finished with %s" % name for name in dpkg.broken(state.packages())]
        return done, left

    def _sweep(self):
        """Remove what no package owns and was not there before: builds, keys, lists, downloads, folders that are empty now."""
        self.drop_downloads()
        for path in set(glob.glob(self.pattern)) - self.lists:
            os.unlink(path)
        self._sweep_links()
        self._sweep_growing()


def links(pattern):
    """{path: target} of symbolic links, also of those that lead nowhere."""
    return {path: os.readlink(path) for path in glob.glob(pattern) if os.path.islink(path)}


def running(run, names):
    """Those of these units that run, in their order; none where systemd is not there or does not answer."""
    if not names or not shutil.which("systemctl", path=SEARCHED):
        return []
    code, out, unused = run(units.question(names))
    return [name for name, one in units.parse(out, names).items() if one["active"] == "active"] if not code else []


def listing(top):
    """Paths at ``top`` and one level below."""
    return [os.path.join(top, name) for name in os.listdir(top)] if os.path.isdir(top) else []


def open_bytes(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def put(path, data, mode):
    """A file with these bytes, complete or as before; None: no file."""
    if data is None:
        if os.path.lexists(path):
            os.unlink(path)
        return
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    new = path + ".mlinfra-new"
    with open(new, "wb") as file:
        file.write(data)
    os.chmod(new, mode or 0o644)
    os.rename(new, path)


def select(program, how):
    """{name: hold|install} as dpkg's selections."""
    if how:
        text = "".join("%s %s\n" % pair for pair in sorted(how.items()))
        program.call("dpkg --set-selections", ["dpkg", "--set-selections"], data=text)


def lists_of(url):
    """How the names of apt's lists of this repository begin (apt's URItoFileName)."""
    return re.sub(r"^\w+://", "", url.rstrip("/")).replace("_", "%5f").replace("/", "_")
