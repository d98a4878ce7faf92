# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The course of a run: right account, observe, plan, and outside check mode lock, apply and prove."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import lease, propagation
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.account import Caller, identify
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.act import Act
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, explain
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Reader
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.terms import unenforced
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import exclusions, preflight, rollback
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import observe as observing
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import plan as planning
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.apply import carry_out
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.lock import Lock, owner_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Intent, Observed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.outputs import offers_of, outputs, resources
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Control, Scope, Stack


def reconcile(stack: Stack, control: Control, clients: Any) -> dict[str, Any]:
    """Bring the account to what is declared, or say what that would take.

    :raises StackError: it cannot be done; the message says whether anything was changed.
    """
    try:
        return _Run(Intent(stack, control), clients).result()
    except StackError:
        raise
    except Exception as error:
        raise explain(error, clients.call_of(error)) from error


def read(scope: Scope, clients: Any) -> dict[str, Any]:
    """All that belongs to a stack. ``{exists, resources, outputs}``"""
    intent = Intent(Stack(scope), Control(check_mode=True))
    try:
        caller = identify(clients, scope)
        clients.prepare(observing.services(intent, everything=True))
        reader = Reader(clients, intent, caller.account_id, caller.partition, everything=True)
        seen = observing.observe(reader)
        lease.follow_up(reader, seen)
    except StackError:
        raise
    except Exception as error:
        raise explain(error, clients.call_of(error)) from error
    listed = resources(seen)
    return {"exists": any(one["owned"] for one in listed), "resources": listed, "outputs": outputs(intent, seen, [])}


class _Run:
    def __init__(self, intent: Intent, clients: Any) -> None:
        self.intent = intent
        self.control = intent.control
        self.clients = clients
        shown = self.control.check_mode and self.control.confirm is None  # a plan of what would go needs no confirmation
        if intent.absent and not shown and self.control.confirm != intent.scope.prefix:
            raise StackError(
                f"confirm is {self.control.confirm or 'missing'}: state absent removes all of {intent.scope.prefix}",
                f"Set confirm: {intent.scope.prefix} if that is what you want",
            )
        self.caller: Caller = identify(clients, intent.scope)
        clients.prepare(observing.services(intent))
        self.reader = Reader(clients, intent, self.caller.account_id, self.caller.partition)
        self.warnings: list[str] = []
        self.plan_id = ""
        self.preflight: list[preflight.Line] = []

    def result(self) -> dict[str, Any]:
        seen = observing.look_closer(self.reader, observing.observe(self.reader))
        changes = planning.plan(self.intent, seen)
        self.warnings = [*unenforced(changes, seen.now), *exclusions.idle(self.intent, seen)]
        self._approved(seen, changes)
        self._possible(seen, changes)
        if self.control.check_mode:
            return self._told(seen, changes)
        planning.refuse_blocked(changes)
        if not any(change.acts for change in changes):
            if self.intent.absent:
                self._sweep()
            return self._told(seen, changes, **self._proof(seen))
        self.clients.prepare(["ssm", *observing.services(self.intent, everything=True)] if self.intent.absent else ["ssm"])
        with Lock(self.clients.get("ssm"), self.intent.scope, self.control, owner_of(self.caller.arn)) as lock:
            seen, changes = self._again(seen, changes, lock.waited)
            act = self._apply(seen, changes, lock)
        remaining = self._proof(observing.observe(self.reader)) if self.intent.absent else {}
        if remaining.get("remaining"):
            names = ", ".join(f"{one['kind']} {one['name']} ({one['id']})" for one in remaining["remaining"])
            raise StackError(f"{self.intent.scope.prefix} is not gone: {names} remain", "Run again", **remaining)
        return self._told(seen, changes, act, **remaining)

    def _sweep(self) -> None:
        """A removal that was killed at its very end leaves nothing but its lock: it goes too."""
        self.clients.prepare(["ssm"])
        Lock(self.clients.get("ssm"), self.intent.scope, self.control, owner_of(self.caller.arn)).sweep()

    def _approved(self, seen: Observed, changes: list[Change]) -> None:
        """:raises StackError: ``expect_plan`` names another plan than this one."""
        expected = self.control.expect_plan
        there = self.plan_id = planning.plan_id(self.intent, seen, changes)
        if expected is not None and there != expected:
            acting = [change.public() for change in changes if change.acts]
            raise StackError(
                f"expect_plan is {expected}: the plan is {there} by now ({planning.summary(changes)})",
                "Nothing was changed. Look at the new plan and approve that",
                plan_id=there,
                plan=acting,
            )

    def _possible(self, seen: Observed, changes: list[Change]) -> None:
        """:raises StackError: a pool of the plan cannot be had at all."""
        self.preflight = preflight.lines(self.intent, seen, changes)
        preflight.refuse(self.preflight)

    def _again(self, seen: Observed, changes: list[Change], waited: bool) -> tuple[Observed, list[Change]]:
        """Plan once more under the lock: another run may have written between reading and locking.

        Read again is what the plan makes or removes; everything, if the lock was held by another run meanwhile.
        """
        touched = {change.kind for change in changes if change.acts}
        fresh = observing.observe(self.reader, None if waited else touched, None if waited else seen)
        fresh = observing.look_closer(self.reader, fresh)
        again = planning.plan(self.intent, fresh)
        self._approved(fresh, again)
        self._possible(fresh, again)
        planning.refuse_blocked(again)
        return fresh, again

    def _apply(self, seen: Observed, changes: list[Change], lock: Lock) -> Act:
        act = Act(self.reader, seen)
        act.check = lock.check
        finished: list[Change] = []
        there = rollback.before(seen)
        try:
            carry_out(act, changes, finished.append)
        except Exception as error:
            failure = explain(error, self.clients.call_of(error))
            if act.search.tried:
                failure.details["offers_tried"] = [one.public() for one in act.search.tried]
            failure.details["applied"] = [f"{change.action} {change.kind} {change.name}" for change in finished]
            if act.warnings:
                failure.details["warnings"] = list(act.warnings)
            if self.control.on_failure == "rollback" and not self.intent.absent:
                failure.details.update(self._rolled_back(act, set(seen.found), there, lock))
            raise failure from error
        return act

    def _rolled_back(self, run: Act, kinds: set[str], there: rollback.Before, lock: Lock) -> dict[str, Any]:
        """Remove what this run added, see ``rollback.split``."""
        intent = Intent(self.intent.stack, dataclasses.replace(self.control, state="absent", check_mode=False))
        finished: list[Change] = []
        try:
            reader = Reader(self.clients, intent, self.caller.account_id, self.caller.partition)
            self.clients.prepare(observing.services(intent))
            seen, hidden = self._listed(reader, run, kinds, there)
            found = rollback.split(there, rollback.begun(run.begun), planning.plan(intent, seen), hidden)
            act = Act(reader, seen)
            act.check = lock.check
            carry_out(act, found.going, finished.append)
            handed = [change for ref, change in run.handed.items() if ref.kind == "lease"]
            for change, slots in rollback.leases(handed, found.going):
                lease.withdraw(act, change, slots)
            for change in rollback.ends(run.begun, seen.now):
                lease.end_back(act, change)
        except Exception as error:
            failed = f"failed: {explain(error, self.clients.call_of(error)).message}"
            return {"rollback": failed, "rolled_back": [rollback.taken_back(change) for change in finished]}
        return found.told()

    def _listed(self, reader: Reader, run: Act, kinds: set[str], there: rollback.Before) -> tuple[Observed, list[tuple[Change, str]]]:
        """What there is, once all that the run made is listed; and what still is not after a while."""
        found: list[Observed] = []

        def all_listed() -> bool:
            found[:] = [observing.observe(reader, kinds)]
            return not rollback.unlisted(there, run.begun, run.ids, found[0])

        with contextlib.suppress(StackError):  # that is told of each of them
            run.wait("listing what was made", all_listed, min(propagation.LISTED, self.control.wait_timeout))
        return observing.look_closer(reader, found[0]), rollback.unlisted(there, run.begun, run.ids, found[0])

    def _proof(self, seen: Observed) -> dict[str, Any]:
        return {"remaining": [one for one in resources(seen) if one["owned"]]} if self.intent.absent else {}

    def _told(self, seen: Observed, changes: list[Change], act: Any = None, **more: Any) -> dict[str, Any]:
        return {
            "changed": any(change.acts for change in changes),
            "plan": [change.public() for change in changes],
            "plan_id": self.plan_id,
            "outputs": outputs(self.intent, seen, changes, act.ids if act else None, act.facts if act else None),
            "summary": planning.summary(changes),
            "offers": offers_of(changes),
            "preflight": preflight.public(self.preflight),
            "offers_tried": [one.public() for one in act.search.tried] if act else [],
            "diff": planning.diff(changes),
            "warnings": [*self.warnings, *(preflight.warnings(self.preflight) if act else []), *(act.warnings if act else [])],
            "account_id": self.caller.account_id,
            "region": self.intent.scope.region,
            **more,
        }
