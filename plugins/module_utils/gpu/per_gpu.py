# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Each GPU once, with what the bus and nvidia-smi say of it and the verdict over both."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import details, health, nvlink, smi, values

ADDRESS = re.compile(r"[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-9a-fA-F]")
LOST_LINE = re.compile(r"unable to determine the device handle|gpu is lost|fallen off the bus|requires reset", re.IGNORECASE)
NO_GPU = ElementTree.Element("gpu")


def root_of(outcome):
    """The root element of what nvidia-smi printed; None where that cannot be read, or may not be the whole of it."""
    text = smi.document(outcome.out) if outcome is not None and not outcome.problem else None
    try:
        return smi.tree(text) if text is not None else None
    except ValueError:
        return None


def lost(outcome):
    """Addresses of the GPUs that nvidia-smi names as lost, in its words beside the document."""
    lines = (outcome.out + "\n" + outcome.err).splitlines() if outcome is not None else []
    named = [found for line in lines if "<" not in line and LOST_LINE.search(line) for found in ADDRESS.findall(line)]
    return {smi.address(found) for found in named}


def look(bus, said, outcome, ask_links=lambda: None):
    """([GPU], [{what, why}]).

    bus: see pci.look; said: the facts of nvidia-smi; outcome: what it did, None when it was not run; ask_links(): the outcome of asking it
    for the NVLinks, which is done where a GPU may have some.
    """
    root, gone = root_of(outcome), lost(outcome)
    shown = [(element,) + details.look(index, element) for index, element in enumerate(root.findall("gpu"))] if root is not None else []
    links, verdicts, link_notes = of_links(bus, shown, ask_links)
    shown = [(*entry, one_links, verdict) for entry, one_links, verdict in zip(shown, links, verdicts)]
    found, notes, known = [], [], set()
    for device in bus["devices"]:
        own = [entry for entry in shown if entry[1]["address"] == device["address"]]
        known.update(id(entry[0]) for entry in own)
        found.append(one(device, own, of_bus(device, own, said, root) + of_names(device["address"], gone)))
    for entry in shown:
        if id(entry[0]) not in known:
            device = {"address": entry[1]["address"], "model": details.model(entry[0]), "responds": None}
            hidden = [] if not bus["bus"] else [(health.UNKNOWN, "nvidia-smi shows it at an address that is not on the PCI bus")]
            found.append(one(device, [entry], hidden + of_names(device["address"], gone)))
    for entry in shown:
        notes += entry[2]
    return found, notes + link_notes + of_whole(said, root, len(shown))


def of_links(bus, shown, ask_links):
    """As nvlink.look of the GPUs that nvidia-smi shows."""
    ids = {device["address"]: device.get("device") for device in bus["devices"]}
    gpus = []
    for element, every, _notes in shown:
        on_bus = ids.get(every["address"])
        gpus.append(dict(every, device=int(on_bus, 16) if on_bus else details.device_id(element)))
    outcome = ask_links() if any(nvlink.has_links(gpu["device"]) for gpu in gpus) else None
    return nvlink.look(gpus, outcome, bus["nvswitch_count"])


def one(device, own, findings):
    """One GPU of the facts. own: [(element, details, notes, links, verdict)] that nvidia-smi has of it; more than one is odd."""
    seen = own[0][1] if own else details.look(None, NO_GPU)[0]
    notes = [note for entry in own for note in entry[2]]
    for element, every, _notes, _links, verdict in own:
        findings = findings + health.of_document(element) + health.of_details(every) + verdict
    if len(own) > 1:
        findings = findings + [(health.UNKNOWN, "nvidia-smi shows it %d times" % len(own))]
    return dict(
        seen,
        address=device["address"],
        model=device.get("model"),
        architecture=device.get("architecture"),
        kernel_driver=device.get("kernel_driver"),
        nvlink=own[0][3] if own else None,
        responds=device.get("responds"),
        health=health.judge(findings, notes, seen if own else None),
    )


def of_bus(device, own, said, root):
    """[(state, reason)] by the bus, and by whether nvidia-smi shows what is there."""
    if not device["responds"]:
        return [(health.FAILED, "it does not answer on the PCI bus")]
    if own:
        return []
    if device["kernel_driver"] == "vfio-pci":
        return [(health.UNKNOWN, "vfio-pci has it, for a virtual machine")]
    if root is not None:
        return [(health.FAILED, "nvidia-smi does not show it")]
    return [(health.UNKNOWN, said["error"] or ("nvidia-smi said nothing" if said["available"] else "there is no nvidia-smi to ask"))]


def of_names(address, gone):
    return [(health.FAILED, "nvidia-smi says that it is lost")] if address in gone else []


def of_whole(said, root, count):
    """[{what, why}] of nvidia-smi as a whole."""
    if root is None:
        return [{"what": "nvidia-smi", "why": said["error"]}] if said["error"] else []
    found = []
    attached = values.Reader(root, "nvidia-smi")
    counted = attached.whole("attached_gpus")
    if counted is not None and counted != count:
        found.append({"what": "nvidia-smi gpu", "why": "it counts %d attached GPUs and shows %d" % (counted, count)})
    return found + attached.notes
