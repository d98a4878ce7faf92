# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge Scheduler terminates instances: a one-time schedule that is due calls ec2:TerminateInstances, and may delete itself then.

AWS: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html (at), managing-targets-universal.html (Input is the call's
request), managing-schedule-delete.html (ActionAfterCompletion) there; a role that the service may not assume is a ValidationException
when the schedule is made.
moto: keeps schedules, executes none, and takes any role.
What the role's policy allows is not looked at here.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from datetime import UTC, datetime
from typing import Any

TICK = 0.5
TERMINATE = ":scheduler:::aws-sdk:ec2:terminateInstances"
ROLE = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."


def apply() -> None:
    from moto.scheduler.models import EventBridgeSchedulerBackend

    original = EventBridgeSchedulerBackend.create_schedule

    def create_schedule(self: Any, **options: Any) -> Any:
        from moto.scheduler.exceptions import ValidationException

        if not _assumable(self.account_id, options["target"].get("RoleArn", "")):
            raise ValidationException(ROLE)
        return original(self, **options)

    EventBridgeSchedulerBackend.create_schedule = create_schedule
    threading.Thread(target=_execute_for_ever, name="schedules", daemon=True).start()


def _assumable(account: str, arn: str) -> bool:
    """Whether the role is there and trusts the service."""
    from moto.iam.models import iam_backends

    roles = [role for backend in list(iam_backends[account].values()) for role in list(backend.roles.values())]
    return any(role.arn == arn and "scheduler.amazonaws.com" in str(role.assume_role_policy_document) for role in roles)


def _execute_for_ever() -> None:
    from moto.scheduler.models import scheduler_backends

    while True:
        time.sleep(TICK)
        for account, regions in list(scheduler_backends.items()):
            for region, backend in list(regions.items()):
                for group in list(backend.schedule_groups.values()):
                    for schedule in list(group.schedules.values()):
                        # A request may take the schedule or its instance away in between.
                        with contextlib.suppress(Exception):
                            _execute(account, region, group, schedule)


def _execute(account: str, region: str, group: Any, schedule: Any) -> None:
    from moto.ec2.models import ec2_backends

    if not _due(schedule) or schedule.state != "ENABLED" or getattr(schedule, "sandbox_done", False):
        return
    schedule.sandbox_done = True
    if schedule.target["Arn"].endswith(TERMINATE):
        with contextlib.suppress(Exception):  # a protected instance stays, one that is gone is gone
            ec2_backends[account][region].terminate_instances(json.loads(schedule.target["Input"])["InstanceIds"])
    if schedule.action_after_completion == "DELETE":
        group.delete_schedule(schedule.name)


def _due(schedule: Any) -> bool:
    at = re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", schedule.schedule_expression)
    return at is not None and datetime.fromisoformat(at.group(1)).replace(tzinfo=UTC) <= datetime.now(UTC)
