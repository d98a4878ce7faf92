# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""moto's instances as the hosts need them (sandbox/view.py), read from its memory in this process."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.view import InstanceView

from .seeds import suite_of

CREDENTIAL_LIFETIME = timedelta(hours=6)  # as on real hosts; renewed when half of it is over
SHUT_DOWN_INSIDE = "Client.InstanceInitiatedShutdown"


class MotoView:
    """Implements ``sandbox.view.View``. Import moto first (through ``server.Server``)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._credentials: dict[tuple[str, str], tuple[datetime, dict[str, str]]] = {}

    def instances(self) -> list[InstanceView]:
        return [_view(account, region, backend, instance) for account, region, backend, instance in _instances()]

    def images(self) -> list[tuple[str, str]]:
        from moto.ec2.models import ec2_backends

        backends = [backend for regions in list(ec2_backends.values()) for backend in list(regions.values())]
        return [(image.id, image.instance_id) for backend in backends for image in list(backend.amis.values()) if image.instance_id]

    def role_credentials(self, instance_id: str) -> dict[str, str]:
        _account, region, backend, instance = _found(instance_id)
        role = _role(backend, instance)
        if role is None:
            raise LookupError(f"{instance_id} has no role")
        with self._lock:
            renew_at, known = self._credentials.get((instance_id, role.arn), (datetime.min.replace(tzinfo=UTC), {}))
            if datetime.now(UTC) >= renew_at:
                known = _assume(region, role.arn, instance_id)
                self._credentials[instance_id, role.arn] = datetime.now(UTC) + CREDENTIAL_LIFETIME / 2, known
            return dict(known)

    def stopped_inside(self, instance_id: str) -> None:
        from moto.ec2.models.instances import StateReason

        *_where, instance = _found(instance_id)
        if instance.state != "running":
            return
        if instance.instance_initiated_shutdown_behavior == "terminate":
            instance.terminate()
        else:
            instance.stop()
        instance.state_reason = StateReason(f"{SHUT_DOWN_INSIDE}: Instance initiated shutdown", SHUT_DOWN_INSIDE)


def _instances() -> Iterator[tuple[str, str, Any, Any]]:
    """(account id, region, EC2 backend, instance) of all there are. Requests change these collections meanwhile, so each is copied."""
    from moto.ec2.models import ec2_backends

    for account, regions in list(ec2_backends.items()):
        for region, backend in list(regions.items()):
            for reservation in list(backend.reservations.values()):
                for instance in list(reservation.instances):
                    yield account, region, backend, instance


def _found(instance_id: str) -> tuple[str, str, Any, Any]:
    for one in _instances():
        if one[3].id == instance_id:
            return one
    raise LookupError(f"no instance {instance_id}")


def _view(account: str, region: str, backend: Any, instance: Any) -> InstanceView:
    subnet = _subnet(backend, instance)
    vpc = backend.vpcs.get(subnet.vpc_id) if subnet is not None else None
    options, interface = instance.metadata_options, instance.nics.get(0)
    role, profile = _role(backend, instance), _profile(backend, instance)
    chain, public = image_chain(backend.amis, instance.image_id)
    return InstanceView(
        instance_id=instance.id, account_id=account, region=region, zone=instance.availability_zone or f"{region}a",
        state=instance.state, boot_generation=getattr(instance, "boot_generation", 1),
        instance_type=instance.instance_type, image_id=instance.image_id, image_suite=suite_of(public, region), image_chain=chain,
        private_ip=instance.private_ip or "", public_ip=instance.public_ip, mac=interface.mac_address if interface else "",
        vpc_id=subnet.vpc_id if subnet is not None else "", vpc_cidr=vpc.cidr_block if vpc is not None else "",
        subnet_id=subnet.id if subnet is not None else "", subnet_cidr=subnet.cidr_block if subnet is not None else "",
        key_name=instance.key_name, public_key=_public_key(backend, instance), user_data=_user_data(instance),
        role_name=role.name if role is not None else None, instance_profile_arn=profile.arn if profile is not None else None,
        tags=dict(backend.tags.get(instance.id, {})),
        http_tokens=options.http_tokens or "optional", hop_limit=int(options.http_put_response_hop_limit or 1),
        metadata_tags=options.instance_metadata_tags == "enabled",
        security_groups=[{"id": group.id, "name": group.name} for group in instance.security_groups],
        launch_time=instance.launch_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def image_chain(amis: Any, image_id: str) -> tuple[tuple[str, ...], str]:
    """(images that were made of instances, the newest first; the public image that the oldest of these instances was launched from)."""
    chain: list[str] = []
    while image_id in amis and amis[image_id].instance_id:
        chain.append(image_id)
        image_id = amis[image_id].instance.image_id
    return tuple(chain), image_id


def _subnet(backend: Any, instance: Any) -> Any:
    """The instance's subnet, None once it was deleted after the instance ended."""
    wanted = instance.subnet_id
    return next((zone[wanted] for zone in list(backend.subnets.values()) if wanted in zone), None)


def _profile(backend: Any, instance: Any) -> Any:
    association = backend.iam_instance_profile_associations.get(instance.id)
    return association.iam_instance_profile if association is not None else None


def _role(backend: Any, instance: Any) -> Any:
    profile = _profile(backend, instance)
    return profile.roles[0] if profile is not None and profile.roles else None


def _public_key(backend: Any, instance: Any) -> str | None:
    """What the key pair was when the instance was first seen: AWS copies it at launch, so deleting the pair changes nothing."""
    if not hasattr(instance, "sandbox_public_key"):
        pair = backend.key_pairs.get(instance.key_name) if instance.key_name else None
        instance.sandbox_public_key = pair.public_key.strip() if pair is not None else None
    return instance.sandbox_public_key


def _user_data(instance: Any) -> bytes | None:
    return base64.b64decode(str(instance.user_data)) if instance.user_data else None


def _assume(region: str, role_arn: str, session: str) -> dict[str, str]:
    """Credentials that moto's STS knows as this role's, in the shape of the metadata service."""
    from moto.sts.models import sts_backends
    from moto.utilities.utils import get_partition

    account = role_arn.split(":")[4]
    assumed = sts_backends[account][get_partition(region)].assume_role(
        region_name=region, role_session_name=session, role_arn=role_arn, policy="", duration=int(CREDENTIAL_LIFETIME.total_seconds()),
        external_id="",
    )
    now = datetime.now(UTC)
    stamp = "%Y-%m-%dT%H:%M:%SZ"
    return {
        "AccessKeyId": assumed.access_key_id, "SecretAccessKey": assumed.secret_access_key, "Token": assumed.session_token,
        "LastUpdated": now.strftime(stamp), "Expiration": (now + CREDENTIAL_LIFETIME).strftime(stamp),
    }
