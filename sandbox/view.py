# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts need to know of the emulated AWS: one dataclass and one protocol, free of moto."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class InstanceView:
    """One EC2 instance as its host sees it.

    ``state`` is one of pending, running, stopping, stopped, shutting-down, terminated.
    ``boot_generation`` grows with every reboot and every start; a host whose boot is older is started afresh.
    ``image_suite`` is bookworm, trixie, or None when no root file system exists for the image.
    ``image_chain`` are the images that CreateImage made, the instance's own first, each of an instance of the next one; empty for a public
    image. ``security_groups`` is a list of ``{"id": ..., "name": ...}``; ``launch_time`` is ISO 8601 in UTC.
    """

    instance_id: str
    account_id: str
    region: str
    zone: str
    state: str
    boot_generation: int
    instance_type: str
    image_id: str
    image_suite: str | None
    private_ip: str
    mac: str
    vpc_id: str
    vpc_cidr: str
    subnet_id: str
    subnet_cidr: str
    public_ip: str | None = None
    key_name: str | None = None
    public_key: str | None = None
    user_data: bytes | None = None
    role_name: str | None = None
    instance_profile_arn: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    http_tokens: str = "required"
    hop_limit: int = 1
    metadata_tags: bool = False
    security_groups: list[dict[str, str]] = field(default_factory=list)
    launch_time: str = ""
    image_chain: tuple[str, ...] = ()


class View(Protocol):
    """The emulator's side, called from the reconciler's and the metadata servers' threads."""

    def instances(self) -> list[InstanceView]:
        """Every instance of every region, terminated ones too while the emulator lists them."""

    def images(self) -> list[tuple[str, str]]:
        """(image, instance that it was made of) for every image that CreateImage made."""

    def role_credentials(self, instance_id: str) -> dict[str, str]:
        """``{"AccessKeyId", "SecretAccessKey", "Token", "Expiration", "LastUpdated"}`` of the instance's role.

        :raises LookupError: the instance has no role.
        """

    def stopped_inside(self, instance_id: str) -> None:
        """The host powered itself off: stop or terminate the instance, by its shutdown behaviour."""
