# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles that format disks, change GPUs or install gigabytes run only where a host declares what they shall make."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLES = str(Path(__file__).resolve().parents[3] / "playbooks" / "vars" / "roles.yml")
ALWAYS = ["host_baseline", "nvidia_driver", "container_runtime", "python_env", "mlflow_server", "node_exporter"]


@pytest.mark.parametrize(
    ("given", "added"),
    [
        ({}, set()),
        ({"mig_layout": [], "cuda_toolkit_versions": []}, set()),
        ({"instance_store_mount_point": "/data", "mig_layout": [{"config": "all-balanced"}]}, {"instance_store", "mig"}),
        ({"cuda_toolkit_pins": {"schema": 1}}, {"cuda_toolkit"}),
        ({"efa_version": "1.47.0"}, {"efa"}),
        ({"efa_state": "absent"}, {"efa"}),
        ({"efa_version": "1.47.0", "__bake_builder": True}, {"efa"}),
        ({"efa_state": "present"}, set()),
        ({"efa_state": "removed"}, {"efa"}),  # so that it is refused
        # set by playbook bake: the disks of its machine are no part of the image
        ({"instance_store_mount_point": "/data", "cuda_toolkit_versions": ["12.8"], "__bake_builder": True}, {"cuda_toolkit"}),
    ],
)
def test_what_is_wished_of_a_host(given, added):
    known = {**DataLoader().load_from_file(ROLES, trusted_as_template=True), "groups": {}, **given}
    wished = Templar(DataLoader(), variables=known).template(known["_mlinfra_wished_roles"])
    assert [role for role in wished if role in ALWAYS] == ALWAYS and set(wished) - set(ALWAYS) == added


def test_a_list_of_roles_as_text():
    known = {**DataLoader().load_from_file(ROLES, trusted_as_template=True), "groups": {}, "mlinfra_configure": "mig, node_exporter"}
    assert Templar(DataLoader(), variables=known).template(known["_mlinfra_wished_roles"]) == ["node_exporter"]
