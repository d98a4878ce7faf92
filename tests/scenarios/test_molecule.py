# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every molecule scenario, from create to destroy. molecule ends well when it found no scenario or no host, so that is looked at, too."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from bench.callbacks import remote_tasks
from bench.configure import MOST_TASKS
from scripts import tree

SEQUENCE = ["create", "check", "converge", "idempotence", "verify", "destroy"]
# Those that take longest begin first, or the end of the run would wait for one of them. Only the order hangs on this list.
LONG = (
    "nvidia_dkms", "nvidia_upgrade", "upgrade", "nvidia_driver", "container_runtime", "mlflow_server", "host_baseline", "default", "efa",
    "instance_store",
)  # fmt: skip
# The roles that configure sets up on hosts. Each has a scenario of its name, where what goes to an unchanged host is counted.
HOST_ROLES = tree.load(tree.CHECKOUT / "playbooks" / "vars" / "roles.yml")["_mlinfra_roles"]
SCENARIOS = sorted(tree.scenarios(), key=lambda name: (LONG.index(name) if name in LONG else len(LONG), name))


def test_there_are_scenarios():
    assert {"default", *HOST_ROLES} <= set(tree.scenarios())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario, sandbox, tmp_path):
    counted = tmp_path / "remote_tasks.jsonl"
    environment = {
        **os.environ,
        remote_tasks.VARIABLE: str(counted),
        "MLINFRA_SANDBOX": sandbox,
        "MOLECULE_GLOB": str(tree.CHECKOUT / "molecule" / "*" / "molecule.yml"),
        "ANSIBLE_FORCE_COLOR": "0",
        "NO_COLOR": "1",
    }
    command = ["molecule", "test", "--scenario-name", scenario]
    try:
        done = subprocess.run(
            command,
            cwd=tree.CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except KeyboardInterrupt:
        subprocess.run(["molecule", "destroy", "--scenario-name", scenario], cwd=tree.CHECKOUT, env=environment, check=False)
        raise
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-12000:]
    ran = [step for step in SEQUENCE if re.search(rf"{scenario} (?:➜|>) {step}\b", done.stdout)]
    assert ran == SEQUENCE, f"scenario {scenario} ran {ran} only\n{done.stdout[-4000:]}"
    converged = re.findall(r"^(\S+)\s+: ok=[1-9]", done.stdout, re.M)
    assert set(converged) - {"localhost"}, f"scenario {scenario} reached no host\n{done.stdout[-4000:]}"
    if scenario in HOST_ROLES:
        # check, converge, idempotence: the last one changed nothing
        runs = [run for run in map(json.loads, counted.read_text().splitlines()) if run["playbook"] == "converge.yml"]
        count = remote_tasks.most(runs[-1:]).get(scenario, 0)
        assert len(runs) == 3 and 0 < count <= MOST_TASKS, (
            f"role {scenario} sends {count} tasks to a host that is as it shall be, at most {MOST_TASKS} may be: {runs[-1:]}"
        )
