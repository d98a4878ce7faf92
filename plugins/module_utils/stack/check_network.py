# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The network section."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import addressing, checks
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import MISSING, Problems
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Access, ExistingNetwork, Ingress, Network, Reference

# Not usable in a VPC: this network, loopback, link local (with the instance metadata), multicast and above.
_UNUSABLE = [ipaddress.ip_network(block) for block in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")]
_OWN = ("cidr", "avoid_cidrs", "zone_count", "zone_names", "endpoints", "ingress")  # settings of a network that the stack makes
_ID_PREFIX = {"vpc": "vpc-", "subnets": "subnet-", "security_groups": "sg-"}


def network(section: Mapping[str, Any] | None, region: str, problems: Problems) -> Network | None:
    if section is None:
        return None
    existing = section["existing"]
    if existing is not None:
        hint = "Remove it, or remove network.existing to have a network made"
        checks.unwanted(section, _OWN, "network", problems, "network.existing is read and never written", hint)
        if section["nat"] not in (None, "none"):
            problems.add("network.nat", section["nat"], "network.existing is read and never written", hint)
    elif not problems.at("network.existing"):
        _own(section, region, problems)
    return Network(
        cidr=section["cidr"],
        zone_count=section["zone_count"],
        zone_names=checks.present(section["zone_names"]),
        private=bool(section["private"]),
        nat=section["nat"] or "none",
        endpoints=checks.present(section["endpoints"]),
        ingress=tuple(_ingress(rule, path, problems) for path, rule in checks.each(section["ingress"], "network.ingress")),
        access=_access(section["access"] or {}, problems),
        existing=_existing(existing, problems) if existing is not None else None,
    )


def _own(section: Mapping[str, Any], region: str, problems: Problems) -> None:
    zones, count = section["zone_names"], section["zone_count"]
    if section["cidr"] is None and not problems.at("network.cidr"):
        problems.add(
            "network.cidr",
            MISSING,
            "a network needs its range",
            "Write it like 10.42.0.0/16, or name one that is there in network.existing",
        )
    cidr = checks.cidr(section["cidr"], "network.cidr", problems, example="10.42.0.0/16")
    if cidr is not None:
        _usable(cidr, problems)
    _apart(cidr, section["avoid_cidrs"], problems)
    if zones and count is not None:
        problems.add("network.zone_names", zones, "network.zone_count is given too, and only one of them is possible", "Keep one of them")
    elif not zones and count is None and not problems.at("network.zone_count") and not problems.at("network.zone_names"):
        problems.add(
            "network.zone_count", MISSING, "one of zone_count and zone_names is needed", "Write zone_count: 2 for two zones of AWS's choice"
        )
    checks.least(count, 1, "network.zone_count", problems, "Give the number of availability zones to use")
    zone_names(zones, "network.zone_names", region, problems)
    wanted = len(zones) if zones else count
    if cidr is not None and wanted and addressing.LARGEST <= cidr.prefixlen <= addressing.SMALLEST:
        _fits(str(cidr), wanted, bool(section["private"]), "network.zone_names" if zones else "network.zone_count", problems)
    if section["nat"] not in (None, "none") and not section["private"] and not problems.at("network.private"):
        problems.add("network.nat", section["nat"], "only hosts of a private network go out through NAT", "Set private: true, or nat: none")


def zone_names(zones: Any, path: str, region: str, problems: Problems) -> None:
    checks.unique(checks.each(zones, path), problems)
    for here, zone in checks.each(zones, path):
        if not zone[-1:].isalpha() or (region and not zone.startswith(region)):
            problems.add(here, zone, f"a zone of {region or 'the region'} belongs here", f"Write it like {region or 'us-east-1'}a")


def _usable(cidr: ipaddress.IPv4Network, problems: Problems) -> None:
    if not addressing.LARGEST <= cidr.prefixlen <= addressing.SMALLEST:
        problems.add(
            "network.cidr",
            str(cidr),
            f"a VPC has a prefix length of {addressing.LARGEST} to {addressing.SMALLEST}",
            "Choose one like 10.42.0.0/16",
        )
    for block in _UNUSABLE:
        if cidr.overlaps(block):
            problems.add(
                "network.cidr", str(cidr), f"it overlaps {block}, which no VPC can use", "Choose a private range like 10.42.0.0/16"
            )


def _apart(cidr: ipaddress.IPv4Network | None, others: Any, problems: Problems) -> None:
    for path, value in checks.each(others, "network.avoid_cidrs"):
        other = checks.cidr(value, path, problems, example="10.0.0.0/16")
        if cidr is not None and other is not None and cidr.overlaps(other):
            problems.add(
                "network.cidr",
                str(cidr),
                f"it overlaps {other} of {path}",
                "Choose a range that is free in all networks that are connected",
            )


def _fits(cidr: str, zones: int, private: bool, path: str, problems: Problems) -> None:
    room = addressing.capacity(cidr, private)
    if zones > room:
        each = "a public and a private subnet" if private else "a subnet"
        problems.add(path, zones, f"{cidr} has room for {room} zones with {each} each", "Use fewer zones, or a larger range")


def _ingress(rule: Mapping[str, Any], path: str, problems: Problems) -> Ingress:
    first = rule["from_port"]
    last = rule["to_port"] if rule["to_port"] is not None else first
    for key in ("from_port", "to_port"):
        checks.least(rule[key], 0, f"{path}.{key}", problems, "Give a port number", largest=65535)
    if first is not None and last is not None and last < first:
        problems.add(f"{path}.to_port", last, f"the range begins at {first}", "Give the higher port here, or leave it out for one port")
    description = rule["description"] or ""
    if len(description) > 255 or not all(char.isascii() and (char.isalnum() or char in " ._-:/()#,@[]+=&;{}!$*") for char in description):
        # EC2 API reference, IpRange.Description
        problems.add(f"{path}.description", description, "up to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*", "Reword it")
    return Ingress(
        from_port=first or 0,
        to_port=last or 0,
        protocol=rule["protocol"] or "tcp",
        cidrs=checks.cidrs(rule["cidrs"], f"{path}.cidrs", problems),
        description=description,
    )


def _access(section: Mapping[str, Any], problems: Problems) -> Access:
    path, via = "network.access", section.get("via")
    if via == "bastion":
        hint = "Name the pool that is the way in, or the address of a host that is there already"
        checks.exactly_one(section, ("bastion_pool", "bastion_host"), path, problems, hint)
    elif via == "direct":
        unused = ("bastion_pool", "bastion_host", "bastion_user")
        checks.unwanted(section, unused, path, problems, "hosts are reached directly", "Set via: bastion, or remove it")
    host = section.get("bastion_host")
    if host is not None and (not host or any(char.isspace() or char in "@:/," for char in host)):
        problems.add(f"{path}.bastion_host", host, "a host name or IPv4 address belongs here", "Put the user into bastion_user")
    return Access(
        via=via or "direct",
        cidrs=checks.cidrs(section.get("cidrs"), f"{path}.cidrs", problems),
        bastion_pool=section.get("bastion_pool"),
        bastion_host=host,
        bastion_user=section.get("bastion_user"),
    )


def _existing(section: Mapping[str, Any], problems: Problems) -> ExistingNetwork:
    return ExistingNetwork(**{kind: _reference(kind, section[kind], problems) for kind in _ID_PREFIX})


def _reference(kind: str, section: Mapping[str, Any] | None, problems: Problems) -> Reference:
    path = f"network.existing.{kind}"
    key = "id" if kind == "vpc" else "ids"
    if section is None:
        if not problems.at(path):
            problems.add(path, MISSING, "an existing network needs vpc, subnets and security_groups", f"Give {key} or tags")
        return Reference()
    checks.exactly_one(section, (key, "tags"), path, problems, f"Give {key}, or tags to find them by")
    ids = section[key] if key == "ids" else [section[key]]
    for here, identifier in checks.each(ids, f"{path}.{key}"):
        if not identifier.startswith(_ID_PREFIX[kind]):
            where = here if key == "ids" else f"{path}.id"
            problems.add(
                where,
                identifier,
                f"an id that begins with {_ID_PREFIX[kind]} belongs here",
                "Look it up in the console or in Terraform's outputs",
            )
    return Reference(ids=checks.present(ids), tags={str(name): str(text) for name, text in (section["tags"] or {}).items()})
