# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Where the stack lives (Scope) and how a run behaves (Control)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import checks
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import MISSING, Problems
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Control, Scope

POLICY = r"iam::(aws|[0-9]{12}):policy/[\x21-\x7e]+"
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")
_IAM_PATH = re.compile(r"/([\x21-\x7e]+/)?")  # IAM API reference, type pathType
_PLAN_ID = re.compile(r"[0-9a-f]{8,64}")


def scope(params: Mapping[str, Any], problems: Problems, need_region: bool = True) -> Scope:
    stack, environment, account = params["name"], params["environment"], params["account_id"]
    checks.name(stack, "name", problems)
    checks.name(environment, "environment", problems, longest=16)
    if account is not None and not checks.is_account(account):
        problems.add("account_id", account, "an account id has 12 digits", 'Quote it, leading zeros too: "012345678901"')
    region = params.get("region")
    if region is None and need_region:
        problems.add("region", MISSING, "the stack needs one", "Set region, AWS_REGION or the profile's region")
    elif region is not None and not _REGION.fullmatch(region):
        problems.add(
            "region", region, "a region's code belongs here", "Write it like us-east-1 (a zone such as us-east-1a is not a region)"
        )
        region = None
    boundary = params.get("permissions_boundary")
    checks.arn(boundary, POLICY, "iam::123456789012:policy/boundary", region, "permissions_boundary", problems)
    path = params.get("iam_path")
    if path is not None and not (_IAM_PATH.fullmatch(path) and len(path) <= 512):
        problems.add(
            "iam_path", path, "a path begins and ends with a slash and has up to 512 printable characters", "Write it like /teams/ml/"
        )
    return Scope(
        account_id=account or "",
        region=region or "",
        stack=stack or "",
        environment=environment or "",
        tags=checks.tags(params.get("tags"), "tags", problems),
        permissions_boundary=boundary,
        iam_path=path or f"/mlinfra/{stack}/{environment}/",
    )


def control(params: Mapping[str, Any], prefix: str, check_mode: bool, problems: Problems) -> Control:
    state, confirm, plan = params["state"] or "present", params["confirm"], params["expect_plan"]
    if state == "absent":
        _confirmed(confirm, prefix, check_mode, problems)
    for key, hint in (
        ("max_delete", "Give the number of deletions and replacements that this run may make"),
        ("lock_timeout", "Give the seconds to wait for a held lock; 0 does not wait"),
        ("wait_timeout", "Give the seconds that instances may take to run"),
    ):
        checks.least(params[key], 1 if key == "wait_timeout" else 0, key, problems, hint)
    if plan is not None and not _PLAN_ID.fullmatch(plan):
        problems.add("expect_plan", plan, "a plan_id has 8 to 64 hexadecimal digits", "Copy plan_id from the plan that was approved")
    return Control(
        state=state,
        check_mode=check_mode,
        confirm=confirm,
        force=checks.present(params["force"]),
        prune=bool(params["prune"]),
        max_delete=params["max_delete"] or 0,
        expect_plan=plan,
        lock_timeout=params["lock_timeout"] or 0,
        break_lock=bool(params["break_lock"]),
        on_failure=params["on_failure"] or "keep",
        wait_timeout=params["wait_timeout"] or 600,
    )


def _confirmed(confirm: str | None, prefix: str, check_mode: bool, problems: Problems) -> None:
    """Check mode deletes nothing, so it may show what would go before anybody confirms."""
    if confirm is None and not check_mode:
        problems.add(
            "confirm",
            MISSING,
            "state absent removes the whole stack and wants its name",
            f"Set confirm: {prefix} if that is the one to remove",
        )
    elif confirm is not None and confirm != prefix:
        problems.add("confirm", confirm, f"this stack is {prefix}", f"Set confirm: {prefix} if that is the one to remove")
