# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deleted NAT gateway gives back its interface and its address.

AWS: "Deleting a NAT gateway disassociates its Elastic IP address, but does not release the address from your account."
https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-working-with.html
moto: only its state changes; the interface keeps the subnet in use for ever.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    from moto.ec2.models.nat_gateways import NatGatewayBackend

    delete = NatGatewayBackend.delete_nat_gateway

    def delete_nat_gateway(self: Any, nat_gateway_id: str) -> Any:
        gateway = delete(self, nat_gateway_id)
        for address in self.addresses:
            if address.eni is gateway._eni:
                address.eni = address.association_id = None
        self.enis.pop(gateway._eni.id, None)
        return gateway

    NatGatewayBackend.delete_nat_gateway = delete_nat_gateway
