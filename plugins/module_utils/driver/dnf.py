# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs dnf (of generation 4) and rpm so that nothing asks, nothing is read of the user's language, and a failure says why.

Programs, not their Python bindings: those are of the system's Python alone, which need not be Ansible's. Options: dnf(8), dnf.conf(5).
"""

from __future__ import annotations

import re
import time

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import candidates

# What else of the host nobody needs any more is not decided here, nor which old kernels (no undo could bring one back). dnf trusts what it
# has read of a repository for two days: not of ours.
ALWAYS = [
    "--setopt=retries=2", "--setopt=timeout=30", "--setopt=exit_on_lock=True", "--setopt=clean_requirements_on_remove=False",
    "--setopt=install_weak_deps=False", "--setopt=mlinfra-nvidia.metadata_expire=1", "--setopt=installonly_limit=0",
    "--color=never",
]  # fmt: skip
LOCKED = 200
FORMAT = "%{name} %{epoch}:%{version}-%{release}\n"
KERNEL_HEADERS = re.compile(r"^kernel-devel-(\d.*)$")
SECTIONS = {"Installing": "install", "Upgrading": "install", "Downgrading": "install", "Reinstalling": "install", "Removing": "remove"}
SECTION = re.compile(r"^([A-Z][a-z]+)(?: [a-z ]+)?(?: \([^)]*\))?:$")
UNIT = re.compile(r"^[kMGT]$")
# What was fetched is all that is asked for: no mirror is, and none is missed.
FETCHED = ["--cacheonly"]
# A package whose script fails counts as installed, and dnf as successful: rpm calls it a warning.
SCRIPT_FAILED = re.compile(r"Error in [A-Z]+ scriptlet in rpm package|warning: %\w+\([^)]*\) scriptlet failed")
TELLING = re.compile(
    r"^(Error: |Error in |Failed to |Errors during |Public key |GPG key |No match for |All matches were filtered out|Curl error|warning: %)"
    r"|nothing provides|conflicts with|file .* conflicts|No more mirrors|Cannot download,|scriptlet failed|cannot install"
)


class Dnf:
    """run: AnsibleModule.run_command; proxy: URL or empty; lock_timeout: seconds to wait for another dnf. :raises apt.Failed:"""

    def __init__(self, run, proxy="", lock_timeout=300):
        self.run = run
        self.environment = {"LC_ALL": "C", "LANGUAGE": ""}
        if proxy:
            self.environment.update(http_proxy=proxy, https_proxy=proxy)
        self.lock_timeout = lock_timeout

    def call(self, what, arguments, data=None):
        """Output of a program, both streams. :raises apt.Failed: it did not end well."""
        code, out, err = self.run(arguments, environ_update=self.environment, data=data)
        if code:
            raise apt.Failed(what, out + "\n" + err)
        return out + err

    def ask(self, *arguments):
        """(exit code, output) of dnf, which waits for another one."""
        until = time.monotonic() + self.lock_timeout
        while True:
            code, out, err = self.run(["dnf", *ALWAYS, *arguments], environ_update=self.environment)
            if code != LOCKED or time.monotonic() > until:
                return code, out + "\n" + err
            time.sleep(5)

    def get(self, what, *arguments):
        code, text = self.ask(*arguments)
        if code:
            raise apt.Failed(what, text)
        return text

    def install(self, what, names, options=()):
        """Install packages (name, or name=version, up or down) with what they need; what conflicts with them goes.

        :raises apt.Failed: dnf failed, or a package's script did.
        """
        text = self.get(what, *options, "-y", "-q", "--allowerasing", "install", *map(spec, names))
        if SCRIPT_FAILED.search(text):
            raise apt.Failed(what, text)

    def fetch(self, what, names):
        """Download what install(names) would, and change nothing; dnf drops it by itself after its next change. :raises apt.Failed:"""
        self.get(what, "-y", "-q", "--allowerasing", "--downloadonly", "install", *map(spec, names))

    def remove(self, what, names):
        """Take packages off, and nothing else."""
        self.call(what, ["rpm", "-e", "--nodeps", *names])

    def simulate(self, names, options=()):
        """[{action: install|remove, name, old, new}] of what install would do. :raises apt.Failed: it cannot be done."""
        code, text = self.ask(*options, "--assumeno", "--allowerasing", "install", *map(spec, names))
        if code and "Operation aborted." not in text:
            raise apt.Failed("simulate", text)
        return planned(text)

    def versions(self, names, options=()):
        """{name: [versions that the sources offer]}; names may be patterns."""
        if not names:
            return {}
        query = ["-q", "repoquery", "--available", "--showduplicates", "--queryformat", FORMAT]
        return candidates.parse_dnf(self.get("dnf repoquery", *options, *query, *names))

    def names(self, beginning, options=()):
        """None: of rpm nothing is chosen by its name. As apt's."""
        return []

    def candidates(self, names, options=()):
        """{name: whether some source has what it stands for, as a version or None}."""
        found = {}
        for name in names:
            query = ["-q", "repoquery", "--queryformat", FORMAT]
            match = KERNEL_HEADERS.match(name)
            query += ["--whatprovides", spec(name)] if match else [spec(name)]
            there = candidates.parse_dnf(self.get("dnf repoquery", *options, *query))
            found[name] = next((one[-1] for one in there.values()), None)
        return found


def spec(name):
    """What dnf is told for name=version; a kernel's headers by what they provide, since their name is not the same everywhere.

    Amazon Linux 2023 has them as kernel-devel and kernel6.12-devel, each with `kernel-devel-uname-r = RELEASE`, as Red Hat's.
    """
    match = KERNEL_HEADERS.match(name)
    if match:
        return "kernel-devel-uname-r = %s" % match.group(1)
    return name.replace("=", "-", 1)


def planned(text):
    """The table that dnf shows before it asks -> the same as simulate. A long name has the rest of its line below it."""
    found, action, words = [], None, []

    def end():
        found.extend(rows(words, action) if action else [])
        words.clear()

    for line in text.splitlines():
        match = SECTION.match(line.strip())
        if match and not line.startswith(" "):
            end()
            action = SECTIONS.get(match.group(1))
        elif line.startswith("Transaction Summary"):
            end()
            action = None
        elif action and line.startswith(" "):
            words += line.split()
    end()
    return sorted(found, key=lambda one: (one["action"], one["name"]))


def rows(words, action):
    """Rows `name architecture version repository size [unit]`, any of them with `replacing name version` behind."""
    found, rest = [], list(words)
    while rest:
        if rest[0] == "replacing":
            found.append({"action": "remove", "name": rest[1].rsplit(".", 1)[0], "old": rest[2] if rest[2:] else None, "new": None})
            rest = rest[3:]
            continue
        if len(rest) < 5:
            break
        name, unused, version = rest[:3]
        found.append({"action": action, "name": name, "old": None, "new": version} if action == "install" else gone(name, version))
        rest = rest[6:] if rest[5:] and UNIT.match(rest[5]) else rest[5:]
    return found


def gone(name, version):
    return {"action": "remove", "name": name, "old": version, "new": None}


def reasons(output, most=6):
    """What dnf and rpm themselves call wrong in their output; its last lines when they do not say."""
    lines = [line.strip().lstrip("- ") for line in output.splitlines() if line.strip()]
    told = [line for line in lines if TELLING.search(line) and line != "Error:"]
    return told[:most] or lines[-most:]
