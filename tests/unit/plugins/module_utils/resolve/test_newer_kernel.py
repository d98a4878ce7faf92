# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernel comes in place of one without headers, and what pins say of it."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names, newer_kernel, pins, reading, resolve
from tests.unit.plugins.module_utils.resolve.shapes import PLATFORMS, TODAY, gpu, nvidia

AMAZON = {"platform_names": ["Amazon-2023"], "architecture": "x86_64"}
GONE = "6.1.0-20-amd64"


def apt(*releases, headers=None):
    """What sources offer of these kernels; headers: of which they have them, all by default."""
    found = {f"linux-image-{one}": ["1"] for one in releases}
    return {**found, **{f"linux-headers-{one}": ["1"] for one in (releases if headers is None else headers)}}


@pytest.mark.parametrize(
    ("release", "flavor"),
    [
        ("6.1.0-56-amd64", "amd64"), ("6.1.0-56-cloud-amd64", "cloud-amd64"), ("6.12.90+deb13-amd64", "amd64"),
        ("6.12.90+deb13+1-cloud-arm64", "cloud-arm64"), ("6.1.0-0.deb11.13-amd64", "amd64"), ("6.12.12+bpo-amd64", "amd64"),
        ("6.8.0-1030-aws", "aws"), ("6.8.0-45-generic", "generic"), ("6.8.0-45-generic-64k", "generic-64k"), ("amd64", None), ("6.1", None),
    ],
)  # fmt: skip
def test_flavor(release, flavor):
    assert newer_kernel.flavor(release) == flavor


@pytest.mark.parametrize(
    ("release", "installed", "offered", "chosen"),
    [
        (GONE, [GONE], apt("6.1.0-9-amd64", "6.1.0-98-amd64", "6.1.0-56-amd64"), "6.1.0-98-amd64"),
        (GONE, [GONE], apt("6.1.0-98-cloud-amd64", "6.1.0-56-amd64", "6.1.0-99-amd64-unsigned"), "6.1.0-56-amd64"),
        # The newest has no headers: passed over.
        (GONE, [GONE], apt("6.1.0-98-amd64", "6.1.0-56-amd64", headers=["6.1.0-56-amd64"]), "6.1.0-56-amd64"),
        (GONE, [GONE], apt("6.1.0-9-amd64", GONE), None),
        # The boot loader would start the one that is installed already.
        (GONE, [GONE, "6.1.0-60-amd64"], apt("6.1.0-56-amd64"), None),
        # A backport comes only where the series has ended.
        (GONE, [GONE], apt("6.1.0-56-amd64", "6.12.12+bpo-amd64"), "6.1.0-56-amd64"),
        ("6.8.0-1010-aws", [], apt("6.14.0-1012-aws", "6.8.0-99-generic"), "6.14.0-1012-aws"),
        ("6.18.44-fc-v657", [], apt("6.19.0-1-amd64"), None),
        ("what", ["6.1.0-20-amd64"], apt("6.19.0-1-amd64"), None),
    ],
)
def test_chosen_of_apt(release, installed, offered, chosen):
    assert newer_kernel.choose("Debian-12", release, installed, offered) == chosen


RPM = {
    "kernel": ["6.1.94-99.176.amzn2023", "6.1.150-174.273.amzn2023"],
    "kernel-devel": ["6.1.94-99.176.amzn2023", "6.1.150-174.273.amzn2023"],
    "kernel6.12": ["6.12.40-64.114.amzn2023", "6.12.9-1.amzn2023", "6.12.55-74.119.amzn2023"],
    "kernel6.12-devel": ["6.12.40-64.114.amzn2023", "6.12.9-1.amzn2023"],
}


@pytest.mark.parametrize(
    ("platform", "release", "chosen"),
    [
        ("Amazon-2023", "6.12.20-23.97.amzn2023.x86_64", "6.12.40-64.114.amzn2023.x86_64"),
        ("Amazon-2023", "6.1.10-15.42.amzn2023.aarch64", "6.1.150-174.273.amzn2023.aarch64"),
        ("Amazon-2023", "6.12.60-1.amzn2023.x86_64", None),
        ("Amazon-2023", "6.18.1-1.amzn2023.x86_64", None),
    ],
)
def test_chosen_of_dnf_stays_in_its_package(platform, release, chosen):
    assert newer_kernel.choose(platform, release, [release], RPM) == chosen


def test_red_hats_has_one_package_for_all():
    offered = dict.fromkeys(["kernel", "kernel-devel"], ["0:5.14.0-570.12.1.el9_6", "5.14.0-503.11.1.el9_5"])
    release = "5.14.0-503.11.1.el9_5.x86_64"
    assert newer_kernel.choose("RedHat-family-9", release, [release], offered) == "5.14.0-570.12.1.el9_6.x86_64"


@pytest.mark.parametrize(
    ("kernel", "releases", "have", "settled"),
    [
        ({"running": "1", "installed": ["1"]}, ["1"], {"1"}, (["1"], [], None)),
        ({"running": "1", "installed": ["1"]}, ["1"], set(), (["9"], ["1"], "9")),
        ({"running": "1", "installed": []}, ["1"], set(), (["9"], ["1"], "9")),
        # The one that would start next is enough, and nothing is installed.
        ({"running": "1", "installed": ["1", "2"]}, ["1"], {"2"}, (["2"], ["1"], "2")),
        ({"running": "1", "installed": ["1", "2"]}, ["1", "2"], {"2"}, (["2"], ["1"], "2")),
        ({"running": "1", "installed": ["1", "2"]}, ["1", "2"], {"1"}, (["1", "9"], ["2"], "9")),
        ({"running": "1", "installed": ["1", "2"]}, ["1", "2"], set(), (["9"], ["1", "2"], "9")),
        # One that somebody named is his.
        ({"running": "1", "installed": ["1"]}, ["5"], {"1"}, (["5"], [], None)),
        ({"running": None, "installed": []}, [], set(), ([], [], None)),
    ],
)
def test_settled(kernel, releases, have, settled):
    assert newer_kernel.settle(kernel, releases, have.__contains__, lambda: "9") == settled


def asked(policy, offered, kernel=None, **wishes):
    host = gpu("t4", kernel=kernel or {"running": GONE, "installed": [GONE]})
    wish = {"components": [], "kernel_upgrade": policy, **wishes}
    return resolve.resolve(host, PLATFORMS["Debian-12"], wish, {**nvidia(), **offered}, TODAY)


def test_pins_have_the_newer_kernel_and_say_that_it_waits_for_a_restart():
    found = asked("if_required", apt("6.1.0-98-amd64"))
    assert found["problems"] == [] and found["pins"]["kernels"] == [
        {"release": "6.1.0-98-amd64", "headers": "linux-headers-6.1.0-98-amd64", "image": "linux-image-6.1.0-98-amd64"}
    ]
    assert found["warnings"] == [
        "Kernel 6.1.0-20-amd64 has no headers, here or in the sources: kernel 6.1.0-98-amd64 is resolved in its place, and the host has to "
        "be restarted into it."
    ]
    again = pins.apply(found["pins"], gpu("t4", kernel={"running": GONE, "installed": [GONE]}), PLATFORMS["Debian-12"],
                       {**nvidia(), **apt("6.1.0-98-amd64")}, TODAY)  # fmt: skip
    assert again["problems"] == []


def test_refused_by_default_and_where_none_is_to_be_had():
    (told,) = asked("never", apt("6.1.0-98-amd64"))["problems"]
    assert "Boot a kernel whose headers are offered, set kernel_upgrade to if_required for a newer one" in told
    (told,) = asked("if_required", {name: [] for name in nvidia() if name.startswith("linux-")})["problems"]
    assert "no kernel of flavor amd64 that is newer than those installed is offered with its headers in its place. Add a source" in told
    (told,) = asked("always", {})["problems"]
    assert told == "kernel_upgrade is 'always': expected never or if_required."


@pytest.mark.parametrize("policy", ["never", "if_required"])
def test_a_container_is_not_told_to_boot_another_kernel(policy):
    host = gpu("t4", kernel={"running": GONE, "installed": []}, container=True)
    wish = {"kernel_upgrade": policy}
    (told,) = resolve.resolve(host, PLATFORMS["Debian-12"], wish, {**nvidia(), **apt("6.1.0-98-amd64")}, TODAY)["problems"]
    assert "is a container, whose kernel is the machine's. Set kernel_modules to false" in told and "oot" not in told


def test_headers_that_are_offered_come_first():
    found = asked("if_required", {**apt("6.1.0-98-amd64"), f"linux-headers-{GONE}": ["1"]})
    assert [one["release"] for one in found["pins"]["kernels"]] == [GONE] and found["warnings"] == []


@pytest.mark.parametrize(
    ("platform", "kernel", "package", "version"),
    [
        ("Amazon-2023", "6.12.40-64.114.amzn2023.x86_64", "kernel6.12-devel", "6.12.40-64.114.amzn2023"),
        ("Amazon-2023", "6.1.94-99.176.amzn2023.x86_64", "kernel-devel", "6.1.94-99.176.amzn2023"),
        ("RedHat-family-9", "5.14.0-503.11.1.el9_5.x86_64", "kernel-devel", "5.14.0-503.11.1.el9_5"),
        ("RedHat-family-9", "6.12.0-1.el9.x86_64", "kernel-devel", "6.12.0-1.el9"),
    ],
)
def test_headers_of_rpm(platform, kernel, package, version):
    assert names.headers(platform, kernel) == (package, version)
    assert names.INTERESTING.match(package)


def test_amazons_kernel_6_12_is_resolved_and_its_pins_hold():
    release = "6.12.40-64.114.amzn2023.x86_64"
    offered = {name: ["3:595.58.03-1.amzn2023"] for name in ("nvidia-driver-cuda", "kmod-nvidia-open-dkms")}
    host = gpu("t4", kernel={"running": release, "installed": [release]})
    found = resolve.resolve(host, AMAZON, {"components": [], "policy": "newest"}, {**offered, **RPM}, TODAY)
    assert found["problems"] == [] and found["packages"]["kernel6.12-devel"] == "6.12.40-64.114.amzn2023"
    assert found["pins"]["kernels"] == [{"release": release, "headers": "kernel6.12-devel", "image": None}]
    assert pins.apply(found["pins"], host, AMAZON, {**offered, **RPM}, TODAY)["problems"] == []


def test_what_package_managers_are_asked():
    ran = []

    def run(command, **kwargs):
        ran.append(command)
        known = f"linux-image-{GONE}\nlinux-headers-6.1.0-98-amd64\nlinux-headers-6.1.0-98-cloud-amd64\nlinux-image-amd64\nbash\n"
        return 0, known if command[-1] == "pkgnames" else "", ""

    reading.offered(run, lambda name: name if name == "apt-cache" else None, {GONE}, ("Debian-12", GONE))
    assert ran[1][1:] == ["madison", "linux-headers-6.1.0-98-amd64", f"linux-image-{GONE}"]
    reading.offered(run, lambda name: name if name == "dnf" else None, set(), ("Amazon-2023", "6.12.1-1.amzn2023.x86_64"))
    assert "kernel[1-9].*-devel" in ran[2] and ran[2][-2:] == ["kernel6.12", "kernel6.12-devel"]
    reading.offered(run, lambda name: name if name == "dnf" else None, set())
    assert ran[3][-1] == "nvidia-imex*"
