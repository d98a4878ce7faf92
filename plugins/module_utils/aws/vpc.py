# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The VPC: made and owned, or referred to and only read."""

from __future__ import annotations

from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Ec2Kind, Reader, label
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import claims, owner_tags, specification, to_dict
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Ref, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Reference

MAIN = "main"
VPC = Ref("vpc", MAIN)
_ATTRIBUTES = {"dns_support": ("enableDnsSupport", "EnableDnsSupport"), "dns_hostnames": ("enableDnsHostnames", "EnableDnsHostnames")}


class Vpc(Ec2Kind):
    name = "vpc"
    section = "network"
    immutable = ("cidr",)

    def observe(self, reader: Reader) -> list[Found]:
        network = reader.stack.network
        if network is not None and network.existing is not None:
            found = [self._existing(reader, network.existing.vpc)]
            return found + (self._owned(reader) if reader.complete else [])
        return self._owned(reader)

    def _owned(self, reader: Reader) -> list[Found]:
        listed = reader.pages("ec2", "describe_vpcs", "Vpcs", Filters=reader.filters())
        found = reader.together(*[lambda raw=raw: self._found(reader, raw) for raw in listed])
        owned = sorted(one.id for one in found if one.owned)
        if len(owned) > 1:
            raise StackError(
                f"{len(owned)} VPCs carry the tags of the stack {reader.scope.prefix}: {', '.join(owned)}",
                "Take the mlinfra: tags off those that are not the stack's",
            )
        return found

    def _found(self, reader: Reader, raw: dict[str, Any]) -> Found:
        tags = to_dict(raw.get("Tags"))
        owned = claims(tags, reader.scope, self.name)
        state: dict[str, Any] = {"cidr": raw["CidrBlock"]}
        if owned and reader.stack.network is not None:
            for word, value in zip(
                _ATTRIBUTES, reader.together(*[lambda word=word: self._attribute(reader, raw["VpcId"], word) for word in _ATTRIBUTES])
            ):
                state[word] = value
        return Found(self.name, tags.get("mlinfra:name", raw["VpcId"]), raw["VpcId"], state, tags, owned)

    @staticmethod
    def _attribute(reader: Reader, vpc_id: str, word: str) -> bool:
        name, answer = _ATTRIBUTES[word]
        return reader.client("ec2").describe_vpc_attribute(VpcId=vpc_id, Attribute=name)[answer]["Value"]

    def _existing(self, reader: Reader, reference: Reference) -> Found:
        listed = reader.pages("ec2", "describe_vpcs", "Vpcs", Filters=reference_filters("vpc-id", reference))
        if len(listed) != 1:
            raise missing_reference("network.existing.vpc", reference, len(listed), "VPC", reader.scope.region)
        raw = listed[0]
        return Found(self.name, MAIN, raw["VpcId"], {"cidr": raw["CidrBlock"]}, to_dict(raw.get("Tags")), existing=True)

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        network = intent.stack.network
        if network is None:
            return []
        if network.existing is not None:
            return [Wish(self.name, MAIN, existing=True, path="network.existing.vpc")]
        state = {"cidr": network.cidr, "dns_support": True, "dns_hostnames": True}
        return [Wish(self.name, MAIN, state, owner_tags(intent.scope, self.name, MAIN, label(intent.scope)), path="network")]

    def create(self, act: Any, change: Change) -> str:
        wish = change.wish
        vpc_id = act.call("ec2", "create_vpc", CidrBlock=wish.state["cidr"], TagSpecifications=[specification("vpc", wish.tags)])["Vpc"][
            "VpcId"
        ]
        act.made.add(self.name)
        self._set(act, vpc_id, "dns_hostnames", True)  # DNS support is on in a new VPC
        return vpc_id

    def update(self, act: Any, change: Change) -> None:
        for word in sorted(change.fields, reverse=True):  # support before hostnames, which need it
            self._set(act, change.id, word, change.wish.state[word])
        self.retag(act, change)

    @staticmethod
    def _set(act: Any, vpc_id: str, word: str, value: bool) -> None:
        act.call("ec2", "modify_vpc_attribute", VpcId=vpc_id, **{_ATTRIBUTES[word][1]: {"Value": value}})

    def delete(self, act: Any, change: Change) -> None:
        act.call("ec2", "delete_vpc", VpcId=change.id)


def reference_filters(id_filter: str, reference: Reference) -> list[dict[str, Any]]:
    """EC2 filters for a reference; by filter rather than by id, so that one unknown id is an empty answer and not an error."""
    if reference.ids:
        return [{"Name": id_filter, "Values": list(reference.ids)}]
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in sorted(reference.tags.items())]


def shown_reference(reference: Reference) -> str:
    return ", ".join(reference.ids) if reference.ids else ", ".join(f"{key}={value}" for key, value in sorted(reference.tags.items()))


def missing_reference(path: str, reference: Reference, count: int, what: str, region: str) -> StackError:
    """For a reference that does not lead to exactly what it has to."""
    answer = f"no {what} in {region} has that" if count == 0 else f"{count} {what}s in {region} have that, one was expected"
    return StackError(
        f"{path} is {shown_reference(reference)}: {answer}", "Name the right one by id, or check region and account", path=path
    )
