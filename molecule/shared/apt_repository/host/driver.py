# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages of NVIDIA's CUDA repository for Debian that a driver consists of, with their names, versions and dependencies.

Names from a host with 595.58.03 of that repository, and from NVIDIA's driver installation guide (compute-only and full installation,
pinning packages, fabric manager without a branch in its name from 580 on).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import beside
from deb import Package

VERSIONS = (
    "580.65.06", "580.95.05", "580.126.09", "590.44.01", "590.48.01", "595.58.03", "595.99.01", "595.99.02", "595.99.03", "610.43.02",
)  # fmt: skip
BROKEN_MODULES = "595.99.01"  # the DKMS packages end as a failed build does
BROKEN_USER_SPACE = "595.99.02"  # nvidia-driver-cuda fails to configure
OTHER_MODULES = "595.99.03"  # everything installs, and the kernel modules are of another driver
WITHOUT_FABRIC = "590.44.01"  # there is neither a fabric manager of it nor what goes besides a driver
# A kernel of no distribution, so that hosts can be given one that they do not have.
KERNEL, KERNEL_VERSION = "6.1.0-98-amd64", "6.1.198-1"
LIB = "/usr/lib/x86_64-linux-gnu"
PROGRAMS = Path(__file__).resolve().parent / "programs"
PERSISTENCED_UNIT = """\
[Unit]
Description=NVIDIA Persistence Daemon
[Service]
ExecStart=/usr/bin/nvidia-persistenced --verbose
[Install]
WantedBy=multi-user.target
"""
FABRIC_MANAGER_UNIT = """\
[Unit]
Description=NVIDIA fabric manager service
[Service]
ExecStart=/usr/bin/nv-fabricmanager -c /usr/share/nvidia/nvswitch/fabricmanager.cfg
[Install]
WantedBy=multi-user.target
"""
# As dkms's own script of a package leaves things, for each kernel whose headers are there; nothing is compiled.
DKMS_POSTINST = """\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
for headers in /lib/modules/*/build; do
    [ -e "$headers" ] || continue
    kernel=$(basename "$(dirname "$headers")")
    echo "Building for $kernel"
    if [ -n "{fails}" ]; then
        echo "Error! Bad return status for module build on kernel: $kernel (x86_64)" >&2
        echo "Consult /var/lib/dkms/nvidia/{version}/build/make.log for more information." >&2
        exit 10
    fi
    [ ! -x /usr/local/sbin/stop-at ] || /usr/local/sbin/stop-at "build {version}"
    built=/var/lib/dkms/nvidia/{version}/$kernel/x86_64/module
    mkdir -p "$built" "/lib/modules/$kernel/updates/dkms"
    ln -sfn "/usr/src/nvidia-{version}" "/var/lib/dkms/nvidia/{version}/source"
    cp "/usr/src/nvidia-{version}/nvidia.ko" "$built/nvidia.ko"
    cp "/usr/src/nvidia-{version}/nvidia.ko" "/lib/modules/$kernel/updates/dkms/nvidia.ko"
done
[ -z "{fails}" ] || {{ echo "Error! The kernel modules of {version} do not build." >&2; exit 10; }}
"""
DKMS_PRERM = """\
#!/bin/sh
set -e
rm -rf /var/lib/dkms/nvidia/{version} /lib/modules/*/updates/dkms/nvidia.ko
rmdir --ignore-fail-on-non-empty /var/lib/dkms/nvidia 2>/dev/null || true
"""
ENABLE_PERSISTENCED = """\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
[ ! -d /run/systemd/system ] || systemctl --quiet enable nvidia-persistenced.service
[ ! -d /run/systemd/system ] || deb-systemd-invoke start nvidia-persistenced.service >/dev/null || true
"""
FAILS = "#!/bin/sh\n[ \"$1\" = configure ] || exit 0\necho 'nvidia-driver-cuda: cannot be set up' >&2\nexit 1\n"


def kernel_module(version: str, flavor: str) -> bytes:
    """An ELF object with a .modinfo section, enough for modinfo -F version and -F license."""
    licence = "Dual MIT/GPL" if flavor == "open" else "NVIDIA"
    info = b"".join(text.encode() + b"\0" for text in (f"version={version}", f"license={licence}", "supported=external", "name=nvidia"))
    names = b"\0.modinfo\0.shstrtab\0"
    start = 64 + len(info) + len(names)
    sections = [(0,) * 10, (1, 1, 2, 0, 64, len(info), 0, 0, 1, 0), (10, 3, 0, 0, 64 + len(info), len(names), 0, 0, 1, 0)]
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 1, 62, 1, 0, 0, start, 0, 64, 0, 0, 64, 3, 2)
    return header + info + names + b"".join(struct.pack("<IIQQQQIIQQ", *section) for section in sections)


def packages(upstream: str) -> list[Package]:
    """All packages of one driver version."""
    version = f"{upstream}-1"
    same = f"(= {version})"

    def package(name: str, description: str, depends: str = "", **more) -> Package:
        fields = {"Depends": depends.replace("=", same), "Source": "nvidia-graphics-drivers", **more.pop("fields", {})}
        return Package(name, version, description, fields=fields, **more)

    def library(name: str, file: str, depends: str = "") -> Package:
        return package(name, f"NVIDIA {file} library", depends, files={f"{LIB}/{file}.so.{upstream}": f"{file} {upstream}\n"})

    absent = {"nvidia-fabricmanager", "nvidia-imex", "libnvsdm"} if upstream == WITHOUT_FABRIC else set()
    return [one for one in all_packages(upstream, package, library) if one.name not in absent]


def all_packages(upstream: str, package: Callable[..., Package], library: Callable[..., Package]) -> list[Package]:
    """As if nothing was missing. package, library: make one package of this version."""
    same = f"(= {upstream}-1)"
    recommends = {"Recommends": f"nvidia-kernel-dkms {same} | nvidia-kernel-open-dkms {same}"}
    smi = (PROGRAMS / "nvidia-smi").read_text().replace("@VERSION@", upstream)
    return [
        package("nvidia-open", "NVIDIA driver, open modules", "nvidia-driver =, nvidia-driver-cuda =, nvidia-kernel-open-dkms ="),
        package("cuda-drivers", "NVIDIA driver meta-package", "nvidia-driver =, nvidia-driver-cuda =, nvidia-kernel-dkms ="),
        package("nvidia-driver", "NVIDIA metapackage", "nvidia-driver-libs =, nvidia-kernel-support ="),
        library("nvidia-driver-libs", "libGLX_nvidia"),
        package(
            "nvidia-driver-cuda",
            "NVIDIA driver CUDA integration components",
            "libcuda1 =, libcudadebugger1 =, libnvidia-cfg1 =, libnvidia-ml1 =, "
            "nvidia-modprobe =, nvidia-opencl-icd =, nvidia-persistenced =",
            fields=recommends,
            files={"/usr/bin/nvidia-smi": smi},
            programs=("/usr/bin/nvidia-smi",),
            scripts={"postinst": FAILS} if upstream == BROKEN_USER_SPACE else {},
        ),
        library("libcuda1", "libcuda", "libnvidia-nvvm4 =, libnvidia-ptxjitcompiler1 ="),
        library("libcudadebugger1", "libcudadebugger"),
        library("libnvidia-cfg1", "libnvidia-cfg"),
        library("libnvidia-ml1", "libnvidia-ml"),
        library("libnvidia-nvvm4", "libnvidia-nvvm"),
        library("libnvidia-ptxjitcompiler1", "libnvidia-ptxjitcompiler"),
        library("nvidia-opencl-icd", "libnvidia-opencl"),
        package(
            "nvidia-modprobe",
            "utility to load NVIDIA kernel modules",
            "nvidia-kernel-support =",
            files={"/usr/sbin/stub-nvidia": (PROGRAMS / "stub-nvidia").read_text()},
            programs=("/usr/sbin/stub-nvidia",),
        ),
        package("nvidia-kernel-support", "NVIDIA binary kernel module support files"),
        package("firmware-nvidia-gsp", "NVIDIA GSP firmware", files={f"/lib/firmware/nvidia/{upstream}/gsp_tu10x.bin": "firmware\n"}),
        package(
            "nvidia-persistenced",
            "daemon to maintain persistent software state in the NVIDIA driver",
            files={
                "/usr/bin/nvidia-persistenced": (PROGRAMS / "nvidia-daemon").read_text(),
                "/usr/lib/systemd/system/nvidia-persistenced.service": PERSISTENCED_UNIT,
            },
            programs=("/usr/bin/nvidia-persistenced",),
            scripts={"postinst": ENABLE_PERSISTENCED},
        ),
        package(
            "nvidia-fabricmanager",
            "Fabric Manager for NVSwitch based systems",
            files={
                "/usr/bin/nv-fabricmanager": (PROGRAMS / "nvidia-daemon").read_text(),
                "/usr/share/nvidia/nvswitch/fabricmanager.cfg": "DAEMONIZE=1\n",
                "/usr/lib/systemd/system/nvidia-fabricmanager.service": FABRIC_MANAGER_UNIT,
            },
            programs=("/usr/bin/nv-fabricmanager",),
        ),
        *beside.packages(upstream),
        dkms(upstream, "nvidia-kernel-open-dkms", "nvidia-kernel-dkms", "open"),
        dkms(upstream, "nvidia-kernel-dkms", "nvidia-kernel-open-dkms", "proprietary"),
        pinning(upstream, upstream.split(".")[0], f"{upstream.split('.')[0]}.*"),
        pinning(upstream, upstream, f"{upstream}-*"),
    ]


def dkms(upstream: str, name: str, other: str, flavor: str) -> Package:
    version, source = f"{upstream}-1", f"/usr/src/nvidia-{upstream}"
    fails = "yes" if upstream == BROKEN_MODULES else ""
    return Package(
        name,
        version,
        f"NVIDIA binary kernel module DKMS source, {flavor} flavor",
        fields={
            "Depends": f"firmware-nvidia-gsp (= {version}), nvidia-kernel-support (= {version}), nvidia-modprobe (= {version})",
            "Conflicts": other,
            "Source": "nvidia-graphics-drivers",
        },
        files={
            f"{source}/dkms.conf": f'PACKAGE_NAME="nvidia"\nPACKAGE_VERSION="{upstream}"\nBUILT_MODULE_NAME[0]="nvidia"\n',
            f"{source}/nvidia.ko": kernel_module("595.58.03" if upstream == OTHER_MODULES else upstream, flavor),
        },
        scripts={
            "postinst": DKMS_POSTINST.format(version=upstream, fails=fails),
            "prerm": DKMS_PRERM.format(version=upstream),
        },
    )


def pinning(upstream: str, what: str, pin: str) -> Package:
    """nvidia-driver-pinning-580 keeps a host on the branch, nvidia-driver-pinning-580.95.05 on the version."""
    path = "/etc/apt/preferences.d/nvidia-driver-pinning"
    names = "cuda-drivers nvidia-open nvidia-driver* nvidia-kernel-* nvidia-modprobe nvidia-persistenced nvidia-opencl-icd"
    names += " nvidia-fabricmanager nvidia-imex firmware-nvidia-gsp libcuda1 libcudadebugger1 libnvidia-*"
    return Package(
        f"nvidia-driver-pinning-{what}",
        f"{upstream}-1",
        f"pins the NVIDIA driver to {what}",
        fields={"Provides": "nvidia-driver-pinning", "Conflicts": "nvidia-driver-pinning"},
        files={path: f"Package: {names}\nPin: version {pin}\nPin-Priority: 1001\n"},
        conffiles=(path,),
        architecture="all",
    )


def kernel() -> list[Package]:
    """Image and headers of a kernel."""
    folder = f"/lib/modules/{KERNEL}"
    image = {f"/boot/vmlinuz-{KERNEL}": "kernel\n", f"{folder}/modules.builtin": "\n"}
    return [
        Package(f"linux-image-{KERNEL}", KERNEL_VERSION, "Linux kernel", files=image),
        Package(f"linux-headers-{KERNEL}", KERNEL_VERSION, "Header files of it", files={f"{folder}/build/Makefile": "\n"}),
    ]


def keyring(distribution: str, key: bytes) -> Package:
    """cuda-keyring, whose source list names NVIDIA's own address wherever it is served from."""
    path, base = "/usr/share/keyrings/cuda-archive-keyring.gpg", "https://developer.download.nvidia.com/compute/cuda/repos"
    source = f"/etc/apt/sources.list.d/cuda-{distribution}-x86_64.list"
    return Package(
        "cuda-keyring",
        "1.1-1",
        "GPG keyring for the CUDA repository",
        files={
            path: key,
            source: f"deb [signed-by={path}] {base}/{distribution}/x86_64/ /\n",
            "/etc/apt/preferences.d/cuda-repository-pin-600": pin_file(),
        },
        conffiles=(source, "/etc/apt/preferences.d/cuda-repository-pin-600"),
        architecture="all",
    )


def pin_file() -> str:
    return "Package: *\nPin: release l=NVIDIA CUDA\nPin-Priority: 600\n"
