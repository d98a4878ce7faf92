# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The hosts' role and instance profile. Their IAM path is their provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import grants
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Kind, Reader, canonical, unless
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import REGION, claims, owner_tags, to_dict, to_list
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Ref, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Scope

HOSTS = "hosts"
ROLE, PROFILE = Ref("role", HOSTS), Ref("instance_profile", HOSTS)
_INLINE = "mlinfra"
_ABSENT = ("NoSuchEntity",)


def name_of(scope: Scope) -> str:
    return f"{scope.prefix}-hosts"


def _wanted(intent: Intent) -> bool:
    identity = intent.stack.identity
    return identity is not None and identity.existing_instance_profile is None


def _owned(scope: Scope, kind: str, tags: dict[str, str], path: str) -> bool:
    """IAM is global: the region's tag keeps two stacks of one name in two regions apart."""
    return claims(tags, scope, kind) and path == scope.iam_path and tags.get(REGION) == scope.region


def _tags(scope: Scope, kind: str) -> dict[str, str]:
    return {**owner_tags(scope, kind, HOSTS), REGION: scope.region}


def facts_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Of one thing of IAM. ``created``: when IAM made it (epoch); 0 when it does not say."""
    when = raw.get("CreateDate")
    return {"path": raw["Path"], "unique": True, "created": when.timestamp() if when is not None else 0.0}


class Role(Kind):
    name = "role"
    section = "identity"
    service = "iam"

    def observe(self, reader: Reader) -> list[Found]:
        identity = reader.stack.identity
        if not reader.complete and identity is not None and identity.existing_instance_profile is not None:
            return []
        iam, name = reader.client("iam"), name_of(reader.scope)
        answer, inline, attached = reader.together(
            lambda: unless(_ABSENT, lambda: iam.get_role(RoleName=name)),
            lambda: unless(_ABSENT, lambda: iam.get_role_policy(RoleName=name, PolicyName=_INLINE)),
            lambda: unless(_ABSENT, lambda: reader.pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name), []),
        )
        if answer is None:
            return []
        raw = answer["Role"]
        tags = to_dict(raw.get("Tags"))
        state = {
            "trust": _json(raw["AssumeRolePolicyDocument"]),
            "policy": _json(inline["PolicyDocument"]) if inline else None,
            "managed_policies": sorted(one["PolicyArn"] for one in attached),
            "permissions_boundary": raw.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        }
        owned = _owned(reader.scope, self.name, tags, raw["Path"])
        return [Found(self.name, HOSTS, raw["RoleName"], state, tags, owned, facts=facts_of(raw))]

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        if not _wanted(intent):
            return []
        scope, identity = intent.scope, intent.stack.identity
        state = {
            "trust": grants.trust(seen.partition),
            "policy": grants.policy(intent.stack, seen.partition, seen.account_id),
            "managed_policies": sorted(identity.managed_policies),
            "permissions_boundary": scope.permissions_boundary,
        }
        return [
            Wish(self.name, HOSTS, state, _tags(scope, self.name), {"role_name": name_of(scope), "path": scope.iam_path}, path="identity")
        ]

    def same(self, word: str, want: Any, have: Any) -> bool:
        if word in ("policy", "trust") and want and have:
            return not compare_policies(have, want)
        return canonical(want) == canonical(have)

    def create(self, act: Any, change: Change) -> str:
        wish = change.wish
        name, boundary = wish.make["role_name"], wish.state["permissions_boundary"]
        act.call(
            "iam",
            "create_role",
            RoleName=name,
            Path=wish.make["path"],
            AssumeRolePolicyDocument=json.dumps(wish.state["trust"]),
            Description=wish.make.get("description", f"Hosts of the stack {act.scope.prefix}"),
            Tags=to_list(wish.tags),
            **({"PermissionsBoundary": boundary} if boundary else {}),
        )
        act.made.add(self.name)
        if wish.state["policy"]:
            act.call("iam", "put_role_policy", RoleName=name, PolicyName=_INLINE, PolicyDocument=json.dumps(wish.state["policy"]))
        for arn in wish.state["managed_policies"]:
            act.call("iam", "attach_role_policy", RoleName=name, PolicyArn=arn)
        return name

    def update(self, act: Any, change: Change) -> None:
        want, have, name = change.wish.state, change.found.state, change.id
        if "trust" in change.fields:
            act.call("iam", "update_assume_role_policy", RoleName=name, PolicyDocument=json.dumps(want["trust"]))
        if "permissions_boundary" in change.fields:  # before any further right is given
            if want["permissions_boundary"]:
                act.call("iam", "put_role_permissions_boundary", RoleName=name, PermissionsBoundary=want["permissions_boundary"])
            else:
                act.call("iam", "delete_role_permissions_boundary", RoleName=name)
        if "policy" in change.fields:
            if want["policy"]:
                act.call("iam", "put_role_policy", RoleName=name, PolicyName=_INLINE, PolicyDocument=json.dumps(want["policy"]))
            else:
                act.call("iam", "delete_role_policy", RoleName=name, PolicyName=_INLINE)
        for arn in want["managed_policies"]:
            if arn not in have["managed_policies"]:
                act.call("iam", "attach_role_policy", RoleName=name, PolicyArn=arn)
        for arn in have["managed_policies"]:
            if arn not in want["managed_policies"]:
                act.call("iam", "detach_role_policy", RoleName=name, PolicyArn=arn)
        if change.tags:
            act.call("iam", "tag_role", RoleName=name, Tags=to_list(change.tags))

    def delete(self, act: Any, change: Change) -> None:
        for arn in change.found.state["managed_policies"]:
            act.call("iam", "detach_role_policy", RoleName=change.id, PolicyArn=arn)
        for policy_name in act.reader.pages("iam", "list_role_policies", "PolicyNames", RoleName=change.id):
            act.call("iam", "delete_role_policy", RoleName=change.id, PolicyName=policy_name)
        act.call("iam", "delete_role", RoleName=change.id)


class InstanceProfile(Kind):
    name = "instance_profile"
    section = "identity"
    service = "iam"
    needs = ("role",)

    def observe(self, reader: Reader) -> list[Found]:
        identity = reader.stack.identity
        existing = identity.existing_instance_profile if identity is not None else None
        found = []
        if existing is not None:
            raw = self._read(reader, existing)
            if raw is None:
                text = f"identity.existing_instance_profile is {existing}: the account has no instance profile of that name"
                raise StackError(
                    text, "Check the name, or leave it out to have role and profile made", path="identity.existing_instance_profile"
                )
            found.append(Found(self.name, existing, existing, existing=True, facts={"arn": raw["Arn"]}))
        if existing is None or reader.complete:
            raw = self._read(reader, name_of(reader.scope))
            if raw is not None:
                tags = to_dict(raw.get("Tags"))
                role = next((one["RoleName"] for one in raw["Roles"]), None)
                owned = _owned(reader.scope, self.name, tags, raw["Path"])
                facts = {"arn": raw["Arn"], **facts_of(raw)}
                found.append(Found(self.name, HOSTS, raw["InstanceProfileName"], {"role": role}, tags, owned, facts=facts))
        return found

    @staticmethod
    def _read(reader: Reader, name: str) -> Optional[dict[str, Any]]:
        answer = unless(_ABSENT, lambda: reader.client("iam").get_instance_profile(InstanceProfileName=name))
        return answer["InstanceProfile"] if answer else None

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        identity = intent.stack.identity
        if identity is None:
            return []
        if identity.existing_instance_profile is not None:
            return [Wish(self.name, identity.existing_instance_profile, existing=True, path="identity.existing_instance_profile")]
        make = {"profile_name": name_of(intent.scope), "path": intent.scope.iam_path}
        return [Wish(self.name, HOSTS, {"role": ROLE}, _tags(intent.scope, self.name), make, path="identity")]

    def create(self, act: Any, change: Change) -> str:
        name = change.wish.make["profile_name"]
        act.call("iam", "create_instance_profile", InstanceProfileName=name, Path=change.wish.make["path"], Tags=to_list(change.wish.tags))
        act.made.add(self.name)
        act.call("iam", "add_role_to_instance_profile", InstanceProfileName=name, RoleName=act.id(ROLE))
        return name

    def update(self, act: Any, change: Change) -> None:
        if "role" in change.fields:
            if change.found.state["role"]:
                act.call("iam", "remove_role_from_instance_profile", InstanceProfileName=change.id, RoleName=change.found.state["role"])
            act.call("iam", "add_role_to_instance_profile", InstanceProfileName=change.id, RoleName=act.id(ROLE))
            act.made.add(self.name)
        if change.tags:
            act.call("iam", "tag_instance_profile", InstanceProfileName=change.id, Tags=to_list(change.tags))

    def delete(self, act: Any, change: Change) -> None:
        if change.found.state["role"]:
            try:
                act.call("iam", "remove_role_from_instance_profile", InstanceProfileName=change.id, RoleName=change.found.state["role"])
            except Exception as error:
                if code_of(error) not in _ABSENT:
                    raise
        act.call("iam", "delete_instance_profile", InstanceProfileName=change.id)


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
