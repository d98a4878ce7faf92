# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VPCs that have hosts on this machine now: opened with the first host, closed after the last."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import threading
from collections.abc import Callable

from sandbox.hosts import dns, network
from sandbox.hosts.network import Network
from sandbox.paths import SandboxError

log = logging.getLogger("sandbox.hosts")


class Vpcs:
    """Thread-safe. The AWS endpoint is opened on each gateway address, where the hosts reach it."""

    def __init__(self, sandbox: str, listen: Callable[[str], None] | None, unlisten: Callable[[str], None] | None) -> None:
        self._sandbox = sandbox
        self._listen = listen
        self._unlisten = unlisten
        self._open: dict[str, Network] = {}
        self._relays: dict[str, dns.Relay] = {}
        self._lock = threading.Lock()

    def open(self, vpc_id: str, cidr: str) -> Network:
        """The VPC's network, made on first use.

        :raises SandboxError: its addresses are taken on this machine.
        """
        with self._lock:
            if vpc_id in self._open:
                return self._open[vpc_id]
            wanted = Network(self._sandbox, vpc_id, cidr)
            taken = network.overlap(wanted, network.routes()) or self._overlaps_open(wanted)
            if taken:
                raise SandboxError(taken)
            network.open_network(wanted)
            network.apply_rules(self._sandbox, [*self._open.values(), wanted])
            self._open[vpc_id] = wanted
            log.info("opened %s (%s) as %s", vpc_id, cidr, wanted.bridge)
            if self._listen:
                self._listen(wanted.gateway)
            local = dns.for_hosts(dns.machine_text(), wanted.gateway)[1]
            if local:
                self._relays[vpc_id] = dns.Relay(wanted.gateway, local[0])
            return wanted

    def _overlaps_open(self, wanted: Network) -> str | None:
        for other in self._open.values():
            if ipaddress.ip_network(other.cidr).overlaps(ipaddress.ip_network(wanted.cidr)):
                taken = f"{other.vpc_id} ({other.cidr}), which has hosts here"
                return f"VPC {wanted.vpc_id} ({wanted.cidr}) overlaps {taken}. Choose another CIDR."
        return None

    def keep_only(self, used: set[str]) -> None:
        """Close every network that no host uses any more."""
        with self._lock:
            unused = [net for vpc_id, net in self._open.items() if vpc_id not in used]
            for net in unused:
                if self._unlisten:
                    with contextlib.suppress(OSError):
                        self._unlisten(net.gateway)
                relay = self._relays.pop(net.vpc_id, None)
                if relay:
                    relay.close()
                del self._open[net.vpc_id]
                network.close_network(net)
                log.info("closed %s", net.vpc_id)
            if unused:
                network.apply_rules(self._sandbox, list(self._open.values()))
