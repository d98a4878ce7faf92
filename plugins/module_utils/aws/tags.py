# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The tags that say whose a resource is, and the provenance that has to agree with them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list, boto3_tag_list_to_ansible_dict

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Scope

SCHEMA = "1"
STACK, ENVIRONMENT, KIND, NAME = "mlinfra:stack", "mlinfra:environment", "mlinfra:kind", "mlinfra:name"
VERSION, REGION = "mlinfra:schema", "mlinfra:region"
POOL, SLOTS = "mlinfra:pool", "mlinfra:slots"
#: The slot of one instance, where its place in the launch does not tell it: launched by a fleet, or adopted. It counts before SLOTS.
SLOT = "mlinfra:slot"
#: On an instance of a fleet: what only the stack that launched it writes, and what fits no other instance (see provenance.py).
LAUNCHED = "mlinfra:launched"
#: Put on by people: an instance with it is not ended unless force names it.
PROTECT = "mlinfra:protect"
#: When an instance's lease ends, ISO 8601.
EXPIRES = "mlinfra:expires"
#: The type that a stopped instance is getting: a run that dies before it starts the instance again leaves it to the next one.
CHANGING = "mlinfra:changing"


def owner_tags(scope: Scope, kind: str, name: str, label: Optional[str] = None) -> dict[str, str]:
    """All tags of one resource: the declaration's own first, so that ours win; ``label`` is the Name tag."""
    tags = dict(scope.tags)
    tags.update({STACK: scope.stack, ENVIRONMENT: scope.environment, KIND: kind, NAME: name, VERSION: SCHEMA})
    if label is not None and "Name" not in scope.tags:
        tags["Name"] = label
    return tags


def claims(tags: Mapping[str, str], scope: Scope, kind: str) -> bool:
    """Whether the tags say that this stack made a resource of that kind. Tags can be copied: ownership needs provenance too."""
    return (
        tags.get(STACK) == scope.stack
        and tags.get(ENVIRONMENT) == scope.environment
        and tags.get(KIND) == kind
        and tags.get(VERSION) == SCHEMA
        and bool(tags.get(NAME))
    )


def marked_protected(tags: Mapping[str, str]) -> bool:
    """Whether people have said that an instance is not to be ended."""
    return tags.get(PROTECT, "").strip().lower() not in ("", "false")


def scope_filters(scope: Scope) -> list[dict[str, Any]]:
    """EC2 filters for whatever says that it belongs to this stack."""
    return [{"Name": f"tag:{STACK}", "Values": [scope.stack]}, {"Name": f"tag:{ENVIRONMENT}", "Values": [scope.environment]}]


def specification(resource_type: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """One element of EC2's TagSpecifications."""
    return {"ResourceType": resource_type, "Tags": to_list(tags)}


def to_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return ansible_dict_to_boto3_tag_list(dict(sorted(tags.items())))


def to_dict(listed: Any) -> dict[str, str]:
    return boto3_tag_list_to_ansible_dict(listed or [])


def token_prefix(scope: Scope, account_id: str) -> str:
    """How every ClientToken of this stack begins: the provenance of instances, which nobody can put on by tagging."""
    where = "/".join((account_id, scope.region, scope.stack, scope.environment))
    return "mlinfra-" + hashlib.sha256(where.encode()).hexdigest()[:12] + "-"
