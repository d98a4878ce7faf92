# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One case: a run in which one call goes wrong in one way, and what has to hold after it and after the next one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.client import Clients
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.placing import slot_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.provenance import FLEET
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import SLOT

from . import run
from .emulator import Account
from .inventory import Life, Thing
from .modes import MODES, Mode
from .run import Ran
from .scenarios import SCENARIOS, Scenario

STACK = "mlinfra:stack"
PARTS = ("ec2/volumes", "ec2/enis")  # tagged at the launch, if they are an instance's


@dataclass(frozen=True)
class Case:
    scenario: str
    call: str  # service:Action
    nth: int
    mode: str

    def __str__(self) -> str:
        return f"{self.scenario}/{self.call}/{self.nth}/{self.mode}"


@dataclass
class Reference:
    """What a scenario is without faults: how often it writes what, and what is there afterwards."""

    writes: dict[str, int]
    shape: dict[str, int]

    def cases(self, scenario: str) -> list[Case]:
        listed = []
        for call, count in sorted(self.writes.items()):
            modes = [mode.name for mode in MODES.values() if mode.applies(*call.split(":"))]
            listed += [Case(scenario, call, nth, mode) for nth in range(1, count + 1) for mode in modes]
        return listed


def shape(things: list[Thing]) -> dict[str, int]:
    """Kind → how many, the lock aside."""
    return dict(sorted(Counter(thing.kind for thing in things if not _is_lock(thing)).items()))


class Trial:
    """Runs one case in an account that may be spoiled. ``violations`` says what did not hold."""

    def __init__(self, case: Case, account: Account, clients: Clients, reference: Reference) -> None:
        self.case, self.account, self.clients, self.reference = case, account, clients, reference
        self.scenario: Scenario = SCENARIOS[case.scenario]
        self.mode: Mode = MODES[case.mode]
        self.violations: list[str] = []

    def run(self) -> list[str]:
        first = self._first()
        excused = not self._released(first)
        self._nothing_beyond("after the fault")
        if not excused:
            self._lock_is_free("after the fault")
        if not (first.ok and self.mode.survived):  # otherwise the run has noticed, and there is nothing left to do
            self._nothing_unowned("after the fault")
            again = self._next()
            if not again.ok:
                return self.violations
            excused = excused and not again.changed and not self.scenario.removes  # a run with nothing to do needs no lock
        self._converged()
        if not excused:
            self._lock_is_free("at the end")
        return self.violations

    def wrong(self, text: str) -> None:
        self.violations.append(text)

    def _first(self) -> Ran:
        service, action = self.case.call.split(":")
        self.account.ask("note")
        before = {thing.id for thing in self.account.ask("things") if not _is_lock(thing)}
        rules = self.mode.rules(service, action, self.case.nth)
        ran = run.reconcile(self.clients, self.scenario.wish, lambda pid: self.account.ask("arm", rules, pid))
        self.account.ask("quiet")
        if not self.account.ask("disarm"):
            self.wrong(f"the fault never struck: {self.case.call} was not called as often as without faults")
        if self.scenario.adds:
            self._taken_back(ran, before)
        self.account.ask("timing", {"profile_propagation": 0})
        if ran.broke:
            self.wrong(f"the run broke: {ran.broke.strip()}")
        if self.mode.kills and not ran.killed:
            self.wrong(f"the run was not killed: {ran.message or 'it succeeded'}")
        if self.mode.survived and not ran.ok and not ran.broke:
            self.wrong(f"the run gave up: {ran.message}")
        return ran

    def _taken_back(self, ran: Ran, before: set[str]) -> None:
        """What was there before stays, however the run ended; what has come stays only with a run that was killed, or says so."""
        there = {thing.id for thing in self.account.ask("things") if not _is_lock(thing)}
        if before - there:
            self.wrong(f"after the fault there is no more: {', '.join(sorted(before - there))}")
        if not ran.ok and not ran.killed and ran.result.get("rollback") == "complete" and there - before:
            self.wrong(f"the rollback is told to be complete, and left: {', '.join(sorted(there - before))}")
        if not ran.ok and not ran.killed and "applied" in ran.result and ran.result.get("rollback") != "complete":
            self.wrong(f"the rollback is {ran.result.get('rollback')}: {ran.result.get('rollback_left')}")

    def _next(self) -> Ran:
        if self.mode.name != "killed-unseen":
            return self._undisturbed("the next run")
        self.account.ask("hide")
        ran = self._undisturbed("the next run")
        self.account.ask("show")
        return ran

    def _undisturbed(self, what: str) -> Ran:
        ran = run.reconcile(self.clients, self.scenario.wish)
        if not ran.ok:
            self.wrong(f"{what} does not converge: {ran.message or ran.broke.strip() or 'it was killed'}")
        return ran

    def _converged(self) -> None:
        last = self._undisturbed("the last run")
        if last.ok and last.changed:
            self.wrong(f"the last run changed something again: {_acting(last.result)}")
        things = self.account.ask("things")
        if shape(things) != self.reference.shape:
            self.wrong(f"there is at the end, unlike after a run without faults: {_difference(shape(things), self.reference.shape)}")
        self._nothing_beyond("at the end")

    def _released(self, ran: Ran) -> bool:
        """A killed run cannot release the lock, nor one whose very release is refused; on this machine the next one takes both over."""
        return not ran.killed and not (self.case.call == "ssm:DeleteParameter" and not ran.ok)

    def _lock_is_free(self, when: str) -> None:
        if self.account.ask("lock"):
            self.wrong(f"the lock is left {when}")

    def _nothing_beyond(self, when: str) -> None:
        for text in beyond(self.account.ask("instances"), self.scenario.limits):
            self.wrong(f"{when}: {text}")

    def _nothing_unowned(self, when: str) -> None:
        ran = run.owned(self.clients, self.scenario.wish)
        if not ran.ok:
            self.wrong(f"{when} the stack cannot be read: {ran.message or ran.broke.strip()}")
            return
        for text in unowned(self.account.ask("things"), set(ran.result["ids"])):
            self.wrong(f"{when}: {text}")


def unowned(things: list[Thing], owned: set[str]) -> list[str]:
    """Each thing that the engine neither owns nor made as a part of what it owns."""
    found = []
    parents = {thing.id: thing.parent for thing in things}
    for thing in things:
        if _is_lock(thing):
            continue  # judged by itself
        if thing.names & owned:
            continue
        if not {thing.parent, parents.get(thing.parent)} & owned:
            found.append(f"{thing.kind} {thing.id} is there and nobody's (tags: {thing.tags or 'none'})")
        elif thing.kind in PARTS and thing.parent.startswith("i-") and STACK not in thing.tags:
            found.append(f"{thing.kind} {thing.id} of {thing.parent} has no tags")
    return found


def _is_lock(thing: Thing) -> bool:
    return thing.kind == "ssm/_parameters" and thing.id.endswith("/lock")


def beyond(lives: list[Life], limits: dict[str, int]) -> list[str]:
    """Pools with more instances than wished, slots with more than one."""
    pools = Counter(life.tags.get("mlinfra:pool", "?") for life in lives)
    slots = Counter((life.tags.get("mlinfra:pool", "?"), slot_of(life.tags, life.index)) for life in lives if not _unsaid(life))
    found = [f"{count} instances live in slot {slot} of {pool}" for (pool, slot), count in slots.items() if count > 1]
    over = {pool: count for pool, count in pools.items() if count > limits.get(pool, 0)}
    return found + [f"{count} instances of {pool} live, at most {limits.get(pool, 0)} were wished" for pool, count in over.items()]


def _unsaid(life: Life) -> bool:
    """An instance of a fleet has its slot by a tag of its own, a moment after the launch; until then any of the launch's."""
    return FLEET in life.tags and SLOT not in life.tags


def selection(cases: list[Case]) -> list[Case]:
    """A fixed part of them: every position of a creation and every second one of the rest, each in one of its ways, in turn."""
    positions: dict[tuple[str, str, int], list[Case]] = {}
    for case in cases:
        positions.setdefault((case.scenario, case.call, case.nth), []).append(case)
    turned = [ways[number % len(ways)] for number, ways in enumerate(positions.values())]
    return [case for number, case in enumerate(turned) if case.scenario == "create" or number % 2]


def _acting(result: dict[str, Any]) -> str:
    acting = [one for one in result["plan"] if one["action"] not in ("keep", "foreign")]
    return "; ".join(f"{one['action']} {one['kind']} {one['name']} ({one['reason']})" for one in acting[:5])


def _difference(have: dict[str, int], want: dict[str, int]) -> str:
    kinds = [kind for kind in sorted({*have, *want}) if have.get(kind, 0) != want.get(kind, 0)]
    return ", ".join(f"{kind}: {have.get(kind, 0)}, not {want.get(kind, 0)}" for kind in kinds)
