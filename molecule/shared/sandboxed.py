# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenarios need of the sandbox: that it is up, how a program sees it, and a key for its hosts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# The folder of this collection's checkout: `sandbox` is imported from there, whatever the current folder.
CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

from sandbox import daemon, environment  # noqa: E402
from sandbox.paths import checked_name, state_dir  # noqa: E402

NAME = checked_name(os.environ.get("MLINFRA_SANDBOX") or "test")
STATE = state_dir(NAME)
KEY = STATE / "molecule" / "id_ed25519"


def is_up() -> bool:
    number = daemon.port(STATE)
    return number is not None and daemon.answers(number)


def _sandbox(command: str) -> None:
    subprocess.run([sys.executable, "-m", "sandbox", command, "--name", NAME], cwd=CHECKOUT, check=True)


def up() -> None:
    _sandbox("up")


def down() -> None:
    _sandbox("down")


def marker() -> Path:
    """There while this scenario's `create` is who brought the sandbox up."""
    return Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "brought-the-sandbox-up"


def make_key() -> None:
    """The hosts' ssh key, once; it lives and dies with the sandbox's state."""
    KEY.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not KEY.with_suffix(".pub").exists():
        KEY.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mlinfra-molecule", "-f", str(KEY)], check=True)


def environment_of(now: Mapping[str, str]) -> dict[str, str]:
    """`now` as a program in the sandbox has it: fake keys, the emulator's endpoint, the hosts' key; this folder's programs not in PATH."""
    make_key()
    own = str(Path(__file__).resolve().parent / "bin")
    port = daemon.port(STATE)
    assert port is not None, f"sandbox {NAME} is not up"
    child = {**now, **environment.child(NAME, STATE, port)}
    for gone in environment.unwanted(now, child):
        child.pop(gone, None)
    child["PATH"] = os.pathsep.join(part for part in child["PATH"].split(os.pathsep) if part != own)
    return {**child, "MLINFRA_SSH_KEY": str(KEY), "MLINFRA_KNOWN_HOSTS": str(KEY.with_name("known_hosts"))}
