# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fresh bucket is private and encrypted, and keeps the tags it was created with.

AWS: SSE-S3 by default since January 2023, all public access blocked and ACLs disabled since April 2023; deleting the encryption
configuration resets it to SSE-S3; CreateBucketConfiguration takes Tags.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html
moto: none of these.
"""

from __future__ import annotations

from typing import Any


def _encryption() -> dict[str, Any]:
    return {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": "false"}}


def apply() -> None:
    from moto.s3.models import FakeBucket, PublicAccessBlock, S3Backend
    from moto.s3.responses import S3Response

    make = FakeBucket.__init__

    def init(self: Any, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        self.encryption = _encryption()
        self.public_access_block = PublicAccessBlock("true", "true", "true", "true")
        self.ownership_rule = "BucketOwnerEnforced"

    def delete_bucket_encryption(self: Any, bucket_name: str) -> None:
        self.get_bucket(bucket_name).encryption = _encryption()

    respond = S3Response._bucket_response_put

    def bucket_response_put(self: Any, request: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
        answer = respond(self, request, bucket_name, querystring)
        if self.data.get("Action") == "CreateBucket" and b"<Tag>" in (self.body or b""):
            self.backend.put_bucket_tagging(bucket_name, _tags(self.body))
        return answer

    FakeBucket.__init__ = init
    S3Backend.delete_bucket_encryption = delete_bucket_encryption
    S3Response._bucket_response_put = bucket_response_put


def _tags(body: bytes) -> dict[str, str]:
    """The tags in the XML of a CreateBucketConfiguration."""
    import xmltodict

    read = xmltodict.parse(body, force_list=("Tag",))["CreateBucketConfiguration"]
    return {tag["Key"]: tag.get("Value") or "" for tag in read["Tags"]["Tag"]}
