# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Command lines of the engines for one short container: load, run, remove. Nothing here runs them."""

from __future__ import annotations

import re

NAMESPACE = "mlinfra-proof"
SMI = ["nvidia-smi", "-L"]


class Docker:
    """image: repository:tag; name: of the container."""

    program = "docker"
    version = ["docker", "version", "--format", "{{.Server.Version}}"]

    def __init__(self, image, name):
        self.image, self.name = image, name

    def load(self, path):
        return [self.program, "load", "--quiet", "--input", path]

    def run(self):
        return [*self._run(), "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", self.image]

    def run_gpu(self, mode):
        device = ["--device", "nvidia.com/gpu=all"] if mode == "cdi" else ["--gpus", "all"]
        return [*self._run(), *device, self.image, *SMI]

    def _run(self):
        return [self.program, "run", "--rm", "--pull", "never", "--name", self.name, "--network", "none"]

    def clean(self):
        return [[self.program, "rm", "--force", self.name], [self.program, "rmi", "--force", self.image]]


class Podman(Docker):
    """Docker's words, but for GPUs, which come by CDI alone. No daemon has a version, or a journal."""

    program = "podman"
    version = ["podman", "version", "--format", "{{.Client.Version}}"]

    def run_gpu(self, mode):
        return super().run_gpu("cdi")


class Containerd:
    """The same with containerd's own client, in a namespace of its own. A container without --net-host has no network there."""

    version = ["ctr", "version"]

    def __init__(self, image, name):
        self.image, self.name = image, name

    def load(self, path):
        return [*self._ctr(), "images", "import", path]

    def run(self):
        return [*self._run(), "--read-only", self.image, self.name]

    def run_gpu(self, mode):
        """ctr knows no CDI names: NVIDIA's runtime takes the devices from the variable, and finds them by CDI itself since 1.18."""
        runtime = ["--runc-binary", "nvidia-container-runtime", "--env", "NVIDIA_VISIBLE_DEVICES=all"]
        return [*self._run(), *runtime, "--env", "NVIDIA_DRIVER_CAPABILITIES=utility", self.image, self.name, *SMI]

    def _run(self):
        """Its own default of 1024 CPU shares would want a cgroup controller that a container which is a host need not have."""
        return [*self._ctr(), "run", "--rm", "--cpu-shares", "0"]

    def _ctr(self):
        return ["ctr", "--namespace", NAMESPACE]

    def clean(self):
        return [
            [*self._ctr(), "tasks", "delete", "--force", self.name],
            [*self._ctr(), "containers", "delete", self.name],
            [*self._ctr(), "images", "delete", "--sync", self.image],
            ["ctr", "namespaces", "remove", NAMESPACE],
        ]


ENGINES = {"docker": Docker, "containerd": Containerd, "podman": Podman}


def version_of(engine, output):
    """The daemon's version in what its `version` command printed; "" when it is not there."""
    if engine != "containerd":
        return output.strip()
    server = output.partition("Server:")[2]
    match = re.search(r"Version:\s*(\S+)", server)
    return match.group(1) if match else ""
