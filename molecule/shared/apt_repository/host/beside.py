# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of NVIDIA's repository that are no part of a driver and have to be of its version. Below 580 the branch is in their names.

Both names of a package have the same files, and know nothing of each other.
"""

from __future__ import annotations

from pathlib import Path

from deb import Package

# A driver of before, of which only these are left.
OLD = "570.172.08"
NODES = "/etc/nvidia-imex/nodes_config.cfg"
LIBRARY = "/usr/lib/x86_64-linux-gnu/libnvsdm.so.1"
PROGRAMS = Path(__file__).resolve().parent / "programs"
IMEX_UNIT = """\
[Unit]
Description=NVIDIA IMEX service
[Service]
ExecStart=/usr/bin/nvidia-imex -c /etc/nvidia-imex/config.cfg
[Install]
WantedBy=multi-user.target
"""
# As deb-systemd-helper does for what a package had enabled.
FORGETS = '#!/bin/sh\nset -e\n[ "$1" != purge ] || rm -f /etc/systemd/system/*.wants/nvidia-imex.service\n'
STOPS = '#!/bin/sh\nset -e\n[ "$1" != remove ] || systemctl -q stop nvidia-imex.service || true\n'


def packages(upstream: str) -> list[Package]:
    """Those of one driver version."""
    branch = int(upstream.split(".")[0])
    suffix = "" if branch >= 580 else f"-{branch}"
    return [
        Package(
            f"nvidia-imex{suffix}",
            f"{upstream}-1",
            "Internode Memory Exchange service",
            files={
                "/usr/bin/nvidia-imex": (PROGRAMS / "nvidia-daemon").read_text(),
                "/usr/lib/systemd/system/nvidia-imex.service": IMEX_UNIT,
                NODES: "# addresses of the nodes, one a line\n",
            },
            programs=("/usr/bin/nvidia-imex",),
            conffiles=(NODES,),
            scripts={"prerm": STOPS, "postrm": FORGETS},
        ),
        Package(f"libnvsdm{suffix}", f"{upstream}-1", "NVSwitch device monitoring library", files={LIBRARY: f"libnvsdm {upstream}\n"}),
    ]
