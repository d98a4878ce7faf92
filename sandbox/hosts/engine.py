# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One boot of a host is one container: podman runs systemd from the host's disk, in the host's network namespace.

The container ends with the boot. How it ended tells what happened inside: reboot(2) from a PID namespace ends its first
process by SIGHUP for a restart and by SIGINT for power off or halt (pid_namespaces(7)).
"""

from __future__ import annotations

import resource
import shutil
import signal
import time
from pathlib import Path

from sandbox import processes
from sandbox.command import attempt, run
from sandbox.hosts import cgroups, disk
from sandbox.processes import Process

POWERED_OFF = 128 + signal.SIGINT
REBOOTED = 128 + signal.SIGHUP
# systemd(1): what SIGRTMIN+n asks of PID 1.
ASK_POWEROFF, ASK_REBOOT = signal.SIGRTMIN + 4, signal.SIGRTMIN + 5
GRACE = 15.0
INIT = "/usr/lib/mlinfra/init"
LIMIT = 20000  # as testing showed: podman lowers its own hard limits on the way, and crun cannot go above those

# Locks in files, for /dev/shm/libpod_lock would outlive us and is shared with the machine's own podman.
CONFIGURATION = """\
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
runtime = "crun"
volume_path = "{state}/volumes"
[network]
network_backend = "netavark"
network_config_dir = "{state}/networks"
"""


def limits() -> list[str]:
    """Files and processes as many as this machine allows: crun fails when it is asked for more (podman's default may be more)."""
    options = []
    for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        hard = resource.getrlimit(kind)[1]
        most = LIMIT if hard == resource.RLIM_INFINITY else min(hard, LIMIT)
        options += ["--ulimit", f"{name}={most}:{most}"]
    return options


class Engine:
    """podman with stores of its own, for one sandbox. Runs in the sandbox's mount namespace."""

    def __init__(self, name: str, state: Path, run_dir: Path) -> None:
        self._name = name
        # A configuration of our own: nothing of the machine's (or the user's) podman is read, nothing of ours is left outside.
        self._crun = run_dir / "crun"
        self._configuration = state / "containers.conf"
        self._configuration.write_text(CONFIGURATION.format(state=state), encoding="utf-8")
        self._base = [
            "env", f"CONTAINERS_CONF={self._configuration}", "podman", "--root", str(state / "podman"),
            "--runroot", str(run_dir / "podman"),
            "--tmpdir", str(run_dir / "libpod"), "--runtime-flag", f"root={self._crun}", "--log-level", "error",
        ]  # fmt: skip

    def container(self, instance_id: str) -> str:
        return f"mlinfra-{self._name}-{instance_id}"

    def boot(self, instance_id: str, folder: Path, root: Path, namespace: Path, hostname: str) -> Process:
        """Start the host on its disk ``root`` and return its first process.

        :raises SandboxError: the container did not start.
        """
        pid_file, id_file = folder / "pid", folder / "container"
        # Whoever was killed in the middle of an earlier start may have left a first process that podman does not know.
        cgroups.end_host(self._name, instance_id)
        self._forget_runtime(id_file)
        pid_file.unlink(missing_ok=True)
        volumes = [f"{folder}/pci:/sys/bus/pci:ro"]
        volumes += [f"{folder}/volumes/{Path(volume).name}:{volume}" for volume in disk.VOLUMES]
        # No limit is 0, not -1: newer crun would write -1 too, and fails where the controller belongs to version 1.
        command = [
            *self._base, "run", "--detach", "--replace", "--name", self.container(instance_id), "--hostname", hostname,
            "--pidfile", str(pid_file), "--cidfile", str(id_file),
            "--network", f"ns:{namespace}", "--no-hosts", "--dns=none", "--privileged", "--systemd=always", "--cgroupns=private",
            "--cgroup-parent", cgroups.host_group(self._name, instance_id), *limits(), "--pids-limit=0",
            "--log-driver", "k8s-file", "--log-opt", f"path={folder}/console.log", "--log-opt", "max-size=1mb",
            *(part for volume in volumes for part in ("--volume", volume)), "--rootfs", str(root), INIT,
        ]  # fmt: skip
        run(command, timeout=60)
        found = processes.identify(int(pid_file.read_text(encoding="ascii")))
        # A process that has ended already is reported as one that ended: pid 0 is nobody's.
        return found or Process(0, 0)

    def shut_down(self, process: Process, how: int) -> None:
        """Ask systemd inside; when that takes too long, pull the plug."""
        if processes.send(process, how) and not processes.wait_gone(process, GRACE):
            processes.send(process, signal.SIGKILL)
            processes.wait_gone(process, 5)

    def exit_code(self, instance_id: str, wait: float = 3.0) -> int | None:
        """The code of the ended container, as podman records it a moment after its end; None when nobody knows."""
        deadline = time.monotonic() + wait
        while True:
            try:
                form = "{{.State.Status}} {{.State.ExitCode}}"
                status, code = run([*self._base, "inspect", "--format", form, self.container(instance_id)]).split()
            except (ValueError, OSError):
                return None
            if status in ("exited", "stopped") or time.monotonic() > deadline:
                return int(code) if status in ("exited", "stopped") else None
            time.sleep(0.1)

    def _forget_runtime(self, id_file: Path) -> None:
        """podman cleans up after an ended container without its --runtime-flag, so what crun noted of it is left to us."""
        if id_file.is_file():
            shutil.rmtree(self._crun / id_file.read_text(encoding="ascii").strip(), ignore_errors=True)
            id_file.unlink()

    def remove(self, instance_id: str, folder: Path) -> None:
        """Nothing of the container is left, whether it runs or not."""
        attempt([*self._base, "rm", "--force", "--time", "0", self.container(instance_id)], timeout=30)
        cgroups.end_host(self._name, instance_id)
        self._forget_runtime(folder / "container")
