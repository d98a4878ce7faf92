# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket of another account is closed, and its name is taken.

AWS: every call on it answers 403 AccessDenied, HeadBucket too; CreateBucket answers BucketAlreadyExists.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html, https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
moto: everybody can use and delete everybody's buckets. (Creating one's own bucket again answers as AWS does: 200 in us-east-1, else
BucketAlreadyOwnedByYou.)
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    from moto.s3.exceptions import BucketAlreadyExists, S3ClientError
    from moto.s3.models import S3Backend, s3_backends

    create, get = S3Backend.create_bucket, S3Backend.get_bucket

    def create_bucket(self: Any, bucket_name: str, *arguments: Any, **options: Any) -> Any:
        if s3_backends.bucket_accounts.get(bucket_name, ("", self.account_id))[1] != self.account_id:
            # moto catches its own class and then hands out the other account's bucket
            raise S3ClientError("BucketAlreadyExists", BucketAlreadyExists(bucket_name).message)
        return create(self, bucket_name, *arguments, **options)

    def get_bucket(self: Any, bucket_name: str) -> Any:
        if bucket_name not in self.buckets and bucket_name in s3_backends.bucket_accounts:
            raise S3ClientError("AccessDenied", "Access Denied")
        return get(self, bucket_name)

    S3Backend.create_bucket, S3Backend.get_bucket = create_bucket, get_bucket
    _answer_403()


def _answer_403() -> None:
    """AccessDenied is in no service model, so moto's serializer would answer 400."""
    from moto.core.serialize import S3Serializer

    original = S3Serializer._serialized_error_to_response

    def serialized(self: Any, resp: Any, error: Exception, *rest: Any) -> Any:
        answer = original(self, resp, error, *rest)
        if getattr(error, "code", "") == "AccessDenied":
            answer["status_code"] = 403
        return answer

    S3Serializer._serialized_error_to_response = serialized
