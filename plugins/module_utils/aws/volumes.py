# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The block devices of a launch: the root volume and those beside it, all encrypted. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Union

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import POOL
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.check_volumes import letter_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import ImageFacts
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Disk, Pool, Volume


def mappings(pool: Pool, image: ImageFacts) -> list[dict[str, Any]]:
    """BlockDeviceMappings of RunInstances. What is not given is left out: EC2 has defaults for it."""
    root = {"DeviceName": image.root_device, "Ebs": _ebs(pool.disk, keep=False)}
    return [root, *({"DeviceName": volume.device, "Ebs": _ebs(volume, volume.keep)} for volume in pool.volumes)]


def _ebs(disk: Union[Disk, Volume], keep: bool) -> dict[str, Any]:
    ebs: dict[str, Any] = {"VolumeType": disk.type, "Encrypted": True, "DeleteOnTermination": not keep}
    words = (("VolumeSize", disk.gib), ("Iops", disk.iops), ("Throughput", disk.throughput), ("KmsKeyId", disk.kms_key))
    for key, value in (*words, ("SnapshotId", getattr(disk, "snapshot", None))):
        if value is not None:
            ebs[key] = value
    return ebs


def check_devices(pool: Pool, image: ImageFacts) -> None:
    """:raises StackError: the image has a volume where the pool wants one of its own."""
    taken = {letter_of(device): device for device in (*image.devices, image.root_device)}
    for index, volume in enumerate(pool.volumes):
        if letter_of(volume.device) in taken:
            path = f"pools.{pool.name}.volumes[{index}].device"
            there = taken[letter_of(volume.device)]
            what = "its root volume" if there == image.root_device else "a volume"
            raise StackError(
                f"{path} is {volume.device}: image {image.id} has {what} at {there}",
                "Name another device, like /dev/sdk",
                path=path,
            )


def kept(mapped: list[dict[str, Any]]) -> list[str]:
    """Ids of the volumes that stay when the instance ends, of BlockDeviceMappings as DescribeInstances shows them."""
    there = [one["Ebs"] for one in mapped if "Ebs" in one]
    return sorted(ebs["VolumeId"] for ebs in there if ebs.get("DeleteOnTermination") is False and ebs.get("VolumeId"))


def left_behind(pool: Pool, hosts: Mapping[str, Sequence[str]]) -> str:
    """What is said of hosts that ended soon after their launch, when the pool keeps volumes; else nothing.

    :param hosts: host → ids of its volumes that stay; none where EC2 did not tell them before it ended.
    """
    devices = [volume.device for volume in pool.volumes if volume.keep]
    if not hosts or not devices:
        return ""
    known = [f"{', '.join(ids)} of {host}" for host, ids in hosts.items() if ids]
    untold = [host for host, ids in hosts.items() if not ids]
    if untold:
        known.append(f"those of {', '.join(untold)}, if EC2 made them, are available volumes with the tag {POOL} {pool.name}")
    return (
        f"pools.{pool.name}: {', '.join(hosts)} ended with the launch. What keep: true keeps of {', '.join(devices)} stays and costs: "
        f"{'; '.join(known)}. Delete what you do not need: nothing here does."
    )
