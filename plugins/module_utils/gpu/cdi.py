# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""CDI specifications: the devices that container engines can give to a container by name.

Format: https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md (JSON or YAML). Of a device that several folders have, the
later folder's counts: /var/run/cdi goes before /etc/cdi (pkg/cdi/cache.go and spec-dirs.go there). Hosts need not have PyYAML, so of YAML
only what nvidia-ctk writes is understood: top-level keys at the margin, block style. What is written otherwise gives no devices, and is
told.
"""

from __future__ import annotations

import json
import re

FOLDERS = ("/etc/cdi", "/var/run/cdi")
MOST = 4 * 1024 * 1024
LIBRARY = re.compile(r"lib(?:cuda|nvidia-ml)\.so\.(\d+\.\d+(?:\.\d+)*)")
TOP = re.compile(r"^([A-Za-z]+):(?:[ \t]+(.*?))?[ \t]*(?:#.*)?$")
NAME = re.compile(r"^name:[ \t]*(.+?)[ \t]*$")


def plain(text):
    """A YAML scalar without its quotes."""
    text = (text or "").strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def parse_yaml(text):
    """{kind, names}"""
    kind, names, section, margin = None, [], None, None
    for line in text.splitlines():
        top = TOP.match(line)
        if top:
            section, margin = top.group(1), None
            kind = plain(top.group(2)) or kind if section == "kind" else kind
            continue
        if section != "devices" or not line.strip():
            continue
        indent = len(line) - len(line.lstrip(" "))
        rest = line.strip()
        if rest.startswith("- ") and (margin is None or indent == margin):
            margin, rest = indent, rest[2:].strip()
        elif margin is None or indent != margin + 2:
            continue
        found = NAME.match(rest)
        if found:
            names.append(plain(found.group(1)))
    return {"kind": kind, "names": names}


def parse_json(text):
    """{kind, names}; raises ValueError for what is no such document."""
    found = json.loads(text)
    entries = found.get("devices") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise ValueError("it has no list of devices")
    names = [entry.get("name") for entry in entries if isinstance(entry, dict)]
    return {"kind": found.get("kind"), "names": [name for name in names if isinstance(name, str)]}


def parse(path, text):
    """{kind, names}; raises ValueError with the reason."""
    try:
        found = parse_json(text) if path.endswith(".json") else parse_yaml(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(str(error)[:200] or "it is nested too deeply") from None
    if not isinstance(found["kind"], str) or not found["kind"]:
        raise ValueError("it has no kind that could be read")
    return found


def look(host, note):
    """[{path, kind, devices, driver_versions}], in the order in which engines read them. ``note(what, why)`` for what is no specification.

    driver_versions: those of the libraries that the specification mounts. Others than the driver's mean that it is out of date.
    """
    specs = []
    for folder in FOLDERS:
        for name in host.names(folder) if host.is_folder(folder) else []:
            path = "%s/%s" % (folder, name)
            if not name.endswith((".json", ".yaml")):
                continue
            text = host.text(path, MOST)
            if not text:
                continue
            try:
                found = parse(path, text)
            except ValueError as reason:
                note(path, str(reason))
                continue
            if found["kind"].startswith("nvidia.com/"):
                if not found["names"]:
                    note(path, "no device in it could be read")
                versions = sorted(set(LIBRARY.findall(text)))
                specs.append({"path": path, "kind": found["kind"], "devices": found["names"], "driver_versions": versions})
    return specs
