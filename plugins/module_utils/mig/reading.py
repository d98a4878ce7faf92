# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How the GPUs of a host are partitioned now, by nvidia-smi.

A GPU is {index, uuid, model, memory_mib, mode, pending, instances: [profile], whole: whether each instance has one compute instance of all
of it, profiles: {name: how many fit} or None, processes: [{pid, program}] or None}. mode and pending: enabled, disabled or None (no MIG).

Formats: NVIDIA MIG User Guide, "Getting Started with MIG" (mig -lgip, -lgi, -lci). Return code 6 is NVML's "not found" (nvml.h).
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import details, devices, smi, values

SMI = "nvidia-smi"
PROFILES = re.compile(r"^\|\s+(\d+)\s+MIG (\S+)\s+(\d+)\s+(\d+)/(\d+)\s", re.MULTILINE)
INSTANCES = re.compile(r"^\|\s+(\d+)\s+MIG (\S+)\s+(\d+)\s+(\d+)\s+(\d+):(\d+)\s*\|", re.MULTILINE)
COMPUTE = re.compile(r"^\|\s+(\d+)\s+(\d+)\s+MIG (\S+)\s+(\d+)\*?\s+(\d+)\s+(\d+):(\d+)\s*\|", re.MULTILINE)
NOT_FOUND = 6


class Unreadable(Exception):
    """The layout cannot be told; the message says why and what to do."""


def profiles(text):
    """{gpu index: {profile: how many fit on an empty GPU}} of mig -lgip."""
    found = {}
    for gpu, name, _id, _free, total in PROFILES.findall(text):
        found.setdefault(int(gpu), {})[name] = int(total)
    return found


def instances(text):
    """{gpu index: {instance id: profile}} of mig -lgi."""
    found = {}
    for gpu, name, _profile, instance, _start, _size in INSTANCES.findall(text):
        found.setdefault(int(gpu), {})[int(instance)] = name
    return found


def compute(text):
    """{(gpu index, instance id): [compute profile]} of mig -lci."""
    found = {}
    for gpu, instance, name, *_rest in COMPUTE.findall(text):
        found.setdefault((int(gpu), int(instance)), []).append(name)
    return found


def model_of(element):
    """The model by the PCI device id, as 20B010DE; None for one that the table does not know."""
    said = smi.value(element, "pci/pci_device_id") or ""
    match = re.match(r"^(?:0x)?([0-9A-Fa-f]{4})10DE$", said, re.IGNORECASE)
    return devices.DEVICES.get(int(match.group(1), 16), (None, None))[1] if match else None


def gpus(root, offered, made, parts):
    """The GPUs of nvidia-smi -q -x (its root element) with what the three tables say."""
    found = []
    for index, element in enumerate(root.findall("gpu")):
        one, mine = smi.parse_gpu(index, element), made.get(index, {})
        running = details.processes(element, values.Reader(element, "gpu %d" % index))
        found.append(
            {
                "index": index,
                "uuid": one["uuid"],
                "model": model_of(element),
                "name": one["name"],
                "memory_mib": one["memory_mib"],
                "mode": one["mig_mode"],
                "pending": one["mig_pending"] if one["mig_mode"] else None,
                "instances": sorted(mine.values()),
                "whole": all(parts.get((index, number)) == [name] for number, name in mine.items()),
                "profiles": offered.get(index),
                "processes": None if running is None else [{"pid": each["pid"], "program": each["program"]} for each in running],
            }
        )
    return found


def look(run):
    """The GPUs. run: function of a command that returns (code, output, errors). :raises Unreadable:"""
    code, out, err = run([SMI, "-q", "-x"])
    text = smi.document(out)
    if code or text is None:
        said = [line.strip() for line in (out + "\n" + err).splitlines() if line.strip()] or ["nothing"]
        help_ = "Install the driver first (role nvidia_driver), and reboot where it waits for that."
        raise Unreadable("MIG cannot be set up: %s returned %d and says: %s. %s" % (SMI, code, said[0].rstrip("."), help_))
    try:
        root = smi.tree(text)
    except ValueError as reason:
        raise Unreadable("MIG cannot be set up: what %s printed cannot be read: %s." % (SMI, reason)) from reason
    if not any(smi.parse_gpu(0, element)["mig_mode"] for element in root.findall("gpu")):
        return gpus(root, {}, {}, {})
    said = [table(run, option) for option in ("-lgip", "-lgi", "-lci")]
    return gpus(root, profiles(said[0]), instances(said[1]), compute(said[2]))


def table(run, option):
    """What a listing prints; nothing where there is nothing to list. :raises Unreadable:"""
    code, out, err = run([SMI, "mig", option])
    if code not in (0, NOT_FOUND):
        said = (err or out).strip().replace("\n", "; ")
        raise Unreadable("MIG cannot be set up: %s mig %s returned %d and says: %s." % (SMI, option, code, said))
    return out
