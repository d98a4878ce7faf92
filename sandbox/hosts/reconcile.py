# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes hosts follow instances: a thread that looks at both a few times a second, and workers that act on one host each."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from sandbox import files, processes
from sandbox.hosts.decide import Host, Step, decide, wants_bastion
from sandbox.hosts.host import HostKeeper
from sandbox.hosts.imds import MetadataService
from sandbox.hosts.vpcs import Vpcs
from sandbox.paths import SandboxError
from sandbox.view import InstanceView, View

TICK = 0.2
WORKERS = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
log = logging.getLogger("sandbox.hosts")


class Reconciler:
    """``listen(address)`` and ``unlisten(address)`` open and close the AWS endpoint on a VPC's gateway address."""

    def __init__(
        self, view: View, state_dir: Path, listen: Callable[[str], None] | None = None, unlisten: Callable[[str], None] | None = None
    ) -> None:
        self._view = view
        self._state = Path(state_dir)
        self._views: dict[str, InstanceView] = {}
        self._metadata = MetadataService(self._views.get, view.role_credentials)
        self._vpcs = Vpcs(self._state.name, listen, unlisten)
        self._keeper = HostKeeper(self._state, self._metadata, self._vpcs)
        self._busy: dict[str, Future[None]] = {}
        self._pauses: dict[str, tuple[float, float]] = {}
        self._reasons: dict[str, str] = {}
        self._told: set[tuple[str, int]] = set()
        self._shown: Any = None
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="host")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="reconcile", daemon=True)

    def start(self) -> None:
        """Take up the hosts that an earlier daemon left, then follow AWS."""
        self._set_up_log()
        self._keeper.adopt()
        self._thread.start()

    def stop(self) -> None:
        """Stop following. Hosts stay as they are: ``down`` ends them."""
        self._ended.set()
        self._thread.join(30)
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._metadata.stop()

    def _set_up_log(self) -> None:
        handler = logging.FileHandler(self._state / "hosts.log", encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        log.handlers[:] = [handler]
        log.setLevel(logging.INFO)
        log.propagate = False

    def _loop(self) -> None:
        while not self._ended.wait(TICK):
            try:
                self._look()
            except Exception:  # one bad look must not end the sandbox; the log has it, the next look tries again
                log.exception("a look at the instances failed")

    def _look(self) -> None:
        views = {view.instance_id: view for view in self._view.instances()}
        for gone in self._views.keys() - views.keys():
            del self._views[gone]
        self._views.update(views)
        for instance_id in [key for key, future in self._busy.items() if future.done()]:
            del self._busy[instance_id]
        hosts = self._keeper.hosts
        # First: a host may be terminated in the moment after.
        for image_id, instance_id in self._view.images():
            host = hosts.get(instance_id)
            if host is not None and instance_id not in self._busy and not self._keeper.has_image(image_id):
                self._submit(instance_id, partial(self._keeper.save_image, image_id, host))
        for instance_id in sorted(views.keys() | hosts.keys()):
            if instance_id not in self._busy and time.monotonic() >= self._pauses.get(instance_id, (0.0, 0.0))[0]:
                self._consider(views.get(instance_id), hosts.get(instance_id), instance_id)
        self._keeper.close_unused_networks(set(self._busy))
        self._show(views)

    def _consider(self, view: InstanceView | None, host: Host | None, instance_id: str) -> None:
        step = decide(view, host, host is not None and processes.is_alive(host.process))
        if step is Step.KEEP:
            if view is not None and view.image_suite is None and view.state in ("pending", "running"):
                self._reasons[instance_id] = f"no root file system for image {view.image_id}: the instance is an entry of the emulator only"
            elif view is not None and host is not None and view.state == "running" and host.bastion_only != wants_bastion(view):
                self._submit(instance_id, lambda: self._keeper.guard(host, view))
            return
        if step is Step.EXAMINE and host is not None and (instance_id, host.generation) in self._told:
            return
        self._submit(instance_id, lambda: self._act(step, view, host, instance_id))

    def _submit(self, instance_id: str, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
                self._pauses.pop(instance_id, None)
                self._reasons.pop(instance_id, None)
            except Exception as error:
                pause = min(LONGEST_PAUSE, self._pauses.get(instance_id, (0.0, FIRST_PAUSE / 2))[1] * 2)
                self._pauses[instance_id] = (time.monotonic() + pause, pause)
                reason = str(error) if isinstance(error, SandboxError) else f"{type(error).__name__}: {error}"
                if self._reasons.get(instance_id) != reason:
                    log.warning("%s: %s", instance_id, reason, exc_info=not isinstance(error, SandboxError))
                self._reasons[instance_id] = reason

        self._busy[instance_id] = self._workers.submit(guarded)

    def _act(self, step: Step, view: InstanceView | None, host: Host | None, instance_id: str) -> None:
        if step is Step.REMOVE and host is not None:
            self._keeper.remove(host)
        elif step is Step.STOP and host is not None:
            self._keeper.stop(host)
        elif step is Step.BOOT and view is not None:
            self._keeper.boot(view, host)
        elif step is Step.REBOOT and view is not None and host is not None:
            self._keeper.reboot(view, host)
        elif step is Step.EXAMINE and view is not None and host is not None:
            if self._keeper.powered_off(host):
                # Told once for each boot: AWS may take a moment until it shows the instance as stopping.
                self._told.add((instance_id, host.generation))
                log.info("%s powered itself off", instance_id)
                self._view.stopped_inside(instance_id)
            else:
                log.info("%s rebooted itself", instance_id)
                self._keeper.boot(view, host)

    def _show(self, views: dict[str, InstanceView]) -> None:
        """What ``status`` prints; written when it has changed."""
        shown = []
        for view in views.values():
            host = self._keeper.hosts.get(view.instance_id)
            alive = host is not None and processes.is_alive(host.process)
            shown.append({
                "instance_id": view.instance_id, "state": view.state, "type": view.instance_type, "suite": view.image_suite,
                "private_ip": view.private_ip, "vpc_id": view.vpc_id, "host": "up" if alive else ("off" if host else "none"),
                "pid": host.process.pid if host and alive and host.process else None, "name": view.tags.get("Name", ""),
                "reason": self._reasons.get(view.instance_id),
            })  # fmt: skip
        shown.sort(key=lambda row: row["instance_id"])
        if shown != self._shown:
            files.write_json(self._state / "hosts.json", shown)
            self._shown = shown
