# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The options power and lease of a pool."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import timer
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import checks
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.duration import seconds
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import Problems
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Lease, Scope

_LEAST = {"expire": 5 * 60, "idle": 5 * 60}  # a host takes minutes to boot, and its timer looks once a minute
_MOST = 366 * 86400  # beyond a year it is a typing mistake
_RENEW = 64
# EC2 user guide, "View tags for your EC2 instances using instance metadata": the keys that the metadata service can show.
_KEY = re.compile(r"[A-Za-z0-9+\-=.,_:@]+")
_NOT_SHOWN = (".", "..", "_index")
# EC2 user guide, "Instances built on the AWS Nitro System": GPU and older families that are not. Their metadata shows a changed tag
# only after a stop and start (same page as the keys).
_XEN = re.compile(r"(p2|p3|g2|g3|g3s|t1|t2|m1|m2|m3|m4|c1|c3|c4|r3|r4|x1|x1e|i2|d2|h1|f1)\.")


def power(section: Mapping[str, Any], path: str, problems: Problems) -> str:
    wanted = section["power"] or "unmanaged"
    if wanted == "stopped" and "spot" in checks.present(section["market"]):
        hint = "Leave spot out of market, or set count to 0 to end them"
        problems.add(f"{path}.power", wanted, "EC2 stops no one-time spot instances (UnsupportedOperation), and market has spot", hint)
    return wanted


def lease(section: Mapping[str, Any], path: str, scope: Scope, types: Iterable[str], problems: Problems) -> Lease | None:
    given = section["lease"]
    if given is None:
        return None
    here = f"{path}.lease"
    found = Lease(
        expire=_duration(given["expire"], "expire", here, problems),
        idle=_duration(given["idle"], "idle", here, problems),
        on_idle=given["on_idle"] or "stop",
        renew=given["renew"] or "",
        enforce=given["enforce"] or "host",
    )
    if given["expire"] is None and given["idle"] is None:
        problems.add(here, {key: one for key, one in given.items() if one}, "expire or idle is needed", "Write lease: {expire: 3d}")
    elif not problems.at(here):
        _possible(found, section, here, problems)
        if found.on_host:
            _shown_to_the_host(found, scope, section, path, types, problems)
    if len(found.renew) > _RENEW:
        problems.add(f"{here}.renew", found.renew, f"up to {_RENEW} characters are kept", "Use a date or a number")
    if found.renew and given["expire"] is None and given["idle"] is not None:
        problems.add(f"{here}.renew", found.renew, "only a lease that expires can be renewed", "Remove it, or add expire")
    return found


def _duration(text: str | None, option: str, path: str, problems: Problems) -> int | None:
    if text is None:
        return None
    value = seconds(text)
    if value is None:
        problems.add(f"{path}.{option}", text, "a duration in weeks, days, hours or minutes belongs here", "Write it like 3d, 12h or 90m")
    elif not _LEAST[option] <= value <= _MOST:
        problems.add(f"{path}.{option}", text, f"{_LEAST[option] // 60}m to {_MOST // 86400}d is possible", "Write it like 3d, 12h or 90m")
    return value


def _possible(lease: Lease, section: Mapping[str, Any], path: str, problems: Problems) -> None:
    """What an instance can do when it shuts itself down: one thing, and not everything."""
    markets = checks.present(section["market"])
    if lease.expire is not None and lease.enforce == "host" and section["power"] == "stopped":
        hint = "Use enforce: scheduler, or remove expire"
        problems.add(f"{path}.enforce", "host", "a host that is stopped (power: stopped) cannot end itself", hint)
    if lease.idle is not None and section["power"] == "running" and lease.on_idle == "stop":
        problems.add(f"{path}.on_idle", "stop", "power: running would start it again", "Use power: unmanaged, or on_idle: terminate")
    if section["termination_protection"] and (lease.expire is not None or lease.on_idle == "terminate"):
        what = "expire" if lease.expire is not None else "on_idle"
        hint = "Remove the protection, or the end of the lease"
        problems.add(f"{path}.{what}", section["lease"][what], "termination_protection is set, and a lease ends what it protects", hint)
    if lease.idle is None or lease.on_idle == "terminate":
        return
    value = "stop"
    if "spot" in markets:
        problems.add(
            f"{path}.on_idle", value, "EC2 stops no one-time spot instances, and market has spot", "Use on_idle: terminate, or no spot"
        )
    elif lease.expire is not None and lease.enforce == "host":
        problems.add(
            f"{path}.on_idle",
            value,
            "expire is enforced by the host, whose power-off then terminates it: an instance has one shutdown behaviour",
            "Use enforce: scheduler, so that the host only stops itself, or on_idle: terminate",
        )


def _shown_to_the_host(lease: Lease, scope: Scope, section: Mapping[str, Any], path: str, types: Iterable[str], problems: Problems) -> None:
    """The host reads its lease from its tags: they have to be such that EC2 shows them there, and the timer has to fit into user data."""
    for where, tags in (("tags", scope.tags), (f"{path}.tags", section["tags"] or {})):
        for key in tags:
            if not _KEY.fullmatch(str(key)) or key in _NOT_SHOWN:
                problems.add(
                    f"{where}.{key}",
                    tags[key],
                    "the host reads its lease from its tags, and EC2 launches no instance whose metadata would show this key",
                    "Use letters, digits and + - = . , _ : @ in keys of tags, or a lease with enforce: scheduler and without idle",
                )
    if lease.expire is not None and lease.enforce == "host":
        for kind in types:
            if _XEN.match(kind):
                problems.add(
                    f"{path}.lease.enforce",
                    "host",
                    f"{kind} is not built on Nitro, so its host learns of a renewed lease only when it is stopped and started",
                    "Use enforce: scheduler",
                )
    text = section["user_data"]
    if text is not None:
        size = len(timer.user_data(text).encode())
        if size > timer.LIMIT:
            problems.add(
                f"{path}.user_data",
                f"{len(text.encode())} bytes",
                f"EC2 takes {timer.LIMIT}, and with the timer of the lease it would be {size}",
                "Put the rest into a bucket and fetch it from there",
            )
