# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run from the first look at the account to the proof that nothing is left."""

from __future__ import annotations

import datetime
import json
import secrets
import subprocess
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from smoke import cost, declare, judge, leftovers, report, versions
from smoke.judge import FAILED
from smoke.steps import StepError, Steps, say
from smoke.wish import Wish

CHECKOUT = Path(__file__).resolve().parent.parent
PLAYBOOKS = CHECKOUT / "smoke" / "playbooks"
RUNS = CHECKOUT / ".build" / "smoke-aws"
#: While it is there, a run has not seen that nothing of it is left.
OPEN = "not-yet-removed"
#: EC2's answers and the index of tags lag behind; what is still named after this is there.
PATIENCE_SECONDS = 120


@dataclass
class Course:
    wish: Wish
    client: Callable[[str], Any]  # service → boto3 client
    agree: Callable[[str], bool]  # asks somebody
    secrets: Callable[[], dict[str, str]]  # texts of the credentials → what stands for them
    runs: Path = RUNS
    stack: str = field(default_factory=lambda: f"smoke-{secrets.token_hex(3)}")
    begun: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))
    made_at: float | None = None
    gone_at: float | None = None
    refused: bool = False
    left: list[leftovers.Left] | None = field(default_factory=list)
    left_problem: str = ""

    def __post_init__(self) -> None:
        self.folder = self.runs / self.stack
        self.inventory = self.folder / "inventory"
        self.key = self.folder / "id_ed25519"
        self.steps = Steps(self.folder, time.monotonic() + cost.LIMIT_MINUTES * 60)

    def run(self) -> int:
        """The exit code, see report.code."""
        self.folder.mkdir(parents=True, mode=0o700)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.stack, "-f", str(self.key)], check=True)
        self.steps.listen()
        try:
            if self._before():
                self._prove()
        except Exception as error:  # ours; what was made still has to go
            self.steps.note("This program", FAILED, 0.0, f"{type(error).__name__}: {error}")
            (self.folder / "logs" / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
        finally:
            if self.made_at is not None:
                self._remove()
            told = self._report()
        return report.code(told)

    def _before(self) -> bool:
        """All that only reads. Whether the run goes on."""
        self._declare([])
        if not self._play("Account and offers", "look-at-account.yml") or not self.steps.call("Choose zones", self._choose):
            return False
        if not self._play("Plan", "plan.yml") or not self.steps.call("Nothing of this name is there", self._see_nothing):
            return False
        say(f"\nThis run costs at most {cost.worst(self.wish.max_hourly_usd):.2f} USD: {cost.sentence(self.wish.max_usd)}.")
        say(f"It launches one of {', '.join(declare.TYPES)} ({', '.join(self.wish.markets)}) in {self.wish.region}, and removes all of it.")
        self.steps.asking = True
        try:
            self.refused = not self.agree("Go on? [yes/no] ")
        except KeyboardInterrupt:
            self.refused = True
        finally:
            self.steps.asking = False
        return not self.refused and not self.steps.stopped

    def _prove(self) -> None:
        self.made_at = time.monotonic()
        (self.folder / OPEN).touch()
        plan = ("-e", f"aws_stack_expect_plan={self._kept('plan')['plan_id']}")
        if not self._play("Provision", "provision.yml", *plan, "-e", "smoke_result=made"):
            return
        if not self._play("Provision again", "provision.yml", "-e", "smoke_result=again"):
            return
        self.steps.call("The second run changes nothing", self._unchanged)
        for name, book in (("Reach", "reachable"), ("Configure", "configure"), ("Verify", "verify")):
            if not self._play(name, f"mlinfra.hosts.{book}", hosts=True) and book != "verify":
                return
        self._play("Look at the host", "look-at-host.yml", hosts=True)

    def _remove(self) -> None:
        """Until nothing is left, or nothing more can be done about it."""
        self.steps.removing = True
        end = time.monotonic() + cost.REMOVAL_MINUTES * 60
        attempt = 0
        while attempt < 3 and time.monotonic() < end:
            attempt += 1
            name = "Destroy" if attempt == 1 else f"Destroy again ({attempt})"
            self.steps.run(name, self._destroy(), limit=max(end - time.monotonic(), 60))
            if self.steps.call("Nothing is left", self._see_nothing_left):
                self.gone_at = time.monotonic()
                (self.folder / OPEN).unlink(missing_ok=True)
                for path in (self.key, self.key.with_suffix(".pub")):
                    path.unlink(missing_ok=True)
                return

    # What steps do in this process

    def _choose(self) -> str:
        told = self._kept("offers")
        zones = declare.zones_of(told["offers"])
        if not zones:
            reasons = sorted({one["reason"] for one in told["rejected"] if one["instance_type"] in declare.TYPES})
            hint = "Give more in MAX_USD, another REGION, or MARKET=spot,on_demand."
            raise StepError(f"{self.wish.region} has no offer for this run: {'; '.join(reasons)}. {hint}")
        self._declare(zones)
        best = told["offers"][0]
        price = "unknown" if best["usd_per_hour"] is None else f"{best['usd_per_hour']:.4f} USD an hour"
        return f"{', '.join(zones)}; cheapest: {best['instance_type']} in {best['zone']}, {best['market']}, {price}"

    def _see_nothing(self) -> str:
        """Before: whoever cannot look cannot see afterwards that nothing is left."""
        left = self._look()
        if left:
            raise StepError(f"there is {', '.join(map(str, left))}. Run again, which takes another name.")
        return ""

    def _see_nothing_left(self) -> str:
        end = time.monotonic() + PATIENCE_SECONDS
        self.left, self.left_problem = None, ""
        while True:
            try:
                self.left, self.left_problem = self._look(), ""
            except StepError as error:
                self.left_problem = str(error)
            if self.left == [] or time.monotonic() > end:
                break
            time.sleep(5)
        if self.left is None:
            raise StepError(self.left_problem)
        if self.left:
            raise StepError(f"still there: {', '.join(map(str, self.left))}")
        return ""

    def _look(self) -> list[leftovers.Left]:
        try:
            return leftovers.find(self.client, self.stack, declare.ENVIRONMENT)
        except Exception as error:  # botocore's are of many classes, and each means the same here
            raise StepError(f"the account cannot be read: {error}. smoke/README.md lists the permissions that this needs.") from error

    def _unchanged(self) -> str:
        told = self._kept("again")
        if told["changed"]:
            raise StepError(f"it does: {told['summary']}")
        return ""

    # Files and commands

    def _declare(self, zones: list[str]) -> None:
        group_vars = self.inventory / "group_vars"
        group_vars.mkdir(parents=True, exist_ok=True)
        files = {
            self.inventory / "controller.yml": declare.controller(),
            self.inventory / "ec2_gpu.yml": declare.inventory(self.wish, self.stack, str(self.key), str(self.folder / "known_hosts")),
            group_vars / "all.yml": declare.variables(self.wish, self.stack, f"{self.key}.pub", zones, self.begun),
            group_vars / "mlinfra_hosts.yml": declare.host_variables(self.wish),
        }
        for path, content in files.items():
            path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def _playbook(self, book: str, *arguments: str, hosts: bool = False) -> list[str]:
        """The command. :param hosts: whether EC2 is asked for hosts; it must not be before the account is known to be the right one."""
        target = str(PLAYBOOKS / book) if book.endswith(".yml") else book
        inventory = self.inventory if hosts else self.inventory / "controller.yml"
        return ["ansible-playbook", "-i", str(inventory), target, "-e", f"smoke_folder={self.folder}", *arguments]

    def _play(self, name: str, book: str, *arguments: str, hosts: bool = False) -> bool:
        if self.steps.stopped:
            return False
        return self.steps.run(name, self._playbook(book, *arguments, hosts=hosts))

    def _destroy(self) -> list[str]:
        return self._playbook("mlinfra.hosts.destroy", "-e", f"aws_stack_confirm={self.stack}-{declare.ENVIRONMENT}")

    def _kept(self, name: str) -> Any:
        path = self.folder / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    # The report

    def _report(self) -> dict[str, Any]:
        host, made = self._kept("host"), self._kept("made")
        tried = (made or {}).get("tried") or []
        taken = next((one for one in tried if not one["code"]), None)
        lived = (self.gone_at or time.monotonic()) - self.made_at if self.made_at is not None else 0.0
        again = "scripts/run " + " ".join(part.replace(f"{CHECKOUT}/", "") for part in self._destroy())
        told = {
            "stack": self.stack,
            "sandbox": self.wish.sandbox,
            "account": report.shortened(self.wish.account),
            "region": self.wish.region,
            "begun": self.begun.strftime("%Y-%m-%d %H:%M UTC"),
            "refused": self.refused,
            "stopped": self.steps.stopped,
            "steps": [asdict(step) for step in self.steps.done],
            "proofs": [one._asdict() for one in judge.proofs(host, self.wish.sandbox)],
            "host": _host(host, taken),
            "tried": tried,
            "cost": {
                "bound": self.wish.max_usd,
                "worst": cost.worst(self.wish.max_hourly_usd),
                "estimate": cost.estimate(taken["usd_per_hour"], lived) if taken else (0.0 if self.made_at is None else None),
            },
            "left": None if self.left is None else [str(one) for one in self.left],
            "left_problem": self.left_problem,
            "advice": leftovers.advice(self.left, self.wish.region, self.stack, again),
            "versions": versions.read(CHECKOUT),
        }
        told = report.scrubbed(told, {self.wish.account: report.shortened(self.wish.account), **self._secrets()})
        (self.folder / "report.json").write_text(report.as_json(told), encoding="utf-8")
        (self.folder / "report.md").write_text(report.as_markdown(told), encoding="utf-8")
        say(f"\n== {report.verdict(told)}")
        for line in told["advice"]:
            say(line)
        say(f"{self.folder}/report.md is the report, to attach to an issue; the logs beside it are for you alone.")
        return told

    def _secrets(self) -> dict[str, str]:
        """Texts that nobody else has to see → what stands for them."""
        found = {} if self.wish.sandbox else {self.wish.cidr: "<your range>", self.wish.cidr.split("/")[0]: "<your address>"}
        found[str(Path.home())] = "~"
        return {**found, **self.secrets()}


def _host(host: dict[str, Any] | None, taken: dict[str, Any] | None) -> dict[str, Any]:
    if host is None:
        return {}
    return {
        "instance_type": host["instance_type"],
        "zone": host["zone"],
        "market": taken["market"] if taken else "",
        "usd_an_hour": taken["usd_per_hour"] if taken else None,
        "kernel": host["kernel"],
        "driver": judge.driver_version(host) or "none",
        "nvidia_smi": host["smi"]["text"],
    }


def unfinished(runs: Path) -> list[Path]:
    """Inventories of earlier runs that did not see their end: whoever killed them left them."""
    return sorted(path.parent / "inventory" for path in runs.glob(f"*/{OPEN}"))
