# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that runs in the sandbox's environment leaves this machine or uses the user's keys, whatever is configured for AWS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.aws.isolation import FAKE_KEY

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("aws_isolation_script.py")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="a network namespace needs root and unshare")
def test_real_looking_credentials_stay_unused_and_nothing_leaves(tmp_path: Path) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MLINFRA_"))}
    done = subprocess.run(
        ["unshare", "--net", sys.executable, str(SCRIPT), str(tmp_path)],
        cwd=CHECKOUT, env=plain | {"PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["failures"] == ""
    assert report["left"] == 0
    assert set(report["keys"]) == {FAKE_KEY}
    assert {"s3:PutObject", "sts:GetCallerIdentity", "ec2:RunInstances", "iam:CreateRole"} <= set(report["calls"])
    # The same program without the sandbox's environment is caught, so the trap would have shown a leak.
    assert report["control failed"]
    assert report["left without"] > 0
