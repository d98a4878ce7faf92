# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""One session and few clients, made in the main thread before other threads use them.

Loading the EC2 model alone costs a tenth of a second, so a client is made only for a service that a run calls, and all share one loader.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import Any, Optional
from urllib.parse import urlparse

try:
    import botocore.config
    import botocore.session

    HAS_BOTOCORE = True
except ImportError:
    HAS_BOTOCORE = False

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import retry
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, explain

LOCAL_ONLY = "MLINFRA_LOCAL_ONLY"


class Clients:
    """``clients.get("ec2")`` is the same client every time.

    :param profile: a profile of the user's AWS configuration, or None.
    :param options: what botocore's create_client takes: keys, token, verify, endpoint_url.
    """

    def __init__(self, region: str, profile: Optional[str] = None, config: Any = None, user_agent: str = "", **options: Any) -> None:
        if not region:
            raise StackError("region is missing", "Give region or set AWS_REGION")
        self.region = region
        self.session = botocore.session.Session(profile=profile)
        self._options = {key: value for key, value in options.items() if value is not None}
        ours = botocore.config.Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=32,
            connect_timeout=8,
            read_timeout=60,
            user_agent_extra=user_agent or None,
        )
        self._config = ours.merge(config) if config is not None else ours
        self._made: dict[str, Any] = {}

    @classmethod
    def of(cls, module: Any) -> Clients:
        """From the connection options that amazon.aws defines."""
        from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info

        region, endpoint_url, options = get_aws_connection_info(module)
        options = dict(options)
        try:
            return cls(
                region,
                profile=options.pop("profile_name", None),
                config=options.pop("aws_config", None),
                endpoint_url=endpoint_url,
                **options,
            )
        except Exception as error:
            raise explain(error) from error

    def get(self, service: str, region: Optional[str] = None) -> Any:
        """The client of a service; only the main thread asks for one that is not there yet.

        :raises StackError: its endpoint is not on this machine although it has to be, or no client can be made.
        """
        key = f"{service}@{region}" if region else service
        if key not in self._made:
            try:
                client = self.session.create_client(service, region_name=region or self.region, config=self._config, **self._options)
            except Exception as error:
                raise explain(error) from error
            if os.environ.get(LOCAL_ONLY) == "1":
                refuse_remote(service, client.meta.endpoint_url)
                client.meta.events.register("before-send", _refuse_remote_request)
            client.meta.events.register(f"needs-retry.{client.meta.service_model.service_id.hyphenize()}", retry.handler)
            client.meta.events.register(f"before-parse.{client.meta.service_model.service_id.hyphenize()}", retry.before_parse)
            self._made[key] = client
        return self._made[key]

    def prepare(self, services: Any) -> None:
        """Make the clients that threads are going to use."""
        for service in services:
            self.get(service)

    def call_of(self, error: BaseException) -> str:
        """``service:Operation`` of an error that one of these clients raised, as far as that is known."""
        operation = getattr(error, "operation_name", "")
        for key, client in self._made.items():
            if operation and operation in client.meta.service_model.operation_names:
                return f"{key.split('@')[0]}:{operation}"
        return operation and f"aws:{operation}"

    def known_regions(self) -> set[str]:
        """The regions of all partitions that this botocore knows; newer ones exist."""
        return {
            region
            for partition in self.session.get_available_partitions()
            for region in self.session.get_available_regions("ec2", partition)
        }


def is_local(host: str) -> bool:
    """Whether a host name or address is this machine: loopback, or an address that a socket here can take."""
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(addresses) and all(_own(address) for address in addresses)


def _own(address: str) -> bool:
    plain = ipaddress.ip_address(address.split("%")[0])
    if plain.is_loopback:
        return True
    if plain.is_unspecified or plain.is_multicast:
        return False
    family = socket.AF_INET6 if plain.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


_SEEN: dict[str, bool] = {}


def refuse_remote(service: str, url: str) -> None:
    """:raises StackError: the URL's host is not this machine."""
    host = urlparse(url).hostname or ""
    if host not in _SEEN:
        _SEEN[host] = is_local(host)
    if not _SEEN[host]:
        raise StackError(
            f"{LOCAL_ONLY} is 1 and the {service} endpoint {url} is not on this machine: nothing was sent",
            "Set AWS_ENDPOINT_URL to the sandbox (python -m sandbox env), or unset MLINFRA_LOCAL_ONLY to work with a real account",
        )


def _refuse_remote_request(request: Any, **_unused: Any) -> None:
    refuse_remote("AWS", request.url)
