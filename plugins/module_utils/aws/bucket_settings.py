# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What is set on a bucket, one word of its state each: how it is read, wished and written."""

from __future__ import annotations

import json
from typing import Any, Callable, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Reader, unless
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import to_dict
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Bucket

EMPTY = (None, "Off", [])  # what a new bucket has without being told
_BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_SID = "MlinfraTlsOnly"


def read(reader: Reader, name: str, settings: bool = True) -> tuple[dict[str, str], dict[str, Any]]:
    """Tags and state of a bucket.

    :param settings: False reads the tags alone.
    """
    s3 = reader.client("s3")

    def tags() -> dict[str, str]:
        return to_dict(unless(("NoSuchTagSet",), lambda: s3.get_bucket_tagging(Bucket=name), {}).get("TagSet"))

    if not settings:
        return tags(), {}
    answers = reader.together(
        tags,
        lambda: unless(("NoSuchPublicAccessBlockConfiguration",), lambda: s3.get_public_access_block(Bucket=name), {}),
        lambda: unless(("OwnershipControlsNotFoundError",), lambda: s3.get_bucket_ownership_controls(Bucket=name), {}),
        lambda: unless(("ServerSideEncryptionConfigurationNotFoundError",), lambda: s3.get_bucket_encryption(Bucket=name), {}),
        lambda: s3.get_bucket_versioning(Bucket=name),
        lambda: unless(("NoSuchLifecycleConfiguration",), lambda: s3.get_bucket_lifecycle_configuration(Bucket=name), {}),
        lambda: unless(("NoSuchBucketPolicy",), lambda: s3.get_bucket_policy(Bucket=name), {}),
    )
    block, owner, encrypted, versions, rules, text = answers[1:]
    return answers[0], {
        "public_access_block": all(block.get("PublicAccessBlockConfiguration", {}).get(word) is True for word in _BLOCK),
        "ownership": (owner.get("OwnershipControls", {}).get("Rules") or [{}])[0].get("ObjectOwnership"),
        "encryption": _encryption_of(encrypted),
        "versioning": versions.get("Status", "Off"),
        "lifecycle": [_rule_of(raw) for raw in rules.get("Rules", [])],
        "policy": json.loads(text["Policy"]) if text.get("Policy") else None,
    }


def encryption(bucket: Bucket) -> dict[str, Any]:
    if bucket.encryption == "s3":
        return {"algorithm": "AES256"}
    return {"algorithm": "aws:kms", "bucket_key": True, **({"key": bucket.kms_key} if bucket.kms_key else {})}


def _encryption_of(answer: dict[str, Any]) -> Optional[dict[str, Any]]:
    rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules")
    if not rules:
        return None
    default = rules[0].get("ApplyServerSideEncryptionByDefault", {})
    if default.get("SSEAlgorithm") == "AES256":
        return {"algorithm": "AES256"}
    key = default.get("KMSMasterKeyID")
    return {"algorithm": default.get("SSEAlgorithm"), "bucket_key": bool(rules[0].get("BucketKeyEnabled")), **({"key": key} if key else {})}


def lifecycle(bucket: Bucket) -> list[dict[str, Any]]:
    words = ("prefix", "expire_days", "noncurrent_expire_days", "abort_multipart_days")
    return [{word: getattr(rule, word) for word in words if getattr(rule, word) is not None} for rule in bucket.lifecycle]


def _rule_of(raw: dict[str, Any]) -> dict[str, Any]:
    """A lifecycle rule in our words; what our words cannot say is kept whole, so that it shows as a difference."""
    rest = {key: value for key, value in raw.items() if key not in ("ID", "Status", "Filter", "Prefix")}
    condition = raw.get("Filter") or {}
    rule: dict[str, Any] = {"prefix": condition.get("Prefix", raw.get("Prefix")) or ""}
    takes = (
        ("expire_days", "Expiration", "Days"),
        ("noncurrent_expire_days", "NoncurrentVersionExpiration", "NoncurrentDays"),
        ("abort_multipart_days", "AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
    )
    for word, key, inner in takes:
        value = rest.get(key) or {}
        if inner in value:
            rule[word] = int(value[inner])
            if not {one for one, said in value.items() if said} - {inner}:
                del rest[key]
    if raw.get("Status") != "Enabled":
        rest["Status"] = raw.get("Status")
    if set(condition) - {"Prefix"}:
        rest["Filter"] = condition
    if rest:
        rule["other"] = json.loads(json.dumps(rest, default=str))
    return rule


def canonical_rules(rules: Any) -> list[str]:
    return sorted(json.dumps(rule, sort_keys=True) for rule in rules or [])


def _raw_rule(rule: dict[str, Any], index: int) -> dict[str, Any]:
    raw: dict[str, Any] = {"ID": f"mlinfra-{index}", "Status": "Enabled", "Filter": {"Prefix": rule.get("prefix", "")}}
    if "expire_days" in rule:
        raw["Expiration"] = {"Days": rule["expire_days"]}
    if "noncurrent_expire_days" in rule:
        raw["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule["noncurrent_expire_days"]}
    if "abort_multipart_days" in rule:
        raw["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": rule["abort_multipart_days"]}
    return raw


def policy(bucket_name: str, partition: str, statements: Any = ()) -> dict[str, Any]:
    """Refuses requests without TLS.

    :param statements: those of others, which stay.
    """
    arn = f"arn:{partition}:s3:::{bucket_name}"
    ours = {
        "Sid": _SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [*statements, ours]}


def others(document: Optional[dict[str, Any]]) -> list[dict[str, Any]]:
    """The statements of a bucket policy that are not ours."""
    listed = (document or {}).get("Statement", [])
    return [one for one in ([listed] if isinstance(listed, dict) else listed) if one.get("Sid") != _SID]


def _set_block(act: Any, name: str, want: Any, have: Any) -> None:
    act.call("s3", "put_public_access_block", Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(_BLOCK, True))


def _set_ownership(act: Any, name: str, want: str, have: Any) -> None:
    act.call("s3", "put_bucket_ownership_controls", Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": want}]})


def _set_encryption(act: Any, name: str, want: dict[str, Any], have: Any) -> None:
    default = {"SSEAlgorithm": want["algorithm"], **({"KMSMasterKeyID": want["key"]} if want.get("key") else {})}
    rule: dict[str, Any] = {"ApplyServerSideEncryptionByDefault": default}
    if want["algorithm"] == "aws:kms":
        rule["BucketKeyEnabled"] = want["bucket_key"]
    act.call("s3", "put_bucket_encryption", Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})


def _set_versioning(act: Any, name: str, want: str, have: Any) -> None:
    act.call(
        "s3", "put_bucket_versioning", Bucket=name, VersioningConfiguration={"Status": "Enabled" if want == "Enabled" else "Suspended"}
    )


def _set_lifecycle(act: Any, name: str, want: list[dict[str, Any]], have: Any) -> None:
    if want:
        rules = [_raw_rule(rule, index) for index, rule in enumerate(want)]
        act.call("s3", "put_bucket_lifecycle_configuration", Bucket=name, LifecycleConfiguration={"Rules": rules})
    else:
        act.call("s3", "delete_bucket_lifecycle", Bucket=name)


def _set_policy(act: Any, name: str, want: Any, have: Any) -> None:
    if want:
        act.call("s3", "put_bucket_policy", Bucket=name, Policy=json.dumps(want))
    else:
        act.call("s3", "delete_bucket_policy", Bucket=name)


#: word of the state → what brings it about; in the order in which a new bucket gets them.
SETTINGS: dict[str, Callable[[Any, str, Any, Any], None]] = {
    "public_access_block": _set_block,
    "ownership": _set_ownership,
    "encryption": _set_encryption,
    "versioning": _set_versioning,
    "lifecycle": _set_lifecycle,
    "policy": _set_policy,
}
