# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How EFA software is taken off a host without its archive: pure decisions over AWS's list, our record of an unfinished run, and what
dpkg or rpm know.

efa_installer.sh --uninstall (README and uninstall_efa_packages of AWS's archive) unloads the module, purges efa-config and efa-profile,
removes what else its list names, and deletes the list. What it installed as dependencies stays: headers, dkms of the distribution. So it is
here, with one difference: what others need stays too, where dpkg and rpm would refuse all of it, and apt would take the others along.
"""

from __future__ import annotations

import re

# Their files in /etc count for as long as they are there.
PURGED = ("efa-config", "efa-profile")
RPM = re.compile(r"^(?P<name>.+)-(?P<version>[^-]+-[^-]+)\.(?P<architecture>x86_64|aarch64|noarch)$")
# dpkg in English. A name may have its architecture behind a colon.
PREVENTED = re.compile(r"^dpkg: dependency problems prevent removal of ([^:\s]+)")
DEPENDS = re.compile(r"^ ([^:\s]+)\S* (?:pre-)?depends on ")
NEEDED = re.compile(r"^\s+(\S+).* is needed by \(installed\) (\S+)$")


def entry(text):
    """{name, version, architecture, manager} of NAME_VERSION_ARCHITECTURE, or as rpm has it, in AWS's list or archive."""
    match = RPM.match(text)
    if match:
        return dict(match.groupdict(), manager="rpm")
    name, version, architecture = (text.split("_") + ["", ""])[:3]
    return {"name": name, "version": version, "architecture": architecture, "manager": "dpkg"}


def is_there(one, known):
    """Whether something of a listed package is on the host. known: {name: {version, status}} of dpkg or rpm."""
    package = known.get(one["name"], {})
    return package.get("version") is not None or (one["name"] in PURGED and package.get("status") == "config-files")


def is_same(one, known):
    """Whether the package is there in exactly this version. The name of a file has no epoch."""
    version = known.get(one["name"], {}).get("version")
    return version is not None and version.partition(":")[2 if ":" in version else 0] == one["version"]


def brought(listed, unfinished, known):
    """{name: what dpkg or rpm shall be told} of the packages that came with EFA software and are there.

    listed: entries of AWS's list, which count in any version: an installer that failed half-way has brought another one.
    unfinished: entries that an installer was about to bring when it failed, which count in that version alone.
    """
    found = {}
    for one in map(entry, listed):
        if is_there(one, known):
            found[one["name"]] = address(one, known)
    for one in map(entry, unfinished):
        if is_same(one, known):
            found[one["name"]] = address(one, known)
    return found


def address(one, known):
    """A package may be there for several architectures: only ours is meant."""
    if one["manager"] == "rpm":
        return "%s.%s" % (one["name"], one["architecture"])
    full = "%s:%s" % (one["name"], one["architecture"])
    return full if full in known else one["name"]


def needed(said):
    """{package or capability: [who needs it]} out of what dpkg or rpm say when they refuse a removal."""
    found, prevented = {}, None
    for line in said.splitlines():
        match = PREVENTED.match(line)
        if match:
            prevented = match.group(1)
            continue
        match = DEPENDS.match(line)
        if match and prevented:
            found.setdefault(prevented, []).append(match.group(1))
        match = NEEDED.match(line)
        if match:
            found.setdefault(match.group(1), []).append(match.group(2))
    return found


def kept(packages, ask):
    """{name: [who needs it]} of those that have to stay, as others need them.

    ask(names): {name: [who needs it]} when just these were to go. What stays may itself need more of them, so it is asked until it fits.
    """
    found = {}
    while True:
        rest = [name for name in packages if name not in found]
        more = {name: who for name, who in (ask(rest) if rest else {}).items() if name in rest}
        if not more:
            return found
        found.update(more)


def steps(seen):
    """[{do: remove, what}], empty when there is nothing of it.

    seen: {version, packages: {name: address} of brought(), kept, is_recorded: whether AWS's list or ours is there}.
    """
    going = [name for name in sorted(seen["packages"]) if name not in seen["kept"]]
    software = "EFA software %s" % (seen["version"] or "of an unfinished installation")
    if going:
        return [{"do": "remove", "what": "remove %s: %s" % (software, ", ".join(going))}]
    if seen["is_recorded"]:
        return [{"do": "remove", "what": "forget %s, of which nothing is left to remove" % software}]
    return []


def refusal(users, container):
    """Why it must not be removed now; "" when nothing uses the devices. users: see users.look. container: its module is the outside's."""
    who = ", ".join("%s (pid %d)" % (one["program"], one["pid"]) for one in users["processes"][:5])
    more = len(users["processes"]) - 5
    if who:
        who += " and %d more" % more if more > 0 else ""
        return "EFA software is to be removed, and %s %s EFA devices. Nothing was changed. Let the jobs end, then run this again." % (
            who,
            "use" if len(users["processes"]) > 1 else "uses",
        )
    if users["references"] and not container:
        return (
            "EFA software is to be removed, and its kernel module is used %d times (/sys/module/efa/refcnt), by no process that is visible "
            "from here. Nothing was changed. End the containers or jobs that use EFA, then run this again." % users["references"]
        )
    return ""


def waits_for_reboot(before, after):
    """Whether a removal has left its module loaded. Later runs cannot tell it from the kernel's own, which may have a version, too."""
    gone = "efa" in before["packages"] and "efa" not in before["kept"]
    return bool(gone and not before["container"] and after["module"]["loaded"] is not None)


def difference(before, is_due):
    """Diff of a removal. before: see steps()."""
    version = before["version"] or ("of an unfinished installation" if is_due else "none")
    there = ["EFA software %s" % version, *sorted(before["packages"])]
    stays = ["%s stays, as %s needs it" % (name, ", ".join(who)) for name, who in sorted(before["kept"].items())]
    after = ["EFA software none", *stays] if is_due else there
    return {"before": "".join("%s\n" % line for line in there), "after": "".join("%s\n" % line for line in after)}


def names(text):
    """Entries of AWS's list as they are there."""
    return [one for line in text.splitlines() if not line.startswith("#") for one in line.split()]
