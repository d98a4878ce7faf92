# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a pool wants of its types and account beside room: EFA, and the service-linked role of spot. Pure."""

from __future__ import annotations

from typing import Union

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Limits, Line, Need, Unknown

EFA_CHECK, ROLE_CHECK = "efa", "spot_role"
SPOT_ROLE = "AWSServiceRoleForEC2Spot"


def efa(need: Need, limits: Limits) -> Line:
    """For a pool that wants it."""
    told = Line(EFA_CHECK, need.pool, f"{need.path}.efa", "unknown", "")
    names = list(dict.fromkeys(one.instance_type for one in need.offers))
    if isinstance(limits.types, Unknown):
        return told._replace(text=f"whether {', '.join(names)} has EFA is not known: {limits.types.why}")
    facts = [limits.types[name] for name in names if name in limits.types]
    having = [one for one in facts if one.efa_maximum]
    lacking = [one.name for one in facts if not one.efa_maximum]
    text = ", ".join(f"{one.name} has {one.efa_maximum} on {sum(card.efa for card in one.network_cards)} cards" for one in having)
    if not having:
        verdict = "refused" if lacking and len(facts) == len(names) else "unknown"
        return told._replace(verdict=verdict, text=f"none of {', '.join(names)} has EFA. Allow a type that has, or leave efa out")
    if lacking:
        return told._replace(verdict="warning", text=f"{text}; {', '.join(lacking)} has none")
    return told._replace(verdict="ok", text=text)


def spot_role(need: Need, role: Union[bool, Unknown, None]) -> Line:
    """Sources: EC2 user guide, "Service-linked role for Spot Instance requests" and "EC2 Fleet prerequisites".

    An instant fleet needs no role of its own.
    """
    told = Line(ROLE_CHECK, need.pool, f"{need.path}.market", "ok", f"{SPOT_ROLE} is there")
    makes = "the account's first spot request makes it, which takes iam:CreateServiceLinkedRole for spot.amazonaws.com"
    if role is False:
        return told._replace(verdict="warning", text=f"{SPOT_ROLE} is not there: {makes}")
    if role is not True:
        why = role.why if isinstance(role, Unknown) else "nobody asked"
        return told._replace(verdict="unknown", text=f"whether {SPOT_ROLE} is there is not known: {why}. If it is not, {makes}")
    return told
