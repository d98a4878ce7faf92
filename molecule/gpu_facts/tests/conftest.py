# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""gpu_facts of a host, and a driver made of stand-ins that goes again."""

from __future__ import annotations

import json

import pytest

USER_SPACE = (
    "nvidia-driver-cuda", "libcuda1", "libcudadebugger1", "libnvidia-cfg1", "libnvidia-ml1", "libnvidia-nvvm4", "nvidia-modprobe",
    "libnvidia-ptxjitcompiler1", "nvidia-kernel-support", "nvidia-opencl-icd", "nvidia-persistenced",
)  # fmt: skip
MODULES = ("nvidia-kernel-open-dkms", "firmware-nvidia-gsp", "nvidia-kernel-support", "nvidia-modprobe")


def pytest_collection_modifyitems(config, items):
    """A file that names a POOL is for its hosts only."""
    elsewhere = [item for item in items if hasattr(item.module, "POOL") and f"[ansible://{item.module.POOL}-" not in item.name]
    config.hook.pytest_deselected(items=elsewhere)
    items[:] = [item for item in items if item not in elsewhere]


@pytest.fixture
def look(host):
    """The facts, read afresh."""

    def read(arguments="", **options):
        answer = host.ansible("mlinfra.hosts.gpu_facts", arguments, check=False, **options)
        assert "ansible_facts" in answer, json.dumps(answer)
        assert answer["changed"] is False
        return answer["ansible_facts"]["mlinfra_gpu"]

    return read


@pytest.fixture
def driver(host):
    """Install a version of the driver's packages, with its kernel modules or without; nothing is left."""

    def install(version, modules=False):
        wished = " ".join(f"{name}={version}-1" for name in {*USER_SPACE, *(MODULES if modules else ())})
        return host.run(f"sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends --allow-downgrades {wished}")

    yield install
    host.check_output("test ! -x /usr/sbin/stub-nvidia || sudo stub-nvidia unload")
    host.check_output("sudo apt-get purge -y -q '~n^nvidia' '~n^libnvidia' libcuda1 libcudadebugger1 firmware-nvidia-gsp")
    host.check_output("sudo rm -rf /lib/modules /var/lib/dkms")
