# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What spot launches are made from. A template lives as long as its launch: one that is still there was left by a run that was killed."""

from __future__ import annotations

from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Ec2Kind, Reader
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import claims, to_dict, token_prefix
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Wish


class LaunchTemplate(Ec2Kind):
    name = "launch_template"
    section = "pools"
    transient = True

    def observe(self, reader: Reader) -> list[Found]:
        spot = any("spot" in pool.market for pool in reader.stack.pools or ())
        if not spot and not reader.complete:
            return []
        prefix = token_prefix(reader.scope, reader.account_id)
        raws = reader.pages("ec2", "describe_launch_templates", "LaunchTemplates", Filters=reader.filters())
        found = []
        for raw in raws:
            tags = to_dict(raw.get("Tags"))
            owned = claims(tags, reader.scope, self.name) and raw["LaunchTemplateName"].startswith(prefix)
            facts = {"surplus": "left by a run that did not end"}
            found.append(Found(self.name, raw["LaunchTemplateName"], raw["LaunchTemplateId"], {}, tags, owned, facts=facts))
        return found

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        return []

    def surplus(self, found: Found, intent: Intent) -> bool:
        return True

    def delete(self, act: Any, change: Change) -> None:
        act.call("ec2", "delete_launch_template", LaunchTemplateId=change.id)
