# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role leaves on each kind of host."""

from __future__ import annotations

import json

import pytest

KERNEL = "6.1.0-99-amd64"
DRIVERS = {"nvidia-bookworm": "580.95.05", "nvidia-trixie": "580.126.09"}


@pytest.fixture
def pool(host):
    return host.ansible.get_variables()["mlinfra_pool"]


@pytest.fixture
def manifest(host, pool):
    if pool == "plain-trixie":
        pytest.skip("has no NVIDIA device")
    with host.sudo():
        return json.loads(host.file("/var/lib/mlinfra/nvidia_driver.json").content_string)


def held(host):
    return set(host.check_output("apt-mark showhold").split())


def test_host_without_a_device_is_left_alone(host, pool):
    if pool != "plain-trixie":
        return
    assert "nvidia" not in host.check_output("dpkg-query -W; ls /etc/apt/sources.list.d /etc/apt/preferences.d /etc/modprobe.d")
    assert not host.file("/var/lib/mlinfra").exists


def test_manifest_is_what_dpkg_says(host, pool, manifest):
    assert manifest["driver"] == DRIVERS.get(pool, manifest["driver"])
    assert manifest["packages"], "no package is written down"
    for name, version in manifest["packages"].items():
        assert host.package(name).version == version
        assert version.split("-")[0] == manifest["driver"], f"{name} is of another driver"
    assert host.check_output("dpkg --audit") == ""


def test_packages_are_held_where_an_upgrade_would_move_them(host, pool, manifest):
    assert held(host) == set(manifest["packages"]) == set(manifest["held"])
    # Without the pins only the hold is left.
    upgrade = "apt-get -s dist-upgrade -o Dir::Etc::PreferencesParts=/nonexistent"
    with host.sudo():
        moved = [line.split()[1] for line in host.check_output(upgrade).splitlines() if line.startswith(("Inst ", "Remv "))]
        would = host.check_output(f"{upgrade} --ignore-hold")
    assert not set(moved) & set(manifest["packages"])
    if pool in DRIVERS:
        assert "Inst nvidia-driver-cuda " in would, "nothing newer is there: the hold is not proven"


def test_repository_is_signed_and_pinned(host, pool, manifest):
    if pool not in DRIVERS:
        assert not host.file("/etc/apt/sources.list.d/mlinfra-nvidia.sources").exists
        return
    source = host.file("/etc/apt/sources.list.d/mlinfra-nvidia.sources").content_string
    assert "Signed-By: /etc/apt/keyrings/mlinfra-nvidia.gpg" in source and "8080/nvidia/compute/cuda/repos/debian1" in source
    what = "580.95.05" if pool == "nvidia-bookworm" else "580"
    assert host.package(f"nvidia-driver-pinning-{what}").is_installed
    assert f"Candidate: {manifest['packages']['libcuda1']}" in host.check_output("apt-cache policy libcuda1")
    with host.sudo():
        assert host.run("apt-get -q update").rc == 0


def test_modules_are_built_for_the_wished_kernels(host, pool, manifest):
    if pool not in DRIVERS:
        assert manifest["kernels"] == {} and not host.file("/etc/modprobe.d/mlinfra-nvidia.conf").exists
        assert not [name for name in manifest["packages"] if "kernel" in name or "dkms" in name]
        return
    assert list(manifest["kernels"]) == [KERNEL]
    with host.sudo():
        for path in manifest["kernels"][KERNEL]:
            assert host.check_output("modinfo -F version %s", path) == manifest["driver"]
    flavor = {"nvidia-bookworm": "open", "nvidia-trixie": "proprietary"}[pool]
    names = {"open": "nvidia-kernel-open-dkms", "proprietary": "nvidia-kernel-dkms"}
    assert [name for name in names if host.package(names[name]).is_installed] == [flavor] == [manifest["flavor"]]


def test_nouveau_is_blocked(host, pool):
    if pool in DRIVERS:
        assert "blacklist nouveau\n" in host.file("/etc/modprobe.d/mlinfra-nvidia.conf").content_string


def test_initramfs_keeps_nouveau_out(host, pool):
    if pool == "nvidia-bookworm":
        with host.sudo():
            assert "etc/modprobe.d/mlinfra-nvidia.conf" in host.check_output(f"lsinitramfs /boot/initrd.img-{KERNEL}").split()


def test_gpus_will_be_kept_initialised(host, pool):
    """No driver is loaded here: the daemon is enabled, and starts with one."""
    states = host.check_output("systemctl show --property=UnitFileState,ActiveState nvidia-persistenced").split()
    assert ("UnitFileState=enabled" in states) == (pool in DRIVERS) and "ActiveState=active" not in states, states


def test_user_space_is_debians_and_small(host, pool, manifest):
    if pool != "debian-bookworm":
        return
    assert host.package("nvidia-smi").is_installed and host.file("/usr/bin/nvidia-smi").exists
    assert not host.package("dkms").is_installed and not host.package("xserver-xorg-core").is_installed
    assert len(manifest["brought"]) < 20, manifest["brought"]


def test_nothing_is_left_of_the_way_there(host):
    with host.sudo():
        assert host.check_output("ls -d /tmp/mlinfra-nvidia-* /var/cache/apt/archives/*.deb 2>/dev/null || true") == ""
