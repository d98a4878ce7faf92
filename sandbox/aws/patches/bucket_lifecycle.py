# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lifecycle rule keeps NewerNoncurrentVersions, and a rule without an id gets one.

AWS: https://docs.aws.amazon.com/AmazonS3/latest/API/API_NoncurrentVersionExpiration.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html
moto: drops the first and answers null for the second.
"""

from __future__ import annotations

import uuid
from typing import Any


def apply() -> None:
    from moto.s3.models import FakeBucket
    from moto.s3.responses import S3Response

    put, get = FakeBucket.set_lifecycle, S3Response.get_bucket_lifecycle

    def set_lifecycle(self: Any, rules: list[dict[str, Any]]) -> None:
        put(self, rules)
        for made, given in zip(self.rules, rules, strict=True):
            made.id = made.id or str(uuid.uuid4())
            made.newer_noncurrent_versions = (given.get("NoncurrentVersionExpiration") or {}).get("NewerNoncurrentVersions")

    def get_bucket_lifecycle(self: Any) -> Any:
        serialize, rules = self.serialized, self.backend.get_bucket_lifecycle(self.bucket_name)

        def complete(result: Any) -> Any:
            # moto hands its errors through here as well
            shown_rules = result.result["Rules"] if isinstance(result.result, dict) else []
            for shown, rule in zip(shown_rules, rules or [], strict=False):
                if getattr(rule, "newer_noncurrent_versions", None):
                    shown["NoncurrentVersionExpiration"]["NewerNoncurrentVersions"] = rule.newer_noncurrent_versions
            return serialize(result)

        self.serialized = complete
        return get(self)

    FakeBucket.set_lifecycle, S3Response.get_bucket_lifecycle = set_lifecycle, get_bucket_lifecycle
