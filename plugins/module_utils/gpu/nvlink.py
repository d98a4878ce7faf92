# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""NVLinks of GPUs, by nvidia-smi nvlink --status, and whether those that are inactive are a fault.

Format: a line `GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-…)` (older releases leave the UUID out), below it a line for each link,
`Link 0: 26.562 GB/s` (one direction) or `Link 3: <inactive>`. A GPU without an active link may have one line instead, `NVML: Unable to
retrieve NVLink information as all links are inActive` (https://github.com/leptonai/gpud/issues/1085), one without any `…: Not Supported`.

What is a fault: NVIDIA's health check nvlink_active wants no inactive link on A100, H100 and GB200
(https://docs.nvidia.com/health-validation/reference/checks/nvlink). That holds where a switch or a fabric joins the links. Elsewhere boards
are wired to each other, and a machine that has some of a board's GPUs lacks links on all alike: there a GPU with fewer than another has a
fault. Cards take bridges, or none, and need not use all links (an H100 PCIe with three bridges has 12 of 18). A GPU in MIG mode uses none
(Fabric Manager User Guide, "Interoperability With MIG").
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import health, values

# PCI device ids (devices.py) by NVIDIA's data sheets: boards whose links are all wired, and cards that take bridges. 2336 is listed without
# its form: what it says is read and not judged.
BOARDS = frozenset(
    {0x15F9, 0x1DB1, 0x1DB5, 0x1DB8, 0x20B0, 0x20B2, 0x20B3, 0x2329, 0x232C, 0x2330, 0x2335, 0x2337, 0x2338, 0x2339}
    | {0x2342, 0x2348, 0x2901, 0x2941, 0x3182}
)
CARDS = frozenset({0x20B1, 0x20B5, 0x20B7, 0x20F1, 0x2235, 0x2321, 0x2331, 0x2336, 0x233B})
ACTIVE, PARTIAL, INACTIVE = "active", "partial", "inactive"
HEAD = re.compile(r"^GPU ([0-9]{1,4}):(?:.*\(UUID: (GPU-[0-9a-fA-F-]{36})\))?")
LINK = re.compile(r"^Link ([0-9]{1,3}):\s*(.*)$")
RATE = re.compile(r"^([0-9]{1,6}(?:\.[0-9]{1,6})?) GB/s$")
ALL_INACTIVE = "all links are inactive"
WHAT = "nvidia-smi nvlink"


def has_links(device):
    """Whether GPUs of this PCI device id may have NVLinks."""
    return device in BOARDS or device in CARDS


def parse(text):
    """[{index, uuid or None, links: {number: (active or None, GB/s or None)}, all_inactive, said: [line that is neither]}], one a GPU."""
    found = []
    for line in text.splitlines():
        line = line.strip()
        head = HEAD.match(line)
        if head:
            found.append({"index": int(head.group(1)), "uuid": head.group(2), "links": {}, "all_inactive": False, "said": []})
        elif line and found:
            read_line(line, found[-1])
    return found


def read_line(line, section):
    link = LINK.match(line)
    if link:
        number, read = int(link.group(1)), state_of(link.group(2))
        # Of two lines for one link the worse one counts, so that no copy hides a fault.
        section["links"][number] = min(section["links"].get(number, read), read, key=lambda one: (one[0] is not False, one[0] is not None))
        if read[0] is None:
            section["said"].append(line)
    elif ALL_INACTIVE in line.lower():
        section["all_inactive"] = True
    elif "not supported" not in line.lower():
        section["said"].append(line)


def state_of(said):
    """(whether active, GB/s) of what follows `Link 0:`; None for what it does not say."""
    rate = RATE.match(said)
    if rate:
        return float(rate.group(1)) > 0, float(rate.group(1)) or None
    return (False, None) if said.lower().strip("<>") == "inactive" else (None, None)


def shown(section):
    """{state, links} of one GPU, as in the facts; None where it has no links."""
    links = [
        {"link": number, "active": active, "gb_per_s": rate if active else None}
        for number, (active, rate) in sorted(section["links"].items())
    ]
    states = {link["active"] for link in links} - {None}
    if section["all_inactive"] and True not in states:
        return {"state": INACTIVE, "links": links}
    if not links:
        return None
    return {"state": None if not states else PARTIAL if len(states) > 1 else ACTIVE if True in states else INACTIVE, "links": links}


def own(gpu, sections):
    """The section of a GPU, by its UUID, or by its number where the tool does not say UUIDs."""
    for section in sections:
        if section["uuid"] == gpu["uuid"] if section["uuid"] and gpu["uuid"] else section["index"] == gpu["index"]:
            return section
    return None


def look(gpus, outcome, switches):
    """([nvlink or None], [[(state, reason)]], [{what, why}]): what each GPU says, what follows for its health, what could not be read.

    gpus: details, each with device, its PCI device id; outcome: of the tool, None when it was not run; switches: NVSwitches on the bus.
    """
    if outcome is None:
        return [None for _gpu in gpus], [[] for _gpu in gpus], []
    sections, notes, found = parse(outcome.out), [], []
    failed = outcome.problem or ("it returned %d: %s" % (outcome.code, outcome.said() or "nothing printed") if outcome.code else None)
    if failed:
        notes.append({"what": WHAT, "why": failed})
    for gpu in gpus:
        section = own(gpu, sections) if has_links(gpu["device"]) else None
        found.append(shown(section) if section else None)
        name = "%s GPU %s" % (WHAT, gpu["address"] or gpu["index"])
        if section and section["said"]:
            notes.append({"what": name, "why": "it says %s" % section["said"][0][: values.SHOWN]})
        elif found[-1] is None and gpu["device"] in BOARDS and not failed:
            notes.append({"what": name, "why": "it says nothing of the links"})
    return found, [verdict(number, gpus, found, switches) for number in range(len(gpus))], notes


def in_mig(gpu):
    return gpu["mig"]["current"] == "enabled"


def active_links(nvlink):
    return sum(1 for link in nvlink["links"] if link["active"])


def verdict(number, gpus, found, switches):
    """[(state, reason)] of one GPU, beside the others."""
    gpu, nvlink = gpus[number], found[number]
    if nvlink is None or nvlink["state"] not in (PARTIAL, INACTIVE) or gpu["device"] not in BOARDS or in_mig(gpu):
        return []
    fabric = ((gpu["fabric"] or {}).get("state") or "not supported").lower() != "not supported"
    if not switches and not fabric:
        return beside_others(number, gpus, found)
    if nvlink["state"] == PARTIAL:
        dead = [link["link"] for link in nvlink["links"] if link["active"] is False]
        told = "%d of its %d NVLinks are inactive: %s" % (len(dead), len(nvlink["links"]), ", ".join(map(str, dead)))
        return [(health.DEGRADED, told)]
    # A machine that was given one GPU of a board has nothing to link it to.
    return [(health.DEGRADED, "all its NVLinks are inactive")] if switches or len(gpus) > 1 else []


def beside_others(number, gpus, found):
    """[(state, reason)] of a GPU whose links go to other GPUs. One in MIG mode takes links from those that it is wired to."""
    if any(in_mig(gpu) for gpu in gpus):
        return []
    alike = [nvlink for gpu, nvlink in zip(gpus, found) if nvlink is not None and gpu["device"] == gpus[number]["device"]]
    most, has = max(map(active_links, alike)), active_links(found[number])
    return [(health.DEGRADED, "%d of its NVLinks are active, another GPU like it has %d" % (has, most))] if has < most else []
