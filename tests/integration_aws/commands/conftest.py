# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user types, against an emulated AWS without hosts. A file of tests says with its ``aws`` fixture which one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ansible_collections.mlinfra.hosts as collection

CHECKOUT = Path(__file__).resolve().parents[3]
COLLECTIONS = Path(collection.__path__[0]).parents[2]
HEAD = "plugin: mlinfra.hosts.ec2_gpu\n"


class Ansible:
    """Runs Ansible's programs with a folder of their own as HOME and inventory."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        # Ansible's defaults, not those of this checkout
        known = {name: value for name, value in environment.items() if not name.startswith(("ANSIBLE_", "MLINFRA_SSH", "MLINFRA_KNOWN"))}
        self.environment = {**known, "HOME": str(folder), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "COLUMNS": "500"}

    def write(self, text: str, name: str = "ec2_gpu.yml") -> Path:
        path = self.folder / "inventory" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, program: str, *arguments: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
        variables = {key: value for key, value in {**self.environment, **environment}.items() if value is not None}
        inventory = [] if "-i" in arguments else ["-i", str(self.folder / "inventory")]
        command = [str(Path(sys.executable).parent / program), *inventory, *arguments]
        return subprocess.run(command, env=variables, cwd=self.folder, capture_output=True, text=True, check=False, timeout=120)

    def list(self, text: str = "", *arguments: str) -> dict:
        """What ``--list`` prints, after it has said nothing else."""
        self.write(HEAD + text)
        answer = self.run("ansible-inventory", "--list", *arguments)
        assert (answer.returncode, answer.stderr) == (0, "")
        return json.loads(answer.stdout)

    def hosts(self, text: str = "", *arguments: str) -> dict:
        return self.list(text, *arguments)["_meta"]["hostvars"]

    def example(self, name: str) -> str:
        """One of the checkout's inventories."""
        return str(CHECKOUT / "inventories" / name)

    def refusal(self, text: str = "", **environment: str | None) -> str:
        """What is said of the plugin's failure."""
        self.write(HEAD + text)
        answer = self.run("ansible-inventory", "--list", **environment)
        assert "Traceback" not in answer.stderr
        return answer.stderr


@pytest.fixture
def ansible(aws, tmp_path) -> Ansible:
    return Ansible(tmp_path, aws.environment())


@pytest.fixture
def key(ansible) -> Path:
    """A key pair where the inventories look for theirs, made for this test."""
    folder = ansible.folder / ".ssh"
    folder.mkdir(mode=0o700)
    for name in ("id_ed25519", "vision-prod"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)], check=True)
    return folder / "id_ed25519"
