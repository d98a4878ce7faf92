# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How Docker, containerd and podman are set up to give GPUs to containers, read from their files: no engine is asked or started.

daemon.json: https://docs.docker.com/reference/cli/dockerd/ ; containerd: docs/cri/config.md of containerd 1.7 (version 2 of the file) and
2.x (version 3); what nvidia-ctk writes into them: "Installing the NVIDIA Container Toolkit", section Configuration; its own mode:
/etc/nvidia-container-runtime/config.toml; podman before CDI: hooks.d of libnvidia-container.
Only the named settings are returned: such files may hold passwords of proxies and registries.
"""

from __future__ import annotations

import json
import posixpath
import re

DOCKER, CONTAINERD = "/etc/docker/daemon.json", "/etc/containerd/config.toml"
TOOLKIT = "/etc/nvidia-container-runtime/config.toml"
HOOKS = ("/usr/share/containers/oci/hooks.d/oci-nvidia-hook.json", "/etc/containers/oci/hooks.d/oci-nvidia-hook.json")
MOST, MOST_IMPORTS = 4 * 1024 * 1024, 50
RUNTIME_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
HEADER = re.compile(r"^\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
PART = re.compile(r"\"([^\"]*)\"|'([^']*)'|([A-Za-z0-9_-]+)")
SETTING = re.compile(r"^([A-Za-z0-9_-]+)\s*=\s*(.*?)\s*$")
STRING = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'")
# The same anywhere in a line that is no comment.
NAMED = re.compile(r"^[^#\n]*nvidia-container-runtime", re.MULTILINE)
IS_NVIDIA = re.compile(r"(^|/)nvidia-container-runtime[A-Za-z0-9.-]*$")


def runtime(text):
    """A name that a runtime can have; None for anything else."""
    return text if isinstance(text, str) and RUNTIME_NAME.match(text) else None


def docker(host, note):
    """{path, runtimes, nvidia_runtime, default_runtime, cdi, cdi_spec_dirs}; None without daemon.json. null is what it leaves to Docker."""
    if not host.exists(DOCKER):
        return None
    text = host.text(DOCKER, MOST)
    nothing = {"path": DOCKER, "runtimes": None, "nvidia_runtime": None, "default_runtime": None, "cdi": None, "cdi_spec_dirs": None}
    if not text:
        return nothing
    try:
        found = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        note(DOCKER, "it is not JSON: %s" % (getattr(error, "msg", None) or "it is nested too deeply"))
        return nothing
    if not isinstance(found, dict):
        note(DOCKER, "it holds no JSON object")
        return nothing
    runtimes = found.get("runtimes") if isinstance(found.get("runtimes"), dict) else {}
    features = found.get("features") if isinstance(found.get("features"), dict) else {}
    folders = found.get("cdi-spec-dirs")
    return dict(
        nothing,
        runtimes=sorted(name for name in runtimes if runtime(name)),
        nvidia_runtime=any(IS_NVIDIA.search(str(entry.get("path", ""))) for entry in runtimes.values() if isinstance(entry, dict)),
        default_runtime=runtime(found.get("default-runtime")),
        cdi=features.get("cdi") if isinstance(features.get("cdi"), bool) else None,
        cdi_spec_dirs=[folder for folder in folders if isinstance(folder, str)] if isinstance(folders, list) else None,
    )


def settings(text):
    """(table, key, value text) of each assignment of one line in a TOML; what goes over several lines has all of them in its value."""
    table, pending = (), None
    for line in text.splitlines():
        stripped = line.strip()
        if pending is not None:
            pending[2] += " " + stripped.partition("#")[0]
            if "]" in stripped:
                yield tuple(pending)
                pending = None
            continue
        header = HEADER.match(stripped)
        if header:
            table = tuple(_parts(header.group(1)))
            continue
        found = SETTING.match(stripped)
        if found and found.group(2).startswith("[") and "]" not in found.group(2):
            pending = [table, found.group(1), found.group(2)]
        elif found:
            yield table, found.group(1), found.group(2)


def string(text):
    """The string of a TOML value; None for another kind of value."""
    found = STRING.match(text)
    return (found.group(1) if found.group(1) is not None else found.group(2)) if found else None


def strings(text):
    return [one if one else other for one, other in STRING.findall(text)]


def containerd_files(host):
    """Paths and texts of the main file and of what it imports, in the order in which containerd merges them."""
    main = host.text(CONTAINERD, MOST)
    patterns = [pattern for table, key, value in settings(main) if not table and key == "imports" for pattern in strings(value)]
    found = [(CONTAINERD, main)]
    for pattern in patterns:
        folder, name = posixpath.split(posixpath.normpath(posixpath.join(posixpath.dirname(CONTAINERD), pattern)))
        # Only the last part of a pattern has a star in what containerd's documents and nvidia-ctk write.
        fits = re.compile("^%s$" % re.escape(name).replace(r"\*", ".*"))
        names = [entry for entry in host.names(folder) if fits.match(entry)] if host.is_folder(folder) else []
        found += [("%s/%s" % (folder, entry), host.text("%s/%s" % (folder, entry), MOST)) for entry in names[:MOST_IMPORTS]]
    return found


def containerd(host, note):
    """{paths, runtimes, nvidia_runtime, default_runtime, cdi, cdi_spec_dirs}; None without config.toml."""
    if not host.exists(CONTAINERD):
        return None
    found = {"paths": [], "runtimes": [], "nvidia_runtime": False, "default_runtime": None, "cdi": None, "cdi_spec_dirs": None}
    for path, text in containerd_files(host):
        found["paths"].append(path)
        for table, key, value in settings(text):
            of_containerd(found, table, key, value)
        found["runtimes"] += runtimes_of(text)
        if not found["nvidia_runtime"] and NAMED.search(text):
            note(path, "it names nvidia-container-runtime in a way that is not understood, as in a table on one line")
    return dict(found, runtimes=sorted(set(found["runtimes"])))


def _parts(name):
    """The parts of a table's name, ``plugins."io.containerd.grpc.v1.cri".containerd``: each in quotes of one kind, or in none."""
    return ["".join(found) for found in PART.findall(name) if any(found)]


def runtimes_of(text):
    """Names of the runtimes that have a table."""
    for line in text.splitlines():
        header = HEADER.match(line.strip())
        parts = _parts(header.group(1)) if header else []
        if "runtimes" in parts[:-1] and parts[:1] == ["plugins"]:
            name = parts[parts.index("runtimes") + 1]
            if runtime(name):
                yield name


def of_containerd(found, table, key, value):
    """Take one assignment into account; a later file goes before an earlier one."""
    if table[:1] != ("plugins",):
        return
    if key == "default_runtime_name" and table[-1:] == ("containerd",):
        found["default_runtime"] = runtime(string(value))
    elif key == "enable_cdi":
        found["cdi"] = {"true": True, "false": False}.get(value.partition("#")[0].strip())
    elif key == "cdi_spec_dirs":
        found["cdi_spec_dirs"] = strings(value)
    elif key == "BinaryName" and "runtimes" in table and IS_NVIDIA.search(string(value) or ""):
        found["nvidia_runtime"] = True


def toolkit(host):
    """{path, mode}: auto, legacy, cdi or csv; None without its file."""
    if not host.exists(TOOLKIT):
        return None
    wanted = (("nvidia-container-runtime",), "mode")
    modes = [string(value) for table, key, value in settings(host.text(TOOLKIT, MOST)) if (table, key) == wanted]
    return {"path": TOOLKIT, "mode": runtime(modes[-1]) if modes else None}


def look(host, note):
    """{docker, containerd, podman: {hook}, nvidia_toolkit}"""
    hook = next((path for path in HOOKS if host.exists(path)), None)
    return {"docker": docker(host, note), "containerd": containerd(host, note), "podman": {"hook": hook}, "nvidia_toolkit": toolkit(host)}
