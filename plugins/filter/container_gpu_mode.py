# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: container_gpu_mode
short_description: Choose how containers of an engine get GPUs
version_added: 0.4.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - By CDI where engine and NVIDIA Container Toolkit know it (Docker 25, containerd 1.7, podman 4.1; toolkit 1.18), by NVIDIA's
    runtime otherwise.
  - podman gets them by CDI alone.
positional: _input
options:
  _input:
    description: V(docker), V(containerd) or V(podman).
    type: str
    required: true
  version:
    description: The engine's version. Empty for one that is not installed yet, which is taken to be new enough.
    type: str
    default: ''
  toolkit:
    description: The toolkit's version. Empty for one that is not installed yet.
    type: str
    default: ''
  wish:
    description: V(auto), V(cdi) or V(runtime).
    type: str
    default: auto
"""

EXAMPLES = r"""
- name: Say how Docker gives GPUs to containers here
  ansible.builtin.debug:
    msg: "{{ ('docker' | mlinfra.hosts.container_gpu_mode(version='20.10.24', toolkit='1.18.1')).mode }}"
"""

RETURN = r"""
_value:
  description:
    - C(mode), V(cdi) or V(runtime), and C(problem), why the wish cannot be had; null when it can.
    - C(toolkit_below), what the toolkit's version has to be before (podman before 5 cannot read what later ones write), or null.
  type: dict
"""

from ansible.errors import AnsibleFilterError


def container_gpu_mode(engine: str, version: str = "", toolkit: str = "", wish: str = "auto") -> dict:
    # Here, because Ansible loads all filters of a collection for any one of them.
    from ansible_collections.mlinfra.hosts.plugins.module_utils.container import gpu_mode

    if engine not in gpu_mode.FIRST or wish not in ("auto", "cdi", "runtime"):
        raise AnsibleFilterError(
            f"container_gpu_mode: {engine!r} with wish {wish!r}: expected docker, containerd or podman, and auto, cdi or runtime."
        )
    found = gpu_mode.choose(wish, engine, str(version or ""), str(toolkit or ""))
    return {**found, "toolkit_below": gpu_mode.toolkit_below(engine, str(version or ""))}


class FilterModule:
    def filters(self) -> dict:
        return {"container_gpu_mode": container_gpu_mode}
