# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Asks EC2 for instances: botocore finds credentials, signs, sends and retries; page.py reads the answers."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import NamedTuple, Optional

try:
    import botocore.exceptions
    import botocore.parsers
    import botocore.session

    HAS_BOTOCORE = True
    _ParserFactory = botocore.parsers.ResponseParserFactory
except ImportError:
    HAS_BOTOCORE = False
    _ParserFactory = object

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.client import Clients
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, explain
from ansible_collections.mlinfra.hosts.plugins.module_utils.inventory.page import NotAnAnswer, read_page

PAGE_SIZE = 1000  # the most that DescribeInstances gives at once


class Connection(NamedTuple):
    """How to get to AWS. None leaves the choice to botocore: environment, profile, instance role."""

    profile: Optional[str] = None
    access_key: Optional[str] = None
    secret_key: Optional[str] = None
    session_token: Optional[str] = None
    endpoint_url: Optional[str] = None
    assume_role_arn: Optional[str] = None


def read_instances(connection: Connection, regions: list[str], filters: dict[str, list[str]]) -> list[dict]:
    """Records (see page.py, with ``region``) of the instances in all ``regions``. Empty ``regions``: the connection's own.

    :raises StackError: AWS cannot be asked, or refuses.
    """
    if not HAS_BOTOCORE:
        raise StackError("the inventory plugin mlinfra.hosts.ec2_gpu needs the Python package botocore", "Install it beside ansible-core")
    url = connection.endpoint_url or "the endpoint"
    try:
        regions = regions or [_own_region(connection.profile)]
        if connection.assume_role_arn:
            connection = _assumed(connection, regions[0])
        clients = _clients(connection, regions[0])
        _check(regions, clients.known_regions())
        # made one after the other, as a session is not thread-safe, then asked at once
        asked = [(region, clients.get("ec2", region)) for region in regions]
        url = asked[0][1].meta.endpoint_url
        with ThreadPoolExecutor(max_workers=min(8, len(asked))) as threads:
            found = list(threads.map(lambda pair: _read_region(pair[1], pair[0], filters), asked))
    except (NotAnAnswer, botocore.parsers.ResponseParserError) as error:
        detail = str(error) if isinstance(error, NotAnAnswer) else "what it sent is not XML"
        raise StackError(f"{url} did not answer as EC2 does ({detail})", "Check endpoint_url, AWS_ENDPOINT_URL and the proxy") from error
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise explain(error, "ec2:DescribeInstances") from error
    return list(chain.from_iterable(found))


class _PageParser:
    """Leaves the answer of DescribeInstances as it came; errors and all other answers are botocore's to read."""

    def __init__(self, usual) -> None:
        self._usual = usual

    def parse(self, response, shape):
        if response["status_code"] >= 300 or shape is None or shape.name != "DescribeInstancesResult":
            return self._usual.parse(response, shape)
        return {"Body": response["body"], "ResponseMetadata": {"HTTPStatusCode": response["status_code"]}}


class _PageParserFactory(_ParserFactory):
    def create_parser(self, *args, **kwargs):
        return _PageParser(super().create_parser(*args, **kwargs))


def _clients(connection: Connection, region: str) -> Clients:
    clients = Clients(
        region,
        profile=connection.profile,
        user_agent="mlinfra.hosts.ec2_gpu",
        endpoint_url=connection.endpoint_url,
        aws_access_key_id=connection.access_key,
        aws_secret_access_key=connection.secret_key,
        aws_session_token=connection.session_token,
    )
    clients.session.register_component("response_parser_factory", _PageParserFactory())
    return clients


def _assumed(connection: Connection, region: str) -> Connection:
    """The connection with the credentials of its role."""
    answer = _clients(connection, region).get("sts").assume_role(RoleArn=connection.assume_role_arn, RoleSessionName="mlinfra-inventory")
    given = answer["Credentials"]
    return Connection(None, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], connection.endpoint_url)


def _own_region(profile: Optional[str]) -> str:
    region = os.environ.get("AWS_REGION") or botocore.session.Session(profile=profile).get_config_variable("region")
    if not region:
        raise StackError("there is no region to list", "Set regions in the inventory file, AWS_REGION, or region in the AWS profile")
    return region


def _check(regions: list[str], known: Iterable[str]) -> None:
    for index, region in enumerate(regions):
        if region not in known:
            like = difflib.get_close_matches(region, sorted(known), 2) or ["us-east-1"]
            raise StackError(
                f"regions[{index}] is {region}: no AWS region that botocore {botocore.__version__} knows",
                f"Write it like {' or '.join(like)}, or update botocore if the region is new",
            )


def _read_region(client, region: str, filters: dict[str, list[str]]) -> list[dict]:
    question = {"MaxResults": PAGE_SIZE, "Filters": [{"Name": name, "Values": values} for name, values in filters.items()]}
    found: list[dict] = []
    while True:
        records, token = read_page(client.describe_instances(**question)["Body"])
        found += [dict(record, region=region) for record in records]
        if not token:
            return found
        question["NextToken"] = token
