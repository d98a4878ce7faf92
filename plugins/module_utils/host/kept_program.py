# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Leaves a part of this collection's own code on a host, so that a systemd unit can do at a boot what a module does in a run.

The copy has the package's names, so the code is the same here and there; it holds what the program imports and nothing else.
"""

from __future__ import annotations

import ast
import importlib
import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

BASE = "ansible_collections.mlinfra.hosts.plugins.module_utils."
FOLDER = "/usr/local/lib/mlinfra"
UNITS = "/etc/systemd/system"


def source(name):
    """Text of a Python module of this collection, wherever it was loaded from (Ansible sends it in a zip)."""
    module = importlib.import_module(BASE + name)
    text = module.__spec__.loader.get_source(module.__name__)
    return text if isinstance(text, str) else text.decode()


def imported(text):
    """Names of this collection's modules that a module's text imports, as in host.files."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(BASE):
            name = node.module[len(BASE) :]
            is_package = hasattr(importlib.import_module(node.module), "__path__")
            found += ["%s.%s" % (name, alias.name) for alias in node.names] if is_package else [name]
    return found


def copy(program, folder=FOLDER):
    """{path: text} of a module (its name as in host.files), of what it imports, and of the empty packages above them."""
    found, left = {}, [program]
    while left:
        name = left.pop()
        parts = (BASE + name).split(".")
        path = os.path.join(folder, *parts) + ".py"
        if path in found:
            continue
        found[path] = source(name)
        found.update({os.path.join(folder, *parts[:depth], "__init__.py"): "" for depth in range(1, len(parts))})
        left += imported(found[path])
    return found


def unit(description, name, ordering, folder=FOLDER, python="/usr/bin/python3"):
    """Text of a oneshot unit that runs the module `name`. ordering: lines of [Unit] and [Install], {"unit": [], "install": []}."""
    lines = [
        "# Written by mlinfra.hosts: changes by hand are lost.",
        "[Unit]",
        "Description=" + description,
        *ordering["unit"],
        "",
        "[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        "Environment=PYTHONPATH=%s PYTHONDONTWRITEBYTECODE=1" % folder,
        "ExecStart=%s -m %s" % (python, BASE + name),
        # A mount or a device that hangs must not keep the host from starting.
        "TimeoutStartSec=%s" % ordering["timeout"],
        "",
        "[Install]",
        *ordering["install"],
    ]
    return "\n".join(lines) + "\n"


def differing(files):
    """Paths whose file is missing or has another text."""
    return sorted(path for path, text in files.items() if not os.path.exists(path) or read(path) != text)


def write(files, mode=0o644):
    """Write {path: text}, each by a new file that takes the old one's place."""
    for path, text in sorted(files.items()):
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        beside = path + ".mlinfra-new"
        with open(beside, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(beside, mode)
        os.replace(beside, path)


def is_enabled(name, target):
    """Whether the target starts the unit: the link that systemctl enable makes."""
    return os.path.islink(os.path.join(UNITS, target + ".wants", name))


def enable(name, run, start=True):
    """Let systemd know of a unit that was written, and start it at each boot. Returns why it does not; None when it does."""
    for argv in (["systemctl", "daemon-reload"], ["systemctl", "enable", name], ["systemctl", "start", name]):
        code, out, err = run(argv) if start or argv[1] != "start" else (0, "", "")
        if code:
            said = (err or out).strip().replace("\n", "; ")
            return "%s says %s. Look at systemctl status %s." % (" ".join(argv), said, name)
    return None
