# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What IMDS answers for one instance: paths to text, without any socket.

Source: "Instance metadata categories" and "Instance identity documents" of the EC2 user guide.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sandbox.view import InstanceView

Credentials = Callable[[str], dict[str, str]]


def local_hostname(view: InstanceView) -> str:
    domain = "ec2.internal" if view.region == "us-east-1" else f"{view.region}.compute.internal"
    return f"ip-{view.private_ip.replace('.', '-')}.{domain}"


def identity_document(view: InstanceView) -> str:
    return json.dumps(
        {
            "accountId": view.account_id, "architecture": "x86_64", "availabilityZone": view.zone, "billingProducts": None,
            "devpayProductCodes": None, "marketplaceProductCodes": None, "imageId": view.image_id, "instanceId": view.instance_id,
            "instanceType": view.instance_type, "kernelId": None, "pendingTime": view.launch_time, "privateIp": view.private_ip,
            "ramdiskId": None, "region": view.region, "version": "2017-09-30",
        },
        indent=2,
    )  # fmt: skip


def _role(view: InstanceView, credentials: Credentials) -> dict[str, Any]:
    if not view.role_name:
        return {}

    def secret() -> str:
        given = credentials(view.instance_id)
        body = {"Code": "Success", "Type": "AWS-HMAC", **given}
        return json.dumps(body, indent=2)

    info = {"Code": "Success", "LastUpdated": view.launch_time, "InstanceProfileArn": view.instance_profile_arn, "InstanceProfileId": ""}
    return {"info": json.dumps(info, indent=2), "security-credentials": {view.role_name: secret}}


def _interface(view: InstanceView) -> dict[str, Any]:
    groups = view.security_groups
    found: dict[str, Any] = {
        "device-number": "0", "interface-id": "", "local-hostname": local_hostname(view), "local-ipv4s": view.private_ip, "mac": view.mac,
        "owner-id": view.account_id, "security-group-ids": "\n".join(g["id"] for g in groups),
        "security-groups": "\n".join(g["name"] for g in groups), "subnet-id": view.subnet_id, "subnet-ipv4-cidr-block": view.subnet_cidr,
        "vpc-id": view.vpc_id, "vpc-ipv4-cidr-block": view.vpc_cidr, "vpc-ipv4-cidr-blocks": view.vpc_cidr,
    }  # fmt: skip
    if view.public_ip:
        found["public-ipv4s"] = view.public_ip
    return {name: value for name, value in found.items() if value}


def tree(view: InstanceView, credentials: Credentials) -> dict[str, Any]:
    """Folders are dicts, files are text, bytes, or functions that make them when they are read."""
    data: dict[str, Any] = {
        "ami-id": view.image_id, "ami-launch-index": "0", "hostname": local_hostname(view), "instance-action": "none",
        "instance-id": view.instance_id, "instance-life-cycle": "on-demand", "instance-type": view.instance_type,
        "local-hostname": local_hostname(view), "local-ipv4": view.private_ip, "mac": view.mac,
        "network": {"interfaces": {"macs": {view.mac: _interface(view)}}},
        "placement": {"availability-zone": view.zone, "region": view.region}, "profile": "default-hvm",
        "security-groups": "\n".join(g["name"] for g in view.security_groups), "services": {"domain": "amazonaws.com", "partition": "aws"},
    }  # fmt: skip
    if view.public_ip:
        data["public-ipv4"] = view.public_ip
    if view.public_key:
        data["public-keys"] = {"0": {"openssh-key": view.public_key.strip() + "\n"}}
    if view.metadata_tags:
        data["tags"] = {"instance": dict(view.tags)}
    role = _role(view, credentials)
    if role:
        data["iam"] = role
    latest: dict[str, Any] = {"meta-data": data, "dynamic": {"instance-identity": {"document": lambda: identity_document(view)}}}
    if view.user_data:
        latest["user-data"] = view.user_data
    return {"latest": latest}


def look_up(root: dict[str, Any], path: str) -> bytes | None:
    """The answer to a GET, None for 404. A folder lists its names, folders among them with a slash."""
    node: Any = root
    parts = [part for part in path.split("/") if part]
    if (
        parts[:2] == ["latest", "meta-data"]
        and parts[2:3] == ["public-keys"]
        and len(parts) == 3
        and "public-keys" in root["latest"]["meta-data"]
    ):
        return b"0=openssh-key"
    for part in parts:
        if not isinstance(node, dict) or part not in node:
            return None
        node = node[part]
    if callable(node):
        node = node()
    if isinstance(node, dict):
        node = "\n".join(name + ("/" if isinstance(value, dict) else "") for name, value in node.items())
    return node if isinstance(node, bytes) else str(node).encode()
