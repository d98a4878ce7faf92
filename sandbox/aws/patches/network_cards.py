# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interfaces of a launch keep their kind and network card, and what a type cannot have is refused.

AWS: each interface is on a network card (NetworkCardIndex) at a place of its own there (DeviceIndex), and is an ``interface``, an ``efa``
or an ``efa-only`` without addresses, which cannot be the first one. A request with several interfaces must not say AssociatePublicIpAddress
(InvalidParameterCombination), and its instances get no public address; more interfaces than the type takes are AttachmentLimitExceeded.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceNetworkInterfaceSpecification.html,
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-acc-inst-types.html,
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-instance-addressing.html#public-ip-addresses,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
moto: one interface for each DeviceIndex, whatever the card; all of them plain ones with an address; no limit. With what code AWS refuses
EFA on a type without it is not documented: here it is InvalidParameterCombination.
"""

from __future__ import annotations

from typing import Any, NamedTuple

PLAIN, EFA, EFA_ONLY = "interface", "efa", "efa-only"


class _Place(NamedTuple):
    card: int
    device: int
    kind: str


def apply() -> None:
    from moto.ec2.models import elastic_network_interfaces
    from moto.ec2.models.instances import InstanceBackend

    original, attachment = InstanceBackend.run_instances, elastic_network_interfaces.Attachment.__init__

    def run_instances(self: Any, image_id: str, count: int, user_data: Any, security_group_names: list[str], **options: Any) -> Any:
        nics = options.get("nics") or []
        if not any({"NetworkCardIndex", "InterfaceType"} & set(nic) for nic in nics) and len(nics) < 2:
            return original(self, image_id, count, user_data, security_group_names, **options)
        places = [_place(nic) for nic in nics]
        _check(nics, places, options.get("instance_type", ""))
        # moto tells interfaces by their DeviceIndex, which several cards have: it gets a number of their own for each.
        ordered = sorted(zip(places, nics), key=lambda one: one[0][:2])
        options["nics"] = [{**nic, "DeviceIndex": number} for number, (_one, nic) in enumerate(ordered)]
        reservation = original(self, image_id, count, user_data, security_group_names, **options)
        for instance in reservation.instances:
            for number, (place, _nic) in enumerate(ordered):
                _put(instance.nics[number], place, alone=len(ordered) == 1)
        return reservation

    def attached(self: Any, eni: Any) -> None:
        attachment(self, eni)
        place = getattr(eni, "sandbox_place", None)
        if place is not None:
            self.network_card_index, self.device_index = place.card, place.device

    InstanceBackend.run_instances = run_instances
    elastic_network_interfaces.Attachment.__init__ = attached


def _place(nic: dict[str, Any]) -> _Place:
    return _Place(int(nic.get("NetworkCardIndex") or 0), int(nic.get("DeviceIndex") or 0), nic.get("InterfaceType") or PLAIN)


def _put(eni: Any, place: _Place, alone: bool) -> None:
    eni.sandbox_place, eni.interface_type = place, place.kind
    if place.kind == EFA_ONLY:
        eni.private_ip_address, eni.private_ip_addresses = None, []
    if not alone:
        eni.public_ip, eni.public_ip_auto_assign = None, False


def _check(nics: list[dict[str, Any]], places: list[_Place], name: str) -> None:
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    if len(nics) > 1 and any("AssociatePublicIpAddress" in nic for nic in nics):
        what = "The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces."
        raise _error("InvalidParameterCombination", what)
    if len({place[:2] for place in places}) < len(places):
        raise _error("InvalidParameterValue", "Each network interface requires a unique device index on its network card.")
    if not any(place[:2] == (0, 0) and place.kind != EFA_ONLY for place in places):
        raise _error("InvalidParameterCombination", "The primary network interface is at device index 0 of card 0, and not EFA-only.")
    network = INSTANCE_TYPES.get(name, {}).get("NetworkInfo", {})
    cards = {card["NetworkCardIndex"]: card for card in network.get("NetworkCards", [])}
    for place in places:
        if place.card not in cards:
            raise _error("InvalidParameterValue", f"Network card index {place.card} exceeds the limit for {name}.")
        if place.kind not in cards[place.card].get("InterfaceTypes", [PLAIN]):
            raise _error("InvalidParameterCombination", f"{place.kind} is not supported on network card {place.card} of {name}.")
    crowded = [index for index, card in cards.items() if sum(one.card == index for one in places) > card["MaximumNetworkInterfaces"]]
    adapters = sum(place.kind != PLAIN for place in places)
    if crowded or len(places) > network["MaximumNetworkInterfaces"]:
        raise _error("AttachmentLimitExceeded", f"Interface count {len(places)} exceeds the limit for {name}")
    if adapters > network.get("EfaInfo", {}).get("MaximumEfaInterfaces", 0):
        raise _error("AttachmentLimitExceeded", f"EFA interface count {adapters} exceeds the limit for {name}")


def _error(code: str, message: str) -> Exception:
    from moto.ec2.exceptions import EC2ClientError

    return EC2ClientError(code, message)
