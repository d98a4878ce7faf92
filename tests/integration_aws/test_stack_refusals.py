# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Situations that end a run before any write, with one message that names the value and the next step; locks; two runs at once."""

from __future__ import annotations

import json
import threading
import time

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from tests.integration_aws.pools import BOOKWORM

LOCK = "/mlinfra/vision/dev/lock"
NOTHING = dict.fromkeys(("network", "key", "buckets", "repositories", "identity", "pools"))
NETWORK = {"cidr": "10.42.0.0/16", "zone_count": 1, "access": {"cidrs": ["192.0.2.0/24"]}}
POOL = {"name": "train", "count": 1, "instance_types": ["g5.xlarge"], "image": BOOKWORM}
KEY = {"public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1rWJ1n1u0Q2n0cVqkL0l3yZcM0aXH6o5GvC3y8yZ1a someone"}
BUCKET = {**NOTHING, "buckets": [{"name": "data"}]}


def _refused(lab, **sections) -> StackError:
    with pytest.raises(StackError) as caught:
        lab.run(**sections)
    return caught.value


def test_wrong_account_is_the_first_and_only_question(lab):
    error = _refused(lab, account_id="210987654321")
    assert error.message.startswith("account_id is 210987654321: the credentials are for 123456789012 (arn:aws:")
    assert lab.calls() == {"sts:GetCallerIdentity": 1}


def test_no_credentials(lab, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    lab.options = {"aws_access_key_id": None, "aws_secret_access_key": None}
    assert "there are no usable AWS credentials" in _refused(lab).message
    assert lab.calls() == {}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ExpiredToken", "the AWS credentials have expired"),
        ("InvalidClientTokenId", "AWS does not know these credentials"),
        ("SignatureDoesNotMatch", "the secret key does not belong to the access key"),
    ],
)
def test_credentials_that_do_not_work(lab, code, message):
    lab.aws.fault(service="sts", action="GetCallerIdentity", code=code, status=403)
    error = _refused(lab)
    assert error.message.startswith(message) and error.code == code
    assert lab.calls() == {"sts:GetCallerIdentity": 1}


def test_endpoint_that_is_down(lab):
    lab.options = {"endpoint_url": "http://127.0.0.1:9"}
    error = _refused(lab)
    assert error.message.startswith('no answer from AWS: Could not connect to the endpoint URL: "http://127.0.0.1:9/"')


def test_an_endpoint_elsewhere_is_refused_in_the_sandbox(lab):
    lab.options = {"endpoint_url": "http://192.0.2.1:80"}
    assert "the sts endpoint http://192.0.2.1:80 is not on this machine: nothing was sent" in _refused(lab).message
    lab.options = {"endpoint_url": None}
    assert "sts.us-east-1.amazonaws.com is not on this machine" in _refused(lab).message


def test_a_region_that_does_not_exist(lab, writes):
    lab.options = {"region": "us-eest-1"}
    error = _refused(lab, region="us-eest-1")
    assert error.message.startswith("region is us-eest-1: AWS has no such region. Did you mean us-")
    assert writes(lab.calls()) == {}


def test_what_a_launch_needs_and_is_not_there(lab, writes):
    cases = {
        "pools.train.image.id is ami-0123456789abcdef0: us-east-1 has no such image": {"image": {"id": "ami-0123456789abcdef0"}},
        "pools.train.image.ssm is /no/such: us-east-1 has no such parameter": {"image": {"ssm": "/no/such"}},
        "pools.train.image.name is nothing-*: owner 136693071363 has no such image": {
            "image": {"owner": "136693071363", "name": "nothing-*"}
        },
        "pools.train.disk.gib is 4: image ami-": {"disk": {"gib": 4}},
        "pools.train wants x9.nano: not offered in us-east-1a": {"instance_types": ["x9.nano"]},
        "pools.train.zones has us-east-1f: the network has subnets in us-east-1a": {"zones": ["us-east-1f"]},
    }
    for message, wrong in cases.items():
        for check in (True, False):
            with pytest.raises(StackError) as caught:
                lab.run(check, **{**NOTHING, "network": NETWORK, "key": KEY, "pools": [{**POOL, **wrong}]})
            assert message in caught.value.message, caught.value.message
    network = {"cidr": "10.42.0.0/16", "zone_count": 8, "access": {"cidrs": ["192.0.2.0/24"]}}
    assert "network.zone_count is 8: us-east-1 has 6 zones for this account" in _refused(lab, **{**NOTHING, "network": network}).message
    named = {"cidr": "10.42.0.0/16", "zone_names": ["us-east-1z"], "access": {"cidrs": ["192.0.2.0/24"]}}
    assert "network.zone_names has us-east-1z: us-east-1 has us-east-1a" in _refused(lab, **{**NOTHING, "network": named}).message
    assert writes(lab.calls()) == {}


@pytest.mark.parametrize(
    ("call", "code", "action"),
    [
        ("ec2:DescribeVpcs", "UnauthorizedOperation", "ec2:DescribeVpcs"),
        ("s3:GetBucketLifecycleConfiguration", "AccessDenied", "s3:GetLifecycleConfiguration"),
        ("iam:GetRole", "AccessDenied", "iam:GetRole"),
        ("ec2:RunInstances", "UnauthorizedOperation", "ec2:RunInstances"),
    ],
)
def test_a_right_that_is_missing_is_named(lab, call, code, action):
    service, operation = call.split(":")
    lab.run(**BUCKET)
    lab.aws.fault(service=service, action=operation, code=code, status=403, times=0, message="You are not authorized")
    error = _refused(lab)
    assert f"Grant the IAM action {action}" in error.message and error.details["missing_action"] == action


def test_another_plan_than_expected(lab, writes):
    planned = lab.plan(**BUCKET)
    lab.client("s3").create_bucket(Bucket="vision-dev-data-123456789012")
    lab.calls()
    error = _refused(lab, **BUCKET, expect_plan=planned["plan_id"])
    assert error.message.startswith(f"expect_plan is {planned['plan_id']}: the plan is ") and error.details["plan"]
    assert writes(lab.calls()) == {}


def test_absent_wants_confirm(lab):
    from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import engine
    from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Control, Scope, Stack

    stack = Stack(Scope("123456789012", "us-east-1", "vision", "dev", iam_path="/mlinfra/vision/dev/"))
    with pytest.raises(StackError, match="Set confirm: vision-dev"):
        engine.reconcile(stack, Control(state="absent", confirm="vision"), lab.clients())
    assert lab.calls() == {}


def _lock(lab, expires_in: float) -> None:
    now = time.time()
    value = {"owner": "someone on elsewhere", "run": "x", "since": now - 60, "expires": now + expires_in}
    lab.client("ssm").put_parameter(Name=LOCK, Value=json.dumps(value), Type="String")
    lab.calls()


def test_a_held_lock_names_its_holder(lab, writes):
    _lock(lab, 600)
    error = _refused(lab, **BUCKET)
    assert "the stack vision-dev is locked: someone on elsewhere holds /mlinfra/vision/dev/lock since 20" in error.message
    assert error.details["lock"]["owner"] == "someone on elsewhere"
    assert writes(lab.calls()) == {"ssm:PutParameter": 1}  # which AWS refused
    assert lab.plan(**BUCKET)["changed"]  # reading needs no lock


def test_a_lock_can_be_waited_for_broken_or_expired(lab):
    _lock(lab, 600)
    threading.Timer(1.5, lambda: lab.client("ssm").delete_parameter(Name=LOCK)).start()
    assert lab.run(**BUCKET, lock_timeout=60)["changed"]
    _lock(lab, 600)
    assert lab.run(**{**BUCKET, "tags": {"a": "1"}}, break_lock=True)["changed"]
    _lock(lab, -1)
    assert lab.run(**{**BUCKET, "tags": {"a": "2"}})["changed"]
    with pytest.raises(lab.client("ssm").exceptions.ParameterNotFound):
        lab.client("ssm").get_parameter(Name=LOCK)


def test_of_two_that_take_over_an_expired_lock_one_gets_it(lab):
    from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.lock import Lock
    from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Control, Scope

    _lock(lab, -1)
    scope = Scope("123456789012", "us-east-1", "vision", "dev")
    first, second = (Lock(lab.client("ssm"), scope, Control(), f"run {n}") for n in (1, 2))
    _value, version = first._read()
    assert first._take_over(version) and not second._take_over(version)
    assert first._read()[0]["run"] == first.run


def test_the_lock_is_released_after_a_failure(lab):
    lab.aws.fault(service="s3", action="CreateBucket", code="ValidationError", status=400)
    _refused(lab, **BUCKET)
    assert lab.run(**BUCKET)["changed"]


def test_two_runs_at_once_make_one_stack(lab):
    sections = {**NOTHING, "network": NETWORK, "key": KEY, "pools": [{**POOL, "count": 3}], "buckets": [{"name": "data"}]}
    results, errors = [], []

    def one() -> None:
        try:
            results.append(lab.run(**sections, lock_timeout=120))
        except Exception as error:
            errors.append(error)

    lab.clients().prepare(["sts", "ec2", "s3", "ssm"])
    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(lab.alive()) == 3 and results[0]["outputs"] == results[1]["outputs"]
    filters = [{"Name": "tag:mlinfra:stack", "Values": ["vision"]}]
    assert len(lab.client("ec2").describe_vpcs(Filters=filters)["Vpcs"]) == 1
