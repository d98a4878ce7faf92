# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every molecule scenario, on one sandbox: it succeeds, it saw hosts, and its output has no warning."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import daemon
from sandbox.paths import state_dir

CHECKOUT = Path(__file__).resolve().parents[2]
LOGS = CHECKOUT / ".build" / "test"
SCENARIOS = sorted(path.parent.name for path in CHECKOUT.glob("molecule/*/molecule.yml"))
NAME = os.environ.get("MLINFRA_SANDBOX") or "test"


def sandbox(command: str) -> None:
    subprocess.run([sys.executable, "-m", "sandbox", command, "--name", NAME], cwd=CHECKOUT, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def one_sandbox():
    """Up for all scenarios, so that none brings up its own; down again unless it was up before."""
    if os.getuid() != 0:
        pytest.skip("real hosts are started, which needs root")
    before = daemon.port(state_dir(NAME)) is not None
    sandbox("up")
    yield NAME
    if not before:
        sandbox("down")


def test_there_are_scenarios():
    assert {"default", "node_exporter"} <= set(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(one_sandbox, scenario):
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"molecule-{scenario}.log"
    environment = {
        **os.environ, "MLINFRA_SANDBOX": one_sandbox, "MOLECULE_COMMAND_BORDERS": "false", "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0", "MOLECULE_GLOB": "molecule/*/molecule.yml",
    }  # fmt: skip
    for command in (["molecule", "reset", "--scenario-name", scenario], ["molecule", "test", "--scenario-name", scenario]):
        with open(log, "w") as out:
            done = subprocess.run(command, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=False)
        text = log.read_text(errors="replace")
        assert done.returncode == 0, f"{' '.join(command)} exited {done.returncode}; {log} ends with\n{text[-12000:]}"
    assert re.search(r"verified on [1-9]\d* hosts", text), f"the verify step saw no host, see {log}"
    said = [line for line in text.splitlines() if re.search(r"\[WARNING\]|\[DEPRECATION|DeprecationWarning", line)]
    assert not said, said
