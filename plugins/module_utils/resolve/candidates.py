# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the package sources of a host really offer, and which drivers that makes."""

from __future__ import annotations

import functools
import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names, tables

BRANCH = re.compile(r"(?<=-)(\d{3})(?=-|$)")


def problems(offered):
    """Messages about what is no {name: [version]}."""
    if not isinstance(offered, dict):
        return ["offered is %r: expected {package: [versions]}, as apt-cache madison lists them." % (offered,)]
    return [
        "offered.%s is %r: expected a list of versions." % (name, there)
        for name, there in offered.items()
        if not isinstance(there, (list, tuple)) or not all(isinstance(one, str) for one in there)
    ]


def interesting(all_names, kernels):
    """Those of the names that a package manager should be asked the versions of; kernels: releases whose headers count, too."""
    own = {"%s-%s" % (kind, kernel) for kind in ("linux-headers", "linux-image") for kernel in kernels}
    return sorted(name for name in set(all_names) if name in own or names.INTERESTING.match(name))


def parse_dnf(text):
    """Lines 'name epoch:version-release' -> {name: [versions]}; an epoch of 0 is left out, as dnf takes both."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[1][:1].isdigit():
            found.setdefault(words[0], []).append(words[1][2:] if words[1].startswith("0:") else words[1])
    return found


def newest_first(drivers):
    """Driver versions, as dpkg orders them; two that dpkg takes for one, in any order but always the same."""
    return sorted(sorted(drivers), key=functools.cmp_to_key(versions.compare), reverse=True)


def drivers(offered, platform, source):
    """Upstream versions of all drivers that the sources have any user space of, the newest first."""
    found = set()
    for name, there in offered.items():
        for version in there:
            driver = versions.upstream(version)
            if versions.is_driver(driver) and [name] == names.driver(platform, source, tables.branch_of(driver), None)[:1]:
                found.add(driver)
    return newest_first(found)


def version_of(offered, name, driver):
    """The newest package version of this driver; None when it is not offered."""
    return versions.newest([one for one in offered.get(name, []) if versions.upstream(one) == driver])


def upstreams(offered, name):
    """What there is of a package instead, for messages: its upstream versions, the newest first."""
    return newest_first({versions.upstream(one) for one in offered.get(name, [])})


def same_version(offered, wanted, fitting=None):
    """The newest version that all of these packages are offered in; None without one. fitting: which upstream versions will do."""
    common = set.intersection(*(set(offered.get(name, [])) for name in wanted))
    return versions.newest([one for one in sorted(common) if fitting is None or fitting(versions.upstream(one))])
