# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What nvidia-smi -q -x says, or why it says nothing.

Schema: the DTD that NVIDIA ships beside it (nvsmi_device_v11.dtd to _v13.dtd). Return codes are NVML's (nvml.h: 9 driver not loaded,
12 library not found, 15 GPU is lost, 18 library and module of different versions); the texts are those that nvidia-smi prints.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import values

MISMATCH, NO_DRIVER, NO_DEVICES, GPU_LOST, OTHER = "version_mismatch", "no_driver", "no_devices", "gpu_lost", "other"
TEXTS = (
    (MISMATCH, "driver/library version mismatch"),
    (NO_DRIVER, "couldn't communicate with the nvidia driver"),
    (NO_DRIVER, "driver not loaded"),
    (NO_DEVICES, "no devices were found"),
    (GPU_LOST, "gpu is lost"),
    (GPU_LOST, "unable to determine the device handle"),
)
CODES = {9: NO_DRIVER, 15: GPU_LOST, 18: MISMATCH}
# Words that stand for a value that there is not.
NONE = ("", "n/a", "[n/a]", "none", "unknown error", "[unknown error]", "not supported", "[not supported]", "insufficient permissions")
VERSION = re.compile(r"^\d+(\.\d+)+$")


def problem_of(code, said):
    """Which kind of failure a return code and a text stand for; None for a success."""
    text = said.lower()
    kind = next((kind for kind, words in TEXTS if words in text), None)
    return kind or (None if code == 0 else CODES.get(code, OTHER))


def value(element, path):
    """Text below an element; None when it is not there or stands for nothing."""
    found = element.find(path)
    text = "" if found is None or found.text is None else found.text.strip()
    return None if text.lower() in NONE else values.meaning(text)[0]


def mebibytes(text):
    """'23028 MiB' -> 23028; None for anything else."""
    found = re.match(r"^(\d{1,15}) MiB$", text or "")
    return int(found.group(1)) if found else None


def whole(text):
    return int(text) if text and re.match(r"^\d{1,15}$", text) else None


def switched(text):
    """'Enabled' -> True, 'Disabled' -> False; None for what is neither."""
    return {"enabled": True, "disabled": False}.get((text or "").lower())


def address(text):
    """'00000000:80:1E.0' -> '0000:80:1e.0', as sysfs has it; None for anything else."""
    found = re.match(r"^([0-9a-fA-F]{4,8}):([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-9a-fA-F])$", text or "")
    if not found:
        return None
    return "%04x:%s:%s.%s" % (int(found.group(1), 16), found.group(2).lower(), found.group(3).lower(), found.group(4).lower())


def version(text):
    """A version number; None for anything else."""
    return text if text and VERSION.match(text) else None


def parse_mig_device(element):
    return {
        "index": whole(value(element, "index")),
        "gpu_instance_id": whole(value(element, "gpu_instance_id")),
        "compute_instance_id": whole(value(element, "compute_instance_id")),
        "memory_mib": mebibytes(value(element, "fb_memory_usage/total")),
    }


def parse_gpu(index, element):
    """One <gpu>. What changes from minute to minute is left out: facts are compared."""
    mode = value(element, "mig_mode/current_mig")
    return {
        "index": index,
        "address": address(element.get("id") or value(element, "pci/pci_bus_id")),
        "uuid": value(element, "uuid"),
        "name": value(element, "product_name"),
        "architecture": value(element, "product_architecture"),
        "memory_mib": mebibytes(value(element, "fb_memory_usage/total")),
        "persistence_mode": switched(value(element, "persistence_mode")),
        "ecc": switched(value(element, "ecc_mode/current_ecc")),
        "mig_mode": mode.lower() if switched(mode) is not None else None,
        "mig_pending": (value(element, "mig_mode/pending_mig") or "").lower() or None,
        "mig_devices": [parse_mig_device(device) for device in element.findall("mig_devices/mig_device")],
    }


def document(out):
    """The XML in what nvidia-smi printed; None where there is none. Where a GPU is lost, words may stand before and after it."""
    start = out.find("<?xml") if "<?xml" in out else out.find("<nvidia_smi_log")
    if start < 0:
        return None
    end = out.rfind("</nvidia_smi_log>")
    return out[start : end + len("</nvidia_smi_log>") if end > start else None]


def tree(text):
    """The root element of nvidia-smi -q -x.

    :raises ValueError: it is no such document; the message says why.
    """
    # A document type is named by all of them; entities are declared by none, and could be made to fill the memory.
    if "<!ENTITY" in text:
        raise ValueError("it declares entities, which nvidia-smi does not")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError("it is no XML document: %s" % error) from None
    if root.tag != "nvidia_smi_log":
        raise ValueError("it begins with <%s>, expected <nvidia_smi_log>" % str(root.tag)[:40])
    return root


def parse(text):
    """Text of nvidia-smi -q -x -> {version, cuda_version, gpus}.

    :raises ValueError: it is no such document; the message says why.
    """
    root = tree(text)
    return {
        "version": version(value(root, "driver_version")),
        "cuda_version": version(value(root, "cuda_version")),
        "gpus": [parse_gpu(index, gpu) for index, gpu in enumerate(root.findall("gpu"))],
    }


def nothing(available=False, error=None, problem=None):
    """The facts of an nvidia-smi that said nothing."""
    return {"available": available, "version": None, "cuda_version": None, "error": error, "problem": problem, "gpus": []}


def understand(outcome):
    """running.Outcome of nvidia-smi -q -x -> {available, version, cuda_version, error, problem, gpus}."""
    if outcome.problem:
        return nothing(True, outcome.problem, "timeout" if "within" in outcome.problem else OTHER)
    problem = problem_of(outcome.code, outcome.out[:2000] + outcome.err[:2000]) if outcome.code else None
    error = "nvidia-smi returned %d: %s" % (outcome.code, outcome.said() or "nothing printed") if outcome.code else None
    text = document(outcome.out)
    if text is None:
        problem = problem or problem_of(outcome.code, outcome.out[:2000]) or OTHER
        return nothing(True, error or "nvidia-smi printed no XML: %s" % (outcome.said() or "nothing printed"), problem)
    try:
        log = parse(text)
    except ValueError as reason:
        return nothing(True, error or "what nvidia-smi printed cannot be read: %s" % reason, problem or OTHER)
    return dict(nothing(True, error, problem), **log)


def mig(gpus):
    """What MIG (several GPUs made of one) looks like over all GPUs; None where no GPU says, as before a driver is there."""
    modes = [gpu["mig_mode"] for gpu in gpus]
    if not gpus:
        return None
    return {
        "supported": any(mode is not None for mode in modes),
        "enabled": "enabled" in modes,
        "pending": any(gpu["mig_pending"] != gpu["mig_mode"] for gpu in gpus if gpu["mig_mode"] is not None),
        "devices": sum(len(gpu["mig_devices"]) for gpu in gpus),
    }
