# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What AWS has released of its EFA software, and for which platforms: tables, and what is refused by them.

Checksums: EC2 User Guide, "Verify the EFA installer using a checksum" (efa-verify), read up to 1.47.0. Key and fingerprint: the same guide,
"Get started with EFA and NCCL" (efa-start-nccl). Platforms: "Elastic Fabric Adapter release notes" (efa-changelog), which say with which
release one came or went, and "Supported operating systems" (efa#efa-os), which names x86_64 and arm64 for each.
"""

from __future__ import annotations

import re

FINGERPRINT = "4E9091BCBB97A96B26B15E59A05480B1DD2D3CCC"
ARCHITECTURES = ("x86_64", "aarch64")
VERSION = re.compile(r"^\d+\.\d+\.\d+$")

SHA256 = {
    "1.47.0": "2df4201e046833c7dc8160907bee7f52b76ff80ed147376a2d0ed8a0dd66b2db",
    "1.46.0": "8302bd7849afb95c903a875d7dcb6f85b3d7629e9a8b67d020031cfc6f4d0ee1",
    "1.45.1": "9aeb20c645135b6039cc08986d8f14e63280f7839e882a74df5e83627ffeaa17",
    "1.45.0": "25ba26a0877fe3317390dc126aad2f23e27fc461cf0b940004f032cb342fa539",
    "1.44.0": "f129a5b44a49d593d247e55a59eb9bcb57121566e1c2e42b832a4e794fa83d8a",
    "1.43.3": "6c470ebce254c7165347b5048895ac2996c88567271642297f4c597738300652",
    "1.43.2": "de15c5bdbc83b952afbde876110830c604ad0796680e5157c05f7c1979a41069",
    "1.43.1": "54211eda0c193138ee8ed09b5fb41c41fc76fe0a77935fa4ec8d989466342740",
    "1.43.0": "786df3458c499237be33bb8e50ffd4da7c18c20e254380ffc80fb90833d8cc73",
    "1.42.0": "4114fe612905ee05083ae5cb391a00a012510f3abfecc642d86c9a5ae4be9008",
    "1.41.0": "3506354cdfbe31ff552fe75f5d0d9bb7efd29cf79bd99457347d29c751c38f9f",
    "1.40.0": "30491b0fe7c3470d4439594538855c981b05fa69862d74f8c05eb9b97912368a",
    "1.39.0": "2cbc028c03064633bb990782b47c36156637769e2f48704417a9c700a7a32101",
    "1.38.1": "83923374afd388b1cfcf4b3a21a2b1ba7cf46a01a587f7b519b8386cb95e4f81",
    "1.38.0": "4f436954f35ad53754b4d005fd8d0be63de3b4184de41a695b504bdce0fecb22",
    "1.37.0": "2584fc3c8bb99f29b3285e275747ff09d67c18e162c2a652e36c976b72154bfb",
    "1.36.0": "de183f333cfb58aeb7908a67bf9106985ba3ccb7f8638b851d2a0d8dbfacaec4",
}

# {platform: (first release, last release or None)}. Ubuntu 26.04 and RHEL 10 are supported too, from a release on that is not known here.
PLATFORMS = {
    "Debian-11": ("1.24.0", "1.50.0"),
    "Debian-12": ("1.36.0", None),
    "Debian-13": ("1.46.0", None),
    "Ubuntu-20": ("1.30.0", "1.42.0"),
    "Ubuntu-22": ("1.18.0", None),
    "Ubuntu-24": ("1.33.0", None),
    "RedHat-9": ("1.26.0", None),
    "Rocky-9": ("1.21.0", None),
    "Amazon-2023": ("1.25.0", None),
}
# From here on the installer lets one Open MPI be chosen (release notes of 1.30.0, efa-start-nccl).
CHOOSES_MPI = "1.30.0"


def key(version):
    """Sort key of a release."""
    return [int(part) for part in version.split(".")]


def name(version):
    """File of a release, below AWS's address or a mirror's."""
    return "aws-efa-installer-%s.tar.gz" % version


def problems(wish, host):
    """Messages about what no run could make true here.

    wish: {version, mpi}; host: {platform_names, distribution, distribution_major_version, architecture}.
    """
    version = wish["version"]
    if not VERSION.match(version):
        return ["efa_version is %r: expected three numbers, as in 1.47.0, so that it stays the same from day to day." % version]
    found = []
    system = "%s %s" % (host["distribution"], host["distribution_major_version"])
    platform = next((one for one in host["platform_names"] if one in PLATFORMS), None)
    if platform is None:
        found.append(
            "This host runs %s: AWS's EFA software is known for %s. Leave this host out, or use an image of one of them."
            % (system, ", ".join(one.replace("-", " ") for one in sorted(PLATFORMS)))
        )
    else:
        first, last = PLATFORMS[platform]
        if key(version) < key(first) or (last and key(version) > key(last)):
            span = "%s to %s" % (first, last) if last else "%s or newer" % first
            found.append("efa_version is %s: AWS supports %s with %s. Choose such a version." % (version, system, span))
    if host["architecture"] not in ARCHITECTURES:
        found.append(
            "This host is %s: AWS's EFA software is for %s. Leave this host out." % (host["architecture"], " and ".join(ARCHITECTURES))
        )
    if wish["mpi"] != "all" and key(version) < key(CHOOSES_MPI):
        found.append(
            "efa_mpi is %s: the installer lets it be chosen from %s on, and efa_version is %s. Set efa_mpi to all."
            % (wish["mpi"], CHOOSES_MPI, version)
        )
    return found
