# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: resolve_stack
short_description: Resolve on the controller which versions of driver, CUDA and tools fit a host's GPUs
version_added: 0.4.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Answers as M(mlinfra.hosts.gpu_resolve) does, from facts that are given and without a host. It reads no clock and no package source.
  - Fails with all conflicts, each with what to wish instead, when nothing fits.
positional: _input, platform
options:
  _input:
    description: What to resolve for, as option C(gpu) of M(mlinfra.hosts.gpu_resolve); the fact C(mlinfra_gpu) is such a dict.
    type: dict
    required: true
  platform:
    description: As option C(platform) of M(mlinfra.hosts.gpu_resolve); the fact C(mlinfra_platform) is such a dict.
    type: dict
    required: true
  offered:
    description: What the package sources offer, each package's versions.
    type: dict
    required: true
  today:
    description: The day that ends of life are compared with, as V(2026-11-27).
    type: str
    required: true
  wish:
    description: The wish, of those options of M(mlinfra.hosts.gpu_resolve) that are one, from C(cuda) to C(container_toolkit).
    type: dict
    default: {}
  pins:
    description: Pins to hold against the host, instead of a wish.
    type: dict
"""

EXAMPLES = r"""
- name: Say which driver an image for H100 hosts gets
  ansible.builtin.debug:
    msg: "{{ (target | mlinfra.hosts.resolve_stack(system, offered=offered, today='2026-11-27', wish={'cuda': '12.8'})).pins.driver }}"
  vars:
    target: {models: [h100], nvswitch_count: 4, kernel: {running: 6.1.0-56-amd64}}
    system: {platform_names: [Debian-12], architecture: x86_64}
    offered:
      nvidia-driver-cuda: [580.95.05-1]
      nvidia-kernel-open-dkms: [580.95.05-1]
      nvidia-fabricmanager: [580.95.05-1]
      linux-headers-6.1.0-56-amd64: [6.1.170-1]
"""

RETURN = r"""
_value:
  description: >-
    C(pins), C(packages) and C(rejected) as M(mlinfra.hosts.gpu_resolve) returns them, and C(warnings), what to know of the choice.
  type: dict
"""

from collections.abc import Mapping
from typing import Any, Optional

from ansible.errors import AnsibleFilterError


def resolve_stack(gpu: Any, platform: Any, offered: Any, today: Any, wish: Any = None, pins: Optional[Any] = None) -> dict[str, Any]:
    # Here, because Ansible loads all filters of a collection for any one of them.
    from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import pins as pinned
    from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve.resolve import resolve

    if pins is not None and wish:
        raise AnsibleFilterError("resolve_stack has wish and pins: the wish is in the pins. Leave one of them out.")
    gpu, platform, offered, wish, pins = (_plain(one) for one in (gpu, platform, offered, wish or {}, pins))
    found = pinned.apply(pins, gpu, platform, offered, today) if pins is not None else resolve(gpu, platform, wish, offered, today)
    if found["problems"]:
        raise AnsibleFilterError("\n".join(found["problems"]))
    return {key: found[key] for key in ("pins", "packages", "rejected", "warnings")}


def _plain(value: Any) -> Any:
    """Ansible hands over mappings and lists of its own kinds, which the pure function need not know."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"resolve_stack": resolve_stack}
