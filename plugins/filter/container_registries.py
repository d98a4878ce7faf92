# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: container_registries
short_description: Say what a container engine has to be told of registries
version_added: 0.4.0
author:
  - mlinfra.hosts contributors (@mlinfra)
description:
  - Texts of files that Docker, containerd or podman reads when it pulls (C(certs.d)), and the names that Docker must trust.
positional: _input
options:
  _input:
    description: Registries, as C(container_runtime_registries) of role P(mlinfra.hosts.container_runtime#role).
    type: list
    elements: dict
    required: true
  engine:
    description: V(docker), V(containerd) or V(podman).
    type: str
    required: true
  mirrors:
    description: URLs of mirrors of Docker Hub.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show what containerd would read
  ansible.builtin.debug:
    msg: "{{ ([] | mlinfra.hosts.container_registries(engine='containerd', mirrors=['https://mirror.example.org'])).files }}"
"""

RETURN = r"""
_value:
  description: >-
    C(problems), messages of what cannot be had (all else is empty then); C(files), a list of C(path) and C(content);
    C(insecure), names that are asked without a check of their certificate.
  type: dict
"""

from ansible.errors import AnsibleFilterError

from ansible_collections.mlinfra.hosts.plugins.filter.listed import listed
from ansible_collections.mlinfra.hosts.plugins.module_utils.container import registries


def container_registries(wished: list, engine: str, mirrors: list | None = None) -> dict:
    if engine not in registries.ENGINES:
        raise AnsibleFilterError(f"container_registries: engine is {engine!r}: expected {' or '.join(registries.ENGINES)}.")
    wished = [{**one, "mirrors": listed(one.get("mirrors"))} for one in wished]
    problems = registries.problems(engine, mirrors or [], wished)
    known = [] if problems else registries.of(mirrors or [], wished)
    files = [{"path": path, "content": text} for path, text in registries.files(engine, known).items()]
    return {"problems": problems, "files": files, "insecure": registries.insecure(known)}


class FilterModule:
    def filters(self) -> dict:
        return {"container_registries": container_registries}
