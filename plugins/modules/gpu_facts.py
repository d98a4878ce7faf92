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
  - Puts one word on the driver, RV(ansible_facts.mlinfra_gpu.driver_state), and one on each GPU,
    RV(ansible_facts.mlinfra_gpu.gpus[].health.state), and says why.
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
      - Seconds that C(nvidia-smi) may take in all. Without persistence mode it wakes each GPU first, which takes seconds for each.
      - V(0) does not run it.
    type: int
    default: 60
  target:
    description:
      - GPUs that an image is built for, each by its model, as V(h100), or by an EC2 instance type that has it, as V(p5.48xlarge).
      - Without a GPU here, RV(ansible_facts.mlinfra_gpu.present), C(models), C(architectures) and C(nvswitch_count) are those of hosts with
        all these GPUs. With one, this option changes nothing.
      - Refused are unknown words, GPUs that no one driver serves, and GPUs that are in machines of another architecture than this one.
    type: list
    elements: str
    default: []
    version_added: 0.5.0
"""

EXAMPLES = r"""
- name: Look at the GPUs
  mlinfra.hosts.gpu_facts:

- name: Say how the driver is
  ansible.builtin.debug:
    msg: "{{ ansible_facts['mlinfra_gpu'].driver_state }}: {{ ansible_facts['mlinfra_gpu'].driver_reasons | join('; ') }}"

- name: Want GPUs that can be relied on
  ansible.builtin.assert:
    that: ansible_facts['mlinfra_gpu'].gpus | rejectattr('health.state', 'in', ['healthy', 'unknown']) | length == 0
    fail_msg: "{{ ansible_facts['mlinfra_gpu'].gpus | map(attribute='health') | map(attribute='reasons') | flatten | join('; ') }}"

- name: See what hosts with these GPUs will want, on the machine that builds their image
  mlinfra.hosts.gpu_facts:
    target: [a10g, h100]

- name: Restart what only a restart helps
  ansible.builtin.reboot:
  when: ansible_facts['mlinfra_gpu'].driver_state == 'reboot_pending' and not ansible_facts['mlinfra_gpu'].container
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
          description: Whether an NVIDIA GPU is there, or O(target) stands in for one.
          type: bool
        count:
          description: How many of them.
          type: int
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
        architectures:
          description: The architectures, each once.
          type: list
          elements: str
        gpus:
          description: >-
            Each GPU once, in order of address, with what the bus and C(nvidia-smi) say of it. Null is what its release or this GPU does not
            have, and what could not be read, which is in RV(ansible_facts.mlinfra_gpu.unread) then.
          type: list
          elements: dict
          contains:
            address:
              description: As in RV(ansible_facts.mlinfra_gpu.devices).
              type: str
            model:
              description: As in RV(ansible_facts.mlinfra_gpu.devices).
              type: str
            architecture:
              description: As in RV(ansible_facts.mlinfra_gpu.devices).
              type: str
            kernel_driver:
              description: As in RV(ansible_facts.mlinfra_gpu.devices).
              type: str
            responds:
              description: Whether it answers on the bus; null where the bus is hidden.
              type: bool
            index:
              description: Its number in C(nvidia-smi).
              type: int
            minor_number:
              description: The number of its C(/dev/nvidia) file.
              type: int
            uuid:
              description: Its UUID.
              type: str
            name:
              description: Its product name.
              type: str
            memory_mib:
              description: Size of its memory.
              type: int
            persistence_mode:
              description: Whether the driver stays initialized without a program that uses the GPU.
              type: bool
            compute_mode:
              description: Which programs may use it.
              type: str
            max_clocks_mhz:
              description: C(graphics), C(sm), C(memory) and C(video).
              type: dict
            ecc:
              description: >-
                C(current) and C(pending) mode; errors as C(corrected) and C(uncorrected), C(volatile) since the driver was loaded and
                C(aggregate) over its life; C(sram_threshold_exceeded); C(repair_pending).
              type: dict
            row_remaps:
              description: >-
                Rows of memory that were replaced after C(correctable) and C(uncorrectable) errors; C(pending), whether one waits for a
                reset; C(failure); C(exhausted_banks), those without a spare row. Null on GPUs that do not remap.
              type: dict
            retired_pages:
              description: Pages out of use after C(single_bit) and C(double_bit) errors, and C(pending). Null on GPUs that do not retire.
              type: dict
            recovery:
              description: What the driver asks for, C(reset_required) and C(drain_recommended) of older ones, C(action) of newer ones.
              type: dict
            fabric:
              description: Its registration with the NVLink fabric, C(state), C(status), C(clique_id), C(cluster_uuid), C(health); or null.
              type: dict
            nvlink:
              description: >-
                C(state) of its NVLinks, V(active), V(inactive), V(partial) or null; C(links), each with C(link), C(active) and C(gb_per_s)
                of one direction, empty where it is told of all at once that they are inactive. Null without links.
              type: dict
              sample: {state: active, links: [{link: 0, active: true, gb_per_s: 26.562}]}
            mig:
              description: >-
                C(current) and C(pending) mode, V(enabled), V(disabled) or null, and C(devices), each with C(index), C(uuid) (null where
                C(nvidia-smi) leaves it out), C(profile) (null where sizes do not tell), C(gpu_instance_id), C(compute_instance_id),
                C(memory_mib), C(multiprocessors) and C(uncorrected) errors.
              type: dict
            now:
              description: >-
                What is another thing a minute later, C(memory_used_mib), C(performance_state), C(temperature_c), C(clocks_mhz),
                C(throttle_reasons) and C(processes), each with C(pid), C(program) (the file's name; no arguments, they may hold
                secrets), C(type) and C(memory_mib).
              type: dict
            health:
              description: Whether it can be relied on.
              type: dict
              contains:
                state:
                  description:
                    - V(failed) for a GPU that is off the bus, not shown by C(nvidia-smi), or in need of a reset or a replacement.
                    - V(degraded) for one that works with a fault, V(healthy) for one that says enough of itself and nothing bad.
                    - V(unknown) where it could not be asked, or an answer that decides could not be read.
                  type: str
                reasons:
                  description: Why; empty for V(healthy).
                  type: list
                  elements: str
                  sample: [nvidia-smi says Yes for remapped_row_pending]
        users:
          description: >-
            Processes that use the GPUs, by C(nvidia-smi); where that does not say it of each GPU, those that have the driver's device files
            open, but for its daemons and monitors. Null where it cannot be told, as without root.
          type: list
          elements: dict
          sample: [{pid: 4711, program: python3}]
        nvswitch_count:
          description: NVSwitches on the PCI bus; with them the driver needs the fabric manager. V(1) where O(target) may have some.
          type: int
          sample: 0
        nvswitches:
          description: They, each with C(address), C(device), C(name), C(kernel_driver) and C(responds).
          type: list
          elements: dict
        efa:
          description: C(devices) on the PCI bus, as NVSwitches without a name, and C(module), with C(is_loaded) and C(version).
          type: dict
          sample: {devices: [], module: {is_loaded: false, version: null}}
        driver:
          description: What there is of a driver.
          type: dict
          contains:
            installed:
              description: >-
                C(version) of the user space or null; C(versions) of all its libraries; C(source), V(packages), V(files) (NVIDIA's
                installer) or null; C(managed), whether role P(mlinfra.hosts.nvidia_driver#role) installed it; C(flavor) of the kernel
                modules, V(open), V(proprietary) or null; C(packages), name and version; C(half_installed), names with their state.
              type: dict
              sample: {version: 580.95.05, source: packages, managed: true, flavor: open, packages: {libcuda1: 580.95.05-1}}
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
            dkms_modules:
              description: >-
                Each of them with C(name), C(version), C(kernel), C(architecture) and C(state), V(added), V(built), V(installed) or
                V(broken) (its source is gone).
              type: list
              elements: dict
              sample:
                - {name: nvidia, version: 580.95.05, kernel: 6.1.0-41-amd64, architecture: x86_64, state: installed}
        pins:
          description: >-
            Pins that role nvidia_driver wrote down, of the C(current) and C(previous) driver, or null; whether C(preferences) are there.
          type: dict
          sample: {current: {schema: 1}, previous: null, preferences: true}
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
            C(running) release; C(headers), whether they are there for it; C(headers_for) which releases; C(installed) ones;
            C(without_headers), those of them that no module can be built for; and C(newest_installed), null in a container.
          type: dict
          sample: {running: 6.1.0-41-amd64, headers: true, headers_for: [6.1.0-41-amd64], installed: [6.1.0-41-amd64], without_headers: []}
        secure_boot:
          description: V(enabled), V(disabled), V(unsupported) or V(unknown).
          type: str
          sample: unsupported
        mok:
          description: >-
            Machine owner keys, for modules under Secure Boot; C(enrolled), how many; C(pending), whether new ones wait for the
            operator at the next start; C(keys), certificates on disk that modules are signed with, each with C(path) and C(enrolled).
            Null for what the host does not say.
          type: dict
          sample: {enrolled: 2, pending: false, keys: [{path: /var/lib/dkms/mok.pub, enrolled: true}]}
        engines:
          description: >-
            Versions of C(docker), C(containerd), C(podman) and C(nvidia_toolkit); null for one that is not there, V(unknown) for one
            that does not say.
          type: dict
          sample: {docker: 20.10.24, containerd: 1.6.20, podman: null, nvidia_toolkit: 1.18.1}
        engine_settings:
          description: >-
            How engines give GPUs to containers, by their files. C(docker) (daemon.json) and C(containerd) (config.toml and what it
            imports) have C(runtimes), C(nvidia_runtime), C(default_runtime), C(cdi) and C(cdi_spec_dirs), null where the file leaves it
            to the engine; C(podman) has C(hook); C(nvidia_toolkit) has C(mode). Null where there is no file.
          type: dict
        cdi:
          description: >-
            CDI specifications of NVIDIA's, each with C(path), C(kind), C(devices) and C(driver_versions) of the libraries that it mounts;
            others than the driver's are out of date.
          type: list
          elements: dict
          sample:
            - {path: /etc/cdi/nvidia.yaml, kind: nvidia.com/gpu, devices: ["0", all], driver_versions: [580.95.05]}
        container:
          description: Whether this host is a container.
          type: bool
          sample: false
        target:
          description: >-
            What O(target) means; C(in_use), whether it stands in for GPUs; C(models); C(architectures); C(nvswitch), C(efa), whether hosts
            may have such; C(flavors), C(first_branch), C(last_branch) of drivers that serve all; C(fabric_devices), PCI ids. Or null.
          type: dict
          sample: {in_use: true, models: [h100], architectures: [hopper], nvswitch: true, efa: true, flavors: [open], first_branch: 525}
        unread:
          description: >-
            What there is and could not be read, C(what), a file, C(nvidia-smi) or one of its elements, and C(why). Until 0.3.0 these were
            strings.
          type: list
          elements: dict
          sample: [{what: /etc/docker/daemon.json, why: Permission denied}]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import target
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.facts import Programs, look
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.reading import Host

TARGET = {"type": "list", "elements": "str", "default": []}


def main():
    module = AnsibleModule(argument_spec={"smi_timeout": {"type": "int", "default": 60}, "target": TARGET}, supports_check_mode=True)
    wished, problems = target.understand(module.params["target"], os.uname().machine)
    if problems:
        module.fail_json(msg="\n".join(problems))
    facts = target.applied(look(Host(), Programs(module), module.params["smi_timeout"]), wished)
    module.exit_json(changed=False, ansible_facts={"mlinfra_gpu": facts})


if __name__ == "__main__":
    main()
