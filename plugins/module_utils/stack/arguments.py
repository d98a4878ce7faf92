# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The options of aws_stack and aws_stack_info, written as argument specs.

The modules hand them to AnsibleModule, and ``fields.py`` reads them to report every mistake by its path. What options mean to each
other is not said here but checked in the ``check_*.py`` files, once, with better words than Ansible's.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offer import MARKETS

Spec = dict[str, dict[str, Any]]


def _list(options: Spec | None = None, **more: Any) -> dict[str, Any]:
    if options is not None:
        return dict(type="list", elements="dict", options=options, **more)
    return dict(type="list", elements="str", **more)


def _reference(key: str) -> dict[str, Any]:
    """Something that exists already, by id or by tags."""
    ids = {"type": "str"} if key == "id" else _list()
    return {"type": "dict", "options": {key: ids, "tags": {"type": "dict"}}}


SCOPE: Spec = {
    "name": {"type": "str", "required": True},
    "environment": {"type": "str", "required": True},
    "account_id": {"type": "str", "required": True},
}

_NETWORK: Spec = {
    "cidr": {"type": "str"},
    "avoid_cidrs": _list(),
    "zone_count": {"type": "int"},
    "zone_names": _list(),
    "private": {"type": "bool", "default": False},
    "nat": {"type": "str", "choices": ["none", "one", "per_zone"], "default": "none"},
    "endpoints": _list(choices=["s3", "ecr", "ssm"]),
    "ingress": _list(
        {
            "from_port": {"type": "int", "required": True},
            "to_port": {"type": "int"},
            "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
            "cidrs": _list(),
            "description": {"type": "str", "default": ""},
        }
    ),
    "access": {
        "type": "dict",
        "options": {
            "via": {"type": "str", "choices": ["direct", "bastion"], "default": "direct"},
            "cidrs": _list(),
            "bastion_pool": {"type": "str"},
            "bastion_host": {"type": "str"},
            "bastion_user": {"type": "str"},
        },
    },
    "existing": {
        "type": "dict",
        "options": {"vpc": _reference("id"), "subnets": _reference("ids"), "security_groups": _reference("ids")},
    },
}

_KEY: Spec = {
    "name": {"type": "str"},
    "public_key": {"type": "str", "no_log": False},
    "public_key_file": {"type": "path", "no_log": False},
    "existing": {"type": "bool", "default": False},
}

_BUCKET: Spec = {
    "name": {"type": "str", "required": True},
    "bucket_name": {"type": "str"},
    "existing": {"type": "bool", "default": False},
    "versioning": {"type": "bool", "default": False},
    "encryption": {"type": "str", "choices": ["s3", "kms"], "default": "s3"},
    "kms_key": {"type": "str", "no_log": False},
    "tls_only": {"type": "bool", "default": True},
    "mlflow": {"type": "bool", "default": False},
    "lifecycle": _list(
        {
            "prefix": {"type": "str", "default": ""},
            "expire_days": {"type": "int"},
            "noncurrent_expire_days": {"type": "int"},
            "abort_multipart_days": {"type": "int"},
        }
    ),
}

_REPOSITORY: Spec = {
    "name": {"type": "str", "required": True},
    "repository_name": {"type": "str"},
    "existing": {"type": "bool", "default": False},
    "immutable_tags": {"type": "bool", "default": False},
    "scan_on_push": {"type": "bool", "default": True},
    "keep_last": {"type": "int"},
    "kms_key": {"type": "str", "no_log": False},
}

_IDENTITY: Spec = {
    "existing_instance_profile": {"type": "str"},
    "read": _list(),
    "write": _list(),
    "pull": _list(),
    "push": _list(),
    "managed_policies": _list(),
}

_POOL: Spec = {
    "name": {"type": "str", "required": True},
    "count": {"type": "int", "default": 1},
    "gpu": {
        "type": "dict",
        "options": {"models": _list(), "count": {"type": "int", "default": 1}, "memory_gib": {"type": "int"}},
    },
    "instance_types": _list(),
    "image": {
        "type": "dict",
        "required": True,
        "options": {"id": {"type": "str"}, "ssm": {"type": "str"}, "owner": {"type": "str"}, "name": {"type": "str"}},
    },
    "disk": {
        "type": "dict",
        "options": {
            "gib": {"type": "int", "default": 100},
            "type": {"type": "str", "choices": ["gp3", "gp2"], "default": "gp3"},
            "iops": {"type": "int"},
            "throughput": {"type": "int"},
            "kms_key": {"type": "str", "no_log": False},
        },
    },
    "volumes": _list(
        {
            "device": {"type": "str"},
            "gib": {"type": "int"},
            "type": {"type": "str", "choices": ["gp3", "io2"], "default": "gp3"},
            "iops": {"type": "int"},
            "throughput": {"type": "int"},
            "kms_key": {"type": "str", "no_log": False},
            "snapshot": {"type": "str"},
            "keep": {"type": "bool", "default": False},
        }
    ),
    "placement": {"type": "str", "choices": ["none", "cluster"], "default": "none"},
    "existing_placement_group": {"type": "str"},
    "efa": {"type": "bool", "default": False},
    "interfaces": {"type": "int", "default": 1},
    "market": {**_list(), "choices": list(MARKETS), "default": ["on_demand"]},
    "max_hourly_usd": {"type": "float"},
    "min": {"type": "int"},
    "zones": _list(),
    "exclude_zones": _list(),
    "exclude_types": _list(),
    "spread": {"type": "bool", "default": True},
    "on_change": {"type": "str", "choices": ["keep", "refuse", "in_place", "replace"], "default": "keep"},
    "adopt": _list(),
    "ssh_user": {"type": "str", "default": "admin"},
    "user_data": {"type": "str"},
    "user_data_file": {"type": "path"},
    "termination_protection": {"type": "bool", "default": False},
    "power": {"type": "str", "choices": ["running", "stopped", "unmanaged"], "default": "unmanaged"},
    "data_loss": {"type": "str", "choices": ["refused", "accepted"], "default": "refused"},
    "lease": {
        "type": "dict",
        "options": {
            "expire": {"type": "str"},
            "idle": {"type": "str"},
            "on_idle": {"type": "str", "choices": ["stop", "terminate"], "default": "stop"},
            "renew": {"type": "str"},
            "enforce": {"type": "str", "choices": ["host", "scheduler"], "default": "host"},
        },
    },
    "tags": {"type": "dict"},
}

SECTIONS: Spec = {
    "network": {"type": "dict", "options": _NETWORK},
    "key": {"type": "dict", "options": _KEY, "no_log": False},
    "buckets": _list(_BUCKET),
    "repositories": _list(_REPOSITORY),
    "identity": {"type": "dict", "options": _IDENTITY},
    "pools": _list(_POOL),
}

CONTROL: Spec = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "confirm": {"type": "str"},
    "force": _list(),
    "prune": {"type": "bool", "default": False},
    "max_delete": {"type": "int", "default": 0},
    "expect_plan": {"type": "str"},
    "lock_timeout": {"type": "int", "default": 0},
    "break_lock": {"type": "bool", "default": False},
    "on_failure": {"type": "str", "choices": ["keep", "rollback"], "default": "keep"},
    "wait_timeout": {"type": "int", "default": 600},
}

ARGUMENTS: Spec = dict(
    SCOPE,
    tags={"type": "dict"},
    permissions_boundary={"type": "str"},
    iam_path={"type": "str"},
    **SECTIONS,
    **CONTROL,
)

# Files that the action plugin reads on the controller: option with the content → option with the file's name.
CONTROLLER_FILES = {"public_key": "public_key_file", "user_data": "user_data_file"}
