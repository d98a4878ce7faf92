# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge for each VPC, a network namespace for each host, and the rules that let both out.

A host keeps its namespace over stop, start and reboot: its metadata socket and its firewall stay with it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

from sandbox.command import attempt, run
from sandbox.paths import SandboxError

METADATA = "169.254.169.254"
INTERFACE = "ens5"  # what Debian's image calls the first interface on a Nitro instance


def short(*parts: str) -> str:
    """Ten hex digits: link names have at most 15 characters."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Network:
    """A VPC as it is on this machine."""

    sandbox: str
    vpc_id: str
    cidr: str

    @property
    def bridge(self) -> str:
        return "mlb" + short(self.sandbox, self.vpc_id)

    @property
    def alias(self) -> str:
        return f"mlinfra-{self.sandbox}-{self.vpc_id}"

    @property
    def gateway(self) -> str:
        """The last usable address, so that it never meets a subnet's first ones, which AWS reserves."""
        return str(ipaddress.ip_network(self.cidr)[-2])

    @property
    def prefix(self) -> int:
        return ipaddress.ip_network(self.cidr).prefixlen


def table(sandbox: str) -> str:
    return f"mlinfra-{sandbox}"


def ruleset(sandbox: str, networks: list[Network]) -> str:
    """nft commands that make the sandbox's table exactly this: out by masquerade, no way from one VPC to another."""
    name = table(sandbox)
    lines = [f"table ip {name}", f"delete table ip {name}"]
    if not networks:
        return "\n".join(lines) + "\n"
    lines += [f"table ip {name} {{", "chain postrouting {", "type nat hook postrouting priority 100; policy accept;"]
    lines += [f"ip saddr {net.cidr} ip daddr != {net.cidr} masquerade" for net in networks]
    lines += ["}", "chain forward {", "type filter hook forward priority 0; policy accept;"]
    lines += [f'iifname "{net.bridge}" oifname "mlb*" oifname != "{net.bridge}" drop' for net in networks]
    return "\n".join([*lines, "}", "}"]) + "\n"


def overlap(network: Network, routes: list[dict]) -> str | None:
    """Why the VPC cannot be on this machine: what it would take addresses from. ``routes`` are those of ``ip -j route``."""
    wanted = ipaddress.ip_network(network.cidr)
    for route in routes:
        if route.get("dst") in (None, "default") or route.get("dev") == network.bridge:
            continue
        if wanted.overlaps(ipaddress.ip_network(route["dst"], strict=False)):
            return (
                f"VPC {network.vpc_id} ({network.cidr}) overlaps {route['dst']} on {route.get('dev')} of this machine. Choose another CIDR."
            )
    return None


def routes() -> list[dict]:
    return json.loads(run(["ip", "-4", "-j", "route", "show", "table", "main"]) or "[]")


def open_network(network: Network) -> None:
    """The bridge with the VPC's gateway address; nothing happens when it is there."""
    links = json.loads(run(["ip", "-j", "link", "show"]))
    if not any(link["ifname"] == network.bridge for link in links):
        run(["ip", "link", "add", "name", network.bridge, "type", "bridge"])
    run(["ip", "link", "set", network.bridge, "alias", network.alias, "up"])
    run(["ip", "address", "replace", f"{network.gateway}/{network.prefix}", "dev", network.bridge])


def apply_rules(sandbox: str, networks: list[Network]) -> None:
    """Masquerade for these networks; where the machine drops forwarded packets by default, an exception for each bridge."""
    run(["nft", "-f", "-"], ruleset(sandbox, networks))
    _forward_exceptions(sandbox, [net.bridge for net in networks])


def _forward_exceptions(sandbox: str, bridges: list[str]) -> None:
    """A drop in another table wins over our accept, so the exception must stand in the chain that drops (Docker's, usually)."""
    try:
        chain = json.loads(run(["nft", "-j", "-a", "list", "chain", "ip", "filter", "FORWARD"]))["nftables"]
    except SandboxError:  # there is no such chain, so nobody drops in it
        return
    comment = table(sandbox)
    for entry in chain:
        rule = entry.get("rule")
        if rule and rule.get("comment") == comment:
            run(["nft", "delete", "rule", "ip", "filter", "FORWARD", "handle", str(rule["handle"])])
    if any(entry.get("chain", {}).get("policy") == "drop" for entry in chain):
        for bridge in bridges:
            for way in ("iifname", "oifname"):
                run(["nft", "insert", "rule", "ip", "filter", "FORWARD", way, bridge, "counter", "accept", "comment", f'"{comment}"'])


def close_network(network: Network) -> None:
    attempt(["ip", "link", "delete", network.bridge])


def open_host(network: Network, instance_id: str, address: str, mac: str, namespace: Path) -> None:
    """The host's namespace with its one interface on the VPC's bridge. Repeated, it mends what is missing."""
    if not _is_namespace(namespace):
        namespace.parent.mkdir(parents=True, exist_ok=True)
        namespace.touch()
        run(["unshare", f"--net={namespace}", "true"])
    enter = ["nsenter", f"--net={namespace}", "--"]
    inside = [*enter, "ip"]
    outer = "mlv" + short(network.sandbox, instance_id)
    if not attempt([*inside, "link", "show", INTERFACE]):
        attempt(["ip", "link", "delete", outer])
        run(["ip", "link", "add", outer, "type", "veth", "peer", "name", INTERFACE, "address", mac, "netns", str(namespace)])
    run(["ip", "link", "set", outer, "alias", f"mlinfra-{network.sandbox}-{instance_id}", "master", network.bridge, "up"])
    # Addresses are used again soon: tell the neighbours at once, this machine among them, whose this one is now.
    run([*enter, "sh", "-c", f"echo 1 > /proc/sys/net/ipv4/conf/{INTERFACE}/arp_notify"])
    attempt(["ip", "neighbour", "flush", "to", address, "dev", network.bridge])
    batch = (
        f"link set lo up\naddress replace {METADATA}/32 dev lo\naddress replace {address}/{network.prefix} dev {INTERFACE}\n"
        f"link set {INTERFACE} up\nroute replace default via {network.gateway}\n"
    )
    run([*inside, "-batch", "-"], batch)


def close_host(namespace: Path) -> None:
    """Its interface goes with the namespace."""
    if _is_namespace(namespace):
        run(["umount", str(namespace)])
    namespace.unlink(missing_ok=True)


def guard(network: Network, namespace: Path, bastion_only: bool) -> None:
    """With ``bastion_only`` the host drops ssh from this machine; other hosts of its VPC still reach it."""
    text = "table inet mlinfra-access\ndelete table inet mlinfra-access\n"
    if bastion_only:
        text += (
            "table inet mlinfra-access {\nchain input {\ntype filter hook input priority 0; policy accept;\n"
            f"ip saddr {network.gateway} tcp dport 22 drop\n}}\n}}\n"
        )
    run(["nsenter", f"--net={namespace}", "--", "nft", "-f", "-"], text)


def _is_namespace(path: Path) -> bool:
    """Whether something is mounted on the file: an empty file lies on its folder's device, a namespace on nsfs."""
    return path.exists() and path.stat().st_dev != path.parent.stat().st_dev


def leftovers(sandbox: str) -> list[str]:
    """Links that belong to the sandbox by their alias."""
    prefix = f"mlinfra-{sandbox}-"
    owned = []
    for link in json.loads(run(["ip", "-j", "link", "show"])):
        rest = link.get("ifalias", "").removeprefix(prefix)
        if link.get("ifalias", "").startswith(prefix) and rest.startswith(("vpc-", "i-")):
            owned.append(link["ifname"])
    return owned


def remove_all(sandbox: str) -> None:
    """Links, table and exceptions of the sandbox, whatever was left half done."""
    for link in leftovers(sandbox):
        attempt(["ip", "link", "delete", link])
    if attempt(["nft", "list", "table", "ip", table(sandbox)]):
        run(["nft", "delete", "table", "ip", table(sandbox)])
    _forward_exceptions(sandbox, [])
