# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether a launch's gp3 disks fit into the region's storage quota. Pure.

What the account's volumes take already is not counted: that would be a request for each thousand of them.
"""

from __future__ import annotations

from typing import Union

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Allowed, Line, Need, Unknown
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.quota import Quota

CHECK = "storage_quota"
SERVICE = "ebs"
#: Source: AWS General Reference, "Amazon EBS endpoints and quotas".
GP3 = Quota("L-7A658B76", "Storage for General Purpose SSD (gp3) volumes, in TiB", "gp3")
_TIB = 1024


def line(need: Need, gib: int, allowed: Union[Allowed, Unknown], region: str, taken: float = 0) -> Line:
    """:param gib: gp3 of one instance. :param taken: TiB that other pools of this plan need."""
    needed = round(need.count * gib / _TIB, 3)
    text = f"{need.count} × {gib} GiB are {needed:g} TiB"
    told = Line(CHECK, need.pool, f"{need.path}.disk.gib", "unknown", "", needed, None, None, GP3.code)
    if not isinstance(allowed, Allowed):
        return told._replace(text=f"{text}; what {GP3.name} allows is not known: {allowed.why}")
    default = ", AWS's default" if allowed.default else ""
    others = f", {taken:g} of them for other pools of this plan" if taken else ""
    text += f"; {GP3.name} allows {allowed.value:g}{default}{others}, what is in use is not counted ({GP3.code})"
    told = told._replace(allowed=allowed.value, text=text)
    if needed + taken <= allowed.value:
        return told._replace(verdict="ok")
    ask = (
        f"Ask for more: aws service-quotas request-service-quota-increase --service-code {SERVICE} --quota-code {GP3.code} "
        f"--desired-value {int(needed + taken) + 1} --region {region}"
    )
    least = need.least * gib / _TIB
    return told._replace(verdict="refused" if need.least and least + taken > allowed.value else "warning", text=f"{text}. {ask}")
