# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""All that nvidia-smi -q -x says of one GPU and that matters to whoever runs hosts.

Elements: the DTDs nvsmi_device_v11.dtd (drivers to 525), _v12.dtd (530 to 575) and _v13.dtd (from 580). What they call otherwise is read by
either name: clocks_throttle_reasons became clocks_event_reasons (535), one sram_uncorrectable became parity and secded (550),
gpu_reset_status became gpu_recovery_action (570). An element that a release does not have is null, one that cannot be read is noted.
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import devices, mig_profiles, smi, values

GPU_UUID = r"^GPU-[0-9a-fA-F-]{36}$"
MIG_UUID = r"^MIG-(?:[0-9a-fA-F-]{36}|GPU-[0-9a-fA-F-]{36}/[0-9]+/[0-9]+)$"
# Containers whose words matter to the verdict.
CONTAINERS = ("ecc_errors", "ecc_errors/volatile", "ecc_errors/aggregate", "remapped_rows", "retired_pages", "fabric", "fabric/health")
REASONS = ("clocks_event_reasons", "clocks_throttle_reasons")
REASON = re.compile(r"^clocks_(?:event|throttle)_reason_([a-z0-9_]{1,60})$")
PROGRAM = re.compile(r"^[A-Za-z0-9._+-]{1,64}$")
CLOCKS = (("graphics", "graphics_clock"), ("sm", "sm_clock"), ("memory", "mem_clock"), ("video", "video_clock"))
HEALTH = ("summary", "bandwidth", "route_recovery_in_progress", "route_unhealthy", "access_timeout_recovery", "incorrect_configuration")


def added(counts):
    """Sum of those counts that there are; None without any."""
    there = [count for count in counts if count is not None]
    return sum(there) if there else None


def errors(reader, period):
    """{corrected, uncorrected} of one period; those of releases before Turing are by bits."""
    base = "ecc_errors/%s/" % period
    reader_of = reader.whole
    return {
        "corrected": added([reader_of(base + name) for name in ("sram_correctable", "dram_correctable", "single_bit/total")]),
        "uncorrected": added(
            [
                reader_of(base + name)
                for name in (
                    "sram_uncorrectable",
                    "sram_uncorrectable_parity",
                    "sram_uncorrectable_secded",
                    "dram_uncorrectable",
                    "double_bit/total",
                )
            ]
        ),
    }


def ecc(reader):
    return {
        "current": reader.flag("ecc_mode/current_ecc"),
        "pending": reader.flag("ecc_mode/pending_ecc"),
        "volatile": errors(reader, "volatile"),
        "aggregate": errors(reader, "aggregate"),
        "sram_threshold_exceeded": reader.flag("ecc_errors/aggregate/sram_threshold_exceeded"),
        "repair_pending": reader.flag("ecc_errors/channel_repair_pending", "ecc_errors/tpc_repair_pending"),
    }


def row_remaps(reader):
    """Ampere and later replace rows of memory; None where this one does not."""
    base = "remapped_rows/"
    found = {
        "correctable": reader.whole(base + "remapped_row_corr"),
        "uncorrectable": reader.whole(base + "remapped_row_unc"),
        "pending": reader.flag(base + "remapped_row_pending"),
        "failure": reader.flag(base + "remapped_row_failure"),
        # Banks that have no row left to replace another with.
        "exhausted_banks": reader.banks(base + "row_remapper_histogram/row_remapper_histogram_none"),
    }
    return found if any(value is not None for value in found.values()) else None


def retired_pages(reader):
    """GPUs before Ampere take pages of memory out of use; None where this one does not."""
    base = "retired_pages/"
    found = {
        "single_bit": reader.whole(base + "multiple_single_bit_retirement/retired_count"),
        "double_bit": reader.whole(base + "double_bit_retirement/retired_count"),
        "pending": reader.flag(base + "pending_retirement", base + "pending_blacklist"),
    }
    return found if any(value is not None for value in found.values()) else None


def recovery(reader):
    """What the driver asks for, in its own words ('None' counts as nothing): {reset_required, drain_recommended, action}."""
    return {
        "reset_required": reader.flag("gpu_reset_status/reset_required"),
        "drain_recommended": reader.flag("gpu_reset_status/drain_and_reset_recommended"),
        "action": reader.word("gpu_recovery_action"),
    }


def fabric(reader):
    """Registration with the NVLink fabric; None where there is none. The document says nothing of the links (nvlink.py)."""
    found = {
        "state": reader.word("fabric/state"),
        "status": reader.word("fabric/status"),
        "clique_id": reader.word("fabric/cliqueId"),
        "cluster_uuid": reader.word("fabric/clusterUuid"),
    }
    health = {name: reader.word("fabric/health/" + name) for name in HEALTH}
    found["health"] = {name: health[name] for name in HEALTH if health[name] is not None}
    return found if any(value for value in found.values()) else None


def mig_device(element, name, whole, total_mib):
    """({index, uuid, profile, gpu_instance_id, …}, notes). whole: model of the GPU that this is a part of."""
    reader = values.Reader(element, name)
    found = {
        "index": reader.whole("index"),
        "uuid": reader.mark(MIG_UUID, "uuid"),
        "gpu_instance_id": reader.whole("gpu_instance_id"),
        "compute_instance_id": reader.whole("compute_instance_id"),
        "memory_mib": reader.mebibytes("fb_memory_usage/total"),
        "multiprocessors": reader.whole("device_attributes/shared/multiprocessor_count"),
        "uncorrected": added(
            [reader.whole("ecc_error_count/volatile_count/" + kind) for kind in ("sram_uncorrectable", "sram_uncorrectable_parity")]
        ),
    }
    found["profile"] = mig_profiles.profile(whole, total_mib, found["memory_mib"], found["multiprocessors"])
    return found, reader.notes


def mig(element, reader, total_mib):
    modes = ("disabled", "enabled")
    current, pending = reader.flag("mig_mode/current_mig"), reader.flag("mig_mode/pending_mig")
    parts = []
    for number, device in enumerate(element.findall("mig_devices/mig_device")):
        found, notes = mig_device(device, "%s mig_device %d" % (reader.name, number), model(element), total_mib)
        parts.append(found)
        reader.notes += notes
    if any(device["uuid"] is None for device in parts):
        reader.note("mig_device uuid", "this release of nvidia-smi leaves it out of its XML; nvidia-smi -L shows it")
    return {
        "current": None if current is None else modes[current],
        "pending": None if pending is None else modes[pending],
        "devices": parts,
    }


def throttle_reasons(element, reader):
    """Names of what holds the clocks back now; None where the GPU does not say."""
    found, said = set(), False
    for container in [below for name in REASONS for below in element.findall(name)]:
        for below in container:
            match = REASON.match(below.tag) if isinstance(below.tag, str) else None
            if match:
                active = reader.flag("%s/%s" % (container.tag, below.tag))
                said = said or active is not None
                found.update([match.group(1)] if active else [])
    return sorted(found) if said else None


def program(text):
    """File name of what a process runs. Its arguments, which may follow and hold secrets, are left out, and so is what is no plain name."""
    words = (text or "").split()
    name = words[0].rpartition("/")[2] if words else ""
    return name if PROGRAM.match(name) else None


def processes(element, reader):
    """[{pid, program, type, memory_mib}]; None where the tool does not say, as it may when not asked by root."""
    if element.find("processes") is None:
        return None
    refused = values.meaning(element.findtext("processes"))[0] is None and (element.findtext("processes") or "").strip()
    if refused:
        reader.note("processes", "nvidia-smi says %s" % refused[: values.SHOWN])
        return None
    found = []
    for number, info in enumerate(element.findall("processes/process_info")):
        own = values.Reader(info, "%s process_info %d" % (reader.name, number))
        pid = own.whole("pid")
        reader.notes += own.notes
        if pid is not None:
            name = info.find("process_name")
            kind, memory = values.meaning(info.findtext("type"))[0], values.meaning(info.findtext("used_memory"))[0]
            found.append(
                {
                    "pid": pid,
                    "program": program(name.text if name is not None else None),
                    "type": kind if kind in ("C", "G", "C+G", "M+C") else None,
                    "memory_mib": smi.mebibytes(memory),
                }
            )
    return sorted(found, key=lambda entry: entry["pid"])


def clocks(reader, container):
    return {name: reader.megahertz("%s/%s" % (container, tag)) for name, tag in CLOCKS}


def now(element, reader):
    """What is another thing a minute later."""
    return {
        "memory_used_mib": reader.mebibytes("fb_memory_usage/used"),
        "performance_state": reader.word("performance_state"),
        "temperature_c": reader.degrees("temperature/gpu_temp"),
        "clocks_mhz": clocks(reader, "clocks"),
        "throttle_reasons": throttle_reasons(element, reader),
        "processes": processes(element, reader),
    }


def device_id(element):
    """The PCI device id, of '20B210DE'; None for another vendor's or none."""
    found = re.match(r"^(?:0x)?([0-9a-fA-F]{4})10DE$", smi.value(element, "pci/pci_device_id") or "", re.IGNORECASE)
    return int(found.group(1), 16) if found else None


def model(element):
    """The model by the PCI device id; None for one that devices.py does not know."""
    return devices.DEVICES.get(device_id(element), (None, None))[1]


def look(index, element):
    """(one <gpu> as all of the above, [{what, why}] of what it has and could not be read)"""
    address = smi.address(element.get("id")) or smi.address(smi.value(element, "pci/pci_bus_id"))
    reader = values.Reader(element, "nvidia-smi GPU %s" % (address or index))
    total = reader.mebibytes("fb_memory_usage/total")
    found = {
        "address": address,
        "index": index,
        "minor_number": reader.whole("minor_number"),
        "uuid": reader.mark(GPU_UUID, "uuid"),
        "name": reader.word("product_name"),
        "memory_mib": total,
        "persistence_mode": reader.flag("persistence_mode"),
        "compute_mode": reader.word("compute_mode"),
        "max_clocks_mhz": clocks(reader, "max_clocks"),
        "ecc": ecc(reader),
        "row_remaps": row_remaps(reader),
        "retired_pages": retired_pages(reader),
        "recovery": recovery(reader),
        "fabric": fabric(reader),
        "mig": mig(element, reader, total),
        "now": now(element, reader),
    }
    for path in CONTAINERS:
        reader.container(path)
    return found, reader.notes
