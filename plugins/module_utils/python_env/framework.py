# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether a list of requirements was made for a framework, its pins and its packages, and fits them. Pure."""

from __future__ import annotations

import hashlib
import json

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import lock
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import builds

MARK = "# Made by mlinfra.hosts.framework_lock for: "
PYTHON = "3.11"


def mark_of(requirement, packages, python_version):
    """First line of a list, which tells what it was made for."""
    wish = [requirement, *sorted(packages)]
    digest = hashlib.sha256(json.dumps(wish).encode()).hexdigest()[:12]
    return "%s%s; Python %s; %s\n" % (MARK, ", ".join(wish), python_version, digest)


def problems(framework, text, pins):
    """Messages about a list that does not fit. :raises lock.LockError: it is none"""
    lock.parse(text)
    return builds.judge(framework, text, pins)


def fits(text, framework, pins, packages, python_version=PYTHON):
    """Whether the list at hand is the one that is wished, and nothing is to be done or to be said."""
    chosen = builds.choose(framework, pins)
    if chosen["problems"] or not text.startswith(mark_of(chosen["requirement"], packages, python_version)):
        return False
    try:
        return not problems(framework, text, pins)
    except lock.LockError:
        return False
