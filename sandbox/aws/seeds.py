# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the emulated AWS before anybody created anything: public images with their SSM parameters, and a stranger's bucket.

Names, owners, root devices and parameter paths are those of the real publishers; image ids, dates of the newest builds and what they
contain are not. Sources: https://wiki.debian.org/Cloud/AmazonEC2Image (owner 136693071363,
/aws/service/debian/release/<n>/latest/<arch>),
https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/ (owner 099720109477),
https://docs.aws.amazon.com/dlami/latest/devguide/find-dlami-id.html (owner amazon).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

DEBIAN = "136693071363"
CANONICAL = "099720109477"
DEEP_LEARNING = "898082745236"
STRANGER = "210987654321"
TAKEN_BUCKET = "taken-by-somebody-else"


@dataclass(frozen=True)
class Image:
    """One public image. ``suite`` is the Debian suite of the host root that stands for it; None: instances run without a host."""

    name: str
    owner: str
    created: str  # ISO 8601
    description: str
    parameter: str = ""  # the SSM parameter that points to it
    architecture: str = "x86_64"
    root_device: str = "/dev/xvda"
    root_gib: int = 8
    suite: str | None = None
    alias: str | None = None

    def id(self, region: str) -> str:
        """The image's id there: the same at every start, another one in every region."""
        return "ami-" + hashlib.sha256(f"{region}/{self.owner}/{self.name}".encode()).hexdigest()[:17]


def _debian(release: int, suite: str, build: str, created: str, latest: bool, machine: str = "amd64") -> Image:
    return Image(
        name=f"debian-{release}-{machine}-{build}", owner=DEBIAN, created=created, suite=suite if machine == "amd64" else None,
        description=f"Debian {release} ({build})", architecture={"amd64": "x86_64", "arm64": "arm64"}[machine],
        parameter=f"/aws/service/debian/release/{release}/latest/{machine}" if latest else "",
    )


def _ubuntu(version: str, codename: str, build: str, created: str) -> Image:
    return Image(
        name=f"ubuntu/images/hvm-ssd-gp3/ubuntu-{codename}-{version}-amd64-server-{build}", owner=CANONICAL, created=created,
        description=f"Canonical, Ubuntu, {version}, amd64 {codename} image", root_device="/dev/sda1",
        parameter=f"/aws/service/canonical/ubuntu/server/{version}/stable/current/amd64/hvm/ebs-gp3/ami-id",
    )


def _deep_learning(title: str, slug: str, created: str, gib: int, device: str) -> Image:
    return Image(
        name=f"{title} {created[:10].replace('-', '')}", owner=DEEP_LEARNING, alias="amazon", created=created, root_device=device,
        root_gib=gib, description=title, parameter=f"/aws/service/deeplearning/ami/x86_64/{slug}/latest/ami-id",
    )


IMAGES: tuple[Image, ...] = (
    _debian(12, "bookworm", "20250210-2019", "2025-02-10T20:24:41.000Z", latest=False),
    _debian(12, "bookworm", "20250316-2053", "2025-03-16T20:58:55.000Z", latest=True),
    _debian(12, "bookworm", "20250316-2053", "2025-03-16T20:59:10.000Z", latest=True, machine="arm64"),
    _debian(13, "trixie", "20250814-2204", "2025-08-14T22:09:12.000Z", latest=False),
    _debian(13, "trixie", "20250911-2232", "2025-09-11T22:37:30.000Z", latest=True),
    _debian(13, "trixie", "20250911-2232", "2025-09-11T22:37:44.000Z", latest=True, machine="arm64"),
    _ubuntu("22.04", "jammy", "20250305", "2025-03-05T06:34:02.000Z"),
    _ubuntu("24.04", "noble", "20250305", "2025-03-05T07:01:28.000Z"),
    _deep_learning("Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04)", "base-oss-nvidia-driver-gpu-ubuntu-22.04",
                   "2025-03-07T04:10:11.000Z", 75, "/dev/sda1"),
    _deep_learning("Deep Learning Base OSS Nvidia Driver GPU AMI (Amazon Linux 2023)", "base-oss-nvidia-driver-gpu-amazon-linux-2023",
                   "2025-03-07T04:12:43.000Z", 75, "/dev/xvda"),
)


def suite_of(image_id: str, region: str) -> str | None:
    """The Debian suite whose root file system stands for this image; None when there is none."""
    return next((image.suite for image in IMAGES if image.id(region) == image_id), None)


def plant() -> None:
    """Put into moto what no patch puts there (images and parameters come with each region's backend). Called at start and after a reset."""
    from moto.s3.models import s3_backends

    s3_backends[STRANGER]["aws"].create_bucket(TAKEN_BUCKET, "us-east-1")
