# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of one sandbox: boot, stop, reboot and remove, each safe to repeat after it was cut short anywhere."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from sandbox import files, processes
from sandbox.hosts import disk, dns, metadata, network, pci
from sandbox.hosts.decide import Host, wants_bastion
from sandbox.hosts.engine import ASK_POWEROFF, ASK_REBOOT, POWERED_OFF, Engine
from sandbox.hosts.imds import MetadataService
from sandbox.hosts.vpcs import Vpcs
from sandbox.paths import SandboxError, run_dir
from sandbox.view import InstanceView

log = logging.getLogger("sandbox.hosts")


class HostKeeper:
    """``hosts`` is what this machine has; each change is on disk before it is acted on."""

    def __init__(self, state: Path, service: MetadataService, vpcs: Vpcs) -> None:
        self.hosts: dict[str, Host] = {}
        self._state = state
        self._metadata = service
        self._vpcs = vpcs
        self._engine = Engine(state.name, state, run_dir(state.name))

    def _folder(self, instance_id: str) -> Path:
        return self._state / "hosts" / instance_id

    def _namespace(self, instance_id: str) -> Path:
        return self._state / "netns" / instance_id

    def _save(self, host: Host) -> None:
        self.hosts[host.instance_id] = host
        files.write_json(self._folder(host.instance_id) / "host.json", host.as_dict())

    def adopt(self) -> None:
        """Take up what an earlier daemon left: living hosts get their network and metadata service again."""
        for folder in sorted((self._state / "hosts").glob("i-*")):
            try:
                host = Host.from_dict(files.read_json(folder / "host.json"))
            except (TypeError, KeyError, AttributeError):
                # Cut short before the first record: nothing was started yet.
                disk.delete(folder)
                continue
            self.hosts[host.instance_id] = host
            if processes.is_alive(host.process):
                log.info("%s is taken over as it runs", host.instance_id)
                self._vpcs.open(host.vpc_id, host.vpc_cidr)
                self._metadata.open(host.instance_id, self._namespace(host.instance_id))

    def _base(self, suite: str) -> Path:
        roots = files.read_json(self._state / "roots.json", {})
        if suite not in roots:
            raise SandboxError(f"{self._state}/roots.json names no root file system for {suite}. Run `python -m sandbox up` again.")
        return Path(roots[suite])

    def _image(self, image_id: str) -> Path:
        return self._state / "images" / image_id

    def _images(self, view: InstanceView) -> list[Path]:
        missing = [image_id for image_id in view.image_chain if not self.has_image(image_id)]
        if missing:
            raise SandboxError(f"image {missing[0]} has no disk yet, and gets none if its instance had no host. Launch another image.")
        return [self._image(image_id) for image_id in view.image_chain]

    def save_image(self, image_id: str, host: Host) -> None:
        """Keep the host's disk under the image's id, as it is at this moment. On AWS the instance is restarted for it."""
        disk.save(self._folder(host.instance_id), self._image(image_id))
        log.info("image %s was made of %s", image_id, host.instance_id)

    def has_image(self, image_id: str) -> bool:
        return self._image(image_id).is_dir()

    def boot(self, view: InstanceView, host: Host | None) -> None:
        """Bring the host to the instance's boot generation; made from nothing when there is none."""
        begun = time.monotonic()
        net = self._vpcs.open(view.vpc_id, view.vpc_cidr)
        suite = host.suite if host else str(view.image_suite)
        base = self._base(suite)
        folder, namespace = self._folder(view.instance_id), self._namespace(view.instance_id)
        fresh = Host(view.instance_id, view.vpc_id, view.vpc_cidr, view.private_ip, suite, generation=view.boot_generation)
        self._save(fresh)
        root = disk.attach(folder, base, self._images(view))
        if not (folder / "upper/etc/environment").exists():
            shutil.copyfile(self._state / "environment", root / "etc/environment")
        self._carry_resolver(root, net.gateway)
        pci.write_tree(folder / "pci", pci.devices(view.instance_type))
        network.open_host(net, view.instance_id, view.private_ip, view.mac, namespace)
        fresh.bastion_only = wants_bastion(view)
        network.guard(net, namespace, fresh.bastion_only)
        self._metadata.open(view.instance_id, namespace)
        hostname = metadata.local_hostname(view).split(".")[0]
        fresh.process = self._engine.boot(view.instance_id, folder, root, namespace, hostname)
        self._save(fresh)
        log.info("%s booted (%s, %s, %s) in %.2f s", view.instance_id, view.instance_type, suite, view.private_ip, time.monotonic() - begun)

    @staticmethod
    def _carry_resolver(root: Path, gateway: str) -> None:
        text = dns.for_hosts(dns.machine_text(), gateway)[0]
        target = root / "etc/resolv.conf"
        if target.is_symlink() or not target.exists() or target.read_text(encoding="utf-8", errors="replace") != text:
            target.unlink(missing_ok=True)
            target.write_text(text, encoding="utf-8")

    def guard(self, host: Host, view: InstanceView) -> None:
        """Follow a change of the tag mlinfra:access."""
        net = self._vpcs.open(host.vpc_id, host.vpc_cidr)
        network.guard(net, self._namespace(host.instance_id), wants_bastion(view))
        host.bastion_only = wants_bastion(view)
        self._save(host)

    def stop(self, host: Host) -> None:
        """Power off; disk, address and metadata service stay."""
        if host.process:
            self._engine.shut_down(host.process, ASK_POWEROFF)
        self._engine.remove(host.instance_id, self._folder(host.instance_id))
        host.process = None
        self._save(host)
        log.info("%s stopped", host.instance_id)

    def reboot(self, view: InstanceView, host: Host) -> None:
        if host.process:
            self._engine.shut_down(host.process, ASK_REBOOT)
        self.boot(view, host)

    def powered_off(self, host: Host) -> bool:
        """Whether the host that has ended did so by powering off, rather than by a reboot or a crash."""
        return self._engine.exit_code(host.instance_id) == POWERED_OFF

    def remove(self, host: Host) -> None:
        """End it at once, as a termination does, and delete its disk."""
        host.removing = True
        self._save(host)
        self._metadata.close(host.instance_id)
        self._engine.remove(host.instance_id, self._folder(host.instance_id))
        if host.process:
            processes.end(host.process, grace=0.5)
        network.close_host(self._namespace(host.instance_id))
        disk.delete(self._folder(host.instance_id))
        self.hosts.pop(host.instance_id, None)
        log.info("%s removed", host.instance_id)

    def close_unused_networks(self, busy: set[str]) -> None:
        """Nothing is closed while a host is being worked on: it may be about to use a network."""
        if not busy:
            self._vpcs.keep_only({host.vpc_id for host in self.hosts.values()})
