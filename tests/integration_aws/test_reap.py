# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook reap and its module ec2_gpu_reap: what has expired goes, and never a stranger's instance."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

import ansible_collections.mlinfra.hosts as collection
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import reap
from tests.integration_aws.pools import BOOKWORM

COLLECTIONS = Path(collection.__path__[0]).parents[2]
ACCOUNT, REGION = "123456789012", "us-east-1"
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def play(lab, tmp_path):
    """``play("--check", aws_stack_account_id=…)`` runs mlinfra.hosts.reap: (exit code, output, result of the module's task)."""

    def run(*options, **variables):
        more = {"HOME": str(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
        given = json.dumps({"aws_stack_account_id": ACCOUNT, "aws_stack_region": REGION, **variables})
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "mlinfra.hosts.reap", "-e", given, *options]
        environment = {**lab.aws.environment(), **more, "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
        assert "WARN" not in done.stderr and "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done.returncode, done.stdout, json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]

    return run


@pytest.fixture
def leased(lab):
    """``leased(market=…)`` runs the stack with one pool of two leased t3.large: their ids."""

    def run(more=None, **options):
        options = {"lease": {"expire": "3h"}, **options}
        pool = {"name": "train", "count": 2, "instance_types": ["t3.large"], "image": BOOKWORM, **options}
        return lab.pools(pool, **(more or {}))["outputs"]["pools"]["train"]["instance_ids"]

    return run


def put(lab, *ids, **tags):
    lab.client("ec2").create_tags(Resources=list(ids), Tags=[{"Key": f"mlinfra:{key}", "Value": value} for key, value in tags.items()])


def look(lab, now=None, stack=None, environment=None, warned=None):
    """What the module finds: id → reason."""
    ec2 = lab.client("ec2")
    found = reap.find(ec2, ACCOUNT, REGION, stack, environment, int(time.time() if now is None else now))
    found = reap.guarded(ec2, found, ([] if warned is None else warned).append)
    return {one.instance_id: one.reason for one in found}


def test_the_playbook_ends_what_is_over_and_nothing_else(lab, leased, play):
    first, second = leased()
    put(lab, first, expires=LONG_AGO)
    code, output, told = play("--check")
    assert code == 0 and [one["instance_id"] for one in told["reaped"]] == [first] and told["changed"]
    assert f"{first}  vision-dev-train  running  {LONG_AGO}  would be terminated" in output and len(lab.alive()) == 2
    code, output, told = play()
    assert code == 0 and [one["instance_id"] for one in told["reaped"]] == [first] and lab.alive() == [second]
    assert [(one["instance_id"], one["reason"]) for one in told["left"]] == [(second, "its lease is not over")]
    code, output, told = play()
    assert code == 0 and not told["changed"] and lab.alive() == [second]
    assert "nothing here has an end" in play(mlinfra_reap_name="nobody")[1]


def test_the_wrong_account_ends_before_anything_else(lab, leased, play):
    first, _second = leased()
    put(lab, first, expires=LONG_AGO)
    code, output, told = play(aws_stack_account_id="210987654321")
    assert code != 0 and "account_id is 210987654321: the credentials are for 123456789012" in told["msg"] and len(lab.alive()) == 2
    code, output, told = play(aws_stack_account_id="12", mlinfra_reap_name="No Such")
    assert code != 0 and "an account id has 12 digits" in told["msg"] and "name is No Such" in told["msg"]


def test_what_people_have_protected_stays(lab, leased):
    first, second = leased()
    put(lab, first, second, expires=LONG_AGO)
    put(lab, first, protect="jane's long run")
    put(lab, second, protect="false")
    assert look(lab) == {first: "it has the tag mlinfra:protect", second: ""}


def test_a_protection_that_cannot_be_read_keeps_nothing_from_its_end(lab, leased):
    class Refusing:
        def __init__(self, real):
            self.real = real

        def __getattr__(self, name):
            return getattr(self.real, name)

        def describe_instance_attribute(self, **_asked):
            raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}, "DescribeInstanceAttribute")

    first, second = leased()
    put(lab, first, second, expires=LONG_AGO)
    lab.client("ec2").modify_instance_attribute(InstanceId=second, DisableApiTermination={"Value": True})
    warned, refusing = [], Refusing(lab.client("ec2"))
    found = reap.guarded(refusing, reap.find(refusing, ACCOUNT, REGION, None, None, int(time.time())), warned.append)
    assert [one.split(":")[0] for one in warned] == sorted([first, second]) and "UnauthorizedOperation" in warned[0]
    ended = {one.instance_id: one.reason for one in reap.terminate(refusing, found)}
    assert ended[first] == "" and "OperationNotPermitted" in ended[second], "EC2 itself keeps what is protected"


@pytest.mark.parametrize("copied", [False, True])
def test_tags_alone_end_nobodys_instance(lab, leased, copied):
    """A stranger's instance with our tags, and with a token that looks like ours at its beginning."""
    first, _second = leased()
    (ours,) = [raw for raw in lab.instances() if raw["InstanceId"] == first]
    theirs = lab.client("ec2").run_instances(
        ImageId=ours["ImageId"], InstanceType="t3.large", SubnetId=ours["SubnetId"], MinCount=1, MaxCount=1,
        **({"ClientToken": ours["ClientToken"][:8] + "0" * 12 + "-" + "1" * 20} if copied else {}),
        TagSpecifications=[{"ResourceType": "instance", "Tags": ours["Tags"]}],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    put(lab, theirs, expires=LONG_AGO)
    assert look(lab)[theirs] == "its tags say that it is a stack's, but it was not launched by it"


def test_an_instance_of_one_stack_is_not_anothers_by_its_tags(lab, leased):
    """One wrong tag: our own instance, told to be of another stack."""
    first, _second = leased()
    put(lab, first, expires=LONG_AGO, stack="speech")
    assert "not launched by it" in look(lab)[first]


@pytest.mark.parametrize("wrong", ["soon", "", "2020-01-01", "1577836800"])
def test_a_moment_that_cannot_be_read_ends_nothing(lab, leased, wrong):
    first, _second = leased()
    put(lab, first, expires=wrong)
    assert "is no moment like" in look(lab)[first]


def test_termination_protection_is_respected_and_keeps_no_other(lab, leased, play):
    first, second = leased(zones=["us-east-1a"])
    put(lab, first, second, expires=LONG_AGO)
    lab.client("ec2").modify_instance_attribute(InstanceId=first, DisableApiTermination={"Value": True})
    _code, _output, told = play()
    assert lab.alive() == [first]
    assert {one["instance_id"]: one["reason"] for one in told["left"]} == {first: "it has termination protection"}


def test_a_lease_that_is_renewed_in_that_moment_is_kept(lab, leased):
    first, second = leased()
    put(lab, first, second, expires=LONG_AGO)
    found = reap.find(lab.client("ec2"), ACCOUNT, REGION, None, None, int(time.time()))
    put(lab, first, expires="2999-01-01T00:00:00Z")
    done = {one.instance_id: one.reason for one in reap.terminate(lab.client("ec2"), found)}
    assert "renewed" in done[first] and done[second] == "" and lab.alive() == [first]


def test_spot_of_a_fleet_is_known_by_the_fleets_token(lab, leased):
    ids = leased(market=["spot"])
    put(lab, *ids, expires=LONG_AGO)
    assert look(lab) == dict.fromkeys(ids, "")


def test_one_stack_of_several(lab, leased):
    ids = leased()
    put(lab, *ids, expires=LONG_AGO)
    assert look(lab, stack="speech") == {} == look(lab, environment="prod")
    assert set(look(lab, stack="vision", environment="dev")) == set(ids)


def test_what_may_not_be_ended_is_said(lab, leased, play):
    first, _second = leased()
    put(lab, first, expires=LONG_AGO)
    lab.aws.fault(service="ec2", action="TerminateInstances", code="UnauthorizedOperation", message="no", status=403, times=0)
    code, _output, told = play()
    assert code != 0 and f"1 of 1 instances could not be ended: {first}" in told["msg"] and "ec2:TerminateInstances" in told["msg"]


def test_one_request_when_nothing_has_expired(lab, leased):
    leased()
    lab.calls()
    assert set(look(lab).values()) == {"its lease is not over"}
    assert lab.calls() == {"ec2:DescribeInstances": 1}
