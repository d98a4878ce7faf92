# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which offers a wish has: types × zones × markets, with why the others are none. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import MARKETS, PREPAID, Offer, Rejected, Reservation
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.match import nominal
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.types import GPU_TYPES, GpuType

_ARM = frozenset({"t4g"})


class CapacityWish(NamedTuple):
    """What is looked for. Either ``instance_types``, or what their GPUs shall be; memory is nominal GiB of one GPU.

    ``max_hourly_usd`` bounds the price of one instance. ``zones`` empty: all. ``models`` empty: every model for x86 machines.
    """

    instance_types: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    count: Optional[int] = None
    memory_gib: Optional[int] = None
    fractional: bool = False
    markets: tuple[str, ...] = ("on_demand",)
    max_hourly_usd: Optional[float] = None
    zones: tuple[str, ...] = ()
    exclude_types: tuple[str, ...] = ()
    exclude_zones: tuple[str, ...] = ()


class Market(NamedTuple):
    """What a region has. ``zones``: type → zones that offer it. ``prices``: (type, market, zone or None for all zones) → USD an hour."""

    zones: Mapping[str, Sequence[str]]
    prices: Mapping[tuple[str, str, Optional[str]], float]
    reservations: Sequence[Reservation] = ()


def misfit(name: str, gpu: Optional[GpuType], wish: CapacityWish) -> str:
    """Why a type is not what is wished; empty when it is."""
    if name in wish.exclude_types:
        return "it is excluded"
    if wish.instance_types:
        return "" if name in wish.instance_types else "it is none of instance_types"
    if gpu is None:
        return "it has no GPU that is known here"
    if gpu.fractional != wish.fractional:
        return "it has a part of a GPU" if gpu.fractional else "it has whole GPUs"
    if wish.models and gpu.model not in wish.models:
        return f"its GPU is {gpu.model}"
    if not wish.models and gpu.model in _ARM:
        return f"its GPU is {gpu.model}, of Arm machines: name the model to have it"
    if wish.count is not None and not gpu.fractional and gpu.count != wish.count:
        return f"it has {gpu.count} GPUs"
    if wish.memory_gib is not None and wish.memory_gib not in nominal(gpu):
        return f"its GPUs have {' or '.join(map(str, nominal(gpu)))} GiB each"
    return ""


def offers(wish: CapacityWish, market: Market, types: Mapping[str, GpuType] = GPU_TYPES) -> tuple[list[Offer], list[Rejected]]:
    """(offers, cheapest first and without a known price last; what is none, with the reason)."""
    found: list[Offer] = []
    rejected: list[Rejected] = []
    for name in [*types, *(name for name in wish.instance_types if name not in types)]:
        reason = misfit(name, types.get(name), wish)
        if reason:
            rejected.append(Rejected(name, None, None, reason))
            continue
        there = sorted(market.zones.get(name, ()))
        if not there:
            rejected.append(Rejected(name, None, None, "the region does not have it"))
        for zone in there:
            if (wish.zones and zone not in wish.zones) or zone in wish.exclude_zones:
                rejected.append(Rejected(name, zone, None, "the zone is excluded" if zone in wish.exclude_zones else "it is none of zones"))
                continue
            for kind in (one for one in MARKETS if one in wish.markets):
                unfit = [Rejected(name, zone, kind, f"{one.id} {one.unfit}") for one in _reserved(name, zone, kind, market) if one.unfit]
                rejected.extend(unfit)
                seen = _in_market(name, zone, kind, market)
                if seen or not unfit:
                    _judge(seen, name, zone, kind, wish, found, rejected)
    return cheapest(found), rejected


def _in_market(name: str, zone: str, kind: str, market: Market) -> list[Offer]:
    if kind not in PREPAID:
        usd = market.prices.get((name, kind, zone), market.prices.get((name, kind, None)))
        return [Offer(name, zone, kind, usd)]
    usable = [one for one in _reserved(name, zone, kind, market) if not one.unfit]
    return [Offer(name, zone, kind, 0.0, one.id, one.available, one.ends) for one in usable]


def _reserved(name: str, zone: str, kind: str, market: Market) -> list[Reservation]:
    wanted = (name, zone, kind, "active")
    return [one for one in sorted(market.reservations) if (one.instance_type, one.zone, one.market, one.state) == wanted]


def _judge(seen: list[Offer], name: str, zone: str, kind: str, wish: CapacityWish, found: list[Offer], rejected: list[Rejected]) -> None:
    if not seen:
        rejected.append(Rejected(name, zone, kind, "the account has none that is active"))
    for offer in seen:
        reason = ""
        if offer.available == 0:
            reason = f"{offer.reservation} is used up"
        elif kind == "spot" and offer.usd is None:
            reason = "spot has no price there: it is not sold"
        elif wish.max_hourly_usd is not None and offer.usd is None:
            reason = f"its price is not known, and max_hourly_usd is {wish.max_hourly_usd:g}"
        elif wish.max_hourly_usd is not None and offer.usd > wish.max_hourly_usd:
            reason = f"{offer.usd:g} USD an hour, and max_hourly_usd is {wish.max_hourly_usd:g}"
        if reason:
            rejected.append(Rejected(name, zone, kind, reason))
        else:
            found.append(offer)


def cheapest(found: Iterable[Offer]) -> list[Offer]:
    """By price, an unknown one last; then by market, type and zone, so that the order is always the same."""
    return sorted(found, key=lambda one: (one.usd is None, one.usd or 0.0, MARKETS.index(one.market), one.instance_type, one.zone))


def in_order(found: Iterable[Offer], wish: CapacityWish, by_price: bool = False) -> list[Offer]:
    """As a pool tries them: markets as wished, in each the types (as named, else by lowest price), of each type the zones by price.

    :param by_price: the names are an answer to a wish for GPUs, so that their order means nothing.
    """
    found = cheapest(found)
    best: dict[tuple[str, str], int] = {}
    for rank, one in enumerate(found):
        best.setdefault((one.market, one.instance_type), rank)

    def key(item: tuple[int, Offer]) -> tuple[int, int, int]:
        rank, one = item
        named = wish.instance_types.index(one.instance_type) if one.instance_type in wish.instance_types and not by_price else 0
        return wish.markets.index(one.market), named * len(found) + best[one.market, one.instance_type], rank

    return [one for _rank, one in sorted(enumerate(found), key=key)]
