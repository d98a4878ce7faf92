#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_facts
short_description: Read which NVIDIA GPUs a host has, and how its driver is
version_added: 0.2.0
description:
  - Reads the PCI bus, so it knows the GPUs before any driver is there; the driver that is installed and the one that is loaded;
    C(nvidia-smi) where a driver is loaded; kernels and their headers, Secure Boot, and the container engines.
  - Puts one word on the driver, RV(ansible_facts.mlinfra_gpu.driver_state), and says why.
  - Reads afresh on each call and does not fail for what it finds. What it could not read is in RV(ansible_facts.mlinfra_gpu.unread).
  - Needs neither root nor any program. C(modinfo) is run for a compressed kernel module, C(rpm) where there is no dpkg, and
    C(nvidia-smi) only while a driver is loaded, because it would load one.
  - Works on any Linux.
author:
  - mlinfra.hosts contributors (@mlinfra)
extends_documentation_fragment:
  - mlinfra.hosts.attributes.info
attributes:
  facts:
    description: Action returns an C(ansible_facts) dictionary that will update existing host facts.
    support: full
options:
  smi_timeout:
    description:
      - Seconds that C(nvidia-smi) may take. Without persistence mode it wakes each GPU first, which takes seconds for each.
      - V(0) does not run it.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Look at the GPUs
  mlinfra.hosts.gpu_facts:

- name: Say how the driver is
  ansible.builtin.debug:
    msg: "{{ ansible_facts['mlinfra_gpu'].driver_state }}: {{ ansible_facts['mlinfra_gpu'].driver_reasons | join('; ') }}"

- name: Restart what only a restart helps
  ansible.builtin.reboot:
  when:
    - ansible_facts['mlinfra_gpu'].driver_state == 'reboot_pending'
    - not ansible_facts['mlinfra_gpu'].container
  become: true
"""

RETURN = r"""
ansible_facts:
  description: Facts to add to ansible_facts.
  returned: always
  type: complex
  contains:
    mlinfra_gpu:
      description: What was read.
      returned: always
      type: dict
      contains:
        present:
          description: Whether an NVIDIA GPU is there.
          type: bool
          sample: true
        count:
          description: How many of them.
          type: int
          sample: 4
        devices:
          description: The GPUs on the PCI bus, in order of address.
          type: list
          elements: dict
          contains:
            address:
              description: Domain, bus, device and function.
              type: str
              sample: "0000:00:1e.0"
            vendor:
              description: Always V(10de).
              type: str
            device:
              description: Device id, four hexadecimal digits.
              type: str
              sample: "2237"
            class:
              description: Class code, six hexadecimal digits; null when the host does not say.
              type: str
              sample: "030200"
            name:
              description: Name in the PCI ID database; null when neither this collection nor the host's own copy knows the device.
              type: str
              sample: GA102GL [A10G]
            model:
              description: Data center model, in the words of pools in M(mlinfra.hosts.aws_stack); null for others.
              type: str
              sample: a10g
            architecture:
              description: fermi to blackwell, or null.
              type: str
              sample: ampere
            kernel_driver:
              description: Driver that has the device, as V(nvidia), V(nouveau) or V(vfio-pci); null for none.
              type: str
            responds:
              description: Whether it answers on the bus. One that has fallen off does not.
              type: bool
        models:
          description: The models, each once.
          type: list
          elements: str
          sample: [a10g]
        architectures:
          description: The architectures, each once.
          type: list
          elements: str
          sample: [ampere]
        nvswitch_count:
          description: NVSwitches on the PCI bus. Where there are any, the driver needs the fabric manager.
          type: int
          sample: 0
        driver:
          description: What there is of a driver.
          type: dict
          contains:
            installed:
              description: >-
                C(version) of the user space or null; C(versions) of all its libraries; C(source), V(packages), V(files) (NVIDIA's
                installer) or null; C(flavor) of the kernel modules, V(open), V(proprietary) or null; C(packages), name and version;
                C(half_installed), names with their state.
              type: dict
              sample:
                version: 580.95.05
                versions: [580.95.05]
                source: packages
                flavor: open
                packages: {libcuda1: 580.95.05-1}
                half_installed: []
            loaded:
              description: C(is_loaded), and C(version) and C(flavor) of the module, null where there is none.
              type: dict
              sample: {is_loaded: true, version: 580.95.05, flavor: open}
            modules:
              description: The module on disk that each kernel would load, with C(kernel), C(version), C(flavor) and C(path).
              type: list
              elements: dict
            kernel_module_built_for:
              description: Kernels of the modules.
              type: list
              elements: str
              sample: [6.1.0-41-amd64]
            dkms:
              description: Versions that DKMS has the source of, whether built or not.
              type: list
              elements: str
        driver_state:
          description:
            - V(absent), neither user space nor module.
            - V(coherent), both of one version, and the module loaded or built for the running kernel.
            - V(reboot_pending), what is on disk is of one piece, and a restart makes it V(coherent).
            - V(mismatch), versions differ in a way that a restart does not help.
            - V(user_space_only), no module anywhere, as in a container or where modules come from elsewhere.
          type: str
          sample: coherent
        driver_reasons:
          description: Why, and what else to know about it.
          type: list
          elements: str
          sample: ["module 580.95.05 is loaded, user space is 580.95.05"]
        nouveau:
          description: Whether it is C(loaded) and C(blocked), and C(blocked_by) which files and kernel parameters.
          type: dict
          sample: {loaded: false, blocked: true, blocked_by: [/etc/modprobe.d/mlinfra-nouveau.conf]}
        smi:
          description: >-
            What C(nvidia-smi) said; C(available), whether it is there; C(version), C(cuda_version) and C(gpus), each with C(index),
            C(address), C(uuid), C(name), C(architecture), C(memory_mib), C(persistence_mode), C(ecc), C(mig_mode) (V(enabled),
            V(disabled), null where the GPU has none), C(mig_pending) and C(mig_devices); C(error), why it said nothing, and C(problem),
            one of V(version_mismatch), V(no_driver), V(no_devices), V(gpu_lost), V(timeout), V(not_run), V(other), or null.
          type: dict
        mig:
          description: >-
            Over all GPUs, C(supported), C(enabled), C(pending) (a change waits for a reset) and C(devices), how many. Null before a
            driver.
          type: dict
          sample: {supported: true, enabled: false, pending: false, devices: 0}
        kernel:
          description: >-
            C(running) release; C(headers), whether they are there for it; C(headers_for) which releases; C(installed) ones; and
            C(newest_installed), null in a container.
          type: dict
          sample:
            running: 6.1.0-41-amd64
            headers: true
            headers_for: [6.1.0-41-amd64]
            installed: [6.1.0-41-amd64]
            newest_installed: 6.1.0-41-amd64
        secure_boot:
          description: V(enabled), V(disabled), V(unsupported) or V(unknown).
          type: str
          sample: unsupported
        engines:
          description: >-
            Versions of C(docker), C(containerd), C(podman) and C(nvidia_toolkit); null for one that is not there, V(unknown) for one
            that does not say.
          type: dict
          sample: {docker: 20.10.24, containerd: 1.6.20, podman: null, nvidia_toolkit: 1.18.1}
        container:
          description: Whether this host is a container.
          type: bool
          sample: false
        unread:
          description: Files that there are and that could not be read, each with the reason.
          type: list
          elements: str
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import (
    driver_state,
    kernels,
    loaded,
    modinfo,
    packages,
    pci,
    running,
    secure_boot,
    smi,
    user_space,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.reading import Host
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import platform

# Seconds for the small programs.
SHORT = 15


class Programs:
    """The programs that the facts may ask, each bounded in time."""

    def __init__(self, module):
        self.find = lambda name: module.get_bin_path(name, opt_dirs=["/usr/local/bin", "/usr/local/sbin"])

    def output(self, name, *arguments):
        """What a program prints; '' where it is missing or fails."""
        path = self.find(name)
        done = running.run([path, *arguments], SHORT) if path else None
        return done.out if done and done.code == 0 else ""

    def modinfo(self, path):
        return modinfo.parse_printed(self.output("modinfo", path))

    def rpm(self, patterns):
        return self.output("rpm", "-qa", "--queryformat", "%{NAME} %{VERSION}-%{RELEASE}\n", *patterns)

    def version(self, path):
        return running.run([path, "--version"], SHORT).said()

    def container(self):
        return platform.is_container(self.output("systemd-detect-virt", "--container").strip())

    def smi(self, timeout, is_loaded):
        """The facts of nvidia-smi; it is not run where it would have to load a driver first."""
        path = self.find("nvidia-smi")
        if path is None:
            return smi.nothing()
        if timeout <= 0:
            return smi.nothing(True, "not run: smi_timeout is %d" % timeout, "not_run")
        if not is_loaded:
            return smi.nothing(True, "not run: no NVIDIA kernel module is loaded, and nvidia-smi would try to load one", "not_run")
        return smi.understand(running.run([path, "-q", "-x"], timeout))


def look(host, programs, smi_timeout):
    """All facts of a host."""
    container = programs.container()
    bus = pci.look(host)
    known = packages.read(host, programs.rpm)
    whole, half = packages.driver(known)
    on_disk = kernels.look(host, os.uname().release, programs.modinfo)
    in_memory = loaded.loaded(host)
    said = programs.smi(smi_timeout, in_memory["is_loaded"])
    libraries = user_space.versions(host)
    version = libraries[0] if libraries else packages.user_space(whole)
    nouveau = loaded.nouveau(host)
    state, reasons = driver_state.decide(
        {
            "user_space": version,
            "loaded": in_memory,
            "modules": on_disk["modules"],
            "kernel": on_disk["kernel"],
            "nouveau": nouveau,
            "smi_problem": said["problem"],
            "smi_error": said["error"],
            "half_installed": half,
            "container": container,
        }
    )
    # Where the bus is hidden, the driver may still show its GPUs.
    count = len(bus["devices"]) or (0 if bus["bus"] else len(said["gpus"]))
    return {
        "present": count > 0,
        "count": count,
        "devices": bus["devices"],
        "models": sorted({device["model"] for device in bus["devices"]} - {None}),
        "architectures": sorted({device["architecture"] for device in bus["devices"]} - {None}),
        "nvswitch_count": bus["nvswitch_count"],
        "driver": {
            "installed": {
                "version": version,
                "versions": libraries,
                "source": "packages" if packages.user_space(whole) else "files" if version else None,
                "flavor": flavor(on_disk["modules"], os.uname().release) or packages.flavor(whole),
                "packages": whole,
                "half_installed": half,
            },
            "loaded": in_memory,
            "modules": on_disk["modules"],
            "kernel_module_built_for": [found["kernel"] for found in on_disk["modules"]],
            "dkms": kernels.dkms_registered(host),
        },
        "driver_state": state,
        "driver_reasons": reasons,
        "nouveau": nouveau,
        "smi": said,
        "mig": smi.mig(said["gpus"]),
        "kernel": on_disk["kernel"],
        "secure_boot": secure_boot.look(host, container),
        "engines": packages.engines(known, programs.find, programs.version),
        "container": container,
        "unread": host.unread,
    }


def flavor(modules, kernel):
    """Flavor of the module for a kernel, or of the newest one."""
    own = driver_state.module_for(modules, kernel)
    chosen = own or (modules[-1] if modules else None)
    return chosen["flavor"] if chosen else None


def main():
    module = AnsibleModule(argument_spec={"smi_timeout": {"type": "int", "default": 60}}, supports_check_mode=True)
    facts = look(Host(), Programs(module), module.params["smi_timeout"])
    module.exit_json(changed=False, ansible_facts={"mlinfra_gpu": facts})


if __name__ == "__main__":
    main()
