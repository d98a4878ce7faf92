# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The GPUs that an image is built for, where the machine that builds it has none: a declaration in place of what the PCI bus shows.

Which machines are Arm: AWS's G5g, NVIDIA's Grace superchips. Which GPUs have NVSwitches: the table of EC2 types (types.py); those that
want NVLink's subnet manager have none on the PCI bus (fabric manager user guide, fourth generation of NVSwitch), so that their own device
ids tell that a fabric manager is wanted. https://github.com/cirrascalecloudservices/install, install-cuda.sh, goes by the same four ids.
"""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import devices
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.types import GPU_TYPES
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import host, tables

ARM_MODELS = frozenset({"t4g", "gh200", "gb200", "gb300"})
MACHINES = {"arm": ("aarch64", "arm64"), "x86": ("x86_64", "amd64")}
NAME = "mlinfra_gpu_target"


def told(words):
    return "%s is [%s]" % (NAME, ", ".join(words))


def understand(words, machine):
    """(target, [message]) of models and EC2 instance types; target is None without a word or with a message.

    target: {models, architectures, nvswitch, efa, flavors (of kernel modules), first_branch, last_branch (None where there is no end),
    fabric_devices}.
    machine: the builder's, as uname -m says it.
    """
    words = [str(word).strip().lower() for word in words if str(word).strip()]
    if not words:
        return None, []
    problems = [message for message in map(word_problem, words) if message]
    if problems:
        return None, problems
    models = sorted({GPU_TYPES[word].model if word in GPU_TYPES else word for word in words})
    problems = machine_problems(words, models, machine)
    rules = [(one["label"], host.rule(one)) for one in host.gpus_of({"models": models})]
    flavors, told_flavors = common_flavors(words, rules)
    first, last, told_branches = common_branches(words, rules)
    problems += told_flavors + told_branches
    found = {
        "models": models,
        "architectures": sorted({host.MODEL_ARCHITECTURES[model] for model in models}),
        "nvswitch": any(has_nvswitch(word) for word in words),
        "efa": any(has_efa(word) for word in words),
        "flavors": flavors,
        "first_branch": first,
        "last_branch": last,
        "fabric_devices": fabric_devices(),
    }
    return (None, problems) if problems else (found, [])


def word_problem(word):
    """What is wrong with one word; None when nothing is."""
    if word in GPU_TYPES and GPU_TYPES[word].fractional:
        return (
            "%s has %s: that type has a part of a GPU, which works with NVIDIA's GRID driver alone, and no role here installs it. "
            "Name a type with whole GPUs, or a model." % (NAME, word)
        )
    if word in GPU_TYPES or word in host.MODEL_ARCHITECTURES:
        return None
    known = ", ".join(sorted(host.MODEL_ARCHITECTURES))
    return "%s has %s: expected a GPU's model (%s), or an EC2 instance type with GPUs, as p5.48xlarge." % (NAME, word, known)


def machine_problems(words, models, machine):
    """GPUs that are in machines of another architecture than the builder's, or of both."""
    arm, others = [one for one in models if one in ARM_MODELS], [one for one in models if one not in ARM_MODELS]
    if arm and others:
        return [
            "%s: %s is in Arm machines, and %s in others: no image boots on both. Build an image for each."
            % (told(words), ", ".join(arm), ", ".join(others))
        ]
    kind = "arm" if arm else "x86"
    if machine in MACHINES[kind] or not any(machine in names for names in MACHINES.values()):
        return []
    return [
        "%s: %s is in machines of architecture %s, and this builder is %s. Use a builder of that architecture, or other GPUs."
        % (told(words), ", ".join(models), MACHINES[kind][0], machine)
    ]


def common_flavors(words, rules):
    """(kernel modules that all GPUs work with, [message]). rules: [(label, {open, first, last})]"""
    without = [label for label, rule in rules if rule["open"] == "no"]
    required = [label for label, rule in rules if rule["open"] == "required"]
    if without and required:
        return [], [
            "%s: %s works with the proprietary kernel modules only, and %s with the open ones: no driver serves both. "
            "Build an image for each." % (told(words), ", ".join(without), ", ".join(required))
        ]
    return ["proprietary"] if without else ["open"] if required else ["open", "proprietary"], []


def common_branches(words, rules):
    """(first, last, [message]): the driver branches that know all GPUs, None where there is no end."""
    firsts = [(rule["first"], label) for label, rule in rules if rule["first"]]
    lasts = [(rule["last"], label) for label, rule in rules if rule["last"]]
    first, last = max(firsts, default=(None, None)), min(lasts, default=(None, None))
    if first[0] and last[0] and first[0] > last[0]:
        problem = (
            "%s: %d is the last driver branch that knows %s, and %d the first that knows %s: no driver serves both. "
            "Build an image for each." % (told(words), last[0], last[1], first[0], first[1])
        )
        return None, None, [problem]
    return first[0], last[0], []


def types_of(word):
    """The rows of an instance type, or of all types with a model."""
    return [GPU_TYPES[word]] if word in GPU_TYPES else [one for one in GPU_TYPES.values() if one.model == word]


def has_nvswitch(word):
    """Whether hosts of an instance type, or any with this model, have NVSwitches on their PCI bus."""
    return any(one.nvswitch and one.model not in tables.NVLSM_MODELS for one in types_of(word))


def fabric_devices():
    """Device ids, as sysfs has them without 0x, of which one on the PCI bus means that CUDA wants a fabric manager."""
    gpus = {number for number, (unused, model) in devices.DEVICES.items() if model in tables.NVLSM_MODELS}
    return ["%04x" % number for number in sorted(gpus.union(devices.NVSWITCHES))]


def has_efa(word):
    """Whether hosts of an instance type, or any with this model, can have EFA devices."""
    return any(one.efa for one in types_of(word))


def applied(facts, target):
    """The facts as the roles are to see them: with a target, and without a GPU of the host's own, those of the target."""
    if target is None:
        return dict(facts, target=None)
    if facts["present"]:
        return dict(facts, target=dict(target, in_use=False))
    return dict(
        facts,
        present=True,
        models=target["models"],
        architectures=target["architectures"],
        nvswitch_count=int(target["nvswitch"]),
        target=dict(target, in_use=True),
    )
