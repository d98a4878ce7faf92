# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""New EC2 resources cannot be named in other calls for a while, when ``timing.visibility`` says so.

AWS: "The Amazon EC2 API follows an eventual consistency model": a resource that was just created may be answered with …NotFound.
https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
"""

from __future__ import annotations

import re
import threading
import time

from .actions import Call
from .timing import TIMING

LONG_AGO = float("-inf")
CREATES = {"CreateVpc", "CreateSubnet", "CreateSecurityGroup", "CreateInternetGateway", "CreateRouteTable", "RunInstances"}
CREATED = re.compile(rb"<(?:vpcId|subnetId|groupId|internetGatewayId|routeTableId|instanceId)>([a-z]+-[0-9a-f]+)<")
#: Prefix of an id → error code.
CODES = {
    "vpc": "InvalidVpcID.NotFound", "subnet": "InvalidSubnetID.NotFound", "sg": "InvalidGroup.NotFound", "i": "InvalidInstanceID.NotFound",
    "igw": "InvalidInternetGatewayID.NotFound", "rtb": "InvalidRouteTableID.NotFound",
}


class Visibility:
    def __init__(self) -> None:
        self._seen: dict[str, float] = {}  # id → when it was first in an answer to a call that creates
        self._lock = threading.Lock()

    def hidden(self, call: Call) -> tuple[str, str] | None:
        """(error code, message) when the call names something too young; None otherwise."""
        if not TIMING.visibility or call.service != "ec2":
            return None
        now = time.monotonic()
        with self._lock:
            young = next((value for value in call.form.values() if now - self._seen.get(value, LONG_AGO) < TIMING.visibility), None)
        return (CODES[young.partition("-")[0]], f"The ID '{young}' does not exist") if young else None

    def note(self, call: Call, body: bytes) -> None:
        """Remember what this answer shows for the first time."""
        if not TIMING.visibility or call.service != "ec2" or call.action not in CREATES:
            return
        named = set(call.form.values())
        with self._lock:
            for found in CREATED.findall(body):
                identifier = found.decode()
                if identifier not in named:
                    self._seen.setdefault(identifier, time.monotonic())
