# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The EC2 key pair: a public key that is imported, or the name of one that is there."""

from __future__ import annotations

from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Ec2Kind, Reader, label, unless
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import claims, owner_tags, specification, to_dict
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Wish


class KeyPair(Ec2Kind):
    """The id is the key's name: that is what a launch wants."""

    name = "key_pair"
    section = "key"
    immutable = ("public_key",)
    replaceable = True  # hosts that run keep the key that they were launched with

    def observe(self, reader: Reader) -> list[Found]:
        key = reader.stack.key
        listed: dict[str, dict[str, Any]] = {}
        if key is not None:
            answer = unless(
                ("InvalidKeyPair.NotFound",),
                lambda: reader.client("ec2").describe_key_pairs(KeyNames=[key.name], IncludePublicKey=True),
                {"KeyPairs": []},
            )
            listed = {raw["KeyName"]: raw for raw in answer["KeyPairs"]}
            if key.existing and not listed:
                raise StackError(
                    f"key.name is {key.name}: {reader.scope.region} has no key pair of that name",
                    "Import it, or leave existing out",
                    path="key",
                )
        if reader.complete:
            answer = reader.client("ec2").describe_key_pairs(Filters=reader.filters(), IncludePublicKey=True)
            listed.update({raw["KeyName"]: raw for raw in answer["KeyPairs"]})
        return [self._found(reader, raw) for raw in listed.values()]

    def _found(self, reader: Reader, raw: dict[str, Any]) -> Found:
        key = reader.stack.key
        tags = to_dict(raw.get("Tags"))
        declared = key is not None and raw["KeyName"] == key.name
        provenance = declared or raw["KeyName"].startswith(reader.scope.prefix)
        existing = declared and key.existing
        state = {"public_key": bare(raw.get("PublicKey", ""))}
        facts = {"key_pair_id": raw.get("KeyPairId")}
        return Found(
            self.name, raw["KeyName"], raw["KeyName"], state, tags, claims(tags, reader.scope, self.name) and provenance, existing, facts
        )

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        key = intent.stack.key
        if key is None:
            return []
        if key.existing:
            return [Wish(self.name, key.name, existing=True, path="key")]
        tags = owner_tags(intent.scope, self.name, key.name, label(intent.scope))
        return [Wish(self.name, key.name, {"public_key": bare(key.public_key or "")}, tags, {"public_key": key.public_key}, path="key")]

    def create(self, act: Any, change: Change) -> str:
        material = change.wish.make["public_key"].encode()
        tags = [specification("key-pair", change.wish.tags)]
        act.call("ec2", "import_key_pair", KeyName=change.name, PublicKeyMaterial=material, TagSpecifications=tags)
        return change.name

    def update(self, act: Any, change: Change) -> None:
        if change.tags:
            act.call("ec2", "create_tags", Resources=[change.found.facts["key_pair_id"]], Tags=specification("", change.tags)["Tags"])

    def delete(self, act: Any, change: Change) -> None:
        act.call("ec2", "delete_key_pair", KeyName=change.name)


def bare(public_key: str) -> str:
    """Type and key without the comment, which AWS replaces."""
    return " ".join(public_key.split()[:2])
