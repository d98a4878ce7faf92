# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What versions are resolved for: a host in few words, made of the facts mlinfra_gpu and mlinfra_platform or of parts of them."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver.architectures import ARCHITECTURES
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import devices
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import names, tables

MODEL_ARCHITECTURES = {model: devices.architecture(name) for name, model in devices.DEVICES.values()}
# Sold as boards of which the table of PCI devices does not have one.
MODEL_ARCHITECTURES.update({"b100": "blackwell", "gb300": "blackwell"})
# A GPU that neither the table of PCI devices nor the host's copy of the database knows.
UNKNOWN = "unknown"
CAPABILITIES = {
    "3.5": "kepler", "3.7": "kepler", "5.0": "maxwell", "5.2": "maxwell", "6.0": "pascal", "6.1": "pascal", "7.0": "volta", "7.5": "turing",
    "8.0": "ampere", "8.6": "ampere", "8.9": "ada", "9.0": "hopper", "10.0": "blackwell", "10.3": "blackwell", "12.0": "blackwell",
}  # fmt: skip


def label(model, architecture):
    """How messages call a GPU: 'B200 (Blackwell)'."""
    if model and architecture:
        return "%s (%s)" % (model.upper(), architecture.title())
    return model.upper() if model else "a GPU of architecture %s" % (architecture or UNKNOWN).title()


def gpus_of(gpu):
    """[{model, architecture, label}], each kind once, sorted. An architecture that comes with a model is not told twice.

    What is empty is not told.
    """
    models = sorted({str(one).lower() for one in gpu.get("models") or []} - {""})
    found = [{"model": one, "architecture": MODEL_ARCHITECTURES.get(one), "label": None} for one in models]
    told = {str(one).lower() for one in gpu.get("architectures") or []} - {""}
    for capability in gpu.get("compute_capabilities") or []:
        told.add(CAPABILITIES.get(str(capability), "compute capability %s" % capability))
    # With one kind of GPU, what the host says of it is better than no word.
    if len(found) == 1 and found[0]["architecture"] is None and len(told) == 1:
        found[0]["architecture"] = min(told)
    known = {one["architecture"] for one in found}
    found += [{"model": None, "architecture": one, "label": None} for one in sorted(told - known)]
    if not found and gpu.get("present"):
        found = [{"model": None, "architecture": UNKNOWN, "label": None}]
    return [dict(one, label=label(one["model"], one["architecture"])) for one in found]


def of(gpu, platform):
    """{gpus, nvswitch, nvlsm, platform, told_platform, machine, container, kernel, podman} of two dicts shaped like the facts."""
    gpus = gpus_of(gpu)
    nvlsm = gpu.get("nvlsm")
    if nvlsm is None:
        nvlsm = any(one["model"] in tables.NVLSM_MODELS for one in gpus)
    told = platform.get("platform_names") or ["%s-%s" % (platform.get("distribution"), platform.get("distribution_major_version"))]
    kernel = gpu.get("kernel") or {}
    # A release is text, also where a file of pins or facts has it as a number.
    running = str(kernel["running"]) if kernel.get("running") is not None else None
    return {
        "gpus": gpus,
        "nvswitch": int(gpu.get("nvswitch_count") or 0) > 0,
        "nvlsm": bool(nvlsm),
        "platform": names.platform_of(told),
        "told_platform": told[0],
        "machine": str(platform.get("architecture") or "x86_64"),
        "container": bool(gpu.get("container")),
        "kernel": {
            "running": running,
            "installed": [str(one) for one in kernel.get("installed") or []] or ([running] if running else []),
            "headers_for": [str(one) for one in kernel.get("headers_for") or []],
        },
        "podman": str((gpu.get("engines") or {}).get("podman") or ""),
    }


def rule(gpu):
    """{open, first, last} of a GPU's architecture (driver/architectures.py); its first branch may be later for one model."""
    found = dict(ARCHITECTURES.get(gpu["architecture"]) or {"open": "supported", "first": None, "last": None})
    late = tables.LATE_MODELS.get(gpu["model"])
    if late:
        found["first"] = late[1]
    return found


# key: what its value has to be, and how messages say it.
WORDS, WORD, DICT = "a list of words", "a word", "a dict as in the facts"
EXPECTED = {
    "gpu": {
        "models": WORDS, "architectures": WORDS, "compute_capabilities": WORDS, "kernel": DICT, "engines": DICT,
        "kernel.running": WORD, "kernel.installed": WORDS, "kernel.headers_for": WORDS, "engines.podman": WORD,
    },
    "platform": {
        "platform_names": WORDS, "distribution": WORD, "distribution_major_version": WORD, "architecture": WORD,
    },
}  # fmt: skip


def is_word(value):
    # Unquoted, a compute capability or a release of a distribution is a number in YAML.
    return isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != ""


def is_as_expected(value, expected):
    if expected == DICT:
        return isinstance(value, dict)
    return is_word(value) if expected == WORD else isinstance(value, (list, tuple)) and all(isinstance(one, (str, float)) for one in value)


def problems(gpu, platform):
    """Messages about dicts that are no facts: these come from users, too."""
    found = []
    for name, given in (("gpu", gpu), ("platform", platform)):
        if not isinstance(given, dict):
            found.append("%s is %r: expected a dict as in the facts mlinfra_gpu and mlinfra_platform." % (name, given))
            continue
        for key, expected in EXPECTED[name].items():
            first, dot, second = key.partition(".")
            value = given.get(first)
            if dot:
                value = value.get(second) if isinstance(value, dict) else None
            if value is not None and not is_as_expected(value, expected):
                found.append("%s.%s is %r: expected %s." % (name, key, value, expected))
    if not found and not str(gpu.get("nvswitch_count") or 0).isdigit():
        found.append("gpu.nvswitch_count is %r: expected a number." % (gpu["nvswitch_count"],))
    return found
