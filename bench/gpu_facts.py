# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module gpu_facts costs of its own on a host with eight GPUs, beside the half second that it may.

    make bench-gpu-facts        (python -m bench.gpu_facts [--rounds 7])

Reads a tree of files with as much in it as a p5.48xlarge has: 164 PCI functions (8 GPUs, 4 NVSwitches, 32 EFA devices), 1,500 packages,
3 kernels with modules, engines with settings and CDI. In the place of nvidia-smi is a program that prints a document of eight GPUs with
the long lists of clocks that the real one has, and their NVLinks. Its time and the time that any program takes to start are not the
module's own.
Ends in a line of NAME RATIO GOAL: median seconds by half a second. The goal is met when the ratio is not above it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ansible.plugins.loader import init_plugin_loader

SAMPLES = Path(__file__).resolve().parent.parent / "tests/unit/plugins/module_utils/gpu"
DOCUMENT, LINKS = SAMPLES / "smi_xml/h100x8_v12.xml", SAMPLES / "nvlink_txt/h100x8.txt"
BUDGET = 0.5
GOAL = 1.0
VERSION = "570.133.20"
UTILS = "ansible_collections.mlinfra.hosts.plugins.module_utils.gpu."
GPUS = ("53", "64", "75", "86", "97", "a8", "b9", "ca")


def put(root: Path, path: str, content: str | bytes = "") -> Path:
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return target


def put_function(root: Path, address: str, vendor: int, device: int, code: int) -> None:
    base = f"/sys/bus/pci/devices/{address}/"
    put(root, base + "vendor", f"0x{vendor:04x}\n")
    put(root, base + "device", f"0x{device:04x}\n")
    put(root, base + "class", f"0x{code:06x}\n")
    put(root, base + "config", struct.pack("<HHHHB", vendor, device, 0, 0, 0xA1) + code.to_bytes(3, "little") + bytes(52))


def put_bus(root: Path) -> None:
    for bus in GPUS:
        put_function(root, f"0000:{bus}:00.0", 0x10DE, 0x2330, 0x030200)
    for number in range(4):
        put_function(root, f"0000:{number + 1:02x}:01.0", 0x10DE, 0x22A3, 0x068000)
    for number in range(32):
        put_function(root, f"0000:{number // 8 + 16:02x}:{number % 8 + 2:02x}.0", 0x1D0F, 0xEFA1, 0x020000)
    for number in range(120):
        put_function(root, f"0001:{number // 16:02x}:{number % 16:02x}.0", 0x1D0F, 0x0200, 0x060400)


def put_software(root: Path) -> None:
    package = "Package: {0}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {1}\nDescription: some words\n of it\n\n"
    names = [f"library{number}" for number in range(1500)]
    driver = [(name, VERSION + "-1") for name in ("libcuda1", "libnvidia-ml1", "nvidia-kernel-open-dkms")]
    engines = [("docker-ce", "5:27.3.1-1"), ("containerd.io", "1.7.24-1"), ("nvidia-container-toolkit", "1.18.1-1"), ("podman", "4.3.1")]
    rows = [(name, "1.0-1") for name in names] + driver + engines
    put(root, "/var/lib/dpkg/status", "".join(package.format(*row) for row in rows))
    put(root, "/proc/driver/nvidia/version", f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {VERSION}  Release Build\n")
    for library in ("libcuda", "libnvidia-ml"):
        put(root, f"/usr/lib/x86_64-linux-gnu/{library}.so.{VERSION}")
    for number in range(800):
        put(root, f"/usr/lib/x86_64-linux-gnu/library{number}.so.1")
    for kernel in (os.uname().release, "6.8.0-1015-aws", "6.8.0-1021-aws"):
        put(root, f"/boot/vmlinuz-{kernel}")
        put(root, f"/lib/modules/{kernel}/build/Makefile")
        put(root, f"/lib/modules/{kernel}/updates/dkms/nvidia.ko")
        put(root, f"/var/lib/dkms/nvidia/{VERSION}/{kernel}/x86_64/module/nvidia.ko")
    put(root, "/etc/docker/daemon.json", json.dumps({"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}))
    devices = "".join(f'- containerEdits:\n    deviceNodes:\n    - path: /dev/nvidia{n}\n  name: "{n}"\n' for n in range(8))
    mounts = "".join(f"  - hostPath: /usr/lib/x86_64-linux-gnu/library{number}.so.{VERSION}\n" for number in range(60))
    put(root, "/etc/cdi/nvidia.yaml", f"cdiVersion: 0.5.0\ncontainerEdits:\n  mounts:\n{mounts}devices:\n{devices}kind: nvidia.com/gpu\n")


def document() -> str:
    clocks = "".join(f"<supported_graphics_clock>{number} MHz</supported_graphics_clock>" for number in range(210, 1985, 15))
    supported = f"<supported_clocks><supported_mem_clock><value>2619 MHz</value>{clocks}</supported_mem_clock></supported_clocks>"
    return DOCUMENT.read_text(encoding="utf-8").replace("</gpu>", supported * 2 + "</gpu>")


def put_smi(root: Path) -> Path:
    """The program in the place of nvidia-smi."""
    answer = put(root, "/answer.xml", document())
    smi = put(root, "/usr/bin/nvidia-smi", f'#!/bin/sh\n[ "$1" = nvlink ] && exec cat {LINKS}\nexec cat {answer}\n')
    smi.chmod(0o755)
    return smi


def measure(root: Path, smi: Path) -> tuple[float, float, list[str], dict[str, Any]]:
    """(seconds of the module's own, processor seconds, programs that were run, facts)"""
    facts, running, reading = (importlib.import_module(UTILS + name) for name in ("facts", "running", "reading"))
    # The programs of this tree only.
    programs = facts.Programs.__new__(facts.Programs)
    programs.find = {"nvidia-smi": str(smi)}.get
    ran, outside, real = [], [0.0], running.run

    def run(arguments: list[str], timeout: float) -> Any:
        ran.append(" ".join([Path(arguments[0]).name, *arguments[1:]]))
        begun = time.perf_counter()
        try:
            return real(arguments, timeout)
        finally:
            outside[0] += time.perf_counter() - begun

    running.run = run
    try:
        begun, used = time.perf_counter(), time.process_time()
        found = facts.look(reading.Host(str(root)), programs, 60)
        return time.perf_counter() - begun - outside[0], time.process_time() - used, ran, found
    finally:
        running.run = real


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    init_plugin_loader()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        put_bus(root)
        put_software(root)
        smi = put_smi(root)
        measured = [measure(root, smi) for _round in range(rounds)]
    _seconds, _used, ran, found = measured[-1]
    if [gpu["health"]["state"] for gpu in found["gpus"]] != ["healthy"] * len(GPUS) or found["driver_state"] != "coherent":
        told = [*found["driver_reasons"], *(str(gpu["health"]) for gpu in found["gpus"])]
        print(f"the facts are not those of the tree: {'; '.join(told)}", file=sys.stderr)
        return 2
    own, used = (statistics.median(one[number] for one in measured) for number in (0, 1))
    print(f"programs   {', '.join(ran)}")
    print(f"facts      {len(json.dumps(found))} bytes")
    print(f"own time   {own:.3f} s, of the processor {used:.3f} s (medians of {rounds})")
    print(f"gpu_facts_own {own / BUDGET:.3f} {GOAL}")
    return 0 if own / BUDGET <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
