# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs apt and dpkg so that nothing asks, nothing is read of the user's language, and a failure says why."""

from __future__ import annotations

import re
import time

from ansible_collections.mlinfra.hosts.plugins.module_utils.apt import words

ENVIRONMENT = {
    "LC_ALL": "C",
    "LANGUAGE": "",
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    "UCF_FORCE_CONFFOLD": "1",
}
ALWAYS = ["-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=30", "-o", "APT::Keep-Downloaded-Packages=false"]
ANSWERS = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
# The driver's own packages are held, and move together; that no other held package would move is checked in the simulation.
ALLOWED = ["--allow-downgrades", "--allow-change-held-packages", "--ignore-hold", "--no-install-recommends"]
TELLING = ("E: ", "Err:", "W: Failed to fetch", "W: GPG error", "W: OpenPGP", "dpkg: error", "Error!")
# dpkg has begun: what is locked by then is a script's business, and is not tried again.
BEGUN = re.compile(r"^(Selecting previously|Preparing to unpack|Unpacking|Setting up|Removing|Purging configuration)", re.MULTILINE)
PLANNED = re.compile(r"^(Inst|Remv) (\S+)(?: \[([^\]]*)\])?(?: \(([^ )]+))?", re.MULTILINE)


class Failed(Exception):
    """A program ended badly. output: all that it said."""

    def __init__(self, what, output):
        super().__init__(what)
        self.what = what
        self.output = output


class Apt:
    """run: AnsibleModule.run_command; proxy: URL or empty; lock_timeout: seconds to wait for another apt."""

    def __init__(self, run, proxy="", lock_timeout=300):
        self.run = run
        self.environment = dict(ENVIRONMENT)
        if proxy:
            self.environment.update(http_proxy=proxy, https_proxy=proxy)
        self.lock_timeout = lock_timeout

    def call(self, what, arguments, data=None):
        """Output of a program, both streams. :raises Failed: it did not end well."""
        code, out, err = self.run(arguments, environ_update=self.environment, data=data)
        if code:
            raise Failed(what, out + "\n" + err)
        return out + err

    def get(self, what, *arguments):
        """Output of apt-get, which waits by itself for dpkg's lock alone: not for those of the lists and of the archives."""
        until = time.monotonic() + self.lock_timeout
        while True:
            left = max(0, round(until - time.monotonic()))
            try:
                return self.call(what, ["apt-get", *ALWAYS, "-o", "DPkg::Lock::Timeout=%d" % left, *arguments])
            except Failed as error:
                if not is_locked(error.output) or time.monotonic() >= until:
                    raise
            time.sleep(2)

    def install(self, what, names):
        """Install packages (name, name=version, name- to remove) without what they recommend."""
        return self.get(what, *ANSWERS, *ALLOWED, "-y", "-q", "install", *names)

    def fetch(self, what, names):
        """Download what install(names) would, and change nothing."""
        return self.get(what, *ANSWERS, *ALLOWED, "-y", "-q", "--download-only", "install", *names)

    def simulate(self, names, options=()):
        """[{action: install|remove, name, old, new}] of what install would do. :raises Failed: it cannot be done."""
        text = self.get("simulate", *options, "-o", "Debug::NoLocking=1", *ALLOWED, "-s", "-q", "install", *names)
        return planned(text)

    def names(self, beginning, options=()):
        """All names that the sources know, and begin so."""
        return self.call("apt-cache pkgnames", ["apt-cache", *options, "pkgnames", beginning]).split()

    def candidates(self, names, options=()):
        """{name: version that apt would take, or None}."""
        text = self.call("apt-cache policy", ["apt-cache", *options, "policy", *names]) if names else ""
        return dict(dict.fromkeys(names), **parse_policy(text))

    def versions(self, names, options=()):
        """{name: [versions that the sources offer]} (apt-cache madison)."""
        return parse_madison(self.call("apt-cache madison", ["apt-cache", *options, "madison", *names]))


def is_locked(output):
    """Whether apt-get gave up because another one was at work, before it had changed anything."""
    return words.is_locked(output) and not BEGUN.search(output)


def waiting(output):
    """What a message says to do about such a lock; empty when it was none."""
    said = "Another apt or dpkg was at work for all of lock_timeout, as on a new machine: wait until it has ended, then run this again."
    return said if is_locked(output) else ""


def parse_madison(text):
    """Lines `name | version | source` -> {name: [versions]}."""
    found = {}
    for line in text.splitlines():
        parts = [part.strip() for part in line.split("|")]
        if len(parts) == 3:
            found.setdefault(parts[0], []).append(parts[1])
    return found


def planned(text):
    """Lines of `apt-get -s` -> the same as simulate."""
    actions = {"Inst": "install", "Remv": "remove"}
    return [
        {"action": actions[kind], "name": name, "old": old or None, "new": new or None} for kind, name, old, new in PLANNED.findall(text)
    ]


def parse_policy(text):
    """{name: candidate or None} of `apt-cache policy`."""
    found, name = {}, None
    for line in text.splitlines():
        if line and not line[0].isspace() and line.endswith(":"):
            name = line[:-1]
        elif line.startswith("  Candidate: ") and name:
            version = line.split(": ", 1)[1].strip()
            found[name] = None if version == "(none)" else version
    return found


def reasons(output, most=6):
    """What apt and dpkg themselves call wrong in their output; its last lines when they do not say."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(TELLING)]
    if any(line.startswith("E: Failed to fetch") for line in told):
        # These say the same again, and why.
        told = [line for line in told if not line.startswith("Err:")]
    depends = [line for line in lines if re.search(r"(Depends|Conflicts|Breaks): .*but|but it is not (going to be )?install", line)]
    return (told + depends)[:most] or lines[-most:]
