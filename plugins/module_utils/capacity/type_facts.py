# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What DescribeInstanceTypes says of a type, in the few words that launches hang on.

Source of the shapes: Amazon EC2 API reference, InstanceTypeInfo, NetworkInfo, NetworkCardInfo, EfaInfo, InstanceStorageInfo,
PlacementGroupInfo. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceTypeInfo.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

_VALUES = 200  # as many as a filter takes
_GB, _GIB = 10**9, 2**30  # EC2 counts disks in GB, we count in GiB


class NetworkCard(NamedTuple):
    """``interfaces``: how many fit on it, of all kinds together. ``efa``: whether it takes an ``efa`` or ``efa-only`` interface."""

    index: int
    interfaces: int
    efa: bool


class TypeFacts(NamedTuple):
    """``instance_store_gib`` is the total of all disks that end with the instance or its stop, 0 where there are none.

    ``efa_maximum`` is 0 for a type without EFA. ``interfaces_maximum`` counts those of all network cards.
    """

    name: str
    vcpus: int = 0
    memory_mib: int = 0
    efa_maximum: int = 0
    interfaces_maximum: int = 1
    network_cards: tuple[NetworkCard, ...] = ()
    instance_store_gib: int = 0
    placement_strategies: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()

    @property
    def instance_store(self) -> bool:
        """Whether a stop loses data that is on the instance's own disks."""
        return self.instance_store_gib > 0


def of(raw: Mapping[str, Any]) -> TypeFacts:
    """The facts of one InstanceTypeInfo. Pure."""
    network = raw.get("NetworkInfo") or {}
    efa = int((network.get("EfaInfo") or {}).get("MaximumEfaInterfaces") or 0) if network.get("EfaSupported") else 0
    return TypeFacts(
        raw["InstanceType"],
        vcpus=int((raw.get("VCpuInfo") or {}).get("DefaultVCpus") or 0),
        memory_mib=int((raw.get("MemoryInfo") or {}).get("SizeInMiB") or 0),
        efa_maximum=efa,
        interfaces_maximum=int(network.get("MaximumNetworkInterfaces") or 1),
        network_cards=tuple(sorted(_card(one, efa > 0) for one in network.get("NetworkCards") or [])),
        instance_store_gib=int((raw.get("InstanceStorageInfo") or {}).get("TotalSizeInGB") or 0) * _GB // _GIB,
        placement_strategies=tuple(sorted((raw.get("PlacementGroupInfo") or {}).get("SupportedStrategies") or [])),
        architectures=tuple(sorted((raw.get("ProcessorInfo") or {}).get("SupportedArchitectures") or [])),
    )


def _card(raw: Mapping[str, Any], efa: bool) -> NetworkCard:
    """A card that does not say which kinds of interfaces it takes (older answers) takes what the type takes."""
    kinds = raw.get("InterfaceTypes")
    return NetworkCard(
        int(raw.get("NetworkCardIndex") or 0),
        int(raw.get("MaximumNetworkInterfaces") or 1),
        efa and (not kinds or bool({"efa", "efa-only"} & set(kinds))),
    )


def read(ec2: Any, names: Iterable[str]) -> dict[str, TypeFacts]:
    """Name → facts of the types that the region has: one request for up to 200 names and its further pages, none without names.

    A filter, since a name that the region does not know is an error in the parameter InstanceTypes.
    """
    wanted = sorted(set(names))
    found: dict[str, TypeFacts] = {}
    for start in range(0, len(wanted), _VALUES):
        filters = [{"Name": "instance-type", "Values": wanted[start : start + _VALUES]}]
        for raw in ec2.get_paginator("describe_instance_types").paginate(Filters=filters).search("InstanceTypes[]"):
            found[raw["InstanceType"]] = of(raw)
    return found


def instance_store_gib(name: str, types: Mapping[str, TypeFacts]) -> Optional[int]:
    """Of a type, where its facts were read; None where nobody asked."""
    return types[name].instance_store_gib if name in types else None
