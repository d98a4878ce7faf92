# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a change of the driver does, in the words of module nvidia_driver's return values and diff."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import persistence

UNKNOWN = (
    "This host has no package lists yet, so it is not known whether there is a driver, and headers of kernel %s. A run outside "
    "check mode reads the lists, and refuses what cannot be had before it changes anything else."
)


def removed(actions):
    """Names of the packages that go."""
    return {one["name"] for one in actions or [] if one["action"] == "remove"}


def after(before, wish, actions, decided):
    """{package: version} once the actions are done. before: the same as it is."""
    gone = removed(actions)
    found = {name: version for name, version in before.items() if name not in gone}
    found.update({one["name"]: one["new"] for one in actions or [] if one["action"] == "install"})
    if actions is None:
        found.update(dict.fromkeys(installs(wish, actions, decided), "(version not known yet)"))
    return found


def installs(wish, actions, decided):
    """Packages, as name=version; without package lists (actions None) only the names are known."""
    if actions is None:
        return decided["kernel_packages"] + ([] if decided["settled"] else wish["packages"])
    return sorted("%s=%s" % (one["name"], one["new"]) for one in actions if one["action"] == "install")


def lines(packages):
    return "".join("%s %s\n" % pair for pair in sorted(packages.items()))


def diff(packages, files, gone, persists):
    """The module's diff. packages: (before, after); files: those that are written, and gone, which are among them, removed.

    persists: what is done to the persistence daemon (steps of persistence.due).
    """
    written = ["%s\n" % path for path in files if path not in gone] + ["%s %s\n" % (persistence.UNIT, one) for one in persists]
    before, after = map(lines, packages)
    return {"before": before + "".join("%s\n" % path for path in gone), "after": after + "".join(written)}
