# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The network interfaces of a launch, laid out over the network cards of the type. Pure.

Sources: Amazon EC2 user guide, "Maximize network bandwidth on instances with multiple network cards" (efa-acc-inst-types), "Elastic Fabric
Adapter" (the first interface of an instance cannot be efa-only), and Amazon EC2 API reference,
InstanceNetworkInterfaceSpecification (one with AssociatePublicIpAddress has to be the only one).
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.type_facts import NetworkCard, TypeFacts

PLAIN, EFA, EFA_ONLY = "interface", "efa", "efa-only"


class Interface(NamedTuple):
    """``card`` and ``device`` are NetworkCardIndex and DeviceIndex, ``kind`` the InterfaceType."""

    card: int
    device: int
    kind: str = PLAIN


def cards_of(facts: TypeFacts) -> tuple[NetworkCard, ...]:
    """A type that does not describe its cards has one."""
    return facts.network_cards or (NetworkCard(0, facts.interfaces_maximum, facts.efa_maximum > 0),)


def layout(facts: TypeFacts, efa: bool, count: int) -> Optional[tuple[Interface, ...]]:
    """The interfaces of one instance, its first one first; None where the type does not take so many.

    With ``efa`` one adapter on each card that takes one, as many as the type allows. That of the first card has an address and carries
    the instance's own traffic, those of the others have none: they take no address of the subnet away. The first card of some types
    takes no adapter; on these AWS has the adapters of the others at device 0.

    :param count: interfaces with an address, the first one included; further ones go to the card that has fewest.
    """
    cards = cards_of(facts)
    adapters = [card.index for card in cards if card.efa][: facts.efa_maximum] if efa else []
    if efa and not adapters:
        return None
    laid = [Interface(0, 0, EFA if 0 in adapters else PLAIN)]
    laid += [Interface(card, 1 if 0 in adapters else 0, EFA_ONLY) for card in adapters if card != 0]
    for _more in range(count - 1):
        free = [card for card in cards if _on(card.index, laid) < card.interfaces]
        if not free:
            return None
        card = min(free, key=lambda one: (_on(one.index, laid), one.index))
        laid.append(Interface(card.index, 1 + max((one.device for one in laid if one.card == card.index), default=0)))
    return tuple(laid) if len(laid) <= facts.interfaces_maximum else None


def _on(card: int, laid: list[Interface]) -> int:
    return sum(one.card == card for one in laid)


def specifications(
    laid: tuple[Interface, ...], subnet: str, groups: list[str], public_address: Optional[bool], explicit: bool
) -> list[dict[str, Any]]:
    """NetworkInterfaces of RunInstances.

    :param public_address: None leaves it to the subnet. It can be said of a single interface only, and several never have one.
    :param explicit: whether to name card and kind; an ordinary instance has one interface and leaves both to EC2.
    """
    made = []
    for one in laid:
        params: dict[str, Any] = {"DeviceIndex": one.device, "SubnetId": subnet, "Groups": groups, "DeleteOnTermination": True}
        if explicit:
            params.update(NetworkCardIndex=one.card, InterfaceType=one.kind)
        if public_address is not None and len(laid) == 1:
            params["AssociatePublicIpAddress"] = public_address
        made.append(params)
    return made
