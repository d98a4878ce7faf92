# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""S3 buckets: private, encrypted, TLS only, with their lifecycle; or some that are there and only looked for."""

from __future__ import annotations

from typing import Any, Optional

from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.bucket_settings import (
    EMPTY,
    SETTINGS,
    canonical_rules,
    encryption,
    lifecycle,
    others,
    policy,
    read,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, code_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Kind, Reader, canonical, unless
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import REGION, claims, owner_tags, to_list
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Bucket as Declared

_ABSENT = ("NoSuchBucket", "404", "NotFound")
_TAKEN = ("AccessDenied", "403", "Forbidden", "AllAccessDisabled")


class Bucket(Kind):
    """Named as in the declaration; the id is the bucket's name in S3."""

    name = "bucket"
    section = "buckets"
    service = "s3"
    immutable = ("bucket_name",)

    def observe(self, reader: Reader) -> list[Found]:
        declared = {bucket.bucket_name: bucket for bucket in reader.stack.buckets or ()}
        names = dict.fromkeys(declared)
        if reader.complete:
            prefix = f"{reader.scope.prefix}-"
            listed = reader.client("s3").list_buckets().get("Buckets", [])
            names.update(dict.fromkeys(raw["Name"] for raw in listed if raw["Name"].startswith(prefix)))
        found = reader.together(*[lambda name=name: self._one(reader, name, declared.get(name)) for name in names])
        return [one for one in found if one is not None]

    def _one(self, reader: Reader, name: str, declared: Optional[Declared]) -> Optional[Found]:
        """None: there is no such bucket, or none that could be the stack's.

        :raises StackError: declared, and somebody else's or in another region.
        """
        if declared is not None and declared.existing:
            return self._existing(reader, name, declared)
        try:
            tags, state = read(reader, name, settings=declared is not None)
        except Exception as error:
            if code_of(error) in _ABSENT:
                return None
            if code_of(error) in _TAKEN and declared is None:
                return None
            if code_of(error) in _TAKEN and getattr(error, "operation_name", "") == "GetBucketTagging":
                raise taken(name, declared) from error
            if code_of(error) in ("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"):
                raise elsewhere(name, declared, reader.scope.region) from error
            raise
        owned = claims(tags, reader.scope, self.name) and tags.get(REGION) == reader.scope.region
        claimed = tags.get("mlinfra:stack") == reader.scope.stack and tags.get(REGION, reader.scope.region) == reader.scope.region
        if declared is None and not claimed:
            return None  # only its name begins like ours, or it belongs to this stack's namesake in another region
        found = Found(self.name, self._name(reader, name, tags, declared), name, {"bucket_name": name, **state}, tags, owned)
        if declared is not None and not tags and name.startswith(f"{reader.scope.prefix}-"):
            # A run that was cut off between creating and tagging leaves an untagged, empty bucket of exactly this name: it is taken up.
            found.owned = not self._full(reader, name)
        return found

    @staticmethod
    def _name(reader: Reader, name: str, tags: dict[str, str], declared: Optional[Declared]) -> str:
        """The declaration's name; a bucket that is not declared keeps the one of its tags, if nothing declared has that."""
        if declared is not None:
            return declared.name
        own = tags.get("mlinfra:name", name)
        return name if own in [bucket.name for bucket in reader.stack.buckets or ()] else own

    def _existing(self, reader: Reader, name: str, declared: Declared) -> Found:
        try:
            reader.client("s3").head_bucket(Bucket=name)
        except Exception as error:
            if code_of(error) in _ABSENT:
                text = f"buckets.{declared.name} is existing: there is no bucket {name}"
                raise StackError(text, "Check bucket_name, or leave existing out to have it made", path="buckets") from error
            if code_of(error) in _TAKEN:
                text = f"buckets.{declared.name} is existing: these credentials may not see {name}"
                raise StackError(
                    text, "Check bucket_name, and grant s3:ListBucket on it", path="buckets", missing_action="s3:ListBucket"
                ) from error
            raise
        return Found(self.name, declared.name, name, existing=True)

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        wishes = []
        for bucket in intent.stack.buckets or ():
            path = f"buckets.{bucket.name}"
            if bucket.existing:
                wishes.append(Wish(self.name, bucket.name, existing=True, path=path))
                continue
            state = {
                "bucket_name": bucket.bucket_name,
                "public_access_block": True,
                "ownership": "BucketOwnerEnforced",
                "encryption": encryption(bucket),
                "versioning": "Enabled" if bucket.versioning else "Off",
                "lifecycle": lifecycle(bucket),
                "policy": self._policy(bucket, seen),
            }
            # S3's names are global, and it answers for a bucket of any region: the region's tag keeps two stacks of one name apart.
            tags = {**owner_tags(intent.scope, self.name, bucket.name), REGION: intent.scope.region}
            wishes.append(Wish(self.name, bucket.name, state, tags, path=path))
        return wishes

    def _policy(self, bucket: Declared, seen: Observed) -> Optional[dict[str, Any]]:
        """Our statement beside those of others, which stay."""
        found = seen.get(self.name, bucket.name)
        there = found.state.get("policy") if found else None
        if bucket.tls_only:
            return policy(bucket.bucket_name, seen.partition, others(there))
        return {**there, "Statement": others(there)} if others(there) else None

    def same(self, word: str, want: Any, have: Any) -> bool:
        if word == "policy" and want and have:
            return not compare_policies(have, want)
        if word == "lifecycle":
            return canonical_rules(want) == canonical_rules(have)
        if word == "versioning" and want == "Off":
            return have in ("Off", "Suspended")
        return canonical(want) == canonical(have)

    def guard(self, found: Found, intent: Intent) -> str:
        if found.facts.get("full") and not {found.name, found.id} & set(intent.control.force):
            return f"bucket {found.id} holds objects; name it in force: [{found.name}] to delete them, all versions included"
        return ""

    def examine(self, reader: Reader, found: Found) -> None:
        found.facts["full"] = self._full(reader, found.id)

    @staticmethod
    def _full(reader: Reader, name: str) -> bool:
        answer = unless(_ABSENT, lambda: reader.client("s3").list_object_versions(Bucket=name, MaxKeys=1), {})
        return bool(answer.get("Versions") or answer.get("DeleteMarkers"))

    def create(self, act: Any, change: Change) -> str:
        name = change.wish.state["bucket_name"]
        self._make(act, name, change)
        act.made.add(self.name)
        act.call("s3", "put_bucket_tagging", Bucket=name, Tagging={"TagSet": to_list(change.wish.tags)})
        for word, setting in SETTINGS.items():
            if change.wish.state[word] not in EMPTY:
                setting(act, name, change.wish.state[word], None)
        return name

    @staticmethod
    def _make(act: Any, name: str, change: Change) -> None:
        configuration: dict[str, Any] = {}
        if act.scope.region != "us-east-1":  # its constraint is the empty one, by S3's definition
            configuration["LocationConstraint"] = act.scope.region
        model = act.reader.client("s3").meta.service_model.operation_model("CreateBucket").input_shape
        if "Tags" in model.members["CreateBucketConfiguration"].members:
            configuration["Tags"] = to_list(change.wish.tags)
        params = {"CreateBucketConfiguration": configuration} if configuration else {}
        try:
            act.call("s3", "create_bucket", Bucket=name, **params)
        except Exception as error:
            if code_of(error) == "BucketAlreadyExists":
                raise taken(name, None) from error
            if code_of(error) != "BucketAlreadyOwnedByYou":
                raise

    def update(self, act: Any, change: Change) -> None:
        for word in change.fields:
            SETTINGS[word](act, change.id, change.wish.state[word], change.found.state[word])
        if change.tags:
            merged = {**change.found.tags, **change.tags}  # S3 sets all tags at once; those of others stay
            act.call("s3", "put_bucket_tagging", Bucket=change.id, Tagging={"TagSet": to_list(merged)})

    def delete(self, act: Any, change: Change) -> None:
        if change.found.facts.get("full"):
            self._empty(act, change.id)
        act.call("s3", "delete_bucket", Bucket=change.id)

    @staticmethod
    def _empty(act: Any, name: str) -> None:
        """Delete all versions, a thousand per request."""
        while True:
            answer = act.call("s3", "list_object_versions", Bucket=name, MaxKeys=1000)
            listed = answer.get("Versions", []) + answer.get("DeleteMarkers", [])
            if not listed:
                return
            objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in listed[:1000]]
            errors = act.call("s3", "delete_objects", Bucket=name, Delete={"Objects": objects, "Quiet": True}).get("Errors", [])
            if errors:
                first = errors[0]
                why = first.get("Message", first["Code"])
                raise StackError(
                    f"bucket {name}: {len(errors)} objects cannot be deleted, {first['Key']} for one: {why}",
                    "Mend that (retention, legal hold, missing s3:DeleteObjectVersion) and run again",
                )


def taken(name: str, declared: Optional[Declared]) -> StackError:
    path = f"buckets.{declared.name}" if declared else "buckets"
    return StackError(
        f"{path} is {name} in S3: a bucket of that name belongs to somebody else, or these credentials may not read it",
        "Choose another bucket_name, or, if it is yours, grant s3:GetBucketTagging on it",
        path=path,
    )


def elsewhere(name: str, declared: Optional[Declared], region: str) -> StackError:
    path = f"buckets.{declared.name}" if declared else "buckets"
    return StackError(f"{path} is {name} in S3: that bucket is in another region than {region}", "Choose another bucket_name", path=path)
