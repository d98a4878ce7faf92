# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job on this machine: ``python -m sandbox.demo [--down]``, behind ``make demo`` and ``make demo-down``.

It starts the sandbox named ``demo`` and then runs what a user would run, as a user would run it: the collection's playbooks over
``inventories/demo``. Every command is printed before it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.narrate import Narrator, end_with_parent, run_narrated

NAME = "demo"
CHECKOUT = Path(__file__).resolve().parent.parent
INVENTORY = "inventories/demo"
STACK, ENVIRONMENT, ACCOUNT = "vision", "demo", "123456789012"
STATE = Path("/var/lib/mlinfra-sandbox") / NAME
KEY = STATE / "ssh" / "id_ed25519"
REPORT = STATE / "verify.json"
FILLED = ("artifacts",)  # buckets that the proof puts objects into: they go only when named
# What a play of `site` works on; the others work on hosts, which are real.
EMULATED = ("Provision", "Find the hosts")
VERIFYING = "Verify the hosts"  # from here on nothing is made any more


@dataclass
class Phases:
    """Name, seconds and nature (real, emulated …) of what ran, in order."""

    rows: list[tuple[str, float, str]] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def add(self, name: str, seconds: float, nature: str) -> None:
        self.rows.append((name, seconds, nature))


def inside(*command: str) -> list[str]:
    """The command as it runs in the sandbox: fake keys, the emulator's endpoint, no AWS configuration of the user."""
    return [sys.executable, "-m", "sandbox", "run", "--name", NAME, "--", *command]


def playbook(name: str, *arguments: str) -> list[str]:
    return inside("ansible-playbook", "-i", INVENTORY, f"mlinfra.hosts.{name}", *arguments)


def make_key() -> None:
    """Make the hosts' ssh key once; it lives and dies with the sandbox's state."""
    KEY.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    public = KEY.with_suffix(".pub")
    if KEY.exists() and public.exists():
        return
    KEY.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mlinfra-demo", "-f", str(KEY)], check=True)


def step(narrator: Narrator, phases: Phases, title: str, nature: str, command: list[str]) -> None:
    """Run one command, narrated; end the demo with its exit code when it fails."""
    narrator.headline(title, nature, command)
    begun = time.monotonic()
    result = run_narrated(command, narrator, cwd=CHECKOUT)
    seconds = time.monotonic() - begun
    for name, took in result.plays or [(title, seconds)]:
        phases.add(name, took, nature if len(result.plays) < 2 else nature_of(name))
    narrator.say(f"   {title}: {seconds:.1f} s  [{nature}]")
    if result.returncode:
        narrator.say(f"\n{title} failed after {seconds:.0f} s (exit code {result.returncode}).")
        narrator.say("Next: `make sandbox-logs`; `make demo` goes on from here.")
        sys.exit(result.returncode)


def nature_of(play: str) -> str:
    return "emulated AWS" if play.startswith(EMULATED) else "real hosts"


def made() -> dict:
    """What the account now has of the stack, read through aws_stack_info."""
    arguments = json.dumps({"name": STACK, "environment": ENVIRONMENT, "account_id": ACCOUNT, "region": "us-east-1"})
    target = ("localhost", "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}")
    command = inside("ansible", *target, "-m", "mlinfra.hosts.aws_stack_info", "-a", arguments)
    as_json = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    answer = subprocess.run(command, cwd=CHECKOUT, env={**os.environ, **as_json}, check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]


def inventory() -> dict:
    """What ``ansible-inventory`` shows: groups, and the hosts' variables in ``_meta.hostvars``."""
    command = inside("ansible-inventory", "-i", INVENTORY, "--list")
    answer = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)


def server(listed: dict) -> str:
    """Where MLflow is, for people; empty without a host that runs it."""
    names = listed.get("mlinfra_mlflow", {}).get("hosts", [])
    if not names:
        return ""
    address = listed["_meta"]["hostvars"][names[0]]["ansible_host"]
    return f"http://{address}:5000 is MLflow, whose account and password are in /etc/mlflow/admin.ini of {names[0]};\n"


class Look:
    """What there is, read beside the proofs once everything is made: nothing that verify does changes it."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1)
        self.account: Future[dict] | None = None
        self.hosts: Future[dict] | None = None

    def on_play(self, name: str) -> None:
        if name == VERIFYING:
            self.account, self.hosts = self.pool.submit(made), self.pool.submit(inventory)


def report(narrator: Narrator, phases: Phases, look: Look) -> None:
    """Print what exists, how long each phase took, and what was real."""
    narrator.say("\n== What there is now")
    counts: dict[str, list[str]] = {}
    account, hosts = look.account, look.hosts
    for resource in account.result()["resources"]:
        counts.setdefault(resource["kind"], []).append(str(resource["id"] or resource["name"]))
    for kind, ids in sorted(counts.items()):
        shown = ", ".join(sorted(ids)[:3]) + (f", … ({len(ids)})" if len(ids) > 3 else "")
        narrator.say(f"  {kind:<22} {shown}")
    narrator.say("\n== Hosts")
    for name, host in sorted(hosts.result()["_meta"]["hostvars"].items()):
        if "mlinfra_pool" in host:
            gpu = f"{host['mlinfra_gpu_count']} x {host['mlinfra_gpu_model']}" if host.get("mlinfra_gpu_count") else "no GPU"
            narrator.say(f"  {name:<10} {host['ansible_host']:<14} {host['mlinfra_instance_type']:<14} {host['mlinfra_zone']:<12} {gpu}")
    narrator.say("\n== Time")
    for name, seconds, nature in phases.rows:
        narrator.say(f"  {seconds:7.1f} s  {name}  [{nature}]")
    seconds = time.monotonic() - phases.begun
    narrator.say(f"  {seconds:7.1f} s  in all, starts and this report included; changed: {'yes' if narrator.changed else 'nothing'}")
    narrator.say(
        "\n== What was real\n"
        "  real       systemd hosts (one per running instance), ssh, apt, the packages of NVIDIA's user space, Docker and its containers,\n"
        "             locked Python environments, MLflow, training and prediction, node_exporter, the plan, every playbook and module\n"
        "  emulated   the AWS API (moto on this machine, mended by sandbox/aws/patches) with the artifacts' bucket; IMDSv2 with the\n"
        "             role's credentials\n"
        "  simulated  GPUs: a PCI tree that shows the type's devices; no kernel module is loaded\n"
        "  AWS contacted: no (fake keys; every endpoint that is not on this machine is refused)\n"
        "  GPU: simulated, driver behaviour not proven\n"
        f"\nNext: {REPORT} is the summary of the proof as JSON;\n"
        f"`scripts/run python -m sandbox run --name {NAME} -- ansible -i {INVENTORY} mlinfra_hosts -m ping` reaches the hosts;\n"
        f"{server(hosts.result())}"
        "`make demo` again finds nothing to change; `make demo-down` removes all of it."
    )


def up(narrator: Narrator) -> None:
    phases = Phases()
    step(narrator, phases, "Sandbox up", "real", [sys.executable, "-m", "sandbox", "up", "--name", NAME])
    make_key()
    os.environ["MLINFRA_SSH_KEY"] = str(KEY)
    step(narrator, phases, "Plan, before anything is written", "emulated AWS", playbook("plan"))
    look = Look()
    narrator.on_play = look.on_play
    site = playbook("site", "-e", f"mlinfra_verify_report={REPORT}")
    step(narrator, phases, "Site: provision, reach, configure, verify", "real hosts, emulated AWS", site)
    report(narrator, phases, look)


def down(narrator: Narrator) -> None:
    """Destroy the stack through the collection when the emulator still answers, then end the sandbox."""
    status = subprocess.run(
        [sys.executable, "-m", "sandbox", "status", "--name", NAME, "--json"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    phases = Phases()
    if status.returncode == 0 and json.loads(status.stdout).get("up"):
        os.environ["MLINFRA_SSH_KEY"] = str(KEY)
        command = playbook("destroy", "-e", f"aws_stack_confirm={STACK}-{ENVIRONMENT}", "-e", f"aws_stack_force={','.join(FILLED)}")
        narrator.headline("Destroy the stack", "emulated AWS", command)
        if run_narrated(command, narrator, cwd=CHECKOUT).returncode:
            narrator.say("The stack could not be destroyed through the API; it goes with the sandbox.")
    step(narrator, phases, "Sandbox down", "real", [sys.executable, "-m", "sandbox", "down", "--name", NAME])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--down", action="store_true", help="destroy the stack and end the sandbox")
    arguments = parser.parse_args()
    if os.geteuid():
        sys.exit("make demo starts systemd hosts and needs root on this machine. Next: run it as root; `make check` runs without.")
    end_with_parent()  # a killed make takes the demo along, else the next one meets a stack that is locked
    narrator = Narrator()
    down(narrator) if arguments.down else up(narrator)


if __name__ == "__main__":
    main()
