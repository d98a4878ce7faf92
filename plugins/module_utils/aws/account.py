# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Who the credentials are, before any other call: the wrong account or region ends the run here."""

from __future__ import annotations

import difflib
from typing import Any, NamedTuple

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Scope


class Caller(NamedTuple):
    account_id: str
    arn: str
    partition: str


def identify(clients: Any, scope: Scope) -> Caller:
    """:raises StackError: there is no such region, or the credentials are for another account than declared."""
    partition = clients.session.get_partition_for_region(scope.region) if _plausible(clients, scope.region) else "aws"
    known = clients.known_regions()
    fallback = None if scope.region in known else _home(partition)
    answer = clients.get("sts", fallback).get_caller_identity()
    caller = Caller(answer["Account"], answer["Arn"], answer["Arn"].split(":")[1])
    if caller.account_id != scope.account_id:
        raise StackError(
            f"account_id is {scope.account_id}: the credentials are for {caller.account_id} ({caller.arn})",
            "Use the right profile or credentials, or correct account_id. Nothing else was asked or changed",
            path="account_id",
            found_account_id=caller.account_id,
        )
    if fallback is not None:
        _check_region(clients, scope.region, fallback, known)
    return caller


def _plausible(clients: Any, region: str) -> bool:
    try:
        return bool(clients.session.get_partition_for_region(region))
    except Exception:  # botocore's UnknownRegionError: what it means is said below, with better words
        return False


def _home(partition: str) -> str:
    """A region of the partition that is always enabled."""
    return {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}.get(partition, "us-east-1")


def _check_region(clients: Any, region: str, home: str, known: set[str]) -> None:
    """Ask EC2 about a region that this botocore does not know: it may be newer.

    :raises StackError: EC2 does not know it either.
    """
    try:
        told = clients.get("ec2", home).describe_regions(RegionNames=[region], AllRegions=True)["Regions"]
    except Exception as error:
        if code_of(error) not in ("InvalidParameterValue", "InvalidParameter"):
            raise
        told = []
    if not told:
        near = difflib.get_close_matches(region, sorted(known), n=1)
        hint = f"Did you mean {near[0]}?" if near else "Use one like us-east-1"
        raise StackError(f"region is {region}: AWS has no such region", hint, path="region")
