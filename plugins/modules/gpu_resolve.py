#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_resolve
short_description: Resolve the exact versions of driver, CUDA and tools that fit the GPUs of a host
version_added: 0.4.0
description:
  - Says which driver and kernel modules, fabric manager, subnet manager (NVLSM), container toolkit, CUDA toolkit and DCGM fit the GPUs,
    platform and kernels of a host, and are offered by its package sources; or refuses, with what conflicts and what to wish instead.
  - The newest driver is chosen that the policy allows and that is there of all its packages, each in the same version.
  - The answer is a dict of pins, to be kept in a file. Given back as O(pins), on another host or day, they are checked and not changed.
  - Reads the PCI bus, the kernels and the package lists (C(apt-cache), or C(dnf repoquery) on Red Hat's family), and writes nothing.
    What is given as O(gpu), O(platform) and O(offered) is not read, so it also answers for a host that is not there yet.
  - P(mlinfra.hosts.resolve_stack#filter) answers the same on the controller.
author:
  - mlinfra.hosts contributors (@mlinfra)
extends_documentation_fragment:
  - mlinfra.hosts.attributes.info
options:
  cuda:
    description:
      - CUDA release that is wished, as V(12.8) or V(12.8.1). Its toolkit is resolved, too, where it is offered.
    type: str
  framework:
    description:
      - Release of C(torch), C(tensorflow) or C(jax) that is wished, as V(torch==2.9). The newest CUDA of its published builds that the
        GPUs and a driver can be used with decides; with O(cuda) it is the build for that CUDA.
    type: str
  branch:
    description:
      - Driver branch, as V(580). It stands above O(policy).
    type: int
  version:
    description:
      - Exact driver version, as V(580.95.05). It stands above O(policy).
    type: str
  policy:
    description:
      - Which driver branches. V(production) allows production branches and those with long-term support, V(lts) these only; one that is
        past its end of life is taken when there is no other. V(newest) allows any and takes the highest.
      - A distribution has one driver at a time, so with O(source=distribution) any is allowed.
    type: str
    choices: [production, lts, newest]
    default: production
  mode:
    description:
      - V(strict) wants a driver that is not older than the one which the wished CUDA brings.
      - V(compatible) wants the first branch that CUDA's major version runs on, which NVIDIA calls minor-version compatibility.
    type: str
    choices: [strict, compatible]
    default: strict
  flavor:
    description:
      - Kernel modules. V(auto) takes the newest driver, and of it the open ones where the GPUs work with them.
    type: str
    choices: [auto, open, proprietary]
    default: auto
  source:
    description:
      - Where drivers come from, which decides what packages are called. V(mirror) is a mirror of NVIDIA's repository, and
        V(local) a folder of the host with its packages (C(nvidia_driver_local_repository)). Only what the host's sources offer counts, so
        the folder has to be one of them.
    type: str
    choices: [nvidia, mirror, local, distribution]
    default: nvidia
  mig:
    description:
      - Whether GPUs are to be partitioned, which takes a GPU and a driver that can.
    type: bool
    default: false
  kernel_modules:
    description:
      - Whether kernel modules are installed. Without them neither kernels nor the fabric manager are resolved, as both come from elsewhere.
    type: bool
    default: true
  kernels:
    description:
      - Kernels that the modules are for. Releases, as V(6.1.0-56-amd64), or V(running), V(newest-installed) and V(installed-headers).
      - One without headers, here or in the sources, is refused.
    type: list
    elements: str
    default: [running]
  kernel_upgrade:
    description:
      - What becomes of a host whose running or newest kernel has no headers, here or in the sources. V(never) refuses it.
      - V(if_required) resolves the newest kernel of the same kind that is offered with its headers in its place, and warns that the host
        has to be restarted into it. The same kind is Debian's and Ubuntu's flavor (C(cloud-amd64), C(aws)), and with dnf the same package
        (C(kernel), C(kernel6.12)); kernels of the running one's series come first.
    type: str
    choices: [never, if_required]
    default: never
    version_added: 0.7.0
  components:
    description:
      - What has to be resolved besides the driver. What is not named is left out, and what is named and not offered is refused.
      - Without this option all that is offered is resolved, and a warning names the rest.
    type: list
    elements: str
    choices: [container_toolkit, cuda_toolkit, dcgm]
  container_toolkit:
    description:
      - Version of NVIDIA's container toolkit, as V(1.18.1). Without it the newest one.
    type: str
  pins:
    description:
      - Pins that were resolved before (RV(pins)). They are held against this host, its GPUs and kernels and what its sources offer now;
        they are refused when they do not hold, and come back as they are when they do.
      - What is wished is in them, so no other wish may be given with them.
    type: dict
  besides:
    description:
      - Whether packages in O(pins) that go along with a driver where they are installed (nvidia-imex, libnvidia-nscq, libnvsdm) have to be
        offered here, too, as for the way back to a driver.
    type: bool
    default: false
    version_added: 0.7.0
  gpu:
    description:
      - What to resolve for, instead of what is here, shaped like the fact C(mlinfra_gpu) of M(mlinfra.hosts.gpu_facts). These keys count,
        and each may be left out; C(models), C(architectures), C(compute_capabilities), C(nvswitch_count), C(nvlsm) (whether the subnet
        manager is needed; by the model, if left out), C(kernel) (C(running), C(installed), C(headers_for)), C(engines) (C(podman)).
    type: dict
  platform:
    description:
      - The platform to resolve for, instead of this one, shaped like the fact C(mlinfra_platform) of M(mlinfra.hosts.host_preflight).
        C(platform_names) counts, or else C(distribution) and C(distribution_major_version); and C(architecture).
    type: dict
  offered:
    description:
      - What the package sources offer, each package's versions, instead of what this host's own do.
    type: dict
  today:
    description:
      - The day that ends of life are compared with, as V(2026-11-27). Without it this host's own date.
    type: str
"""

EXAMPLES = r"""
- name: Resolve what fits this host
  mlinfra.hosts.gpu_resolve:
    cuda: "12.8"
  register: resolved

- name: Keep it
  ansible.builtin.copy:
    content: "{{ resolved.pins | to_nice_yaml }}"
    dest: "{{ inventory_dir }}/pins.yml"
    mode: "0644"
  delegate_to: localhost
  run_once: true

- name: Check that the pins hold on another host, or still do
  mlinfra.hosts.gpu_resolve:
    pins: "{{ lookup('ansible.builtin.file', inventory_dir ~ '/pins.yml') | from_yaml }}"
  register: resolved

- name: Install the pinned driver
  ansible.builtin.import_role:
    name: mlinfra.hosts.nvidia_driver
  vars:
    nvidia_driver_version: "{{ resolved.pins.driver.version }}"
    nvidia_driver_flavor: "{{ resolved.pins.driver.flavor }}"

- name: Resolve for a host that is not there yet
  mlinfra.hosts.gpu_resolve:
    framework: torch==2.9
    gpu: {models: [h100], nvswitch_count: 4, kernel: {running: 6.1.0-56-amd64}}
    platform: {platform_names: [Debian-12], architecture: x86_64}
    today: "2026-11-27"
    components: []
    offered:
      nvidia-driver-cuda: [580.95.05-1, 595.71.05-1]
      nvidia-kernel-open-dkms: [580.95.05-1, 595.71.05-1]
      nvidia-fabricmanager: [580.95.05-1]
      linux-headers-6.1.0-56-amd64: [6.1.170-1]
"""

RETURN = r"""
pins:
  description:
    - What was resolved, to be kept. C(schema) is V(1). The same host, wish and sources give the same pins on any day.
    - Besides what the sample shows, C(dcgm), C(nvlsm) and C(container_toolkit) are a package's version, or null for what is not there.
    - C(gpu) is for people. Another host is judged by its own GPUs.
  returned: success
  type: dict
  sample:
    schema: 1
    platform: Debian-12
    machine: x86_64
    source: nvidia
    gpu: {models: [h100], architectures: [hopper], nvswitch: true, nvlsm: false}
    wish: {cuda: null, framework: torch==2.9, mode: strict, mig: false}
    driver: {version: 580.95.05, branch: 580, flavor: open, dkms: nvidia}
    fabric_manager: 580.95.05-1
    nvlsm: null
    cuda: {release: "13.0", toolkit: null}
    container_toolkit: null
    dcgm: null
    kernels: [{release: 6.1.0-56-amd64, headers: linux-headers-6.1.0-56-amd64, image: null}]
    packages:
      linux-headers-6.1.0-56-amd64: 6.1.170-1
      nvidia-driver-cuda: 580.95.05-1
      nvidia-fabricmanager: 580.95.05-1
      nvidia-kernel-open-dkms: 580.95.05-1
packages:
  description:
    - The packages for this host, with their versions. Those of the pins, without a fabric manager or NVLSM that this host has no use for.
  returned: success
  type: dict
rejected:
  description:
    - Every driver that is offered and was not chosen, with C(driver), C(flavor), C(cuda) (that it was tried for) and C(reason).
    - A CUDA build that does not serve the GPUs has no C(driver). With O(pins) it is empty.
  returned: always
  type: list
  elements: dict
  sample:
    - driver: 595.71.05
      flavor: open
      cuda: "13.0"
      reason: "nvidia-fabricmanager is not offered in this version (offered: 580.95.05)"
notices:
  description: What to know of the choice, as that its branch is past its end of life. Each is a warning, too.
  returned: success
  type: list
  elements: str
problems:
  description: Why nothing could be resolved, a message for each conflict. RV(ignore:msg) has them all.
  returned: failure
  type: list
  elements: str
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.reading import Host
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import platform
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import reading as reading_of_host
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import host as hosts
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import pins, reading, resolve

WISHES = {
    "cuda": {"type": "str"},
    "framework": {"type": "str"},
    "branch": {"type": "int"},
    "version": {"type": "str"},
    "policy": {"type": "str", "choices": ["production", "lts", "newest"], "default": "production"},
    "mode": {"type": "str", "choices": ["strict", "compatible"], "default": "strict"},
    "flavor": {"type": "str", "choices": ["auto", "open", "proprietary"], "default": "auto"},
    "source": {"type": "str", "choices": ["nvidia", "mirror", "local", "distribution"], "default": "nvidia"},
    "mig": {"type": "bool", "default": False},
    "kernel_modules": {"type": "bool", "default": True},
    "kernels": {"type": "list", "elements": "str", "default": ["running"]},
    "kernel_upgrade": {"type": "str", "choices": ["never", "if_required"], "default": "never"},
    "components": {"type": "list", "elements": "str", "choices": ["container_toolkit", "cuda_toolkit", "dcgm"]},
    "container_toolkit": {"type": "str"},
}
ARGUMENTS = dict(
    WISHES,
    pins={"type": "dict"},
    besides={"type": "bool", "default": False},
    gpu={"type": "dict"},
    platform={"type": "dict"},
    offered={"type": "dict"},
    today={"type": "str"},
)


def kernel_names(gpu, kernels, pinned):
    """All kernel releases whose packages may count."""
    kernel = gpu.get("kernel") if isinstance(gpu.get("kernel"), dict) else {}
    found = set(kernels) | {kernel.get("running")} | set(kernel.get("installed") or []) | set(kernel.get("headers_for") or [])
    # Pins come from a file: what is wrong with them is told where they are judged.
    listed = pinned.get("kernels") if isinstance(pinned, dict) else None
    found |= {one.get("release") for one in listed or [] if isinstance(one, dict)} if isinstance(listed, list) else set()
    return {one for one in found if isinstance(one, str)}


def look(module):
    """(gpu, platform, offered) of the options, else of this host. :raises reading.Unreadable:"""
    given = module.params
    gpu = given["gpu"]
    if gpu is None:
        container = platform.is_container(reading_of_host.ask_virtualization(module))
        gpu = dict(reading.gpu(Host()), container=container)
    here = platform.look() if given["platform"] is None else given["platform"]
    if given["offered"] is not None:
        return gpu, here, given["offered"]
    releases = kernel_names(gpu, given["kernels"], given["pins"])
    return gpu, here, reading.offered(module.run_command, module.get_bin_path, releases, replaced(given, gpu, here))


def replaced(given, gpu, here):
    """(platform, release of the kernel) that another one may come for; None each where none may."""
    if given["kernel_upgrade"] == "never" or hosts.problems(gpu, here):
        return None, None
    host = hosts.of(gpu, here)
    return host["platform"], host["kernel"]["running"]


def answer(module):
    """See resolve.resolve."""
    given = module.params
    gpu, here, offered = look(module)
    today = given["today"] or time.strftime("%Y-%m-%d")
    if given["pins"] is not None:
        return pins.apply(given["pins"], gpu, here, offered, today, given["besides"])
    return resolve.resolve(gpu, here, {key: given[key] for key in WISHES}, offered, today)


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = module.params
    others = [key for key, spec in WISHES.items() if given["pins"] is not None and given[key] != spec.get("default")]
    if others:
        module.fail_json(msg="%s and pins are given: the wish is in the pins. Leave one of them out." % ", ".join(others))
    try:
        found = answer(module)
    except reading.Unreadable as error:
        module.fail_json(msg=str(error), problems=[str(error)], rejected=[])
    if found["problems"]:
        module.fail_json(msg="\n".join(found["problems"]), problems=found["problems"], rejected=found["rejected"])
    for warning in found["warnings"]:
        module.warn(warning)
    module.exit_json(changed=False, pins=found["pins"], packages=found["packages"], rejected=found["rejected"], notices=found["warnings"])


if __name__ == "__main__":
    main()
