# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repository offers, and the files that pin it."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import repository

URL = "https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64/"
PACKAGES = """\
Package: libcuda1
Version: 580.95.05-1
Source: nvidia-graphics-drivers

Package: libcuda1
Version: 580.126.09-1

Package: libcuda1
Version: 590.48.01-1

Package: nvidia-driver-cuda
Version: 580.95.05-1
Depends: libcuda1 (= 580.95.05-1)

Package: nvidia-driver-pinning-580
Version: 580.126.09-1
"""


@pytest.fixture
def available():
    return repository.offered(PACKAGES)


def test_offered(available):
    assert available["libcuda1"] == ["580.95.05-1", "580.126.09-1", "590.48.01-1"]
    assert available["nvidia-driver-cuda"] == ["580.95.05-1"]


def test_newest_that_all_are_there_of(available):
    assert repository.chosen(available, ["libcuda1"], 580, "")[0] == {"libcuda1": "580.126.09-1"}
    picked, told = repository.chosen(available, ["libcuda1", "nvidia-driver-cuda"], 580, "")
    assert picked == {"libcuda1": "580.95.05-1", "nvidia-driver-cuda": "580.95.05-1"} and told == []


def test_what_is_not_there_is_named_with_what_is(available):
    picked, told = repository.chosen(available, ["libcuda1", "nothing"], 580, "580.1.1")
    assert picked == {}
    assert told[0].startswith(
        "nvidia_driver_version is 580.1.1: NVIDIA's repository has no such libcuda1 (there is: 580.95.05, 580.126.09, 590.48.01)"
    )
    assert "no such nothing (there is: none)" in told[1]
    (told,) = repository.chosen(available, ["libcuda1", "nvidia-driver-cuda"], None, "580.126.09")[1]
    assert told.startswith("nvidia_driver_version is 580.126.09: NVIDIA's repository has no such nvidia-driver-cuda")
    (told,) = repository.chosen({}, ["nvidia-smi"], None, "", "distribution")[1]
    assert (
        told.startswith("nvidia_driver_source is distribution: the distribution's sources have no such nvidia-smi") and "non-free" in told
    )


def test_packages_that_lack_the_same_are_told_once():
    there = dict.fromkeys(["nvidia-smi", "libcuda1"], ["535.261.03-1", "535.309.01-0+deb12u1"])
    assert repository.chosen(there, list(there), None, "999.99.99", "distribution")[1] == [
        "nvidia_driver_version is 999.99.99: the distribution's sources have no such nvidia-smi, libcuda1 "
        "(there is: 535.261.03, 535.309.01). Choose one that they have, or another nvidia_driver_source."
    ]


def test_no_common_version():
    available = {"one": ["580.1.1-1"], "other": ["580.1.2-1"]}
    (told,) = repository.chosen(available, ["one", "other"], 580, "")[1]
    assert "no version that all of one, other are there of" in told


def test_pinning_package_of_the_version_first(available):
    assert repository.pinning(available, 580, "580.95.05") == "nvidia-driver-pinning-580"
    assert repository.pinning({**available, "nvidia-driver-pinning-580.95.05": []}, 580, "580.95.05") == "nvidia-driver-pinning-580.95.05"
    assert repository.pinning(available, 590, "") is None


def test_one_driver(available):
    assert repository.one_driver(available, "580.126.09") == {"libcuda1": "580.126.09-1", "nvidia-driver-pinning-580": "580.126.09-1"}


def test_preferences():
    text = repository.preferences_text({"Origin": "NVIDIA", "Label": "NVIDIA CUDA"}, {"b": "2", "a": "1", "c": "1"})
    assert text.split("\n\n" if "\n\n" in text else "")[1:] or text
    assert (
        "Package: *\nPin: release o=NVIDIA,l=NVIDIA CUDA\nPin-Priority: 600\n\nPackage: a c\nPin: version 1\nPin-Priority: 1002\n" in text
    )
    assert "Package: b\nPin: version 2\n" in text


def test_the_container_toolkit_comes_from_its_own_repository():
    release = {"Origin": "NVIDIA", "Label": "NVIDIA CUDA"}
    toolkit = "nvidia-container-toolkit nvidia-container-toolkit-base libnvidia-container-tools libnvidia-container1"
    stanza = f"Package: {toolkit}\nPin: release o=NVIDIA,l=NVIDIA CUDA\nPin-Priority: 100\n"
    assert stanza in repository.preferences_text(release, {"a": "1"})
    pinned = repository.preferences_text(release, dict.fromkeys(toolkit.split(), "1.18.1-1"))
    assert "Pin-Priority: 100\n" not in pinned, "the first stanza of a name would count"
    assert toolkit.split()[0] not in repository.preferences_text({}, {})


def test_release():
    assert repository.release_of("Origin: NVIDIA\nLabel: NVIDIA CUDA\nSuite: \n") == {"Origin": "NVIDIA", "Label": "NVIDIA CUDA"}
