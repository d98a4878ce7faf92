# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of a broken server or a proxy, which are not in the service's protocol, under a real client of botocore."""

from __future__ import annotations

import pytest
from botocore.awsrequest import AWSResponse

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import retry
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.client import Clients
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import ambiguous

GOOD = b"<DescribeVpcsResponse><requestId>r</requestId><vpcSet/></DescribeVpcsResponse>"


class Raw:
    def __init__(self, body):
        self.body = body

    def stream(self):
        yield self.body


@pytest.fixture
def ec2(monkeypatch):
    """``ec2(answers)``: a client to which AWS answers with these (status, body), the last one again and again; and what was sent."""
    monkeypatch.setattr(retry, "pause", lambda attempt: 0)
    monkeypatch.delenv("MLINFRA_LOCAL_ONLY", raising=False)

    def make(*answers):
        left, sent = list(answers), []
        client = Clients("us-east-1", endpoint_url="http://127.0.0.1:9", aws_access_key_id="a", aws_secret_access_key="b").get("ec2")

        def answer(request, **_unused):
            sent.append(request)
            status, body = left.pop(0) if len(left) > 1 else left[0]
            return AWSResponse(request.url, status, {"Content-Type": "text/html"}, Raw(body))

        client.meta.events.register("before-send", answer)
        return client, sent

    return make


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html>\n<html><br>no</html>", b"  <html><body>no<br></body></html>", b"<HTML><hr></HTML>", b""]
)
def test_a_page_instead_of_an_answer_is_asked_for_again(ec2, page):
    client, sent = ec2((502, page), (200, GOOD))
    assert client.describe_vpcs()["Vpcs"] == [] and len(sent) == 2


def test_a_creation_without_a_token_is_not_and_may_have_taken_effect(ec2):
    client, sent = ec2((500, b"<!doctype html><p>no"))
    with pytest.raises(Exception) as caught:
        client.create_vpc(CidrBlock="10.0.0.0/16")
    assert ambiguous(caught.value) and len(sent) == 1


def test_what_no_server_of_aws_says_may_have_taken_effect(ec2):
    client, _sent = ec2((200, b"<!doctype html><p>sign in to this network"))
    with pytest.raises(Exception) as caught:
        client.create_vpc(CidrBlock="10.0.0.0/16")
    assert type(caught.value).__name__ == "ResponseParserError" and ambiguous(caught.value)
