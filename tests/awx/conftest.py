# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for AWX: the example project, the artifact as its only collection, jobs and inventory updates the way AWX starts them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sandbox import daemon
from sandbox.paths import state_dir
from scripts import tree

SANDBOX = "awx"
PROJECT = tree.CHECKOUT / "examples" / "awx-project"
# What AWX sets for every job, and what its Amazon Web Services credential injects (keys of nobody).
JOB_ENVIRONMENT = {
    "ANSIBLE_FORCE_COLOR": "False",
    "ANSIBLE_HOST_KEY_CHECKING": "False",
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
    "ANSIBLE_RETRY_FILES_ENABLED": "False",
    "AWX_HOST": "https://awx.example.org",
    "JOB_ID": "1",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    "AWS_EC2_METADATA_DISABLED": "true",
}
# A bind mount in a mount namespace of its own: root could write through mere file modes.
READ_ONLY = 'mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


@dataclass
class Job:
    """How a job ended. `stats` maps host → counters, `artifacts` is what set_stats handed on."""

    code: int
    output: str
    stats: dict[str, dict[str, int]] = field(default_factory=dict)
    artifacts: dict = field(default_factory=dict)

    def count(self, counter: str) -> int:
        return sum(self.stats.get(counter, {}).values())


class Awx:
    """Runs jobs from the example project, in folders of this object alone."""

    def __init__(self, folder: Path, collections: Path, endpoint: str) -> None:
        self.folder, self.jobs = folder, 0
        self.project, self.home, self.inventory = folder / "project", folder / "home", folder / "hosts"
        shutil.copytree(PROJECT, self.project)
        # The sandbox's hosts live at their private addresses; a public one is the emulator's invention, and somebody's.
        with (self.project / "inventory" / "ec2_gpu.yml").open("a") as source:
            source.write("address: private\n")
        self.home.mkdir()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "awx", "-f", str(folder / "key")], check=True)
        self.environment = {
            **JOB_ENVIRONMENT,
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "AWS_ENDPOINT_URL": endpoint,
            "MLINFRA_LOCAL_ONLY": "1",
            "MLINFRA_KNOWN_HOSTS": str(folder / "known_hosts"),
        }

    @property
    def public_key(self) -> str:
        return (self.folder / "key.pub").read_text().strip()

    def _process(self, *command: str) -> subprocess.CompletedProcess:
        """The command with a read-only project, an empty HOME, and nothing of this process' environment but PATH."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        wrapped = ["unshare", "--mount", "sh", "-c", READ_ONLY, str(self.project), *command]
        return subprocess.run(wrapped, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def update_inventory(self) -> dict:
        """An inventory update: ansible-inventory over the source, kept as the script that jobs get."""
        exported = [f"{name}={value}" for name, value in self.environment.items()]
        command = ["env", *exported, "ansible-inventory", "-i", str(self.project / "inventory"), "--list", "--export"]
        done = self._process(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "WARNING" not in done.stderr, done.stderr
        self.inventory.write_text(f"#!{sys.executable}\nprint({done.stdout!r})\n")
        self.inventory.chmod(0o700)
        return json.loads(done.stdout)

    def job(self, template: str, answers: dict, ssh: bool = False) -> Job:
        """A job of the template's playbook. `answers` are extra variables: a survey's, or an earlier node's artifacts."""
        self.jobs += 1
        private = self.folder / f"job{self.jobs}"
        (private / "env").mkdir(parents=True)
        (private / "inventory").mkdir()
        (private / "project").symlink_to(self.project)
        shutil.copy2(self.inventory, private / "inventory" / "hosts")
        (private / "env" / "envvars").write_text(json.dumps(self.environment))
        (private / "env" / "extravars").write_text(json.dumps({"awx_job_id": self.jobs, **answers}))
        if ssh:
            (private / "env" / "ssh_key").write_text((self.folder / "key").read_text())
            (private / "env" / "ssh_key").chmod(0o600)
        done = self._process("ansible-runner", "run", str(private), "-p", f"{template}.yml", "--ident", "job")
        stats: dict = {}
        for event in (private / "artifacts" / "job" / "job_events").glob("*.json"):
            content = json.loads(event.read_text())
            if content["event"] == "playbook_on_stats":
                stats = content["event_data"]
        counters = {name: stats[name] for name in ("changed", "failures", "ok", "dark") if name in stats}
        return Job(done.returncode, done.stdout + done.stderr, counters, stats.get("artifact_data", {}))


@pytest.fixture(scope="module")
def awx():
    """AWX before its first inventory update, over an account without anything."""
    sandbox = [sys.executable, "-m", "sandbox"]
    subprocess.run([*sandbox, "down", "--name", SANDBOX], check=True, cwd=tree.CHECKOUT)
    subprocess.run([*sandbox, "up", "--name", SANDBOX], check=True, cwd=tree.CHECKOUT)
    # Short: ssh's control sockets live below HOME, and a socket's path has 108 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="awx-"))
    try:
        subprocess.run(["ansible-galaxy", "collection", "build", "--output-path", folder, tree.CHECKOUT], check=True, capture_output=True)
        (artifact,) = folder.glob("*.tar.gz")
        install = ["ansible-galaxy", "collection", "install", "--offline", "-p", folder / "requirements_collections", artifact]
        subprocess.run(install, check=True, capture_output=True, env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(folder / "none")})
        yield Awx(folder, folder / "requirements_collections", f"http://127.0.0.1:{daemon.port(state_dir(SANDBOX))}")
    finally:
        subprocess.run([*sandbox, "down", "--name", SANDBOX], check=True, cwd=tree.CHECKOUT)
        shutil.rmtree(folder, ignore_errors=True)
