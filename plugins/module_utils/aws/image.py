# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Finds a pool's image by id, SSM parameter, or owner and name. Only for pools that launch something, or whose plan is shown."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Reader, unless
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import ImageFacts
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Image, Pool

_NO_PARAMETER = ("ParameterNotFound", "ParameterVersionNotFound")
_NO_IMAGE = ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidAMIID.Malformed")


def find_images(reader: Reader, pools: list[Pool], shown: Iterable[Pool] = ()) -> dict[str, ImageFacts]:
    """Pool name → its image; each distinct image is looked up once.

    :param shown: pools that launch nothing, whose image is only told about: it may be gone by now, and their hosts stay all the same.
    :raises StackError: one of ``pools`` is not there.
    """
    told = {}
    for pool in shown:
        with contextlib.suppress(StackError):
            told.update(find_images(reader, [pool]))
    distinct = {pool.image: pool for pool in pools}
    found = dict(zip(distinct, reader.together(*[lambda pool=pool: _find(reader, pool) for pool in distinct.values()])))
    for pool in pools:
        if pool.disk.gib < found[pool.image].root_gib:
            raise StackError(
                f"pools.{pool.name}.disk.gib is {pool.disk.gib}: image {found[pool.image].id} needs at least {found[pool.image].root_gib}",
                f"Use {found[pool.image].root_gib} or more",
                path=f"pools.{pool.name}.disk.gib",
            )
    return {**told, **{pool.name: found[pool.image] for pool in pools}}


def _find(reader: Reader, pool: Pool) -> ImageFacts:
    image, path = pool.image, f"pools.{pool.name}.image"
    ec2 = reader.client("ec2")
    if image.owner is not None:
        listed = reader.pages("ec2", "describe_images", "Images", Owners=[image.owner], Filters=[{"Name": "name", "Values": [image.name]}])
        listed = [raw for raw in listed if raw.get("State", "available") == "available"]
        if not listed:
            raise StackError(
                f"{path}.name is {image.name}: owner {image.owner} has no such image in {reader.scope.region}", "Check both", path=path
            )
        return _facts(max(listed, key=lambda raw: (raw.get("CreationDate", ""), raw["ImageId"])))
    image_id = image.id or _parameter(reader, image, path)
    answer = unless(_NO_IMAGE, lambda: ec2.describe_images(ImageIds=[image_id]), {"Images": []})
    if not answer["Images"]:
        said = f"{path}.id is {image_id}" if image.id else f"{path}.ssm is {image.ssm}, which names {image_id}"
        raise StackError(
            f"{said}: {reader.scope.region} has no such image for this account",
            "Image ids differ by region: check it, or use ssm",
            path=path,
        )
    return _facts(answer["Images"][0])


def _parameter(reader: Reader, image: Image, path: str) -> str:
    try:
        return reader.client("ssm").get_parameter(Name=image.ssm)["Parameter"]["Value"]
    except Exception as error:
        if code_of(error) in _NO_PARAMETER:
            text = f"{path}.ssm is {image.ssm}: {reader.scope.region} has no such parameter"
            raise StackError(text, "Check its name with aws ssm get-parameters-by-path", path=path) from error
        raise


def _facts(raw: dict[str, Any]) -> ImageFacts:
    root = raw.get("RootDeviceName") or "/dev/xvda"
    sizes = [one.get("Ebs", {}).get("VolumeSize", 0) for one in raw.get("BlockDeviceMappings", []) if one.get("DeviceName") == root]
    devices = tuple(one["DeviceName"] for one in raw.get("BlockDeviceMappings", []) if "Ebs" in one)
    gib = int(sizes[0] or 0) if sizes else 0
    return ImageFacts(raw["ImageId"], raw.get("Name", ""), root, gib, raw.get("Architecture", "x86_64"), devices)


def find_zones(reader: Reader) -> tuple[str, ...]:
    """The region's availability zones that this account can use (no local or wavelength zones)."""
    filters = [{"Name": "state", "Values": ["available"]}, {"Name": "zone-type", "Values": ["availability-zone"]}]
    return tuple(sorted(raw["ZoneName"] for raw in reader.client("ec2").describe_availability_zones(Filters=filters)["AvailabilityZones"]))
