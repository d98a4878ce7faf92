# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages of NVIDIA's rhel9 repository that a driver consists of, as spec files, and what a distribution has besides.

Names and epoch: NVIDIA's published specs (github.com/NVIDIA/yum-packaging-nvidia-driver and its neighbours) and its driver installation
guide, "Compute-only"; the dependencies are close to these. The fabric manager has no epoch.
"""

from __future__ import annotations

from pathlib import Path

from driver import BROKEN_USER_SPACE, FABRIC_MANAGER_UNIT, OTHER_MODULES, WITHOUT_FABRIC, kernel_module

VERSIONS = ("580.95.05", "580.126.09", "590.44.01", "595.58.03", BROKEN_USER_SPACE, OTHER_MODULES)
KERNEL = ("5.14.0", "503.11.1.el9_5")
RELEASE = f"{KERNEL[0]}-{KERNEL[1]}.x86_64"
PROGRAMS = Path(__file__).resolve().parent / "programs"
HEAD = """\
Name: {name}
Epoch: {epoch}
Version: {version}
Release: {release}
Summary: stand-in for tests
License: GPL-3.0-or-later
AutoReqProv: no
%define debug_package %{{nil}}
%define _build_id_links none
%define _binary_payload w1.gzdio
%description
Stand-in for tests.
"""
# As dkms leaves things on Red Hat's systems, for each kernel whose headers are there; nothing is compiled.
BUILD = """\
for headers in /lib/modules/*/build; do
    [ -e "$headers" ] || continue
    kernel=$(basename "$(dirname "$headers")")
    built=/var/lib/dkms/nvidia/{version}/$kernel/x86_64/module
    mkdir -p "$built" "/lib/modules/$kernel/extra"
    ln -sfn /usr/src/nvidia-{version} /var/lib/dkms/nvidia/{version}/source
    cp /usr/src/nvidia-{version}/nvidia.ko "$built/nvidia.ko"
    cp /usr/src/nvidia-{version}/nvidia.ko "/lib/modules/$kernel/extra/nvidia.ko"
done
"""
# The new package is set up before the old one goes.
FORGET = """\
for module in /var/lib/dkms/nvidia/{version}/*/x86_64/module/nvidia.ko; do
    kernel=$(echo "$module" | cut -d/ -f7)
    cmp -s "$module" "/lib/modules/$kernel/extra/nvidia.ko" && rm -f "/lib/modules/$kernel/extra/nvidia.ko"
done
rm -rf /var/lib/dkms/nvidia/{version}
rmdir --ignore-fail-on-non-empty /var/lib/dkms/nvidia /var/lib/dkms 2>/dev/null || true
"""


class Spec:
    """One spec file whose packages are of one version; ``tree`` is what they install."""

    def __init__(self, name: str, version: str, release: str = "1.el9", epoch: int = 3):
        self.text = HEAD.format(name=name, version=version, release=release, epoch=epoch)
        self.version, self.same = version, f"{epoch}:{version}-{release}"
        self.tree: dict[str, tuple[bytes, int]] = {}

    def package(self, name: str, requires: str = "", files: dict[str, bytes] | None = None, **more: str) -> None:
        """requires: names that must be of the same version; more: post and preun, scripts; head, further lines."""
        lines = [f"%package -n {name}", "Summary: stand-in for tests", "AutoReqProv: no", more.get("head", "")]
        lines += [f"Requires: {one} = {self.same}" for one in requires.split()]
        lines += [f"%description -n {name}", "Stand-in for tests."]
        for script in ("post", "preun"):
            lines += [f"%{script} -n {name}", more[script]] if more.get(script) else []
        lines += [f"%files -n {name}", *(files or {}), ""]
        self.text += "\n".join(line for line in lines if line) + "\n"
        for path, data in (files or {}).items():
            self.tree[path] = (data, 0o755 if "/bin/" in path or "/sbin/" in path else 0o644)


def driver(version: str) -> list[Spec]:
    """The specs of one driver version."""
    spec = Spec("nvidia-driver-all", version)
    smi = (PROGRAMS / "nvidia-smi").read_text().replace("@VERSION@", version).encode()
    fails = "echo 'nvidia-driver-cuda: cannot be set up' >&2\nexit 1" if version == BROKEN_USER_SPACE else ""
    spec.package(
        "nvidia-driver-cuda", "nvidia-driver-cuda-libs nvidia-persistenced nvidia-kmod-common", {"/usr/bin/nvidia-smi": smi}, post=fails
    )
    libraries = {f"/usr/lib64/libcuda.so.{version}": f"libcuda {version}\n".encode()}
    spec.package("nvidia-driver-cuda-libs", "libnvidia-ml", libraries)
    spec.package("libnvidia-ml", "", {f"/usr/lib64/libnvidia-ml.so.{version}": f"libnvidia-ml {version}\n".encode()})
    spec.package("nvidia-persistenced")
    spec.package("nvidia-modprobe", "", {"/usr/sbin/stub-nvidia": (PROGRAMS / "stub-nvidia").read_bytes()})
    spec.package("nvidia-kmod-common", "nvidia-modprobe nvidia-kmod")
    built_of = "595.58.03" if version == OTHER_MODULES else version
    for name, other, flavor in (
        ("kmod-nvidia-open-dkms", "kmod-nvidia-latest-dkms", "open"),
        ("kmod-nvidia-latest-dkms", "kmod-nvidia-open-dkms", "proprietary"),
    ):
        # Both bring the same path, so each has a tree of its own below it.
        module = {f"/usr/src/nvidia-{version}/{flavor}.ko": kernel_module(built_of, flavor)}
        link = f"ln -sf {flavor}.ko /usr/src/nvidia-{version}/nvidia.ko\n"
        head = f"Provides: nvidia-kmod = {spec.same}\nConflicts: {other}\nRequires: dkms"
        forget = FORGET.format(version=version) + f"rm -f /usr/src/nvidia-{version}/nvidia.ko"
        spec.package(name, "", module, post=link + BUILD.format(version=version), preun=forget, head=head)
    fabric = Spec("nvidia-fabricmanager-all", version, "1", 0)
    files = {
        "/usr/bin/nv-fabricmanager": (PROGRAMS / "nvidia-daemon").read_bytes(),
        "/usr/lib/systemd/system/nvidia-fabricmanager.service": FABRIC_MANAGER_UNIT.encode(),
    }
    fabric.package("nvidia-fabricmanager", "", files)
    imex = Spec("nvidia-imex-all", version, "1", 0)
    imex.package("nvidia-imex", "", {"/usr/bin/nvidia-imex": (PROGRAMS / "nvidia-daemon").read_bytes()})
    return [spec, imex] if version == WITHOUT_FABRIC else [spec, imex, fabric]


def distribution() -> list[Spec]:
    """What the driver's packages want of a distribution, and the headers of a kernel that it has."""
    base = Spec("base-all", "9", "1.el9", 0)
    base.package("base", head="Provides: /bin/sh")
    base.package("dkms")
    kernel = Spec("kernel-all", *KERNEL, 0)
    kernel.package("kernel-devel", "", {f"/lib/modules/{RELEASE}/build/Makefile": b""}, head=f"Provides: kernel-devel-uname-r = {RELEASE}")
    return [base, kernel]
