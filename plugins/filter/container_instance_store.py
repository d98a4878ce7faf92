# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: container_instance_store
short_description: Tie a container engine to the instance store that its data is on
version_added: 0.7.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - A host whose instance store could not be made again starts all the same, and an engine with its data there would fill the root disk.
  - Paths are compared by name; links are not followed.
positional: _input
options:
  _input:
    description: Folder of the engine's data.
    type: str
    required: true
  wish:
    description: Content of C(/etc/mlinfra/instance_store.json) on the host; null where role C(instance_store) has set up nothing.
    type: str
  unit:
    description: C(exists) and C(active) of C(mlinfra-instance-store.service), as M(mlinfra.hosts.host_preflight) returns them.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: See what the host has of an instance store
  mlinfra.hosts.host_preflight:
    contents: [/etc/mlinfra/instance_store.json]
    units: [mlinfra-instance-store.service]
  become: true
  register: found

- name: Say what docker's service should have
  ansible.builtin.debug:
    msg: "{{ ('/data/docker' | mlinfra.hosts.container_instance_store(
              wish=found.contents['/etc/mlinfra/instance_store.json'], unit=found.units['mlinfra-instance-store.service'])).drop_in }}"
"""

RETURN = r"""
_value:
  description:
    - C(drop_in), the text of a drop-in for the engine's service, empty where its data is elsewhere.
    - C(problem), why the engine must not be started now, empty when it may.
  type: dict
"""


def container_instance_store(root: str, wish: str | None = None, unit: dict | None = None) -> dict:
    # Here, because Ansible loads all filters of a collection for any one of them.
    from ansible_collections.mlinfra.hosts.plugins.module_utils.container import store

    return store.tie(str(root), wish, unit or {})


class FilterModule:
    def filters(self) -> dict:
        return {"container_instance_store": container_instance_store}
