# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances that EC2 does not list yet: a request that names them finds them, one that filters by tags does not.

AWS: "eventual consistency": https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
"""

from __future__ import annotations

from typing import Any

from . import inventory


class Hiding:
    def __init__(self) -> None:
        self._before: set[str] = set()
        self._hidden: set[str] = set()

    def note(self) -> None:
        """What is there now is old enough to be listed."""
        self._before = {one.id for one in inventory.instances()}

    def hide(self) -> None:
        """From now on all younger ones are not."""
        from moto.ec2.models.instances import InstanceBackend

        self._hidden = {one.id for one in inventory.instances()} - self._before
        listed = InstanceBackend.describe_instances

        def describe_instances(backend: Any, filters: Any = None) -> Any:
            found = listed(backend, filters)
            if "instance-id" in (filters or {}):
                return found
            return [one for one in found if not {instance.id for instance in one.instances} <= self._hidden]

        InstanceBackend.describe_instances = describe_instances

    def show(self) -> None:
        self._hidden = set()
