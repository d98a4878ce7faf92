# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Turns module parameters into a validated declaration. Pure: no network, no files, no boto3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import (
    check_identity,
    check_network,
    check_pools,
    check_reach,
    check_scope,
    check_storage,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.arguments import ARGUMENTS, SCOPE
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.fields import coerce
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import DocumentError, Problem, Problems
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Control, Scope, Stack

__all__ = ["DocumentError", "Problem", "examine", "parse", "parse_scope"]

_REGION = {"region": {"type": "str"}}  # an option of the connection, so not in ARGUMENTS


def parse(params: Mapping[str, Any], check_mode: bool = False) -> tuple[Stack, Control]:
    """The declaration and how to run it.

    ``params`` has the options of aws_stack, raw or coerced, with the region in use as ``region`` and no other option of the connection.
    Raises DocumentError with all problems.
    """
    problems = Problems()
    clean = coerce(params, dict(ARGUMENTS, **_REGION), problems)
    parsed = examine(clean, problems, check_mode)
    problems.stop()
    return parsed


def parse_scope(params: Mapping[str, Any]) -> Scope:
    """Only where the stack lives, for reading it. Raises DocumentError."""
    problems = Problems()
    clean = coerce(params, dict(SCOPE, **_REGION), problems)
    scope = check_scope.scope(clean, problems)
    problems.stop()
    return scope


def examine(clean: Mapping[str, Any], problems: Problems, check_mode: bool = False, need_region: bool = True) -> tuple[Stack, Control]:
    """Checks coerced parameters and adds to ``problems``; what is returned is of use only if there are none."""
    scope = check_scope.scope(clean, problems, need_region)
    control = check_scope.control(clean, scope.prefix, check_mode, problems)
    stack = Stack(
        scope=scope,
        network=check_network.network(clean["network"], scope.region, problems),
        key=check_identity.key(clean["key"], scope, problems),
        buckets=check_storage.buckets(clean["buckets"], scope, problems),
        repositories=check_storage.repositories(clean["repositories"], scope, problems),
        identity=check_identity.identity(clean["identity"], clean, scope, problems),
        pools=check_pools.pools(clean["pools"], scope, problems),
    )
    if control.state == "present":
        check_reach.reach(stack, problems)
    return stack, control
