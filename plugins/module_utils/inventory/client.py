# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Asks EC2 for instances: botocore finds credentials, signs, sends and retries; page.py reads the answers."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Optional

try:
    import botocore.config
    import botocore.exceptions
    import botocore.parsers
    import botocore.session

    HAS_BOTOCORE = True
    _ParserFactory = botocore.parsers.ResponseParserFactory
except ImportError:
    HAS_BOTOCORE = False
    _ParserFactory = object

from ansible_collections.mlinfra.hosts.plugins.module_utils.inventory.page import NotAnAnswer, read_page

PAGE_SIZE = 1000  # the most that DescribeInstances gives at once


class InventoryError(Exception):
    """What the user should read: one sentence on what happened, one on what to do."""


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

    Raises InventoryError.
    """
    if not HAS_BOTOCORE:
        raise InventoryError("The inventory plugin mlinfra.hosts.ec2_gpu needs the Python package botocore. Install it beside ansible-core.")
    region = regions[0] if regions else None
    try:
        session = _session(connection)
        regions = regions or [_own_region(session)]
        for region in regions:
            _check_region(session, region)
        if connection.assume_role_arn:
            session = _assumed(session, connection, regions[0])
        # clients are made one after the other (a session is not thread-safe), then asked at once
        clients = [(region, _client(session, "ec2", region, connection.endpoint_url)) for region in regions]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise InventoryError(explain(error, region)) from error
    with ThreadPoolExecutor(max_workers=min(8, len(clients))) as threads:
        found = list(threads.map(lambda asked: _read_region(asked[1], asked[0], filters), clients))
    return [record for records in found for record in records]


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


def _session(connection: Connection):
    session = botocore.session.Session(profile=connection.profile)
    session.register_component("response_parser_factory", _PageParserFactory())
    if connection.access_key:
        session.set_credentials(connection.access_key, connection.secret_key, connection.session_token)
    return session


def _own_region(session) -> str:
    region = os.environ.get("AWS_REGION") or session.get_config_variable("region")
    if not region:
        raise InventoryError("No region to ask: set regions in the inventory file, AWS_REGION in the environment or region in the AWS profile.")
    return region


def _check_region(session, region: str) -> None:
    known = [name for partition in session.get_available_partitions() for name in session.get_available_regions("ec2", partition)]
    if region not in known:
        raise InventoryError(
            f"regions has {region!r}, which is no AWS region that botocore {botocore.__version__} knows. "
            "Correct regions in the inventory file or AWS_REGION, or update botocore if the region is new."
        )


def _client(session, service: str, region: str, endpoint_url: Optional[str] = None):
    given = "AWS_RETRY_MODE" in os.environ or "retry_mode" in session.get_scoped_config()
    config = botocore.config.Config(
        user_agent_extra="mlinfra.hosts.ec2_gpu",
        connect_timeout=10,
        retries=None if given else {"mode": "standard"},
    )
    return session.create_client(service, region_name=region, endpoint_url=endpoint_url, config=config)


def _assumed(session, connection: Connection, region: str):
    """A session with the credentials of the role."""
    role = connection.assume_role_arn
    answer = _client(session, "sts", region, connection.endpoint_url).assume_role(RoleArn=role, RoleSessionName="mlinfra-inventory")
    given = answer["Credentials"]
    return _session(Connection(access_key=given["AccessKeyId"], secret_key=given["SecretAccessKey"], session_token=given["SessionToken"]))


def _read_region(client, region: str, filters: dict[str, list[str]]) -> list[dict]:
    asked = {"MaxResults": PAGE_SIZE, "Filters": [{"Name": name, "Values": values} for name, values in filters.items()]}
    found: list[dict] = []
    try:
        while True:
            records, token = read_page(client.describe_instances(**asked)["Body"])
            found += [dict(record, region=region) for record in records]
            if not token:
                return found
            asked["NextToken"] = token
    except NotAnAnswer as error:
        raise InventoryError(
            f"{client.meta.endpoint_url} did not answer ec2:DescribeInstances as EC2 does ({error}). Check endpoint_url or AWS_ENDPOINT_URL."
        ) from error
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise InventoryError(explain(error, region, client.meta.endpoint_url)) from error


_CREDENTIALS = "Set a profile, an assume_role_arn or keys in the inventory file, or the usual AWS_ environment variables."
# Codes of https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html#CommonErrors
_NEXT_STEP = {
    "UnauthorizedOperation": "Allow ec2:DescribeInstances to these credentials.",
    "AccessDenied": "Allow the action to these credentials (the inventory needs ec2:DescribeInstances, and sts:AssumeRole for assume_role_arn).",
    "AuthFailure": "Check the access key, and that the account has this region enabled.",
    "InvalidClientTokenId": "Check the access key, and that the account has this region enabled.",
    "OptInRequired": "Enable the region in the account, or take it out of regions.",
    "SignatureDoesNotMatch": "Check the secret key and the clock of this machine.",
    "RequestExpired": "Renew the session token, and check the clock of this machine.",
    "ExpiredToken": "Renew the session token.",
}


def explain(error: Exception, region: Optional[str], endpoint: Optional[str] = None) -> str:
    """An exception of botocore as what happened and what to do."""
    where = f"in {region}" if region else "in the region of the AWS profile"
    if isinstance(error, botocore.exceptions.ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        request = error.response.get("ResponseMetadata", {}).get("RequestId")
        message = error.response.get("Error", {}).get("Message", "").rstrip(".")
        said = f"{error.operation_name} {where} was refused: {code}: {message}" + (f" (request {request})" if request else "")
        return f"{said}. {_NEXT_STEP.get(code, 'Check the inventory file against the message.')}"
    if isinstance(error, (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError)):
        return f"ec2:DescribeInstances {where} needs AWS credentials: {_sentence(error)} {_CREDENTIALS}"
    if isinstance(error, botocore.exceptions.ProfileNotFound):
        return f"{_sentence(error)} Correct profile or AWS_PROFILE, or add it to the AWS configuration."
    if isinstance(error, botocore.exceptions.HTTPClientError):
        return f"EC2 {where} does not answer: {_sentence(error)} Check endpoint_url or AWS_ENDPOINT_URL{_at(endpoint)}, the network and the proxy."
    return f"ec2:DescribeInstances {where} failed: {_sentence(error)} {_CREDENTIALS}"


def _at(endpoint: Optional[str]) -> str:
    return f" (now {endpoint})" if endpoint else ""


def _sentence(error: Exception) -> str:
    return str(error).strip().rstrip(".") + "."
