# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metadata options of an instance come from its request or its launch template, and a change keeps what it does not name.

AWS: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceMetadataOptions.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RequestLaunchTemplateData.html
moto: ignores the template's, and a change forgets the rest.
"""

from __future__ import annotations

from typing import Any

FIELDS = {"http_tokens": "http_tokens", "hop_limit": "http_put_response_hop_limit", "http_endpoint": "http_endpoint",
          "http_protocol": "http_protocol_ipv6", "metadata_tags": "instance_metadata_tags"}


def apply() -> None:
    from moto.ec2.models.instances import InstanceBackend

    run = InstanceBackend.run_instances

    def run_instances(self: Any, image_id: str, count: int, user_data: Any, security_group_names: list[str], **options: Any) -> Any:
        if options.get("launch_template") and not options.get("metadata_options"):
            options["metadata_options"] = self._get_template_from_args(options["launch_template"]).data.get("MetadataOptions", {})
        return run(self, image_id, count, user_data, security_group_names, **options)

    def modify(self: Any, instance_id: str, dry_run: bool | None = False, **changes: Any) -> Any:
        options = self.get_instance(instance_id).metadata_options
        for name, value in changes.items():
            if value is not None:
                setattr(options, FIELDS[name], value)
        return options

    InstanceBackend.run_instances = run_instances
    InstanceBackend.modify_instance_metadata_options = modify
