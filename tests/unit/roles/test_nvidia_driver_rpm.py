# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role nvidia_driver wishes on Red Hat's family and Amazon Linux, where dnf and rpm rule."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import platform
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names

GPU = {
    "present": True, "models": ["a100"], "architectures": ["ampere"], "nvswitch_count": 6, "container": False, "secure_boot": "disabled",
    "driver": {"installed": {"version": None, "source": None, "packages": {}}, "loaded": {"is_loaded": False, "version": None}},
}  # fmt: skip
SYSTEMS = {
    "rocky": {"ID": "rocky", "VERSION_ID": "9.5", "NAME": "Rocky Linux"},
    "rhel": {"ID": "rhel", "VERSION_ID": "9.4", "NAME": "Red Hat Enterprise Linux"},
    "almalinux": {"ID": "almalinux", "VERSION_ID": "9.5", "NAME": "AlmaLinux"},
    "amzn": {"ID": "amzn", "VERSION_ID": "2023", "NAME": "Amazon Linux"},
    "rocky8": {"ID": "rocky", "VERSION_ID": "8.10", "NAME": "Rocky Linux"},
    "fedora": {"ID": "fedora", "VERSION_ID": "42", "NAME": "Fedora Linux"},
}


@pytest.fixture
def ask(value_of):
    """Function (variable, name in SYSTEMS, settings) → value on such a host with NVSwitches."""

    def value(name, system, **settings):
        host = {**platform.distribution(SYSTEMS[system]), "architecture": settings.pop("machine", "x86_64"), "virtualization": "none"}
        facts = {"mlinfra_gpu": {**GPU, **settings.pop("gpu", {})}, "mlinfra_platform": host}
        return value_of("nvidia_driver", name, inventory_hostname="gpu1", ansible_facts=facts, **settings)

    return value


@pytest.mark.parametrize("system", ["rocky", "rhel", "almalinux", "amzn"])
@pytest.mark.parametrize("flavor", ["open", "proprietary"])
@pytest.mark.parametrize("branch", [570, 580, 595])
def test_packages_are_those_that_pins_are_made_of(ask, system, flavor, branch):
    found = ask("_nvidia_driver_packages", system, nvidia_driver_branch=branch, nvidia_driver_flavor=flavor)
    known = names.platform_of(platform.distribution(SYSTEMS[system])["platform_names"])
    assert found == [*names.driver(known, "nvidia", branch, flavor), names.fabric_manager(known, "nvidia", branch)]
    assert ask("_nvidia_driver_refusals", system, nvidia_driver_branch=branch, nvidia_driver_flavor=flavor) == []


@pytest.mark.parametrize("branch", [570, 580])
def test_local_repository_has_the_same_packages(ask, branch):
    local = {"nvidia_driver_source": "local", "nvidia_driver_local_repository": "/srv/nvidia", "nvidia_driver_branch": branch}
    assert ask("_nvidia_driver_packages", "rocky", **local) == ask("_nvidia_driver_packages", "rocky", nvidia_driver_branch=branch)
    assert ask("_nvidia_driver_refusals", "rocky", **local) == []


@pytest.mark.parametrize(
    ("system", "machine", "folder"),
    [("rocky", "x86_64", "rhel9/x86_64"), ("rhel", "aarch64", "rhel9/sbsa"), ("amzn", "x86_64", "amzn2023/x86_64")],
)
def test_repository(ask, system, machine, folder):
    assert ask("_nvidia_driver_url", system, machine=machine, mlinfra_mirrors={"nvidia": "http://mirror/"}) == (
        f"http://mirror/compute/cuda/repos/{folder}/"
    )
    assert ask("_nvidia_driver_platform", system)["key"] == "D42D0685.pub"


@pytest.mark.parametrize(("system", "told"), [("rocky8", "Rocky 8"), ("fedora", "Fedora 42")])
def test_platform_that_is_not_in_the_tables_is_refused_by_name(ask, system, told):
    (message,) = ask("_nvidia_driver_refusals", system)
    assert message.startswith(f"gpu1 runs {told}: role nvidia_driver knows Debian-12,") and "RedHat-family-9, Amazon-2023" in message


def test_these_distributions_have_no_driver_of_their_own(ask):
    alone = {"gpu": {"nvswitch_count": 0}}
    (message,) = ask("_nvidia_driver_refusals", "amzn", nvidia_driver_source="distribution", **alone)
    assert message == "nvidia_driver_source is distribution: Amazon 2023 has no packages of NVIDIA's driver. Set it to nvidia."
    # With NVSwitches that is one reason more, not another one.
    assert message in ask("_nvidia_driver_refusals", "amzn", nvidia_driver_source="distribution")


def test_fabric_manager_of_an_old_branch_is_known_by_its_rpm_name(ask):
    installed = {"version": "570.1.1", "source": "packages", "packages": {"nvidia-fabric-manager": "570.1.1-1"}}
    gpu = {"driver": {**GPU["driver"], "installed": installed}}
    assert ask("_nvidia_driver_fabric_other", "rocky", gpu=gpu) == ""
    assert ask("_nvidia_driver_fabric_package", "rocky", gpu=gpu) == "570.1.1-1"
