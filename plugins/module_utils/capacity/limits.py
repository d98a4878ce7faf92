# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The words of the preflight: what was read of an account's limits, and one line on what stands in a launch's way. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import Offer
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import TypeFacts

#: From good to bad.
VERDICTS = ("ok", "unknown", "warning", "refused")


class Unknown(NamedTuple):
    """What could not be read: a reader with few rights is told so and goes on."""

    why: str


class Allowed(NamedTuple):
    """The value of a quota. ``default``: AWS's own, since the account has none."""

    value: float
    default: bool = False


class Key(NamedTuple):
    """A KMS key as DescribeKey shows it; ``state`` is empty where there is none of that name.

    ``spot``: whether a grant or the key's policy lets the service-linked role of spot use it; None where nobody asked.
    """

    state: str
    usage: str = "ENCRYPT_DECRYPT"
    spec: str = "SYMMETRIC_DEFAULT"
    customer: bool = True
    spot: Union[bool, Unknown, None] = None


class Limits(NamedTuple):
    """What was read for the pools named in ``pools``. What nobody asked for is empty or None."""

    pools: frozenset[str] = frozenset()
    types: Union[Mapping[str, TypeFacts], Unknown] = Unknown("nobody asked")
    quotas: Mapping[str, Union[Allowed, Unknown]] = {}  # by code
    used: Union[Mapping[str, int], Unknown] = Unknown("nobody asked")  # vCPUs by code
    spot_role: Union[bool, Unknown, None] = None
    keys: Mapping[str, Union[Key, Unknown]] = {}  # by what the declaration calls them
    route_tables: Union[Sequence[Mapping[str, Any]], Unknown, None] = None  # of a VPC that is only referred to


class Need(NamedTuple):
    """One pool's launch: ``count`` instances by one of ``offers``, ``least`` of them so that it has not failed.

    ``least`` is 0 for a pool that has enough already.
    """

    pool: str
    count: int
    least: int
    together: bool
    offers: tuple[Offer, ...]
    addresses: int = 1  # of one instance

    @property
    def path(self) -> str:
        return f"pools.{self.pool}"

    @property
    def at_once(self) -> int:
        """How many instances one request has to get."""
        return max(1, self.least) if self.together else 1


class Line(NamedTuple):
    """One finding. ``verdict``: ok, unknown, warning, refused. ``needed``, ``used`` and ``allowed`` count what the check is about."""

    check: str
    pool: str
    path: str
    verdict: str
    text: str
    needed: Optional[float] = None
    used: Optional[float] = None
    allowed: Optional[float] = None
    code: Optional[str] = None

    def public(self) -> dict[str, Any]:
        """For the module's result, with whole numbers as such."""
        told = self._asdict()
        for word in ("needed", "used", "allowed"):
            value = told[word]
            told[word] = int(value) if value is not None and float(value).is_integer() else value
        return told
