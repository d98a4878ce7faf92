# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CUDA toolkits of NVIDIA's repository: the meta packages, a compiler, a library and what registers the folder, of each release.

Names and dependencies: NVIDIA, CUDA installation guide for Linux, "Meta Packages"; alternatives as cuda-toolkit-X-Y-config-common has them.
"""

from __future__ import annotations

from deb import Package

VERSIONS = ("12.4.1", "12.8.0", "12.8.1", "12.9.1", "13.0.2")
BROKEN = "12.9.1"  # cuda-nvcc-12-9 fails to configure
REGISTER = """\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
update-alternatives --install /usr/local/cuda cuda {folder} {priority}
"""
FORGET = """\
#!/bin/sh
set -e
[ "$1" = remove ] || exit 0
update-alternatives --remove cuda {folder}
"""
FAILS = "#!/bin/sh\n[ \"$1\" = configure ] || exit 0\necho 'cuda-nvcc: cannot be set up' >&2\nexit 1\n"


def packages(release: str) -> list[Package]:
    """All packages of one toolkit."""
    major, minor, _update = release.split(".")
    end, folder, version = f"{major}-{minor}", f"/usr/local/cuda-{major}.{minor}", f"{release}-1"
    where = {"folder": folder, "priority": major + minor}
    compiler = {f"{folder}/bin/nvcc": f"#!/bin/sh\necho 'Cuda compilation tools, release {major}.{minor}, V{release}'\n"}

    def package(name: str, depends: str = "", **more) -> Package:
        return Package(name, version, f"NVIDIA {name}", fields={"Depends": depends}, **more)

    return [
        package("cuda-toolkit-config-common"),
        package(
            f"cuda-toolkit-{end}-config-common",
            f"cuda-toolkit-config-common (>= {version})",
            files={f"/etc/ld.so.conf.d/98{major}_cuda-{major}.{minor}.conf": f"{folder}/lib64\n"},
            scripts={"postinst": REGISTER.format(**where), "prerm": FORGET.format(**where)},
        ),
        package(f"libcublas-{end}", f"cuda-toolkit-{end}-config-common", files={f"{folder}/lib64/libcublas.so.{major}": release}),
        package(f"libcublas-dev-{end}", f"libcublas-{end} (>= {version})"),
        package(
            f"cuda-nvcc-{end}",
            files=compiler,
            programs=tuple(compiler),
            scripts={"postinst": FAILS} if release == BROKEN else {},
        ),
        package(f"cuda-libraries-{end}", f"libcublas-{end} (>= {version})"),
        package(
            f"cuda-toolkit-{end}",
            f"cuda-libraries-{end} (>= {version}), cuda-nvcc-{end} (>= {version}), libcublas-dev-{end} (>= {version})",
        ),
        package(f"cuda-runtime-{end}", f"cuda-libraries-{end} (>= {version}), cuda-drivers"),
        package(f"cuda-compat-{end}"),
    ]
