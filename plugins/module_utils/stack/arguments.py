# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The options of aws_stack and aws_stack_info, written as argument specs.

The modules hand them to AnsibleModule, and ``fields.py`` reads them to report every mistake by its path. What options mean to each
other is not said here but checked in the ``check_*.py`` files, once, with better words than Ansible's.
"""

from __future__ import annotations

from typing import Any

Spec = dict[str, dict[str, Any]]


def _list(options: Spec | None = None, **more: Any) -> dict[str, Any]:
    if options is not None:
        return dict(type="list", elements="dict", options=options, **more)
    return dict(type="list", elements="str", **more)


def _reference(key: str) -> dict[str, Any]:
    """Something that exists already, by id or by tags."""
    ids = dict(type="str") if key == "id" else _list()
    return dict(type="dict", options={key: ids, "tags": dict(type="dict")})


SCOPE: Spec = dict(
    name=dict(type="str", required=True),
    environment=dict(type="str", required=True),
    account_id=dict(type="str", required=True),
)

_NETWORK: Spec = dict(
    cidr=dict(type="str"),
    avoid_cidrs=_list(),
    zone_count=dict(type="int"),
    zone_names=_list(),
    private=dict(type="bool", default=False),
    nat=dict(type="str", choices=["none", "one", "per_zone"], default="none"),
    endpoints=_list(choices=["s3", "ecr", "ssm"]),
    ingress=_list(
        dict(
            from_port=dict(type="int", required=True),
            to_port=dict(type="int"),
            protocol=dict(type="str", choices=["tcp", "udp"], default="tcp"),
            cidrs=_list(),
            description=dict(type="str", default=""),
        )
    ),
    access=dict(
        type="dict",
        options=dict(
            via=dict(type="str", choices=["direct", "bastion"], default="direct"),
            cidrs=_list(),
            bastion_pool=dict(type="str"),
            bastion_host=dict(type="str"),
            bastion_user=dict(type="str"),
        ),
    ),
    existing=dict(
        type="dict",
        options=dict(vpc=_reference("id"), subnets=_reference("ids"), security_groups=_reference("ids")),
    ),
)

_KEY: Spec = dict(
    name=dict(type="str"),
    public_key=dict(type="str", no_log=False),
    public_key_file=dict(type="path", no_log=False),
    existing=dict(type="bool", default=False),
)

_BUCKET: Spec = dict(
    name=dict(type="str", required=True),
    bucket_name=dict(type="str"),
    existing=dict(type="bool", default=False),
    versioning=dict(type="bool", default=False),
    encryption=dict(type="str", choices=["s3", "kms"], default="s3"),
    kms_key=dict(type="str", no_log=False),
    tls_only=dict(type="bool", default=True),
    mlflow=dict(type="bool", default=False),
    lifecycle=_list(
        dict(
            prefix=dict(type="str", default=""),
            expire_days=dict(type="int"),
            noncurrent_expire_days=dict(type="int"),
            abort_multipart_days=dict(type="int"),
        )
    ),
)

_REPOSITORY: Spec = dict(
    name=dict(type="str", required=True),
    repository_name=dict(type="str"),
    existing=dict(type="bool", default=False),
    immutable_tags=dict(type="bool", default=False),
    scan_on_push=dict(type="bool", default=True),
    keep_last=dict(type="int"),
    kms_key=dict(type="str", no_log=False),
)

_IDENTITY: Spec = dict(
    existing_instance_profile=dict(type="str"),
    read=_list(),
    write=_list(),
    pull=_list(),
    push=_list(),
    managed_policies=_list(),
)

_POOL: Spec = dict(
    name=dict(type="str", required=True),
    count=dict(type="int", default=1),
    gpu=dict(
        type="dict",
        options=dict(models=_list(), count=dict(type="int", default=1), memory_gib=dict(type="int")),
    ),
    instance_types=_list(),
    image=dict(
        type="dict",
        required=True,
        options=dict(id=dict(type="str"), ssm=dict(type="str"), owner=dict(type="str"), name=dict(type="str")),
    ),
    disk=dict(
        type="dict",
        options=dict(
            gib=dict(type="int", default=100),
            type=dict(type="str", choices=["gp3", "gp2"], default="gp3"),
            iops=dict(type="int"),
            throughput=dict(type="int"),
            kms_key=dict(type="str", no_log=False),
        ),
    ),
    zones=_list(),
    spread=dict(type="bool", default=True),
    ssh_user=dict(type="str", default="admin"),
    user_data=dict(type="str"),
    user_data_file=dict(type="path"),
    termination_protection=dict(type="bool", default=False),
    tags=dict(type="dict"),
)

SECTIONS: Spec = dict(
    network=dict(type="dict", options=_NETWORK),
    key=dict(type="dict", options=_KEY, no_log=False),
    buckets=_list(_BUCKET),
    repositories=_list(_REPOSITORY),
    identity=dict(type="dict", options=_IDENTITY),
    pools=_list(_POOL),
)

CONTROL: Spec = dict(
    state=dict(type="str", choices=["present", "absent"], default="present"),
    confirm=dict(type="str"),
    force=_list(),
    prune=dict(type="bool", default=False),
    max_delete=dict(type="int", default=0),
    expect_plan=dict(type="str"),
    lock_timeout=dict(type="int", default=0),
    break_lock=dict(type="bool", default=False),
    on_failure=dict(type="str", choices=["keep", "rollback"], default="keep"),
    wait_timeout=dict(type="int", default=600),
)

ARGUMENTS: Spec = dict(
    SCOPE,
    tags=dict(type="dict"),
    permissions_boundary=dict(type="str"),
    iam_path=dict(type="str"),
    **SECTIONS,
    **CONTROL,
)

# Files that the action plugin reads on the controller: option with the content → option with the file's name.
CONTROLLER_FILES = {"public_key": "public_key_file", "user_data": "user_data_file"}
