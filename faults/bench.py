# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker's accounts: one for each scenario, at its beginning, and what the scenario is without faults."""

from __future__ import annotations

import os
import socket

from .case import Case, Reference, Trial, shape
from .emulator import AT_ONCE, Account
from .gate import StrikingGate
from .run import Ran, clients, reconcile
from .scenarios import SCENARIOS, Scenario

READS = ("Describe", "Get", "List", "Head")


class Bench:
    def __init__(self, gate: StrikingGate, scenarios: list[str] | None = None) -> None:
        os.environ["MLINFRA_LOCAL_ONLY"] = "1"
        self.bound = socket.create_server(("127.0.0.1", 0))
        self.clients = clients(f"http://127.0.0.1:{self.bound.getsockname()[1]}")
        self.accounts: dict[str, Account] = {}
        self.references: dict[str, Reference] = {}
        for name in scenarios or list(SCENARIOS):
            self.accounts[name] = self._begun(gate, SCENARIOS[name])
            self.references[name] = self._recorded(SCENARIOS[name])

    def _begun(self, gate: StrikingGate, scenario: Scenario) -> Account:
        account = Account(gate, self.bound)
        account.ask("timing", AT_ONCE)
        account.ask("serve")
        if scenario.before is not None:
            _good(reconcile(self.clients, scenario.before), f"{scenario.name}: its beginning")
        account.ask("freeze")
        return account

    def _recorded(self, scenario: Scenario) -> Reference:
        with self.accounts[scenario.name].fork() as account:
            _good(reconcile(self.clients, scenario.wish), f"{scenario.name} without faults")
            calls = account.ask("calls")
            there = shape(account.ask("things"))
        if "ssm:PutParameter" not in calls:
            raise RuntimeError(f"{scenario.name} writes without having taken the lock")
        return Reference({call: count for call, count in calls.items() if not call.split(":")[1].startswith(READS)}, there)

    def cases(self) -> list[Case]:
        return [case for name, reference in self.references.items() for case in reference.cases(name)]

    def try_out(self, case: Case) -> list[str]:
        try:
            with self.accounts[case.scenario].fork() as account:
                return Trial(case, account, self.clients, self.references[case.scenario]).run()
        except Exception as error:
            return [f"the case could not be run: {type(error).__name__}: {error}"]

    def close(self) -> None:
        for account in self.accounts.values():
            account.close()
        self.bound.close()


def _good(ran: Ran, what: str) -> None:
    if not ran.ok:
        raise RuntimeError(f"{what} fails: {ran.message or ran.broke}")
