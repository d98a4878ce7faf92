# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the patch for schedules mends; test_aws_patches.py runs it with and without the patch."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from sandbox.aws.process import Emulator
from tests.sandbox.behaviours import Account, behaviour, refusal
from tests.sandbox.lab import wait_for


@behaviour
def schedules(aws: Emulator) -> None:
    account, scheduler = Account(aws), aws.client("scheduler")
    (made,) = account.launch()
    soon = (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
    role = "arn:aws:iam::123456789012:role/ends"
    request = {
        "Name": "end", "ScheduleExpression": f"at({soon})", "FlexibleTimeWindow": {"Mode": "OFF"}, "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances", "RoleArn": role,
            "Input": json.dumps({"InstanceIds": [made["InstanceId"]]}),
        },
    }  # fmt: skip
    assert refusal(scheduler.create_schedule, **request) == ("ValidationException", 400)
    trust = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
    account.iam.create_role(RoleName="ends", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    scheduler.create_schedule(**request)
    wait_for("terminated", lambda: account.instance(made["InstanceId"])["State"]["Name"] == "terminated")
    wait_for("the schedule has gone", lambda: scheduler.list_schedules()["Schedules"] == [])
