# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Versions of Debian packages and of NVIDIA's drivers inside them. Source of the order: deb-version(7)."""

from __future__ import annotations

import functools
import re

DRIVER = re.compile(r"^[0-9]{3}(\.[0-9]+){1,2}\Z")


def upstream(version):
    """580.95.05 of 1:580.95.05-0ubuntu1: without epoch and Debian revision."""
    return (version or "").split(":", 1)[-1].rsplit("-", 1)[0]


def is_driver(version):
    """Whether this is how NVIDIA numbers drivers, as in 580.95.05 or 550.163.01."""
    return bool(DRIVER.match(version or ""))


def fits(version, branch=None, exact=None):
    """Whether a package's version is the wished driver: exactly ``exact``, or any of ``branch``, or any at all."""
    found = upstream(version)
    if exact:
        return found == exact
    return branch is None or found.split(".")[0] == str(branch)


def newest(versions):
    """The highest of package versions; None of none."""
    return max(versions, key=functools.cmp_to_key(compare), default=None)


def compare(one, other):
    """Negative, 0 or positive, as dpkg orders versions."""
    for left, right in zip(_parts(one), _parts(other)):
        found = _compare_part(left, right)
        if found:
            return found
    return 0


def _parts(version):
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    main, dash, revision = rest.rpartition("-")
    return (epoch, main, revision) if dash else (epoch, rest, "0")


def _compare_part(one, other):
    """Text and numbers by turns; a tilde sorts before the end, letters before everything else."""
    while one or other:
        left, one = _take(r"\D*", one)
        right, other = _take(r"\D*", other)
        found = _compare_text(left, right)
        if found:
            return found
        left, one = _take(r"\d*", one)
        right, other = _take(r"\d*", other)
        if int(left or 0) != int(right or 0):
            return int(left or 0) - int(right or 0)
    return 0


def _compare_text(left, right):
    for place in range(max(len(left), len(right))):
        found = _rank(left[place : place + 1]) - _rank(right[place : place + 1])
        if found:
            return found
    return 0


def _rank(letter):
    if letter == "~":
        return -1
    if not letter:
        return 0
    return ord(letter) if letter.isalpha() else ord(letter) + 256


def _take(pattern, text):
    head = re.match(pattern, text).group(0)
    return head, text[len(head) :]


def kernel_key(kernel):
    """Sorts kernel releases: 6.1.0-9 before 6.1.0-56."""
    return [(1, int(part), "") if part[0] in "0123456789" else (0, 0, part) for part in re.findall(r"[0-9]+|[^0-9]+", kernel)]
