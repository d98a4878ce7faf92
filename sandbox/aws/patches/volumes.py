# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance has exactly its image's root volume, changed by what the request says, and volumes keep IOPS and throughput.

AWS: a block device mapping of the root device overrides size, type, encryption of the image's own; other mappings are added; gp3 has
3,000 IOPS and 125 MiB/s unless given; a root volume smaller than its snapshot is InvalidBlockDeviceMapping.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-device-mapping-concepts.html,
https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html
moto: the root volume is lost when any mapping is given, an 8 GB one is added when a launch template gives one, IOPS and throughput are
dropped.
"""

from __future__ import annotations

import threading
from typing import Any

from ..context import CURRENT

GP3_THROUGHPUT = 125
_PERFORMANCE = threading.local()  # .by_device: what the launch in this thread wants of each device


def apply() -> None:
    from moto.ec2.models.elastic_block_store import EBSBackend
    from moto.ec2.models.instances import Instance, InstanceBackend

    run, create = InstanceBackend.run_instances, EBSBackend.create_volume

    def run_instances(self: Any, image_id: str, count: int, user_data: Any, security_group_names: list[str], **options: Any) -> Any:
        template = self._get_template_from_args(options["launch_template"]).data if options.get("launch_template") else {}
        given = options.get("block_device_mappings") or template.get("BlockDeviceMappings") or []
        image = self.amis.get(image_id or template.get("ImageId"))
        if image is not None:
            options["block_device_mappings"] = merged(image.root_device_name, image.block_device_mappings[0]["Ebs"], given)
        _PERFORMANCE.by_device = _performance()
        try:
            return run(self, image_id, count, user_data, security_group_names, **options)
        finally:
            _PERFORMANCE.by_device = {}

    def add_block_device(
        self: Any, size: Any, device_path: str, snapshot_id: Any, encrypted: bool, delete_on_termination: bool, kms_key_id: Any,
        volume_type: Any,
    ) -> None:
        wanted = getattr(_PERFORMANCE, "by_device", {}).get(device_path, {})
        volume = self.ec2_backend.create_volume(
            size=int(size) if size else None, zone_name=self._placement.zone, snapshot_id=snapshot_id, encrypted=encrypted,
            kms_key_id=kms_key_id, volume_type=volume_type, iops=wanted.get("Iops"), throughput=wanted.get("Throughput"),
        )
        self.ec2_backend.attach_volume(volume.id, self.id, device_path, delete_on_termination)

    def create_volume(self: Any, *arguments: Any, **options: Any) -> Any:
        volume = create(self, *arguments, **options)
        if volume.volume_type == "gp3" and not volume.throughput:
            volume.throughput = GP3_THROUGHPUT
        return volume

    InstanceBackend.run_instances = run_instances
    Instance.add_block_device = add_block_device
    EBSBackend.create_volume = create_volume


def merged(root: str, image_volume: dict[str, Any], given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The mappings of a launch: the image's root volume first, overridden by a mapping of that device, then the others.

    :raises EC2ClientError: the root volume is smaller than the image's.
    """
    override = next((one.get("Ebs", {}) for one in given if one.get("DeviceName") == root), {})
    volume = {**image_volume, **{name: value for name, value in override.items() if value is not None}}
    size, least = int(volume["VolumeSize"]), int(image_volume["VolumeSize"])
    if size < least:
        from moto.ec2.exceptions import EC2ClientError

        raise EC2ClientError("InvalidBlockDeviceMapping", (
            f"Volume of size {size}GB is smaller than snapshot '{image_volume['SnapshotId']}', expect size>= {least}GB"))
    if override and CURRENT.form("RunInstances"):
        volume["DeleteOnTermination"] = _keeps(root)
    return [{"DeviceName": root, "Ebs": volume}, *(one for one in given if one.get("DeviceName") != root)]


def _mappings() -> list[dict[str, str]]:
    """The mappings of the request as they were sent: ``[{"DeviceName": …, "Ebs.Iops": …}]``."""
    form, found, number = CURRENT.form("RunInstances"), [], 1
    while any(name.startswith(f"BlockDeviceMapping.{number}.") for name in form):
        prefix = f"BlockDeviceMapping.{number}."
        found.append({name.removeprefix(prefix): value for name, value in form.items() if name.startswith(prefix)})
        number += 1
    return found


def _performance() -> dict[str, dict[str, int]]:
    return {
        one["DeviceName"]: {name: int(one[f"Ebs.{name}"]) for name in ("Iops", "Throughput") if one.get(f"Ebs.{name}")}
        for one in _mappings() if "DeviceName" in one
    }


def _keeps(device: str) -> bool:
    """Whether the request leaves DeleteOnTermination of the root device true: moto reads a missing one as false."""
    return all(one.get("Ebs.DeleteOnTermination", "true").lower() == "true" for one in _mappings() if one.get("DeviceName") == device)
