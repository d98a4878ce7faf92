# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A pool's volumes beside the root one, and what the types of volumes can do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import checks
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import MISSING, Problems
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Scope, Volume

# Amazon EC2 API reference, EbsBlockDevice (2026): sizes in GiB, IOPS, MiB/s.
LARGEST = 65536
_IOPS = (3000, 80000)
_THROUGHPUT = (125, 2000)
_IOPS_PER_GIB = 500  # Amazon EBS user guide, General Purpose SSD volumes; so is the next one
_IOPS_PER_MIBPS = 4
_IO2_GIB = 4
_IO2_IOPS = (100, 256000)
_IO2_IOPS_PER_GIB = 1000  # Amazon EBS user guide, Provisioned IOPS SSD volumes
# Amazon EC2 user guide, Device names for volumes: sdf to sdp are recommended, and sda is the root's in one image or the other.
_DEVICE = re.compile(r"/dev/(?:sd|xvd)([b-z])")
_CHOSEN = "fghijklmnop"
_SNAPSHOT = re.compile(r"snap-([0-9a-f]{8}|[0-9a-f]{17})")


def volumes(section: Any, path: str, scope: Scope, problems: Problems) -> tuple[Volume, ...]:
    """With a device for each: the letters that the declaration names first, for they are somebody's wish."""
    named = [(here, _device(one["device"], f"{here}.device", problems)) for here, one in checks.each(section, path)]
    checks.unique(((f"{here}.device", f"/dev/sd{letter}") for here, letter in named if letter not in ("", "?")), problems)
    free = iter([letter for letter in _CHOSEN if letter not in [letter for _here, letter in named]])
    made = []
    for (here, letter), (_path, one) in zip(named, checks.each(section, path)):
        device = one["device"] if letter else f"/dev/sd{next(free, '')}"
        if device == "/dev/sd":
            problems.add(here, one["device"] or MISSING, f"{len(_CHOSEN)} devices are chosen for you", "Name the device of this one")
        made.append(_volume(one, device, here, scope, problems))
    return tuple(made)


def _device(name: str | None, path: str, problems: Problems) -> str:
    """The letter that tells a device from others: EC2 takes sdf and xvdf for the same. Empty where none is given."""
    if name is None:
        return ""
    known = _DEVICE.fullmatch(name)
    if known is None:
        problems.add(path, name, "a device from /dev/sdb to /dev/sdz belongs here", "Leave it out to have one chosen")
    return known.group(1) if known else "?"


def letter_of(device: str) -> str:
    """``f`` of /dev/sdf and /dev/xvdf, ``a`` of /dev/sda1; other names as they are."""
    known = re.fullmatch(r"/dev/(?:sd|xvd|hd)([a-z]+)\d*", device)
    return known.group(1) if known else device


def _volume(one: Mapping[str, Any], device: str, path: str, scope: Scope, problems: Problems) -> Volume:
    gib, kind, iops, throughput, snapshot = one["gib"], one["type"] or "gp3", one["iops"], one["throughput"], one["snapshot"]
    if gib is None and snapshot is None and not problems.at(f"{path}.gib"):
        problems.add(f"{path}.gib", MISSING, "a volume without a snapshot has no size of its own", "Give a size in GiB")
    checks.least(gib, 1 if kind == "gp3" else _IO2_GIB, f"{path}.gib", problems, "Give a size in GiB", largest=LARGEST)
    if kind == "gp3":
        gp3(gib, iops, throughput, path, problems)
    else:
        checks.unwanted(one, ("throughput",), path, problems, f"only gp3 takes it, and this is {kind}", "Use type: gp3, or remove it")
        _io2(gib, iops, path, problems)
    if snapshot is not None and not _SNAPSHOT.fullmatch(snapshot):
        problems.add(f"{path}.snapshot", snapshot, "a snapshot's id belongs here", "Write it like snap-0123456789abcdef0")
    checks.kms_key(one["kms_key"], scope.region, f"{path}.kms_key", problems)
    return Volume(device, gib, kind, iops, throughput, one["kms_key"], snapshot, bool(one["keep"]))


def gp3(gib: int | None, iops: int | None, throughput: int | None, path: str, problems: Problems) -> None:
    checks.least(iops, _IOPS[0], f"{path}.iops", problems, "Leave it out for 3000", largest=_IOPS[1])
    checks.least(throughput, _THROUGHPUT[0], f"{path}.throughput", problems, "Leave it out for 125 MiB/s", largest=_THROUGHPUT[1])
    # The 3000 that come with every volume are exempt from the ratio to its size.
    if iops is not None and gib is not None and not problems.at(path) and iops > max(_IOPS[0], gib * _IOPS_PER_GIB):
        hint = f"Use at most {max(_IOPS[0], gib * _IOPS_PER_GIB)}, or {-(-iops // _IOPS_PER_GIB)} GiB or more"
        problems.add(f"{path}.iops", iops, f"a gp3 volume has up to {_IOPS_PER_GIB} IOPS per GiB, and this one has {gib} GiB", hint)
    if throughput is not None and not problems.at(path) and throughput * _IOPS_PER_MIBPS > (iops or _IOPS[0]):
        problems.add(
            f"{path}.throughput",
            throughput,
            f"a gp3 volume moves up to 0.25 MiB/s per IOPS, and this one has {iops or _IOPS[0]} IOPS",
            f"Set iops to {throughput * _IOPS_PER_MIBPS} or more",
        )


def _io2(gib: int | None, iops: int | None, path: str, problems: Problems) -> None:
    if iops is None and not problems.at(f"{path}.iops"):
        problems.add(f"{path}.iops", MISSING, "an io2 volume is paid for by its IOPS, so EC2 wants to know them", "Give 100 or more")
    checks.least(iops, _IO2_IOPS[0], f"{path}.iops", problems, "Use type: gp3 for 3000 that cost nothing", largest=_IO2_IOPS[1])
    if iops is not None and gib is not None and not problems.at(path) and iops > gib * _IO2_IOPS_PER_GIB:
        hint = f"Use at most {gib * _IO2_IOPS_PER_GIB}, or {-(-iops // _IO2_IOPS_PER_GIB)} GiB or more"
        problems.add(f"{path}.iops", iops, f"an io2 volume has up to {_IO2_IOPS_PER_GIB} IOPS per GiB, and this one has {gib} GiB", hint)
