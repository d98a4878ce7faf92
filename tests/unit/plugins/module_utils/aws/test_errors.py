# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which errors are repeated, which are ambiguous, and what is said about the rest."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import client, errors, propagation, retry


def _answer(code: str, message: str = "m", status: int = 400, operation: str = "CreateVpc") -> ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r-1"}}
    return ClientError(response, operation)


@pytest.mark.parametrize(
    ("operation", "code", "status", "failure", "again"),
    [
        ("DescribeVpcs", "RequestLimitExceeded", 503, None, True),
        ("CreateVpc", "RequestLimitExceeded", 503, None, True),
        ("CreateVpc", "InternalError", 500, None, False),
        ("CreateRole", "ServiceFailure", 500, None, False),
        ("RunInstances", "InternalError", 500, None, True),
        ("DescribeVpcs", "", 0, ReadTimeoutError(endpoint_url="x"), True),
        ("CreateVpc", "", 0, ReadTimeoutError(endpoint_url="x"), False),
        ("RunInstances", "", 0, ConnectionClosedError(endpoint_url="x"), True),
        ("CreateVpc", "", 0, EndpointConnectionError(endpoint_url="x"), True),
        ("CreateFleet", "IdempotentCallInProgress", 400, None, True),
        ("RunInstances", "", 0, ResponseParserError("not XML"), True),
        ("CreateVpc", "", 0, ResponseParserError("not XML"), False),
        ("DescribeVpcs", "InvalidVpcID.NotFound", 400, None, False),
        ("DescribeVpcs", "AccessDenied", 403, None, False),
    ],
)
def test_what_is_sent_again(operation, code, status, failure, again):
    assert (retry.delay(operation, 1, code, status, failure) is not None) is again
    assert retry.delay(operation, retry.ATTEMPTS, code, status, failure) is None


def test_an_endpoint_that_is_down_is_given_up_soon():
    down = EndpointConnectionError(endpoint_url="x")
    assert retry.delay("GetCallerIdentity", retry.FIRST_CONNECTION_ATTEMPTS, "", 0, down) is None


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (_answer("InternalError", status=500), True),
        (_answer("RequestLimitExceeded", status=503), False),
        (_answer("InvalidParameterValue"), False),
        (ReadTimeoutError(endpoint_url="x"), True),
        (ConnectionClosedError(endpoint_url="x"), True),
        (EndpointConnectionError(endpoint_url="x"), False),
        (_answer("IdempotentCallInProgress", operation="CreateFleet"), True),
        (ResponseParserError("not XML"), True),
        (errors.Unanswered("x"), True),
        (errors.StackError("x"), False),
        (ValueError("x"), False),
    ],
)
def test_what_may_have_taken_effect(error, unknown):
    assert errors.ambiguous(error) is unknown


@pytest.mark.parametrize(
    ("call", "code", "message", "made", "repeated"),
    [
        ("ec2:RunInstances", "InvalidParameterValue", "Invalid IAM Instance Profile name", {"instance_profile"}, True),
        ("ec2:RunInstances", "InvalidParameterValue", "Invalid IAM Instance Profile name", {"vpc"}, False),
        ("ec2:RunInstances", "InvalidParameterValue", "Invalid value for iops", {"instance_profile"}, False),
        ("ec2:CreateSubnet", "InvalidVpcID.NotFound", "", {"vpc"}, True),
        ("ec2:CreateSubnet", "InvalidVpcID.NotFound", "", set(), False),
        ("iam:PutRolePolicy", "NoSuchEntity", "", {"role"}, True),
        ("s3:PutBucketPolicy", "NoSuchBucket", "", {"bucket"}, True),
        ("ec2:RunInstances", "UnauthorizedOperation", "", {"vpc", "instance_profile"}, False),
    ],
)
def test_propagation_only_of_what_this_run_made(call, code, message, made, repeated):
    assert (propagation.window(call, code, message, made, set()) is not None) is repeated


def test_what_is_still_in_use_is_waited_for_after_a_removal_only():
    assert propagation.window("ec2:DeleteSubnet", "DependencyViolation", "", set(), {"instance"})
    assert propagation.window("ec2:DeleteSubnet", "DependencyViolation", "", {"instance"}, set()) is None


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (_answer("UnauthorizedOperation"), "ec2:CreateVpc", "Grant the IAM action ec2:CreateVpc"),
        (
            _answer("UnauthorizedOperation", "User: u is not authorized to perform: iam:PassRole on resource: r", operation="RunInstances"),
            "ec2:RunInstances",
            "Grant the IAM action iam:PassRole",
        ),
        (_answer("AccessDenied", operation="GetBucketEncryption"), "s3:GetBucketEncryption", "s3:GetEncryptionConfiguration"),
        (_answer("ExpiredToken"), "sts:GetCallerIdentity", "credentials have expired"),
        (_answer("UnauthorizedOperation", "No. Encoded authorization failure message: aaaa"), "ec2:CreateVpc", "was refused (No.)"),
        (_answer("VpcLimitExceeded", "at most 5"), "ec2:CreateVpc", "ec2:CreateVpc failed: VpcLimitExceeded: at most 5"),
        (
            _answer("AuthFailure", "Not authorized for images: [ami-1]", operation="RunInstances"),
            "ec2:RunInstances",
            "ec2:RunInstances was refused (Not authorized for images: [ami-1]). Let its owner share it",
        ),
        (_answer("AuthFailure", "AWS was not able to validate the provided access credentials"), "ec2:CreateVpc", "Check access key"),
        (
            _answer("OptInRequired", "In order to use this AWS Marketplace product you need to accept terms and subscribe."),
            "ec2:RunInstances",
            "Subscribe at the address",
        ),
        (_answer("OptInRequired", "You are not subscribed to this service"), "ec2:CreateVpc", "use another region"),
        (NoCredentialsError(), "", "there are no usable AWS credentials"),
        (EndpointConnectionError(endpoint_url="http://x"), "", "no answer from AWS"),
    ],
)
def test_one_sentence_and_a_next_step(error, call, message):
    told = errors.explain(error, call)
    assert message in told.message and told.message.endswith(".") and "\n" not in told.message
    assert "aaaa" not in told.message


def test_only_this_machine_is_local():
    assert client.is_local("127.0.0.1") and client.is_local("localhost") and client.is_local("::1")
    assert not client.is_local("192.0.2.1") and not client.is_local("0.0.0.0")


def test_a_remote_endpoint_is_refused():
    with pytest.raises(errors.StackError, match="is not on this machine: nothing was sent"):
        client.refuse_remote("ec2", "https://192.0.2.1/")
