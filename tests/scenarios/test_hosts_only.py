# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""inventories/hosts-only on two machines that are reached over ssh, from an environment that has ansible-core and nothing of AWS."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from scripts import tree

STACK = {
    "aws_stack_name": "hosts",
    "aws_stack_environment": "only",
    "aws_stack_account_id": "123456789012",
    "aws_stack_region": "us-east-1",
    "aws_stack_network": {"cidr": "10.69.0.0/16", "zone_count": 1, "access": {"via": "direct", "cidrs": ["10.69.0.0/16"]}},
    "aws_stack_pools": [
        {"name": suite, "count": 1, "instance_types": ["t3.large"], "image": {"ssm": f"/aws/service/debian/release/{number}/latest/amd64"}}
        for suite, number in (("bookworm", 12), ("trixie", 13))
    ],
}
PLUGIN = {"plugin": "mlinfra.hosts.ec2_gpu", "regions": ["us-east-1"], "stack": "hosts", "environment": "only", "address": "private"}
CONTROLLER = {"localhost": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}


def _scripts_env():
    """scripts/env as a module: how this machine's Python packages are to be had."""
    loader = importlib.machinery.SourceFileLoader("scripts_env", str(tree.CHECKOUT / "scripts" / "env"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("scripts_env", loader))
    sys.modules["scripts_env"] = module  # its dataclasses look themselves up there
    loader.exec_module(module)
    return module


@dataclass
class Controller:
    """A machine with ansible-core alone: no HOME but its own, no variable of AWS, no collection but this one."""

    folder: Path
    key: Path

    def make(self) -> None:
        env = _scripts_env()
        uv = env.uv(env.cache_folder(), sys.executable)
        settings = env.uv_environment(env.cache_folder(), env.pip_options(uv.with_name("python")))
        pins = tree.CHECKOUT / "requirements" / env.PINS[f"{sys.version_info.major}.{sys.version_info.minor}"]
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, self.folder / "core"], env=settings, check=True)
        target = ["--python", self.folder / "core" / "bin" / "python", "--constraint", pins, "ansible-core"]
        subprocess.run([uv, "pip", "install", "--quiet", *target], env=settings, check=True)
        namespace = self.folder / "collections" / "ansible_collections" / "mlinfra"
        namespace.mkdir(parents=True)
        (namespace / "hosts").symlink_to(tree.CHECKOUT)
        (self.folder / "home").mkdir()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.folder}/core/bin:/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_SSH_COMMON_ARGS": f"-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={self.folder}/known_hosts",
        }

    def run(self, *command: str | Path) -> subprocess.CompletedProcess:
        return subprocess.run(
            command, env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def play(self, name: str, inventory: Path, *arguments: str, code: int = 0) -> str:
        done = self.run("ansible-playbook", "-i", inventory, f"mlinfra.hosts.{name}", *arguments)
        assert done.returncode == code, f"{name} ended with {done.returncode}\n{done.stdout[-9000:]}{done.stderr[-3000:]}"
        assert not re.search(r"\[(DEPRECATION )?WARNING\]", done.stdout + done.stderr), done.stdout + done.stderr
        return done.stdout

    def on(self, host: str, inventory: Path, command: str) -> str:
        done = self.run("ansible", "-i", inventory, host, "--become", "-m", "ansible.builtin.shell", "-a", command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def changed(output: str) -> dict[str, int]:
    return {name: int(count) for name, count in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", output, re.M) if name != "localhost"}


@pytest.fixture
def machines(inside, run_inside):
    """([address of a bookworm, of a trixie], ssh key): bare machines that were made with the collection, and go with their stack."""
    folder = Path(tempfile.mkdtemp(prefix="hosts-"))
    key = Path(inside["MLINFRA_SSH_KEY"])
    stack = {**STACK, "aws_stack_key": {"public_key_file": f"{key}.pub"}}
    (folder / "ec2_gpu.yml").write_text(yaml.safe_dump(PLUGIN))
    (folder / "controller.yml").write_text(yaml.safe_dump({"mlinfra_controller": {"hosts": CONTROLLER}}))
    (folder / "group_vars").mkdir()
    (folder / "group_vars" / "all.yml").write_text(yaml.safe_dump(stack))
    destroy = ("ansible-playbook", "-i", str(folder), "mlinfra.hosts.destroy", "-e", "aws_stack_confirm=hosts-only")
    run_inside(*destroy)
    try:
        for name in ("provision", "reachable"):
            run_inside("ansible-playbook", "-i", str(folder), f"mlinfra.hosts.{name}")
        listed = json.loads(run_inside("ansible-inventory", "-i", str(folder), "--list"))["_meta"]["hostvars"]
        yield [listed[f"{pool}-0"]["ansible_host"] for pool in ("bookworm", "trixie")], key
    finally:
        run_inside(*destroy)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def controller(machines):
    folder = Path(tempfile.mkdtemp(prefix="core-"))  # short: a control socket's path has 108 bytes at most
    try:
        made = Controller(folder, machines[1])
        made.make()
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def inventory_of(folder: Path, addresses: list[str], key: Path, name: str = "own", mlflow: bool = True) -> Path:
    """inventories/hosts-only as a user fills it in: addresses instead of the example's names, user and key."""
    copy = folder / name
    shutil.copytree(tree.CHECKOUT / "inventories" / "hosts-only", copy)
    hosts = copy / "hosts.yml"
    text = hosts.read_text()
    for number, address in enumerate(addresses, 1):
        text = text.replace(f"gpu{number}.example.org", address)
    lines = [line for line in text.splitlines() if "example.org" not in line and (mlflow or "mlinfra_mlflow:" not in line)]
    hosts.write_text("\n".join(lines) + "\n")
    variables = copy / "group_vars" / "mlinfra_hosts.yml"
    text = variables.read_text().replace("# ansible_user: admin", "ansible_user: admin")
    variables.write_text(re.sub(r"# (ansible_ssh_private_key_file:).*", rf"\1 {key}", text))
    return copy


def test_two_machines_without_aws(machines, controller):
    (server, other), key = machines
    look = "import importlib.util as u; print([n for n in ('boto3', 'botocore', 'ansible_collections') if u.find_spec(n)])"
    assert controller.run(controller.folder / "core" / "bin" / "python", "-c", look).stdout.strip() == "[]"
    assert [path.name for path in (controller.folder / "collections" / "ansible_collections").iterdir()] == ["mlinfra"]
    assert not [name for name in controller.environment if name.startswith("AWS")]
    inventory = inventory_of(controller.folder, [server, other], key)

    foretold = controller.play("configure", inventory, "--check")
    assert min(changed(foretold).values()) > 0 and set(changed(foretold)) == {server, other}, foretold
    assert min(changed(controller.play("configure", inventory)).values()) > 0
    again = controller.play("configure", inventory)
    assert changed(again) == {server: 0, other: 0}, again

    report = controller.folder / "verify.json"
    wish = ("-e", f"mlinfra_verify_report={report}", "-e", "mlflow_server_start_timeout=20")
    shown = controller.play("verify", inventory, *wish)
    told = json.loads(report.read_text())
    assert "2 hosts: all that is there is proven" in shown and told["proven"] and changed(shown) == {server: 0, other: 0}
    training = told["training"]
    assert (training["train_host"], training["predict_host"], training["separate_hosts"]) == (other, server, True)
    assert training["metrics"]["accuracy"] > 0.9 and re.fullmatch("[0-9a-f]{32}", training["run_id"])
    assert told["hosts"][other]["mlflow_server"]["state"] == "not there"
    assert {host["nvidia_driver"]["state"] for host in told["hosts"].values()} == {"not there"}
    assert training["artifacts"].startswith("/var/lib/mlflow/artifacts/")
    assert "MLmodel" in controller.on(server, inventory, f"ls {training['artifacts']}")

    alone = inventory_of(controller.folder, [server], key, name="alone")
    controller.play("verify", alone, *wish)
    told = json.loads(report.read_text())
    assert told["training"]["state"] == "proven" and told["training"]["separate_hosts"] is False
    assert "the same host, in another process" in told["training"]["detail"]

    without = inventory_of(controller.folder, [server, other], key, name="without", mlflow=False)
    assert "training: not there (no host in group mlinfra_mlflow)" in controller.play("verify", without, *wish)
    assert json.loads(report.read_text())["training"]["state"] == "not there"

    # one host more, which is down: told with the others' proofs, and when it is MLflow's, said to those that need it
    gone = inventory_of(controller.folder, [server, other], key, name="gone")
    hosts = yaml.safe_load((gone / "hosts.yml").read_text())
    hosts["mlinfra_hosts"]["hosts"]["down"] = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    (gone / "hosts.yml").write_text(yaml.safe_dump(hosts))
    shown = controller.play("verify", gone, *wish, code=4)  # ansible-playbook's code for a host that is unreachable
    told = json.loads(report.read_text())
    assert "3 hosts: 1 problem" in shown and told["problems"] == ["down does not answer any more; see what ansible said of it above."]
    assert told["training"]["state"] == "proven" and told["hosts"][other]["node_exporter"]["state"] == "proven"
    hosts["mlinfra_mlflow"] = {"hosts": {"down": None}}
    (gone / "hosts.yml").write_text(yaml.safe_dump(hosts))
    shown = controller.play("configure", gone, "--limit", other, code=2)
    assert "down does not answer: its account for jobs cannot be read" in shown and re.search(rf"{other}\s.*failed=1", shown)

    # a wrong value is refused before the first role
    shown = controller.play("configure", inventory, "-e", "mlflow_server_port=abc", code=2)
    assert "mlflow_server_port" in shown and "host_baseline" not in shown

    controller.on(server, inventory, "systemctl stop mlflow")
    controller.on(other, inventory, "mv /opt/mlinfra/envs/training /opt/mlinfra/envs/away")
    shown = controller.play("verify", inventory, *wish, code=2)
    told = json.loads(report.read_text())
    assert not told["proven"] and "Traceback" not in shown
    problems = "\n".join(told["problems"])
    assert f"{server}, mlflow_server: " in problems and f"{other}, python_env: " in problems and "training_proof: " in problems
    assert told["hosts"][other]["node_exporter"]["state"] == "proven", "what works is still told"

    part = controller.play("verify", inventory, *wish, "--limit", other, code=2)
    assert "1 host: " in part and list(json.loads(report.read_text())["hosts"]) == [other], "localhost is not among the limited hosts"
