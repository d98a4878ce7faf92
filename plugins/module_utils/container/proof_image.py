# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A container image made of files of the host: no registry, no engine and no build tool has a part in it.

Formats: https://github.com/moby/docker-image-spec/blob/main/v1.2.md (image JSON, and "Combined image JSON and filesystem changeset", which
`docker load` and `ctr images import` both read).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile

# Where the engines mount things; made here, so that a read-only root needs nothing more.
MOUNT_POINTS = ("dev", "etc", "proc", "run", "sys", "tmp")
# As Go names what `uname -m` says.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def libraries(output):
    """Paths of the libraries and of the loader in what `ldd` printed. Raises ValueError naming a library that is missing."""
    missing = re.findall(r"^\s*(\S+) => not found", output, re.M)
    if missing:
        raise ValueError("%s not found" % ", ".join(missing))
    return sorted(set(re.findall(r"(?:^|=>)\s*(/\S+)(?= \(0x)", output, re.M)))


def layer(paths, texts):
    """Bytes of a tar file. paths: files of the host, links followed, each at its own path; texts: {path: bytes} of further files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        folders = set(MOUNT_POINTS)
        for path in [*paths, *texts]:
            parts = path.strip("/").split("/")[:-1]
            folders.update("/".join(parts[:count]) for count in range(1, len(parts) + 1))
        for folder in sorted(folders):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for path in paths:
            with open(path, "rb") as file:
                _add(tar, path, file.read(), 0o755 if os.access(path, os.X_OK) else 0o644)
        for path, content in texts.items():
            _add(tar, path, content, 0o444)
    return buffer.getvalue()


def _add(tar, path, content, mode):
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def archive(name, content, command, machine):
    """Bytes of an image archive with one layer. name: repository:tag; content: of layer; command: argv; machine: as `uname -m` says."""
    digest = hashlib.sha256(content).hexdigest()
    config = {
        "architecture": ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {"Cmd": command, "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]},
        "history": [{"created_by": "mlinfra.hosts.container_proof"}],
    }
    text = json.dumps(config).encode()
    config_name = hashlib.sha256(text).hexdigest() + ".json"
    layer_name = digest + "/layer.tar"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [layer_name]}]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, config_name, text, 0o644)
        entry = tarfile.TarInfo(digest)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(entry)
        _add(tar, layer_name, content, 0o644)
        _add(tar, "manifest.json", json.dumps(manifest).encode(), 0o644)
    return buffer.getvalue()
