# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins on the same host, on another one, and on another day."""

from __future__ import annotations

import copy
import json

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import pins as module
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve.resolve import resolve
from tests.unit.plugins.module_utils.resolve.shapes import KERNELS, PLATFORMS, SHAPES, TODAY, gpu, nvidia

KERNEL = KERNELS["Debian-12"]


def made(shape="h100", wish=None, **other):
    found = resolve(gpu(shape, **other), PLATFORMS["Debian-12"], wish or {"cuda": "12.8"}, nvidia(), TODAY)
    assert found["problems"] == []
    return found["pins"]


def apply(pins, shape="h100", offered=None, platform="Debian-12", today=TODAY, besides=False, **other):
    return module.apply(pins, gpu(shape, **other), PLATFORMS[platform], nvidia() if offered is None else offered, today, besides)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("wish", [{}, {"cuda": "12.8", "policy": "lts"}, {"framework": "torch==2.9"}, {"kernel_modules": False}], ids=str)
def test_same_host_on_another_day(shape, wish):
    before = resolve(gpu(shape), PLATFORMS["Debian-12"], wish, nvidia(), TODAY)
    # A file in between, and newer drivers that were not there on the day.
    written = json.loads(json.dumps(before["pins"]))
    later = nvidia(drivers=["535.309.01", "580.178.04", "595.112.07", "595.200.01"])
    found = apply(written, shape, later)
    assert found["problems"] == found["warnings"] == [] and found["pins"] == before["pins"] and found["packages"] == before["packages"]


def test_no_input_is_changed():
    pins, offered, host = made(), nvidia(), gpu("h100")
    copies = copy.deepcopy((pins, offered, host))
    module.apply(pins, host, PLATFORMS["Debian-12"], offered, TODAY)
    resolve(host, PLATFORMS["Debian-12"], {}, offered, TODAY)
    assert (pins, offered, host) == copies


def test_end_of_life_is_warned_of_on_its_day():
    assert "branch 595 of the pins is past its end of life" in apply(made(), today="2027-04-01")["warnings"][0]


def test_host_without_nvswitch_gets_the_rest():
    found = apply(made("b200"), "l40s")
    assert found["pins"] == made("b200") and set(made("b200")["packages"]) - set(found["packages"]) == {"nvidia-fabricmanager", "nvlsm"}
    assert found["warnings"] == [
        "nvidia-fabricmanager is pinned, and this host has no NVSwitch for it: it is left out.",
        "nvlsm is pinned, and this host has no NVSwitch for it: it is left out.",
    ]


def test_what_another_host_had_besides_its_driver_is_not_for_each_host():
    """Role nvidia_driver moves it where it is installed; no source has to have it elsewhere."""
    pins = made()
    pins["packages"]["nvidia-imex"] = pins["packages"]["libnvsdm-570"] = f"{pins['driver']['version']}-1"
    found = apply(pins)
    assert found["problems"] == found["warnings"] == [] and found["pins"] == pins and found["packages"] == made()["packages"]


def test_what_a_host_goes_back_to_has_to_be_offered_whole():
    pins = made()
    pins["packages"]["nvidia-imex"] = there = f"{pins['driver']['version']}-1"
    (told,) = apply(pins, besides=True)["problems"]
    assert told.startswith(f"pins.packages.nvidia-imex is {there}: no source of this host offers it any more (offered: none).")
    assert apply(pins, offered={**nvidia(), "nvidia-imex": [there]}, besides=True)["problems"] == []


def test_kernel_of_another_host():
    pins, bare = made(), {"kernel": {"running": "6.1.0-40-amd64", "installed": ["6.1.0-40-amd64"]}}
    assert apply(pins, **bare)["problems"] == []
    del pins["packages"][f"linux-image-{KERNEL}"]
    (told,) = apply(pins, **bare)["problems"]
    assert told.startswith(f"pins.kernels has {KERNEL}: this host has 6.1.0-40-amd64, and the pins have no package of that kernel.")


def test_kernel_that_is_here_needs_no_source():
    offered = {name: there for name, there in nvidia().items() if not name.startswith("linux-")}
    here = {"kernel": {"running": KERNEL, "installed": [KERNEL], "headers_for": [KERNEL]}}
    assert apply(made(), offered=offered, **here)["problems"] == []
    found = apply(made(), offered=offered)["problems"]
    assert f"pins.packages.linux-headers-{KERNEL} is 1.0-1: no source of this host offers it any more (offered: none)" in found[0]


@pytest.mark.parametrize(
    ("shape", "host", "told"),
    [
        ("t4", {"models": ["v100"], "architectures": ["volta"]}, "pins: V100 (Volta) has no open kernel modules"),
        ("h100", {}, "pins.packages has no nvidia-fabricmanager, which this host needs. Resolve again for this host."),
        ("b200", {}, "pins.packages has no nvlsm, which this host needs."),
    ],
)
def test_hardware_that_the_pins_are_not_for(shape, host, told):
    assert any(one.startswith(told) for one in apply(made("t4"), shape, **host)["problems"])


def test_version_that_is_gone():
    (told, *rest) = apply(made(), offered=nvidia(drivers=["595.71.05"]))["problems"]
    assert "nvidia-driver-cuda is 595.112.07-1: no source of this host offers it any more (offered: 595.71.05-1)" in told
    assert told.endswith("Use a mirror that keeps it, or resolve again.") and len(rest) == 2


def test_other_platform_or_machine():
    (told,) = apply(made(), platform="Debian-13")["problems"]
    assert told == "pins.platform is Debian-12: this host is Debian-13. Resolve again for this host."
    found = module.apply(made(), gpu("h100"), {**PLATFORMS["Debian-12"], "architecture": "aarch64"}, nvidia(), TODAY)
    assert found["problems"] == ["pins.machine is x86_64: this host is aarch64. Resolve again for this host."]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("schema",), 2, "pins.schema is 2: this release of the collection knows schema 1."),
        (("driver",), None, "pins.driver is null: expected a mapping."),
        (("driver", "version"), "595", "pins.driver is {'version': '595', "),
        (("driver", "version"), "580.178.04", "pins.packages.nvidia-driver-cuda is 595.112.07-1: it has to be of exactly the"),
        (("driver", "flavor"), "closed", "pins.driver is {'version': '595.112.07', "),
        (("packages", "nvidia-fabricmanager"), "595.71.05-1", "pins.packages.nvidia-fabricmanager is 595.71.05-1: it has to be of exactly"),
        (("packages", "nvidia-fabricmanager"), 7, "pins.packages is {"),
        (("kernels",), ["6.1"], "pins.kernels is ['6.1']: expected a list of {release, headers, image}."),
        (("source",), "ftp", "source is 'ftp': expected nvidia or mirror or local or distribution."),
        (("wish", "mode"), "loose", "mode is 'loose': expected strict or compatible."),
        (("wish", "mig"), "maybe", "mig is 'maybe': expected true or false."),
        (("cuda",), {"release": "99.0"}, "cuda is 99.0: no release that is known here"),
    ],
)  # fmt: skip
def test_file_that_somebody_edited(path, value, told):
    pins = made()
    *way, last = path
    where = pins
    for key in way:
        where = where[key]
    where[last] = value
    found = apply(pins)
    assert found["problems"][0].startswith(told) or any(one.startswith(told) for one in found["problems"]), found["problems"]
    assert found["pins"] is None and found["packages"] == {}


def test_driver_that_is_too_old_for_the_cuda_that_somebody_wrote():
    """Of the right branch, so that only the exact driver tells: CUDA 13.0 brings 580.65.06, its second update 580.95.05."""
    offered = nvidia(drivers=["580.82.07"])
    pins = resolve(gpu("h100"), PLATFORMS["Debian-12"], {"framework": "torch==2.9"}, offered, TODAY)["pins"]
    pins["cuda"] = {"release": "13.0.2", "toolkit": None}
    (told,) = apply(pins, offered=offered)["problems"]
    assert told == "pins.driver is 580.82.07 open: CUDA 13.0.2 brings driver 580.95.05, and mode is strict. Resolve again for this host."


@pytest.mark.parametrize("pins", [None, [], "text", {}, {"schema": "1"}])
def test_no_pins_at_all(pins):
    assert apply(pins)["problems"][0].startswith("pins")


NEWER = "6.1.0-57-amd64"


@pytest.mark.parametrize(
    ("pinned", "kernel", "found"),
    [
        ([KERNEL], {"running": KERNEL, "installed": [KERNEL], "headers_for": [KERNEL]}, []),
        ([KERNEL], {"running": "6.1.0-9-amd64", "installed": ["6.1.0-9-amd64"], "headers_for": []}, []),
        ([KERNEL], {"running": NEWER, "installed": [NEWER], "headers_for": []}, [NEWER]),
        ([KERNEL], {"running": KERNEL, "installed": [KERNEL, NEWER], "headers_for": []}, [NEWER]),
        ([KERNEL], {"running": NEWER, "installed": [NEWER, "6.1.0-58-amd64"], "headers_for": []}, ["6.1.0-58-amd64"]),
        ([KERNEL], {"running": NEWER, "installed": ["6.1.0-58-amd64", NEWER], "headers_for": [NEWER]}, [NEWER, "6.1.0-58-amd64"]),
        ([KERNEL, NEWER], {"running": NEWER, "installed": [NEWER], "headers_for": []}, []),
        ([KERNEL], {"running": NEWER, "installed": [], "headers_for": []}, [NEWER]),
        ([KERNEL], {"running": None, "installed": [], "headers_for": []}, []),
        ([], {"running": NEWER, "installed": [NEWER], "headers_for": []}, []),
    ],
)
def test_kernels_in_place_of_the_pinned_ones(pinned, kernel, found):
    assert module.beyond(pinned, kernel) == found


def test_host_that_starts_a_newer_kernel_than_the_pins():
    pins, host = made(), {"kernel": {"running": NEWER, "installed": [NEWER]}}
    (told,) = apply(pins, **host)["problems"]
    assert told.startswith(f"pins.kernels has {KERNEL}: this host runs {NEWER}, which is newer, and the headers of that one are neither")
    assert "Remove that kernel, add a source that has its headers, or resolve again" in told
    offered = {**nvidia(), f"linux-headers-{NEWER}": ["1.1-1"]}
    with_headers = {"kernel": {"running": NEWER, "installed": [NEWER], "headers_for": [NEWER]}}
    for found in (apply(pins, offered=offered, **host), apply(pins, **with_headers)):
        assert found["problems"] == [] and found["pins"] == pins
        assert found["warnings"] == [
            f"This host runs kernel {NEWER}, which is newer than those of the pins ({KERNEL}): the driver is built for it, too. Resolve "
            "again to pin it."
        ]


@pytest.mark.parametrize("other", [{"container": True}, {"besides": True}])
def test_newer_kernel_that_does_not_count(other):
    """A container's is the machine's; what a host goes back to is judged by the kernels that it has by then."""
    assert apply(made(), kernel={"running": NEWER, "installed": [NEWER]}, **other)["problems"] == []


def test_newer_kernel_of_another_version_of_kernel_devel():
    platform, new = "RedHat-family-9", "5.14.0-611.el9.x86_64"
    pins = {"platform": platform, "driver": {"flavor": "open"}, "kernels": [{"release": "5.14.0-503.el9.x86_64"}]}
    host = {"kernel": {"running": new, "installed": [new], "headers_for": []}}
    assert module.kernels_beyond(pins, host, {"kernel-devel": ["5.14.0-503.el9"]})[0]
    assert module.kernels_beyond(pins, host, {"kernel-devel": ["5.14.0-611.el9"]})[0] == []
    assert module.kernels_beyond({**pins, "driver": {"flavor": None}}, host, {}) == ([], [])
