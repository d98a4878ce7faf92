# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Security groups: ``hosts`` for all, ``bastion`` for the way in, ``endpoints`` for interface endpoints; or those referred to.

The declaration is complete for the incoming rules of an owned group: a rule that somebody added is revoked. A rule is compared as text
like ``tcp 22-22 10.0.0.0/8`` or ``all group hosts``; descriptions are set and not compared.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Ec2Kind, Reader, label
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.subnet import check_same_vpc
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import claims, owner_tags, specification, to_dict
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.vpc import VPC, missing_reference, reference_filters
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Ref, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Network, Pool, Reference, Stack

HOSTS, BASTION, ENDPOINTS = "hosts", "bastion", "endpoints"
_DESCRIPTIONS = {HOSTS: "ML hosts", BASTION: "The way in to the ML hosts", ENDPOINTS: "Interface endpoints of AWS services"}
_SELF = "self"
_TO_SELF = f"all {_SELF}"


class SecurityGroup(Ec2Kind):
    name = "security_group"
    section = "network"
    needs = ("vpc",)
    immutable = ("vpc",)

    def observe(self, reader: Reader) -> list[Found]:
        network = reader.stack.network
        if network is not None and network.existing is not None:
            found = self._existing(reader, network.existing.security_groups)
            return found + (self._owned(reader) if reader.complete else [])
        return self._owned(reader)

    def _owned(self, reader: Reader) -> list[Found]:
        found = []
        for raw in reader.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=reader.filters()):
            tags = to_dict(raw.get("Tags"))
            owned = claims(tags, reader.scope, self.name) and raw["GroupName"].startswith(f"{reader.scope.prefix}-")
            found.append(_found(raw, tags.get("mlinfra:name", raw["GroupId"]), owned, efa=wants_efa(reader.stack)))
        return found

    def _existing(self, reader: Reader, reference: Reference) -> list[Found]:
        listed = reader.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=reference_filters("group-id", reference))
        missing = set(reference.ids) - {raw["GroupId"] for raw in listed}
        if missing or not listed:
            lost = Reference(ids=tuple(sorted(missing))) if missing else reference
            raise missing_reference("network.existing.security_groups", lost, 0, "security group", reader.scope.region)
        efa = wants_efa(reader.stack)
        return [_found(raw, raw["GroupId"], owned=False, existing=True, efa=efa) for raw in sorted(listed, key=lambda raw: raw["GroupId"])]

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        network = intent.stack.network
        if network is None:
            return []
        if network.existing is not None:
            path = "network.existing.security_groups"
            check_same_vpc(seen, self.name, path, network.existing.security_groups)
            return [Wish(self.name, found.name, existing=True, path=path) for found in seen.of(self.name) if found.existing]
        return [self._wish(intent, name, rules) for name, rules in groups(network).items()]

    def _wish(self, intent: Intent, name: str, rules: dict[str, str]) -> Wish:
        text = label(intent.scope, name)
        tags = owner_tags(intent.scope, self.name, name, text)
        state: dict[str, Any] = {"vpc": VPC, "ingress": sorted(rules)}
        if name == HOSTS and wants_efa(intent.stack):
            state["efa"] = True
        return Wish(self.name, name, state, tags, {"group_name": text, "descriptions": rules}, path="network")

    def create(self, act: Any, change: Change) -> str:
        wish = change.wish
        answer = act.call(
            "ec2",
            "create_security_group",
            GroupName=wish.make["group_name"],
            Description=_DESCRIPTIONS[change.name],
            VpcId=act.id(VPC),
            TagSpecifications=[specification("security-group", wish.tags)],
        )
        act.made.add(self.name)
        self._allow(act, answer["GroupId"], wish, wish.state["ingress"])
        if wish.state.get("efa"):
            self._allow_out(act, answer["GroupId"])
        return answer["GroupId"]

    @staticmethod
    def _allow(act: Any, group_id: str, wish: Wish, rules: list[str]) -> None:
        if rules:
            descriptions = wish.make["descriptions"]
            permissions = [_permission(rule, group_id, descriptions.get(rule, "")) for rule in rules]
            act.call("ec2", "authorize_security_group_ingress", GroupId=group_id, IpPermissions=permissions)

    @staticmethod
    def _allow_out(act: Any, group_id: str) -> None:
        """What EFA needs beside the rule that lets all traffic out: that one names addresses, and adapters talk without any."""
        rule = _permission(_TO_SELF, group_id, "EFA among the hosts")
        act.call("ec2", "authorize_security_group_egress", GroupId=group_id, IpPermissions=[rule])

    def update(self, act: Any, change: Change) -> None:
        if "ingress" in change.fields:
            there, wanted = change.found.state["ingress"], change.wish.state["ingress"]
            self._allow(act, change.id, change.wish, [rule for rule in wanted if rule not in there])
            surplus = [_permission(rule, change.id, "") for rule in there if rule not in wanted]
            if surplus:
                act.call("ec2", "revoke_security_group_ingress", GroupId=change.id, IpPermissions=surplus)
        if "efa" in change.fields:
            self._allow_out(act, change.id)
        self.retag(act, change)

    def delete(self, act: Any, change: Change) -> None:
        act.call("ec2", "delete_security_group", GroupId=change.id)


def wants_efa(stack: Stack) -> bool:
    return any(pool.efa for pool in stack.pools or ())


def check_efa_groups(pool: Pool, network: Network, seen: Observed) -> None:
    """:raises StackError: none of the groups referred to lets EFA through: adapters would be there and reach nobody."""
    groups = [found for found in seen.of("security_group") if found.existing]
    if network.existing is None or any(found.state.get("efa") for found in groups):
        return
    names = ", ".join(found.id for found in groups)
    raise StackError(
        f"pools.{pool.name}.efa is true: EFA needs a security group that allows all traffic to and from itself, and {names} does not",
        "Add a rule for all protocols from the group itself to its incoming rules, and one to itself to its outgoing rules",
        path=f"pools.{pool.name}.efa",
    )


def _found(raw: dict[str, Any], name: str, owned: bool, existing: bool = False, efa: bool = False) -> Found:
    state: dict[str, Any] = {"vpc": raw.get("VpcId"), "ingress": rules_of(raw.get("IpPermissions", []), raw["GroupId"])}
    if efa and (existing or name == HOSTS):  # only then, so that nobody else is shown a word that means nothing to them
        out = _TO_SELF in rules_of(raw.get("IpPermissionsEgress", []), raw["GroupId"])
        state["efa"] = out and (not existing or _TO_SELF in state["ingress"])  # what comes into a group of ours is in its ingress
    return Found("security_group", name, raw["GroupId"], state, to_dict(raw.get("Tags")), owned, existing, {"group_name": raw["GroupName"]})


def groups(network: Network) -> dict[str, dict[str, str]]:
    """Name of each group of an owned network → its rules as text → their descriptions."""
    access = network.access
    hosts = {f"all {_SELF}": "among the hosts"}
    made = {HOSTS: hosts}
    ssh = {f"tcp 22-22 {cidr}": "ssh" for cidr in access.cidrs}
    if access.bastion_pool is not None:
        made[BASTION] = ssh
    elif access.bastion_host is not None:
        hosts.update(ssh or {f"tcp 22-22 {network.cidr}": "ssh from the bastion"})
    else:
        hosts.update(ssh)
    for one in network.ingress:
        for source in one.cidrs or (_SELF,):
            hosts[f"{one.protocol} {one.from_port}-{one.to_port} {source}"] = one.description
    if {"ecr", "ssm"} & set(network.endpoints):
        made[ENDPOINTS] = {f"tcp 443-443 {network.cidr}": "from the network"}
    return made


def groups_of(pool: Pool, network: Network, seen: Observed) -> list[Ref]:
    """The groups of a pool's instances."""
    if network.existing is not None:
        return [Ref("security_group", found.name) for found in seen.of("security_group") if found.existing]
    refs = [Ref("security_group", HOSTS)]
    if network.access.bastion_pool == pool.name:
        refs.append(Ref("security_group", BASTION))
    return refs


def rules_of(permissions: list[dict[str, Any]], group_id: str) -> list[str]:
    """Each source of each permission as a rule's text, sorted."""
    rules = set()
    for one in permissions:
        protocol = one.get("IpProtocol", "-1")
        head = "all" if protocol == "-1" else f"{protocol} {one.get('FromPort', -1)}-{one.get('ToPort', -1)}"
        rules.update(f"{head} {source['CidrIp']}" for source in one.get("IpRanges", []))
        rules.update(f"{head} {source['CidrIpv6']}" for source in one.get("Ipv6Ranges", []))
        rules.update(f"{head} {source['PrefixListId']}" for source in one.get("PrefixListIds", []))
        for source in one.get("UserIdGroupPairs", []):
            rules.add(f"{head} {_SELF if source.get('GroupId') == group_id else source.get('GroupId')}")
    return sorted(rules)


def _permission(rule: str, group_id: str, description: str) -> dict[str, Any]:
    """The EC2 IpPermission of a rule's text."""
    parts = rule.split(" ")
    permission: dict[str, Any] = {"IpProtocol": "-1" if parts[0] == "all" else parts[0]}
    if parts[0] != "all":
        first, last = re.fullmatch(r"(-?\d+)-(-?\d+)", parts[1]).groups()  # ICMP has types and codes here, and -1 for all of them
        permission.update(FromPort=int(first), ToPort=int(last))
    source = parts[-1]
    said = {"Description": description} if description else {}
    if source == _SELF or source.startswith("sg-"):
        permission["UserIdGroupPairs"] = [{"GroupId": group_id if source == _SELF else source, **said}]
    elif source.startswith("pl-"):
        permission["PrefixListIds"] = [{"PrefixListId": source, **said}]
    elif ":" in source:
        permission["Ipv6Ranges"] = [{"CidrIpv6": source, **said}]
    else:
        permission["IpRanges"] = [{"CidrIp": source, **said}]
    return permission
