# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m smoke against an emulated AWS without hosts: how far it goes there, what it removes, and what it sees of the account."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.aws.isolation import ACCOUNT, FAKE_SECRET
from smoke import leftovers

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def aws(emulator):
    emulator.reset()
    emulator.timing(pending=0.1, shutting_down=0.1, stopping=0.1, profile_propagation=0.0)
    return emulator


@pytest.fixture
def begin(aws, tmp_path):
    """Begins a run; its folders are in tmp_path."""

    def begin(account: str = ACCOUNT) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "smoke", "--sandbox", "--runs", str(tmp_path)]
        settings = [f"ACCOUNT={account}", "MAX_USD=2", "YES=1", "IN_CI=1"]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen([*command, *settings], cwd=CHECKOUT, env=aws.environment(), **pipes)

    return begin


def test_another_account_than_the_named_one_is_left_at_once(begin, aws):
    aws.control("POST", "requests/reset")
    said, _nothing = begin("111122223333").communicate(timeout=120)
    assert "account_id is 111122223333: the credentials are for" in said and "Traceback" not in said
    assert aws.requests()["by_action"] == {"sts:GetCallerIdentity": 1}


def test_a_run_that_is_stopped_removes_what_it_made(begin, aws, tmp_path):
    """In the middle of a step, with a whole stack made."""
    child = begin()
    lines = []
    for line in child.stdout:
        lines.append(line)
        if line.startswith("PLAY [Provision the stack]") and "== Provision again\n" in lines:
            reservations = aws.client("ec2").describe_instances()["Reservations"]
            (instance,) = [raw for one in reservations for raw in one["Instances"]]
            child.send_signal(signal.SIGTERM)
    said = "".join(lines)
    assert child.wait(timeout=60) == 1, said
    assert "Traceback" not in said, said[said.find("Traceback") - 1000 :][:5000]  # pytest would cut it off

    (folder,) = tmp_path.glob("smoke-*")
    told = json.loads((folder / "report.json").read_text())
    assert told["verdict"] == "stopped by SIGTERM. Nothing is left in the account"
    assert [(one["name"], one["state"]) for one in told["steps"]] == [
        ("Account and offers", "done"),
        ("Choose zones", "done"),
        ("Plan", "done"),
        ("Nothing of this name is there", "done"),
        ("Provision", "done"),
        ("Provision again", "failed"),
        ("Destroy", "done"),
        ("Nothing is left", "done"),
    ]
    assert (instance["InstanceType"], instance["InstanceLifecycle"]) == ("g4dn.xlarge", "spot")
    assert [(one["instance_type"], one["market"], one["code"]) for one in told["tried"]] == [("g4dn.xlarge", "spot", None)]
    assert told["cost"]["bound"] == 2 and told["cost"]["worst"] <= 2 and 0 < told["cost"]["estimate"] < 0.1
    ended = aws.client("ec2").describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"][0]["Instances"][0]
    assert ended["State"]["Name"] == "terminated"

    kept = {path.name for path in folder.iterdir()}
    assert not kept & {"id_ed25519", "not-yet-removed"}
    reports = (folder / "report.json").read_text() + (folder / "report.md").read_text()
    assert ACCOUNT not in reports and FAKE_SECRET not in reports
    assert "…9012" in reports


def test_what_is_left_is_seen_whoever_left_it(aws):
    """Planted by hand, without the collection: of a kind that is asked for, and of one that only the tag index names."""
    stack, tags = "smoke-planted", [{"Key": leftovers.TAG, "Value": "smoke-planted"}]
    assert leftovers.find(aws.client, stack, "proof") == []
    ec2 = aws.client("ec2")
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    volume = ec2.create_volume(AvailabilityZone=zone, Size=1, TagSpecifications=[{"ResourceType": "volume", "Tags": tags}])["VolumeId"]
    aws.client("s3").create_bucket(Bucket="smoke-planted-bucket")
    aws.client("s3").put_bucket_tagging(Bucket="smoke-planted-bucket", Tagging={"TagSet": tags})
    aws.client("ssm").put_parameter(Name="/mlinfra/smoke-planted/proof/lock", Value="{}", Type="String")

    found = {(left.kind, left.id) for left in leftovers.find(aws.client, stack, "proof")}
    assert found == {("volume", volume), ("s3", "arn:aws:s3:::smoke-planted-bucket"), ("parameter", "/mlinfra/smoke-planted/proof/lock")}
    assert leftovers.find(aws.client, "smoke-other", "proof") == []
