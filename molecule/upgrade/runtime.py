#!/usr/bin/python3
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for NVIDIA's container runtime, of which the packages' stand-in brings nothing into containers: one that is to run nvidia-smi
gets a program of that name, which says that it sees a GPU."""

from __future__ import annotations

import json
import os
import sys

arguments = sys.argv[1:]
if "create" in arguments:
    path = os.path.join(arguments[arguments.index("--bundle") + 1], "config.json")
    with open(path) as file:
        config = json.load(file)
    if config["process"]["args"][0].endswith("nvidia-smi"):
        config["mounts"].append({"destination": "/nvidia-smi", "type": "bind", "source": "/bin/echo", "options": ["bind", "ro"]})
        config["process"]["args"] = ["/nvidia-smi", "GPU 0: Stand-in GPU"]
        with open(path, "w") as file:
            json.dump(config, file)
os.execvp("runc", ["runc", *arguments])
