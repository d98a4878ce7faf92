# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What the hosts' role may do: just what the declaration's read, write, pull and push need.

Actions: Service Authorization Reference (docs.aws.amazon.com/service-authorization) and, for images,
docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html.
"""

from __future__ import annotations

from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Bucket, Stack

_READ = ("s3:GetObject", "s3:GetObjectVersion")
_WRITE = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_PUSH = ("ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart")


def trust(partition: str) -> dict[str, Any]:
    """EC2 may take the role."""
    service = "ec2.amazonaws.com.cn" if partition == "aws-cn" else "ec2.amazonaws.com"
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def policy(stack: Stack, partition: str, account_id: str) -> Optional[dict[str, Any]]:
    """The inline policy, or None when nothing is granted."""
    identity = stack.identity
    declared = {bucket.name: bucket for bucket in stack.buckets or ()}
    repositories = {repository.name: repository.repository_name for repository in stack.repositories or ()}
    scope = stack.scope

    def bucket_arn(name: str) -> str:
        return f"arn:{partition}:s3:::{declared[name].bucket_name}"

    def repository_arn(name: str) -> str:
        return f"arn:{partition}:ecr:{scope.region}:{account_id}:repository/{repositories[name]}"

    write, push = sorted(set(identity.write)), sorted(set(identity.push))
    read = sorted({*identity.read, *write})  # who writes may read, who pushes may pull
    pull = sorted({*identity.pull, *push})
    statements = [
        _allow(
            "ListBuckets", ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"), [bucket_arn(one) for one in read]
        ),
        _allow("ReadObjects", _READ, [f"{bucket_arn(name)}/*" for name in read]),
        _allow("WriteObjects", _WRITE, [f"{bucket_arn(name)}/*" for name in write]),
        _allow("ReadEncrypted", ("kms:Decrypt",), _keys(declared, read, partition, scope.region, account_id)),
        _allow("WriteEncrypted", ("kms:GenerateDataKey",), _keys(declared, write, partition, scope.region, account_id)),
        _allow("LogInToRegistry", ("ecr:GetAuthorizationToken",), ["*"] if pull else []),
        _allow("PullImages", _PULL, [repository_arn(name) for name in pull]),
        _allow("PushImages", _PUSH, [repository_arn(name) for name in push]),
    ]
    granted = [statement for statement in statements if statement["Resource"]]
    return {"Version": "2012-10-17", "Statement": granted} if granted else None


def _allow(sid: str, actions: tuple[str, ...], resources: list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": sorted(resources)}


def _keys(declared: dict[str, Bucket], names: list[str], partition: str, region: str, account_id: str) -> list[str]:
    """ARNs of the customer keys of these buckets; the key that S3 manages itself needs no grant. An alias has no key ARN of its own."""
    keys = {declared[name].kms_key for name in names if name in declared and declared[name].kms_key}
    return [
        key if key.startswith("arn:") else f"arn:{partition}:kms:{region}:{account_id}:key/{key}"
        for key in keys
        if not key.startswith("alias/")
    ]
