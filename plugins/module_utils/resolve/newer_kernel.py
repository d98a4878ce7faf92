# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which kernel takes the place of one whose headers are gone: the newest that sources offer with its headers, of the same kind.

The same kind is Debian's and Ubuntu's flavor (amd64, cloud-amd64, aws, generic), and of rpm the same package (kernel, kernel6.12). Of it
the kernel's own series (6.1, 6.8) comes first: a backport or a newer series is taken only where that one has ended.
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names

POLICIES = ("never", "if_required")
# 6.1.0-56-cloud-amd64, 6.12.90+deb13-amd64, 6.8.0-1030-aws: what is behind the version.
DEB_RELEASE = re.compile(r"^\d[\d.]*(?:\+[\w.+~]+)?(?:-\d[\w.+~]*)?-([a-z][a-z0-9-]*)$")
IMAGE, HEADERS = "linux-image-", "linux-headers-"


def flavor(release):
    """What a release of Debian's or Ubuntu's kernels ends with, as cloud-amd64; None where it does not say."""
    match = DEB_RELEASE.match(release)
    return match.group(1) if match else None


def kind(platform, release):
    """The same kind, in words for messages."""
    if names.is_rpm(platform):
        return "package %s" % names.rpm_kernel(platform, release)
    return "flavor %s" % (flavor(release) or "(not told)")


def series(release):
    """[6, 1] of 6.1.0-56-amd64."""
    return [int(part) for part in re.findall(r"\d+", release)[:2]]


def interesting(platform, all_names, release):
    """Packages, sorted, whose versions tell what could take the place of ``release``; of rpm they need no list of names."""
    if names.is_rpm(platform):
        family = names.rpm_kernel(platform, release)
        return [family, family + "-devel"]
    wanted = flavor(release)
    kernels = [(name, name.split("-", 2)[-1]) for name in set(all_names) if name.startswith((IMAGE, HEADERS))]
    return sorted(name for name, one in kernels if wanted and flavor(one) == wanted)


def pairs(platform, release, offered):
    """Releases of the same kind of which kernel and headers are both offered, oldest first."""
    if names.is_rpm(platform):
        family = names.rpm_kernel(platform, release)
        both = set(offered.get(family, [])) & set(offered.get(family + "-devel", []))
        found = ["%s.%s" % (one.split(":", 1)[-1], release.rsplit(".", 1)[-1]) for one in both]
    else:
        images = [name[len(IMAGE) :] for name, there in offered.items() if name.startswith(IMAGE) and there]
        found = [one for one in images if flavor(one) and flavor(one) == flavor(release) and offered.get(HEADERS + one)]
    return sorted(found, key=versions.kernel_key)


def choose(platform, release, installed, offered):
    """The release in place of ``release``, or None. It is newer than all that are installed, since the newest is what a host starts."""
    least = max([versions.kernel_key(one) for one in [release, *installed]])
    found = [one for one in pairs(platform, release, offered) if versions.kernel_key(one) > least]
    return ([one for one in found if series(one) == series(release)] or found or [None])[-1]


def settle(kernel, releases, has_headers, newer):
    """(releases, those that were replaced, by which one): the running and the newest kernel are, where they have no headers.

    kernel: {running, installed}; has_headers(release): here or offered; newer(): see choose, asked only at need. A kernel that is named and
    is neither of the two stays. One that is installed already and would start next is enough: it only waits for the restart.
    """
    newest = max(kernel["installed"], key=versions.kernel_key, default=kernel["running"])
    without = [one for one in releases if one in (kernel["running"], newest) and not has_headers(one)]
    if not without:
        return releases, [], None
    found = newest if newest != kernel["running"] and has_headers(newest) else newer()
    if found is None:
        return releases, [], None
    placed = [found if one in without else one for one in releases]
    return list(dict.fromkeys(placed)), without, found
