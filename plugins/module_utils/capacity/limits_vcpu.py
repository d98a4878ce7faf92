# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether a launch fits into the account's vCPU quotas. Pure.

Sources: EC2 user guide, "Amazon EC2 instance type quotas" (running instances count, and Capacity Reservations whether they are used or not)
and "Spot Instance quotas". So a launch into a reservation needs no more quota, and none is refused for it here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional, Union

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Allowed, Limits, Line, Need, Unknown
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import PREPAID, Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.quota import Quota, quota
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import TypeFacts

CHECK = "vcpu_quota"
_WORDS = {"spot": "spot", "on_demand": "On-Demand"}


class Room(NamedTuple):
    """vCPUs of one quota: ``free`` is None where its value is not known, and too high where ``used`` is None."""

    free: Optional[float]
    used: Optional[int]
    allowed: Optional[float]


def count_used(instances: Iterable[Mapping[str, Any]], types: Mapping[str, TypeFacts]) -> Union[dict[str, int], Unknown]:
    """Code → vCPUs of these instances, from DescribeInstances. Those on dedicated hosts and in capacity blocks have no such quota."""
    used: dict[str, int] = {}
    for raw in instances:
        lifecycle = raw.get("InstanceLifecycle")
        if lifecycle == "capacity-block" or (raw.get("Placement") or {}).get("Tenancy") == "host":
            continue
        found = quota(raw["InstanceType"], "spot" if lifecycle == "spot" else "on_demand")
        if found is None:
            continue
        vcpus = vcpus_of(raw)
        if not vcpus and raw["InstanceType"] in types:
            vcpus = types[raw["InstanceType"]].vcpus
        if not vcpus:
            return Unknown(f"EC2 does not say how many vCPUs {raw['InstanceId']} has")
        used[found.code] = used.get(found.code, 0) + vcpus
    return used


def vcpus_of(raw: Mapping[str, Any]) -> int:
    """Of an instance as DescribeInstances shows it; 0 where EC2 does not say."""
    cores = raw.get("CpuOptions") or {}
    return int(cores.get("CoreCount") or 0) * int(cores.get("ThreadsPerCore") or 0)


def without(limits: Limits, ending: Iterable[tuple[str, str, int]]) -> Limits:
    """The limits once some running instances have ended.

    :param ending: type, market and vCPUs of each; 0 where EC2 does not say. What runs in a reservation frees nothing: that counts itself.
    """
    if isinstance(limits.used, Unknown):
        return limits
    used = dict(limits.used)
    for name, market, vcpus in ending:
        found = quota(name, market)
        if found is not None and market not in PREPAID and found.code in used:
            used[found.code] = max(0, used[found.code] - vcpus)
    return limits._replace(used=used)


def room(code: str, limits: Limits, taken: float = 0) -> Room:
    """:param taken: vCPUs that other pools of this plan need of it."""
    allowed = limits.quotas.get(code)
    used = None if isinstance(limits.used, Unknown) else limits.used.get(code, 0)
    if not isinstance(allowed, Allowed):
        return Room(None, used, None)
    return Room(allowed.value - (used or 0) - taken, used, allowed.value)


def against(offer: Offer, need: Need, limits: Limits) -> str:
    """Why the quota makes an offer pointless; empty when nothing is known against it."""
    found, vcpus = _counted(offer, limits)
    if found is None or not vcpus:
        return ""
    free = room(found.code, limits).free
    if free is None or vcpus * need.at_once <= free:
        return ""
    return f"the quota {found.code} leaves {max(free, 0):g} vCPUs, and {need.at_once} × {offer.instance_type} need {vcpus * need.at_once}"


def _counted(offer: Offer, limits: Limits) -> tuple[Optional[Quota], int]:
    """(the quota that it counts against, if any; vCPUs of one instance, 0 where they are not known)."""
    if offer.market in PREPAID:
        return None, 0
    types = {} if isinstance(limits.types, Unknown) else limits.types
    return quota(offer.instance_type, offer.market), types[offer.instance_type].vcpus if offer.instance_type in types else 0


def most(need: Need, limits: Limits, taken: Mapping[str, float]) -> Optional[int]:
    """How many of the pool's instances the quotas allow at most, over all of its offers; None where one of them is not bounded."""
    best: dict[str, int] = {}
    for offer in need.offers:
        found, vcpus = _counted(offer, limits)
        if offer.market in PREPAID:
            if offer.available is None:
                return None
            best[f"{offer.reservation}"] = offer.available
            continue
        free = room(found.code, limits, taken.get(found.code, 0)).free if found is not None and vcpus else None
        if free is None:
            return None
        best[found.code] = max(best.get(found.code, 0), int(max(free, 0) // vcpus))
    fitting = [count for count in best.values() if count >= need.at_once]
    return max(fitting, default=0) if need.together else sum(fitting)


def takes(need: Need, limits: Limits) -> dict[str, float]:
    """Code → vCPUs that no choice among its offers can spare the pool: for the other pools of the plan they are gone."""
    counted = [_counted(offer, limits) for offer in need.offers]
    codes = {found.code if found is not None else None for found, _vcpus in counted}
    sizes = [vcpus for _found, vcpus in counted]
    if len(codes) != 1 or None in codes or not all(sizes):
        return {}
    return {codes.pop(): float(min(sizes) * need.least)}


def lines(need: Need, limits: Limits, region: str, refused: bool, taken: Mapping[str, float]) -> list[Line]:
    """One for each quota that the pool's offers count against.

    :param refused: whether the pool cannot be had at all, so that what does not fit is the reason.
    """
    told = []
    groups: dict[tuple[str, str], list[Offer]] = {}
    for offer in need.offers:
        if offer.market in _WORDS:
            found = quota(offer.instance_type, offer.market)
            groups.setdefault((found.code if found else "", offer.market), []).append(offer)
    for (code, market), offers in groups.items():
        names = list(dict.fromkeys(one.instance_type for one in offers))
        if not code:
            text = f"which quota {', '.join(names)} counts against as {_WORDS[market]} is not known here"
            told.append(Line(CHECK, need.pool, need.path, "unknown", text))
        else:
            found = quota(names[0], market)
            told.append(_line(need, limits, found, names, region, refused, taken.get(code, 0)))
    return told


def _line(need: Need, limits: Limits, found: Quota, names: list[str], region: str, refused: bool, taken: float) -> Line:
    types = limits.types
    sizes = {} if isinstance(types, Unknown) else {name: types[name].vcpus for name in names if name in types and types[name].vcpus}
    allowed, space = limits.quotas.get(found.code), room(found.code, limits, taken)
    if not sizes:
        why = types.why if isinstance(types, Unknown) else f"EC2 does not say how many vCPUs {', '.join(names)} has"
        return Line(CHECK, need.pool, need.path, "unknown", f"what it needs of {found.name} is not known: {why}", code=found.code)
    fitting = [name for name in sizes if space.free is None or sizes[name] * need.at_once <= space.free]
    shown = fitting[0] if fitting else min(sizes, key=lambda name: sizes[name])
    needed = sizes[shown] * need.count
    text = f"{need.count} × {shown} {'needs' if need.count == 1 else 'need'} {needed} vCPUs"
    line = Line(CHECK, need.pool, need.path, "unknown", "", needed, space.used, space.allowed, found.code)
    if not isinstance(allowed, Allowed):
        why = allowed.why if allowed is not None else "nobody asked"
        return line._replace(text=f"{text}; what {found.name} allows is not known: {why}")
    in_use = f"{space.used} are in use" if space.used is not None else f"what is in use is not known ({limits.used.why})"
    others = f", {taken:g} are for other pools of this plan" if taken else ""
    default = ", AWS's default" if allowed.default else ""
    text += f"; {found.name} allows {allowed.value:g}{default}, {in_use}{others} ({found.code})"
    if needed <= space.free:
        out = [name for name in sizes if name not in fitting]
        if out:
            return line._replace(verdict="warning", text=f"{text}; {', '.join(out)} would not fit and falls out")
        return line._replace(verdict="unknown" if space.used is None else "ok", text=text)
    wanted = needed + (space.used or 0) + taken
    ask = (
        f"Ask for {wanted:g}: aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {found.code} "
        f"--desired-value {wanted:g} --region {region}"
    )
    what = "" if refused else "; not all of them fit" if fitting else f"; {', '.join(names)} falls out there"
    return line._replace(verdict="refused" if refused else "warning", text=f"{text}{what}. {ask}")
