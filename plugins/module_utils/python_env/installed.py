# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What an environment has, read from the names of its dist-info folders alone
(https://packaging.python.org/en/latest/specifications/recording-installed-packages/)."""

from __future__ import annotations

import glob
import hashlib
import os
import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env.lock import normal_name

_FOLDER = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)\.(?:dist|egg)-info\Z")


def distribution(folder):
    """(normalised name, version) that a folder's name stands for; None for any other folder."""
    match = _FOLDER.match(folder)
    return (normal_name(match.group("name")), match.group("version")) if match else None


def distributions(environment):
    """{name: version} of an environment's folder. A name that is there twice has both versions, comma-separated; none: {}."""
    found = {}
    for packages in glob.glob(os.path.join(environment, "lib*", "python3*", "site-packages")):
        if os.path.islink(os.path.dirname(os.path.dirname(packages))):
            continue  # lib64 is a link to lib
        for entry in sorted(os.listdir(packages)):
            known = distribution(entry)
            if known:
                found[known[0]] = ",".join([found[known[0]], known[1]]) if known[0] in found else known[1]
    return found


def normal_version(version):
    """A version in a form that a pin and a folder's name share: case, a leading v, and how a local part is separated do not count."""
    return re.sub(r"[-_]", ".", version.lower().lstrip("v"))


def same(one, other):
    """Whether two {name: version} mean the same."""
    return {k: normal_version(v) for k, v in one.items()} == {k: normal_version(v) for k, v in other.items()}


def lines(found):
    """{name: version} as text for a diff, one pin a line."""
    return "".join("%s==%s\n" % pair for pair in sorted(found.items()))


def digest(found):
    """SHA-256 of {name: version}: equal on two hosts that have the same distributions."""
    return hashlib.sha256(lines(found).encode()).hexdigest()


def difference(before, after):
    """{added: {name: version}, removed: {name: version}, changed: {name: [before, after]}}."""
    return {
        "added": {name: after[name] for name in sorted(after) if name not in before},
        "removed": {name: before[name] for name in sorted(before) if name not in after},
        "changed": {
            name: [before[name], after[name]]
            for name in sorted(after)
            if name in before and normal_version(before[name]) != normal_version(after[name])
        },
    }
