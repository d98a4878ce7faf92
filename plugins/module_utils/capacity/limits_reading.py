# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Reads the limits of an account for some launches: all at the same time, each at most one request, none of which can fail a run.

What is refused, throttled or broken becomes an Unknown that says so: who may launch need not be allowed to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, NamedTuple, Optional, Union

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import DENIED, code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import limits_keys, limits_storage, limits_vcpu, type_facts
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Allowed, Key, Limits, Unknown
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits_types import SPOT_ROLE
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.quota import patterns, quota

_PAGE = 1000  # instances; an account with more in one group of types would need a request for each thousand of them
_ABSENT = ("NoSuchResourceException", "NoSuchEntity", "NotFoundException")


class Asked(NamedTuple):
    """What to read. ``keys`` as the declaration calls them; ``vpc`` is one that is only referred to, whose routes nobody else reads."""

    pools: frozenset[str]
    types: tuple[str, ...]
    markets: tuple[str, ...]
    gp3: bool = False
    keys: tuple[str, ...] = ()
    vpc: Optional[str] = None

    @property
    def spot(self) -> bool:
        return "spot" in self.markets

    @property
    def codes(self) -> list[tuple[str, str]]:
        """(service, code) of each quota, in order."""
        found = [quota(name, market) for name in self.types for market in self.markets if market in ("spot", "on_demand")]
        codes = dict.fromkeys(("ec2", one.code) for one in found if one is not None)
        return [*codes, *([(limits_storage.SERVICE, limits_storage.GP3.code)] if self.gp3 else [])]

    @property
    def services(self) -> list[str]:
        """Whose clients the main thread has to make."""
        return [
            *(["service-quotas"] if self.codes else []),
            *(["iam"] if self.spot else []),
            *(["kms"] if self.keys else []),
        ]


def read(client: Callable[[str], Any], asked: Asked, region: str, role_arn: str) -> Limits:
    """:param role_arn: of the service-linked role of spot, for the grants on keys."""
    ec2 = client("ec2")
    calls: dict[tuple[str, str], Callable[[], Any]] = {
        ("types", ""): lambda: _or_unknown("ec2:DescribeInstanceTypes", lambda: type_facts.read(ec2, asked.types)),
    }
    if any(service == "ec2" for service, _code in asked.codes):
        calls["running", ""] = lambda: _or_unknown("ec2:DescribeInstances", lambda: _running(ec2, asked.types))
    for service, code in asked.codes:
        calls["quota", code] = lambda service=service, code=code: _quota(client("service-quotas"), service, code)
    if asked.spot:
        calls["role", ""] = lambda: _role(client("iam"))
    for key in asked.keys:
        calls["key", key] = lambda key=key: _key(client("kms"), key, role_arn if asked.spot else "")
    if asked.vpc:
        calls["routes", ""] = lambda: _or_unknown("ec2:DescribeRouteTables", lambda: _routes(ec2, asked.vpc))
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = {what: pool.submit(call) for what, call in calls.items()}
        told = {what: future.result() for what, future in futures.items()}
    types, running = told["types", ""], told.get(("running", ""), Unknown("nobody asked"))
    known = {} if isinstance(types, Unknown) else types
    return Limits(
        asked.pools,
        types,
        {code: told["quota", code] for _service, code in asked.codes},
        running if isinstance(running, Unknown) else limits_vcpu.count_used(running, known),
        told.get(("role", "")),
        {key: told["key", key] for key in asked.keys},
        told.get(("routes", "")),
    )


def _or_unknown(action: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        return unknown(action, error)


def unknown(action: str, error: BaseException) -> Unknown:
    code = code_of(error)
    if code in DENIED:
        return Unknown(f"{action} is not allowed, grant it to have this checked")
    return Unknown(f"{action} answered {code or type(error).__name__}")


def _running(ec2: Any, names: Sequence[str]) -> Union[list[dict[str, Any]], Unknown]:
    filters = [
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
        {"Name": "instance-type", "Values": patterns(names)},
    ]
    answer = ec2.describe_instances(Filters=filters, MaxResults=_PAGE)
    if answer.get("NextToken"):
        return Unknown(f"more than {_PAGE} instances run")
    return [raw for one in answer["Reservations"] for raw in one["Instances"]]


def _quota(quotas: Any, service: str, code: str) -> Union[Allowed, Unknown]:
    """The account's value; where it has none of its own, AWS's default, which takes a second request."""
    asked = {"ServiceCode": service, "QuotaCode": code}
    try:
        return Allowed(float(quotas.get_service_quota(**asked)["Quota"]["Value"]))
    except Exception as error:
        if code_of(error) not in _ABSENT:
            return unknown("servicequotas:GetServiceQuota", error)
    action = "servicequotas:GetAWSDefaultServiceQuota"
    return _or_unknown(action, lambda: Allowed(float(quotas.get_aws_default_service_quota(**asked)["Quota"]["Value"]), default=True))


def _role(iam: Any) -> Union[bool, Unknown]:
    try:
        iam.get_role(RoleName=SPOT_ROLE)
    except Exception as error:
        return False if code_of(error) in _ABSENT else unknown("iam:GetRole", error)
    return True


def _key(kms: Any, name: str, role_arn: str) -> Union[Key, Unknown]:
    """:param role_arn: whose right to use the key is looked for; empty: nobody's."""
    try:
        raw = kms.describe_key(KeyId=name)["KeyMetadata"]
    except Exception as error:
        return Key("") if code_of(error) in _ABSENT else unknown("kms:DescribeKey", error)
    usage, spec = raw.get("KeyUsage") or "ENCRYPT_DECRYPT", raw.get("KeySpec") or raw.get("CustomerMasterKeySpec") or "SYMMETRIC_DEFAULT"
    key = Key(raw.get("KeyState") or "Enabled", usage, spec, raw.get("KeyManager") != "AWS")
    if role_arn and key.customer and key.state == "Enabled":
        key = key._replace(spot=_usable(kms, raw["Arn"], role_arn))
    return key


def _usable(kms: Any, arn: str, role_arn: str) -> Union[bool, Unknown]:
    """Whether a grant or the key's policy lets the role use it; asked by ARN, since an alias will not do for either call."""
    grants = _or_unknown("kms:ListGrants", lambda: kms.list_grants(KeyId=arn, Limit=100))
    if not isinstance(grants, Unknown) and limits_keys.granted(grants["Grants"], role_arn):
        return True
    policy = _or_unknown("kms:GetKeyPolicy", lambda: kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    if not isinstance(policy, Unknown) and limits_keys.permitted(policy, role_arn):
        return True
    for found in (grants, policy):
        if isinstance(found, Unknown):
            return found
    return Unknown("the key has more than 100 grants") if grants.get("Truncated") else False


def _routes(ec2: Any, vpc: str) -> list[dict[str, Any]]:
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    return list(ec2.get_paginator("describe_route_tables").paginate(Filters=filters).search("RouteTables[]"))
