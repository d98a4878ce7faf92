# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every host, wish and source: the tables are never broken, and nothing raises."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.driver.architectures import ARCHITECTURES
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import cuda, frameworks, pins, tables, wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve.host import MODEL_ARCHITECTURES
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve.resolve import resolve
from tests.unit.plugins.module_utils.resolve.shapes import DCGM, KERNELS, PLATFORMS, TODAY, TOOLKIT

DRIVERS = (
    "470.256.02", "510.108.03", "525.60.13", "535.309.01", "550.163.01", "570.26", "570.133.20", "575.57.08", "580.82.07", "580.95.05",
    "590.48.01", "595.71.05", "610.43.02", "615.10.01", "620.10.01",
)  # fmt: skip
MODELS = ("k80", "m60", "p100", "v100", "t4", "a100", "a10g", "h100", "l40s", "b200", "b300", "rtx-pro-4500")
DAYS = ("2025-01-01", "2026-01-15", TODAY, "2027-06-01", "2031-01-01")


RPM = {"RedHat-family-9": "5.14.0-503.11.1.el9_5.x86_64", "Amazon-2023": "6.12.40-64.114.amzn2023.x86_64"}
RUNNING = {**KERNELS, **RPM}
SYSTEMS = {**PLATFORMS, **{name: {"platform_names": [name], "architecture": "x86_64"} for name in RPM}}
# One that sources may offer beside the running one, of its kind and newer.
NEWER = {
    "Debian-12": "6.1.0-98-amd64", "Debian-13": "6.12.95+deb13-amd64", "Ubuntu-22": "6.8.0-1099-aws", "Ubuntu-24": "6.14.0-1099-aws",
    "RedHat-family-9": "5.14.0-570.1.1.el9_6.x86_64", "Amazon-2023": "6.12.55-1.1.amzn2023.x86_64",
}  # fmt: skip


def names(platform: str, branch: int, source: str = "nvidia") -> list[str]:
    """Every package of a driver in a repository, the one that says that there is a driver first."""
    if source == "distribution":
        if platform.startswith("Ubuntu"):
            named = ("nvidia-utils-%d-server", "libnvidia-compute-%d-server", "nvidia-dkms-%d-server", "nvidia-dkms-%d-server-open")
            return [one % branch for one in named]
        return ["nvidia-smi", "libcuda1", "libnvidia-ml1", "nvidia-open-kernel-dkms", "nvidia-kernel-dkms"]
    if platform in RPM:
        return ["nvidia-driver-cuda", "kmod-nvidia-open-dkms", "kmod-nvidia-latest-dkms"]
    if platform.startswith("Ubuntu") and branch < 590:
        return [f"nvidia-utils-{branch}", f"libnvidia-compute-{branch}", f"nvidia-dkms-{branch}-open", f"nvidia-dkms-{branch}"]
    return ["nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-kernel-dkms"]


def fabric_of(platform: str, branch: int, source: str) -> list[str]:
    if source == "distribution":
        return [f"nvidia-fabricmanager-{branch}"] if platform.startswith("Ubuntu") else []
    if branch >= 580:
        return ["nvidia-fabricmanager"]
    return ["nvidia-fabric-manager" if platform in RPM else f"nvidia-fabricmanager-{branch}"]


def kernel_of(platform: str, release: str) -> dict[str, str]:
    """{package: version} of a kernel's headers and of the kernel."""
    if platform in RPM:
        family = "kernel6.12" if platform == "Amazon-2023" else "kernel"
        return {f"{family}-devel": release.removesuffix(".x86_64"), family: release.removesuffix(".x86_64")}
    return {f"linux-headers-{release}": "1", f"linux-image-{release}": "1"}


def version_of(platform: str, driver: str) -> str:
    return f"3:{driver}-1.el9" if platform in RPM else f"{driver}-1"


def source_of(case) -> str:
    return case[2].get("source", "nvidia")


def platform_of(case) -> str:
    return case[1]["platform_names"][0]


@st.composite
def sources(draw, platform, source):
    """Any part of what a repository could hold: whole drivers, and drivers of which packages are missing; kernels with headers or none."""
    found: dict[str, list[str]] = {}
    least = draw(st.sampled_from([0, 3, 5, 5]))
    for driver in draw(st.lists(st.sampled_from(DRIVERS), unique=True, min_size=least, max_size=9)):
        branch = int(driver[:3])
        all_of_it = [*names(platform, branch, source), *fabric_of(platform, branch, source)]
        missing = draw(st.sampled_from([None] * 8 + all_of_it))
        for name in all_of_it:
            if name != missing:
                found.setdefault(name, []).append(version_of(platform, driver))
    for name in [*TOOLKIT, *(f"datacenter-gpu-manager-4-{part}" for part in DCGM), "nvlsm"]:
        found[name] = draw(st.lists(st.sampled_from(["1.18.1-1", "1.20.1-1"]), max_size=2))
    found["cuda-toolkit-12-8"] = draw(st.lists(st.sampled_from(["12.8.0-1", "12.8.1-1"]), unique=True))
    # Mostly the running kernel's headers; a newer kernel with its headers or without.
    there = draw(st.sampled_from([(1, 1, 0, 0), (1, 0, 0, 0), (1, 0, 1, 1), (0, 0, 1, 1), (0, 1, 1, 1), (0, 0, 0, 1), (0, 0, 0, 0)]))
    for is_there, (name, version) in zip(
        there, [*kernel_of(platform, RUNNING[platform]).items(), *kernel_of(platform, NEWER[platform]).items()]
    ):
        if is_there:
            found.setdefault(name, []).append(version)
    return found


@st.composite
def cases(draw):
    platform = draw(st.sampled_from(sorted(SYSTEMS)))
    running = RUNNING[platform]
    kernel = {"running": running, "installed": [running], "headers_for": draw(st.sampled_from([[], [], [running]]))}
    # Mostly hosts, wishes and sources that have an answer: of a refusal there is less to be said.
    models = draw(st.sampled_from([["t4"], ["a100"], ["h100"], ["l40s"], ["b200"], ["v100"], None, None]))
    models = models or draw(st.lists(st.sampled_from(MODELS), min_size=1, max_size=2, unique=True))
    kinds = ["nvidia", "nvidia", "nvidia", "mirror", "distribution"] + ["nvidia" if platform in RPM else "distribution"]
    gpu = {"models": models, "nvswitch_count": draw(st.sampled_from([0, 0, 4])), "kernel": kernel}
    wished = draw(
        st.fixed_dictionaries(
            {"source": st.sampled_from(kinds)},
            optional={
                "policy": st.sampled_from(wish.CHOICES["policy"]),
                "mode": st.sampled_from(wish.CHOICES["mode"]),
                "flavor": st.sampled_from(["auto", *wish.CHOICES["flavor"]]),
                "cuda": st.sampled_from([None, None, "11.8", "12.4", "12.8", "12.8.1", "13.0", "13.2"]),
                "branch": st.sampled_from([None, None, 535, 580]),
                "mig": st.sampled_from([False, False, False, True]),
                "kernel_upgrade": st.sampled_from(["if_required", *wish.CHOICES["kernel_upgrade"]]),
                "kernel_modules": st.sampled_from([True, True, False]),
            },
        )
    )
    if draw(st.booleans()):
        wished["framework"] = draw(st.sampled_from(["torch==2.9", "torch==2.5", "tensorflow==2.18", "jax==0.8"]))
        if draw(st.sampled_from([True, True, True, False])):
            wished.pop("cuda", None)
    return gpu, SYSTEMS[platform], wished, draw(sources(platform, wished["source"])), draw(st.sampled_from(DAYS))


def wrong_kernels(case, found):
    """What is wrong with the kernels of pins: each has headers, and another one than the running one comes only where that has none."""
    gpu, _platform, wished, offered, _today = case
    platform, running = platform_of(case), RUNNING[platform_of(case)]
    if wished.get("kernel_modules") is False:
        return ["a kernel without modules"] if found["pins"]["kernels"] else []
    (one,) = found["pins"]["kernels"]
    headers, image = kernel_of(platform, running)
    has = kernel_of(platform, running)[headers] in offered.get(headers, []) or bool(gpu["kernel"]["headers_for"])
    if one["release"] == running:
        return [] if has else ["no headers"]
    package, image = kernel_of(platform, NEWER[platform])
    there = kernel_of(platform, NEWER[platform])
    broken = ["the running kernel has headers"] if has else []
    broken += ["not allowed"] if wished.get("kernel_upgrade") != "if_required" else []
    broken += ["another kernel"] if one["release"] != NEWER[platform] else []
    broken += ["no headers of it"] if found["packages"].get(package) != there[package] else []
    broken += ["no kernel"] if there[image] not in offered.get(image, []) else []
    return broken


def forbidden(case, found):
    """Rules of the tables that a result breaks; written anew here, on purpose without the product's rules."""
    gpu, _platform, wished, offered, _today = case
    with_modules, source, platform = wished.get("kernel_modules", True), source_of(case), platform_of(case)
    driver, flavor = found["pins"]["driver"]["version"], found["pins"]["driver"]["flavor"]
    branch, broken = int(driver[:3]), wrong_kernels(case, found)
    for model in gpu["models"]:
        name = MODEL_ARCHITECTURES[model]
        rule = ARCHITECTURES[name]
        broken += [f"{model} first"] if rule["first"] and branch < rule["first"] else []
        broken += [f"{model} last"] if rule["last"] and branch > rule["last"] else []
        broken += [f"{model} open"] if rule["open"] == "no" and flavor == "open" else []
        broken += [f"{model} proprietary"] if rule["open"] == "required" and flavor == "proprietary" else []
        broken += [f"{model} branch of 12.9"] if model == "b300" and branch < 575 else []
        release = cuda.parse(found["pins"]["cuda"]["release"]) if found["pins"]["cuda"] else None
        if release and name in ("kepler", "maxwell", "pascal", "volta") and release[0] > (11 if name == "kepler" else 12):
            broken.append(f"{model} CUDA {release}")
        if release and name == "blackwell" and release[:2] < (12, 8) and (wished.get("framework") or "torch").startswith("torch"):
            broken.append(f"{model} CUDA {release}")
        if wished.get("mig"):
            needed = tables.MIG_DRIVERS.get(model)
            broken += [f"{model} MIG"] if needed is None or versions.compare(driver, needed) < 0 else []
    broken += ["open before 515"] if flavor == "open" and branch < 515 else []
    broken += ["proprietary after 615"] if flavor == "proprietary" and branch > 615 else []
    if release:
        least = (
            tables.CUDA_DRIVERS[(*release[:2], release[2] or 0)]
            if wished.get("mode") != "compatible"
            else str({11: 450, 12: 525, 13: 580}[release[0]])
        )
        broken += ["CUDA"] if versions.compare(driver, least) < 0 else []
    fabric = [name for name in found["packages"] if name.startswith("nvidia-fabric")]
    with_nvlsm = bool({"b200", "b300"} & set(gpu["models"])) and with_modules
    needs = gpu["nvswitch_count"] > 0 and with_modules or with_nvlsm
    broken += ["fabric manager"] if fabric != (fabric_of(platform, branch, source) if needs else []) else []
    broken += ["nvlsm"] if ("nvlsm" in found["packages"]) != with_nvlsm else []
    broken += ["a fabric manager that there is not"] if needs and not fabric_of(platform, branch, source) else []
    broken += ["flavor"] if (flavor is None) == with_modules else []
    broken += ["a distribution without drivers"] if source == "distribution" and platform in RPM else []
    own = [name for name in found["packages"] if name in [*names(platform, branch, source), *fabric]]
    broken += [name for name in own if found["packages"][name] != version_of(platform, driver)]
    broken += (
        ["another driver's packages"]
        if any(versions.upstream(one) in DRIVERS and name not in own for name, one in found["packages"].items())
        else []
    )
    broken += ["user space"] if names(platform, branch, source)[0] not in own else []
    broken += [name for name, version in found["packages"].items() if version not in offered[name]]
    broken += ["toolkit"] if len({found["packages"].get(name) for name in TOOLKIT}) != 1 else []
    return broken


@settings(max_examples=150, deadline=None)
@given(cases())
def test_no_result_breaks_the_tables_and_each_rejection_is_explained(case):
    found = resolve(*case)
    assert bool(found["problems"]) != bool(found["pins"])
    assert all(one["reason"].strip() for one in found["rejected"])
    assert len(found["problems"]) == len(set(found["problems"])) and all(one.strip() for one in found["problems"])
    if not found["pins"]:
        return
    assert forbidden(case, found) == []
    # Every driver that is offered is either chosen or explained, for the CUDA that was chosen.
    platform, source = platform_of(case), source_of(case)
    offered = {one for one in DRIVERS if version_of(platform, one) in case[3].get(names(platform, int(one[:3]), source)[0], [])}
    release = (found["pins"]["cuda"] or {}).get("release")
    told = {one["driver"] for one in found["rejected"] if one["cuda"] == release}
    assert offered - told <= {found["pins"]["driver"]["version"]}
    chosen = found["pins"]["driver"]
    assert (chosen["version"], chosen["flavor"], release) not in [(one["driver"], one["flavor"], one["cuda"]) for one in found["rejected"]]


def release_of(found) -> tuple[int, ...]:
    """CUDA that was chosen; nothing is older than any."""
    parsed = cuda.parse(found["pins"]["cuda"]["release"]) if found["pins"]["cuda"] else ()
    return tuple(one or 0 for one in parsed)


def is_past(driver: str, today: str) -> bool:
    return tables.is_past(tables.branch(int(driver[:3])).end, today)


def newer_builds(case, found) -> list[str]:
    """CUDA releases of the wished framework's builds that are newer than the one that was chosen."""
    wished = case[2]
    if not wished.get("framework") or wished.get("cuda"):
        return []
    name, release = wished["framework"].split("==")
    chosen = [int(part) for part in found["pins"]["cuda"]["release"].split(".")]
    return [one for one in frameworks.BUILDS[name][release] if [int(part) for part in one.split(".")] > chosen[:2]]


@settings(max_examples=120, deadline=None)
@given(cases())
def test_nothing_newer_that_is_allowed_was_left(case):
    """A newer driver alone does not resolve, or for an older CUDA only, or is past its end of life where the chosen one is not."""
    gpu, platform, wished, offered, today = case
    found = resolve(*case)
    if not found["pins"]:
        return
    chosen = found["pins"]["driver"]["version"]
    for build in newer_builds(case, found):
        assert resolve(gpu, platform, {**wished, "cuda": build, "components": []}, offered, today)["pins"] is None, build
    by_hand = wished.get("branch") or wished.get("policy") == "newest"
    for one in found["rejected"]:
        if one["driver"] is None or versions.compare(one["driver"], chosen) <= 0:
            continue
        alone = {name: [v for v in there if versions.upstream(v) in {one["driver"]} or versions.upstream(v) not in DRIVERS]
                 for name, there in offered.items()}  # fmt: skip
        like = {**wished, "flavor": one["flavor"]} if wished.get("flavor", "auto") == "auto" and one["flavor"] else wished
        other = resolve(gpu, platform, like, alone, today)
        if other["pins"] is None or release_of(other) < release_of(found):
            continue
        assert release_of(other) == release_of(found), (one, other["pins"])
        assert not by_hand and is_past(one["driver"], today) and not is_past(chosen, today), (one, other["pins"])


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(0, 2**32))
def test_order_means_nothing(case, seed):
    gpu, platform, wished, offered, today = case
    order = random.Random(seed)

    def mixed(values):
        return order.sample(list(values), len(values))

    again = {name: mixed(offered[name]) for name in mixed(sorted(offered))}
    other = resolve({**gpu, "models": mixed(gpu["models"])}, platform, {key: wished[key] for key in mixed(sorted(wished))}, again, today)
    assert json.dumps(other, sort_keys=True) == json.dumps(resolve(*case), sort_keys=True)


@settings(max_examples=80, deadline=None)
@given(cases(), st.sampled_from(DAYS))
def test_pins_of_a_host_resolve_to_themselves(case, day):
    gpu, platform, _wished, offered, _today = case
    found = resolve(*case)
    if found["pins"]:
        again = pins.apply(json.loads(json.dumps(found["pins"])), gpu, platform, offered, day)
        assert again["problems"] == [] and again["pins"] == found["pins"] and again["packages"] == found["packages"]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
GPU = {"models": ["h100"], "architectures": ["hopper"], "compute_capabilities": ["9.0"], "nvswitch_count": 4, "nvlsm": None,
       "present": True, "kernel": {"running": "6.1.0-56-amd64", "installed": ["6.1.0-56-amd64"], "headers_for": ["6.1.0-56-amd64"]},
       "engines": {"podman": "4.3.1"}}  # fmt: skip
OFFERED = {
    **{name: ["580.95.05-1"] for name in ("nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-fabricmanager")},
    "linux-headers-6.1.0-56-amd64": ["1"],
}


def places(tree, way=()):
    """Every way into a tree of dicts and lists."""
    found = [way]
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        found += places(value, (*way, key))
    return found


def replaced(tree, way, value):
    """A copy of a tree with one value replaced."""
    if not way:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[way[0]] = replaced(tree[way[0]], way[1:], value)
    return copy


INPUT = [
    GPU,
    PLATFORMS["Debian-12"],
    {**wish.DEFAULTS, "cuda": "12.8", "framework": "torch==2.9", "branch": 580, "components": [], "kernel_upgrade": "if_required"},
    OFFERED,
    TODAY,
]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_input_gets_an_answer(data):
    way = data.draw(st.sampled_from(places(INPUT)[1:]))
    found = resolve(*replaced(INPUT, way, data.draw(JUNK)))
    assert all(isinstance(one, str) for one in found["problems"])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_pins_get_an_answer(data):
    good = resolve(*INPUT)["pins"]
    arguments = [good, GPU, PLATFORMS["Debian-12"], OFFERED, TODAY]
    way = data.draw(st.sampled_from(places(arguments)[1:]))
    found = pins.apply(*replaced(arguments, way, data.draw(JUNK)))
    assert all(isinstance(one, str) for one in found["problems"])


@pytest.mark.parametrize("models", [[0.0, ""], ["", ""], [None, ""]])
def test_a_model_without_a_name_is_not_told(models):
    """A label was made of it, of no architecture."""
    for found in (
        resolve({**GPU, "models": models}, *INPUT[1:]),
        pins.apply(resolve(*INPUT)["pins"], {**GPU, "models": models}, *INPUT[1:2], OFFERED, TODAY),
    ):
        assert all(isinstance(one, str) for one in found["problems"])


def test_the_input_of_these_is_good():
    assert resolve(*INPUT)["problems"] == []
    assert len(places(INPUT)) > 30


@pytest.mark.parametrize("driver", tables.CUDA_DRIVERS.values())
def test_every_cuda_runs_on_its_own_driver_in_both_modes(driver):
    release = next(release for release, one in tables.CUDA_DRIVERS.items() if one == driver)
    assert all(versions.compare(driver, cuda.minimum(release, mode)[0]) >= 0 for mode in ("strict", "compatible"))
