# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done with a host, from what AWS says and what is there. Pure; reconcile.py acts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from sandbox.processes import Process
from sandbox.view import InstanceView


class Step(Enum):
    KEEP = "keep"
    BOOT = "boot"
    REBOOT = "reboot"
    STOP = "stop"
    REMOVE = "remove"
    EXAMINE = "examine"  # it ended by itself: find out whether it rebooted or powered off


@dataclass
class Host:
    """What this machine has of an instance; kept in the host's folder, so that a new daemon finds it."""

    instance_id: str
    vpc_id: str
    vpc_cidr: str
    private_ip: str
    suite: str
    generation: int = 0
    process: Process | None = None
    bastion_only: bool = False
    removing: bool = False

    def as_dict(self) -> dict[str, Any]:
        process = self.process.as_dict() if self.process else None
        return {**{k: v for k, v in vars(self).items() if k != "process"}, "process": process}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Host:
        """:raises TypeError, KeyError: the data is not of this version."""
        process = data.pop("process")
        return cls(**data, process=Process(**process) if process else None)


def decide(view: InstanceView | None, host: Host | None, alive: bool) -> Step:
    """``view`` is None when AWS no longer knows the instance."""
    if view is None or view.state in ("shutting-down", "terminated") or (host is not None and host.removing):
        return Step.REMOVE if host is not None else Step.KEEP
    if view.state in ("stopping", "stopped"):
        return Step.STOP if alive else Step.KEEP
    if view.image_suite is None:
        return Step.KEEP
    if host is None:
        return Step.BOOT
    if alive:
        return Step.REBOOT if host.generation < view.boot_generation else Step.KEEP
    ended_by_itself = host.process is not None and host.generation == view.boot_generation
    if not ended_by_itself:
        return Step.BOOT
    # AWS takes word of a power-off only of a running instance.
    return Step.EXAMINE if view.state == "running" else Step.KEEP


def wants_bastion(view: InstanceView) -> bool:
    """Tag mlinfra:access = bastion: reachable by ssh from its VPC only."""
    return view.tags.get("mlinfra:access") == "bastion"
