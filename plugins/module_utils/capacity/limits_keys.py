# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether EC2 can encrypt a pool's disks with the KMS key that it names, and spot too. Pure.

Sources: Amazon EBS user guide, "Requirements for Amazon EBS encryption" (a symmetric key of the same region, enabled); EC2 user guide,
"Service-linked role for Spot Instance requests" (with a customer managed key the role needs a grant, or the key's policy).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Union

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Key, Line, Unknown

CHECK, SPOT_CHECK = "kms_key", "spot_key_grant"
SPOT_ROLE = "AWSServiceRoleForEC2Spot"
#: What the guide has granted to the role.
OPERATIONS = (
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "CreateGrant",
    "DescribeKey",
    "ReEncryptFrom",
    "ReEncryptTo",
)
#: Those without which EC2 cannot attach an encrypted volume.
_NEEDED = ("CreateGrant", "Decrypt", "GenerateDataKeyWithoutPlaintext")
_GRANT = "kms:creategrant"


def elsewhere(key: str, region: str) -> str:
    """The region of a key that an ARN places in another one; else empty."""
    parts = key.split(":")
    return parts[3] if len(parts) > 5 and parts[0] == "arn" and parts[3] != region else ""


def granted(grants: Iterable[Mapping[str, Any]], role_arn: str) -> bool:
    """Whether a grant of ListGrants is for the role and has what EC2 needs."""
    return any(
        one.get("GranteePrincipal") in (role_arn, role_arn.rpartition("/")[2]) and set(_NEEDED) <= set(one.get("Operations") or ())
        for one in grants
    )


def permitted(policy: str, role_arn: str) -> bool:
    """Whether statements of the key's policy name the role and allow it what EC2 needs.

    The account's root does not count: it hands on to IAM policies, and nobody can give one to a service-linked role.
    """
    try:
        statements = json.loads(policy).get("Statement") or []
    except (ValueError, AttributeError):
        return False
    allowed: list[str] = []
    for statement in [statements] if isinstance(statements, dict) else statements:
        principal = statement.get("Principal") or {}
        named = _listed(principal if isinstance(principal, str) else principal.get("AWS"))
        if statement.get("Effect") != "Allow" or not {role_arn, "*"} & set(named):
            continue
        actions = [action.lower() for action in _listed(statement.get("Action"))]
        if not statement.get("Condition"):
            allowed += actions
        elif _by_service(statement["Condition"]) and any(_covers(action, _GRANT) for action in actions):
            allowed.append(_GRANT)
    return all(any(_covers(action, f"kms:{word.lower()}") for action in allowed) for word in _NEEDED)


def _by_service(condition: Any) -> bool:
    """Whether it only wants that an AWS service asks, as EC2 does for its grant: AWS' standard key policy allows CreateGrant so.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-grant-is-for-aws-resource
    """
    if not isinstance(condition, dict) or len(condition) != 1:
        return False
    ((operator, wanted),) = condition.items()
    if operator not in ("Bool", "BoolIfExists") or not isinstance(wanted, dict):
        return False
    told = {key.lower(): [str(one).lower() for one in (value if isinstance(value, list) else [value])] for key, value in wanted.items()}
    return told == {"kms:grantisforawsresource": ["true"]}


def _covers(pattern: str, action: str) -> bool:
    return pattern == action or (pattern.endswith("*") and action.startswith(pattern[:-1]))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def lines(pool: str, path: str, name: str, key: Union[Key, Unknown], region: str, role_arn: str, spot: bool) -> list[Line]:
    """:param spot: whether the pool may be launched as spot."""
    told = Line(CHECK, pool, path, "refused", "")
    other = elsewhere(name, region)
    if other:
        return [told._replace(text=f"the key is in {other}: disks in {region} want one of {region}. Name that one")]
    if isinstance(key, Unknown):
        return [told._replace(verdict="unknown", text=f"whether {name} can be used is not known: {key.why}")]
    if not key.state:
        return [told._replace(text=f"{name}: {region} has no such key for this account. Check its id, ARN or alias")]
    if key.state != "Enabled":
        going = key.state == "PendingDeletion"
        hint = "Cancel its deletion with aws kms cancel-key-deletion" if going else "Enable it, or name another one"
        return [told._replace(text=f"{name} is {key.state}: EC2 cannot use it. {hint}", code=key.state)]
    if (key.usage, key.spec) != ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"):
        text = f"{name} is a key of {key.spec} for {key.usage}: disks want a symmetric one that encrypts. Name another"
        return [told._replace(text=text)]
    found = [told._replace(verdict="ok", text=f"{name} is enabled and encrypts")]
    if spot and key.customer:
        found.append(_spot(Line(SPOT_CHECK, pool, path, "ok", ""), name, key, region, role_arn))
    return found


def _spot(told: Line, name: str, key: Key, region: str, role_arn: str) -> Line:
    if key.spot is True:
        return told._replace(text=f"spot may use {name}")
    grant = f"aws kms create-grant --region {region} --key-id {name} --grantee-principal {role_arn} --operations {' '.join(OPERATIONS)}"
    if key.spot is False:
        text = f"spot cannot use {name}: neither a grant nor its policy lets {SPOT_ROLE} use it, and such launches end at once. {grant}"
        return told._replace(verdict="warning", text=text)
    why = f" ({key.spot.why})" if isinstance(key.spot, Unknown) else ""
    return told._replace(verdict="unknown", text=f"whether spot may use {name} is not known{why}. If it may not: {grant}")
