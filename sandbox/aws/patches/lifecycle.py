# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances take their time: pending before running, stopping before stopped, shutting-down before terminated; some launches die.

AWS: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html; a launch that was accepted and could not be
completed goes from pending to terminated with a StateReason
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html). Stopping, starting or rebooting an instance that is in no
state for it is IncorrectInstanceState.
moto: every change is immediate and allowed.

Also counts boots (``boot_generation``), which the hosts follow.
"""

from __future__ import annotations

from typing import Any

from ..context import CURRENT, clock
from ..timing import TIMING

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
#: What moto sets → (what it is at first, which of the delays leads to it).
ON_THE_WAY = {"running": ("pending", "pending"), "stopped": ("stopping", "stopping"), "terminated": ("shutting-down", "shutting_down")}


class TimedState:
    """Stands in for moto's InstanceState: has ``name`` and ``code``, and moves on by the clock of whoever asks.

    A request sees one moment (``clock``), or it would answer with a state and the reason of the state before.
    """

    def __init__(self) -> None:
        self._course = ("pending", "pending", 0.0)  # what it is, what it becomes, when; replaced whole, since other threads read it

    @property
    def name(self) -> str:
        first, then, due = self._course
        return then if clock() >= due else first

    @name.setter
    def name(self, wanted: str) -> None:
        if wanted in (self.name, self._course[1]):
            return
        first, delay = ON_THE_WAY[wanted]
        seconds = getattr(TIMING, delay)
        self._course = (first if seconds else wanted, wanted, clock() + seconds)

    @property
    def code(self) -> int:
        return CODES[self.name]

    @code.setter
    def code(self, _value: int) -> None:
        """moto sets name and code; the code follows from the name."""

    def __copy__(self) -> Any:
        from moto.ec2.models.instances import InstanceState

        return InstanceState(self.name, self.code)

    def die(self) -> None:
        """Pending now, terminated once the time of a launch is over."""
        self._course = ("pending", "terminated", clock() + TIMING.pending)


def apply() -> None:
    from moto.ec2.models.instances import Instance, InstanceBackend

    _patch_state(Instance)
    _patch_changes(Instance)
    _patch_launch(InstanceBackend)


def _patch_state(instance_class: Any) -> None:
    def get(self: Any) -> TimedState:
        return self.__dict__["sandbox_state"]

    def put(self: Any, state: Any) -> None:
        timed = self.__dict__.setdefault("sandbox_state", TimedState())
        timed.name = state.name

    def get_reason(self: Any) -> Any:
        last = self.__dict__.get("sandbox_last_words")
        if last is not None:  # its cause shows when it is dead, not before
            return last if self._state.name == "terminated" else None
        reason = self.__dict__["sandbox_reason"]
        return reason if reason.code else None  # AWS leaves it out when there is none

    def put_reason(self: Any, reason: Any) -> None:
        self.__dict__["sandbox_reason"] = reason

    instance_class._state = property(get, put)
    instance_class.state_reason = property(get_reason, put_reason)
    instance_class.boot_generation = 1


def _patch_changes(instance_class: Any) -> None:
    from moto.ec2.exceptions import EC2ClientError

    def allow(instance: Any, verb: str, states: set[str]) -> None:
        if instance._state.name not in states:
            raise EC2ClientError("IncorrectInstanceState", (
                f"The instance '{instance.id}' is not in a state from which it can be {verb}: it is {instance._state.name}."))

    start, stop, reboot, terminate = instance_class.start, instance_class.stop, instance_class.reboot, instance_class.terminate

    def patched_start(self: Any) -> Any:
        allow(self, "started", {"stopped", "running", "pending"})
        if self._state.name == "stopped":
            self.boot_generation += 1
        return start(self)

    def patched_stop(self: Any) -> Any:
        allow(self, "stopped", {"running", "stopping", "stopped"})
        return stop(self)

    def patched_reboot(self: Any) -> None:
        allow(self, "rebooted", {"running"})
        self.boot_generation += 1
        reboot(self)

    def patched_terminate(self: Any) -> Any:
        if self._state.name in ("shutting-down", "terminated"):  # again is no error and has no effect
            from moto.ec2.models.instances import InstanceState

            return InstanceState(self._state.name, self._state.code)
        return terminate(self)

    instance_class.start, instance_class.stop, instance_class.reboot, instance_class.terminate = (
        patched_start, patched_stop, patched_reboot, patched_terminate)


def _patch_launch(backend_class: Any) -> None:
    from moto.ec2.models.instances import StateReason

    original = backend_class.run_instances

    def run_instances(self: Any, *arguments: Any, **options: Any) -> Any:
        reservation = original(self, *arguments, **options)
        if CURRENT.terminate:
            code, _, message = CURRENT.terminate.partition(": ")
            for instance in reservation.instances:
                instance.terminate()
                instance._state.die()
                instance.__dict__["sandbox_last_words"] = StateReason(f"{code}: {message or code}", code)
                instance._reason = ""
        return reservation

    backend_class.run_instances = run_instances
