# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked, how often, and that no refusal of a read reaches the run."""

from __future__ import annotations

import types

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import retry
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits import Allowed, Key, Unknown
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.limits_reading import Asked, read

ROLE = "arn:aws:iam::123456789012:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"


def asked(**more):
    return Asked(**{"pools": frozenset({"train"}), "types": ("g5.xlarge",), "markets": ("on_demand",), **more})


def error(code):
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "Any")


class Aws:
    """Any client: answers by operation, an exception where that is the answer; remembers what was called."""

    def __init__(self, **answers):
        self.called = []
        self.answers = {"describe_instances": {"Reservations": []}, "describe_instance_types": {"InstanceTypes": []}, **answers}

    def __call__(self, _service):
        return self

    def get_paginator(self, operation):
        def paginate(**params):
            answer = getattr(self, operation)(**params)
            return types.SimpleNamespace(search=lambda expression: answer[expression[:-2]])

        return types.SimpleNamespace(paginate=paginate)

    def __getattr__(self, operation):
        def call(**params):
            self.called.append(operation)
            answer = self.answers.get(operation)
            if isinstance(answer, Exception):
                raise answer
            return answer(params) if callable(answer) else answer

        return call


def test_what_is_asked():
    assert asked().codes == [("ec2", "L-DB2E81BA")] and asked().services == ["service-quotas"]
    both = asked(markets=("on_demand", "reservation", "spot"), gp3=True, keys=("alias/a",))
    assert both.codes == [("ec2", "L-DB2E81BA"), ("ec2", "L-3819A6DF"), ("ebs", "L-7A658B76")]
    assert both.services == ["service-quotas", "iam", "kms"]
    prepaid = asked(markets=("reservation",))
    assert prepaid.codes == [] and prepaid.services == []
    aws = Aws()
    read(aws, prepaid, "us-east-1", ROLE)
    assert aws.called == ["describe_instance_types"]


def test_a_quota_without_a_value_of_its_own():
    aws = Aws(get_service_quota=error("NoSuchResourceException"), get_aws_default_service_quota={"Quota": {"Value": 5.0}})
    assert read(aws, asked(), "us-east-1", ROLE).quotas == {"L-DB2E81BA": Allowed(5.0, default=True)}


@pytest.mark.parametrize(
    "failure", [error("AccessDeniedException"), error("InternalFailure"), ReadTimeoutError(endpoint_url="x"), KeyError("x")]
)
def test_no_failure_of_a_read_is_the_runs(failure):
    operations = ("describe_instances", "describe_instance_types", "get_service_quota", "get_role", "describe_key", "describe_route_tables")
    aws = Aws(**dict.fromkeys(operations, failure))
    found = read(aws, asked(markets=("spot",), gp3=True, keys=("alias/a",), vpc="vpc-1"), "us-east-1", ROLE)
    parts = [found.types, found.used, *found.quotas.values(), found.spot_role, *found.keys.values(), found.route_tables]
    assert len(parts) == 7 and all(isinstance(part, Unknown) for part in parts)


def test_more_instances_than_a_page():
    quota = {"Quota": {"Value": 5.0}}
    found = read(Aws(describe_instances={"Reservations": [], "NextToken": "x"}, get_service_quota=quota), asked(), "us-east-1", ROLE)
    assert found.used == Unknown("more than 1000 instances run")


def key_read(**answers):
    metadata = {"KeyMetadata": {"Arn": "arn:aws:kms:us-east-1:123456789012:key/1", "KeyState": "Enabled", "KeyManager": "CUSTOMER"}}
    aws = Aws(**{"describe_key": metadata, "get_service_quota": {"Quota": {"Value": 1}}, "get_role": {}, **answers})
    return read(aws, asked(markets=("spot",), keys=("alias/a",)), "us-east-1", ROLE).keys["alias/a"], aws.called


def test_a_key_that_is_not_there_and_one_of_aws():
    assert key_read(describe_key=error("NotFoundException"))[0] == Key("")
    found, called = key_read(describe_key={"KeyMetadata": {"Arn": "a", "KeyState": "Enabled", "KeyManager": "AWS"}})
    assert not found.customer and found.spot is None and "list_grants" not in called


def test_whether_spot_may_use_a_key():
    grant = {"GranteePrincipal": ROLE, "Operations": ["CreateGrant", "Decrypt", "GenerateDataKeyWithoutPlaintext"]}
    found, called = key_read(list_grants={"Grants": [grant]})
    assert found.spot is True and "get_key_policy" not in called
    nothing = {"get_key_policy": {"Policy": "{}"}}
    assert key_read(list_grants={"Grants": []}, **nothing)[0].spot is False
    assert isinstance(key_read(list_grants={"Grants": [], "Truncated": True}, **nothing)[0].spot, Unknown)
    assert isinstance(key_read(list_grants=error("AccessDeniedException"), **nothing)[0].spot, Unknown)
    assert isinstance(key_read(list_grants={"Grants": []}, get_key_policy=error("AccessDeniedException"))[0].spot, Unknown)


def test_reads_that_only_inform_are_not_waited_for():
    timeout = ReadTimeoutError(endpoint_url="x")
    assert retry.delay("GetServiceQuota", 1, "", 0, timeout) is None and retry.delay("DescribeVpcs", 1, "", 0, timeout) is not None
    assert retry.delay("GetServiceQuota", 1, "TooManyRequestsException", 400, None) is not None
    assert retry.delay("GetServiceQuota", 3, "TooManyRequestsException", 400, None) is None
