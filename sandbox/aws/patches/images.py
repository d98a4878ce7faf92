# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's, Canonical's and the deep-learning images exist, newest and older builds, with their real root devices.

AWS: every region offers them to everybody; DescribeImages shows owner, name, creation date and the root volume of the image. An image that
CreateImage makes has the root device of the instance.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html
moto: only Amazon's and a few historic images; every root volume is 15 GB of magnetic storage.
"""

from __future__ import annotations

from typing import Any

from ..seeds import IMAGES

ROOT_TYPE = "gp3"


def apply() -> None:
    from moto.core.parse import default_timestamp_parser
    from moto.ec2.models import amis

    original_load = amis.AmiBackend._load_amis
    original_mappings = amis.Ami.block_device_mappings.fget

    def load(self: Any) -> None:
        original_load(self)
        for image in IMAGES:
            made = amis.Ami(
                self, image.id(self.region_name), name=image.name, description=image.description, owner_id=image.owner,
                owner_alias=image.alias, public=True, virtualization_type="hvm", architecture=image.architecture,
                creation_date=default_timestamp_parser(image.created),
                image_location=f"{image.alias or image.owner}/{image.name}", hypervisor="xen", root_device_type="ebs",
                root_device_name=image.root_device, boot_mode="uefi-preferred", region_name=f"{self.region_name}a",
            )
            made.root_gib = image.root_gib
            self.amis[made.id] = made

    def mappings(self: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = original_mappings(self)
        if hasattr(self, "root_gib"):
            found[0]["Ebs"].update(VolumeSize=self.root_gib, VolumeType=ROOT_TYPE, DeleteOnTermination=True, Encrypted=False)
        return found

    original_create = amis.AmiBackend.create_image

    def create(self: Any, instance_id: str, *arguments: Any, **named: Any) -> Any:
        made = original_create(self, instance_id, *arguments, **named)
        source = self.amis.get(made.instance.image_id)
        if source is not None:
            made.root_device_type, made.root_device_name = source.root_device_type, source.root_device_name
            made.boot_mode = source.boot_mode
            made.root_gib = getattr(source, "root_gib", 8)
        return made

    amis.AmiBackend._load_amis = load
    amis.AmiBackend.create_image = create
    amis.Ami.block_device_mappings = property(mappings)
