# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sections buckets and repositories of a stack."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  buckets:
    description: S3 buckets. Their public access is always blocked.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name in this declaration.
        type: str
        required: true
      bucket_name:
        description: Name in S3. Left out, it is C(<stack>-<environment>-<name>-<account>).
        type: str
      existing:
        description: Whether the bucket exists already, and is only referred to. Needs O(buckets[].bucket_name).
        type: bool
        default: false
      versioning:
        description: Whether older versions of objects are kept.
        type: bool
        default: false
      encryption:
        description: V(s3) encrypts with keys of S3, V(kms) with a KMS key.
        type: str
        choices: [s3, kms]
        default: s3
      kms_key:
        description: KMS key for O(buckets[].encryption=kms). Left out, AWS manages one.
        type: str
      tls_only:
        description: Whether requests without TLS are denied.
        type: bool
        default: true
      mlflow:
        description: Whether the bucket takes the artifacts of MLflow.
        type: bool
        default: false
      lifecycle:
        description: Rules that remove what is old.
        type: list
        elements: dict
        suboptions:
          prefix:
            description: Objects that the rule is for. Left out, all.
            type: str
            default: ''
          expire_days:
            description: Days after which objects go.
            type: int
          noncurrent_expire_days:
            description: Days after which older versions go.
            type: int
          abort_multipart_days:
            description: Days after which unfinished uploads go.
            type: int
  repositories:
    description: ECR repositories for container images.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name in this declaration.
        type: str
        required: true
      repository_name:
        description: Name in ECR. Left out, it is C(<stack>-<environment>/<name>).
        type: str
      existing:
        description: Whether the repository exists already, and is only referred to. Needs O(repositories[].repository_name).
        type: bool
        default: false
      immutable_tags:
        description: Whether a tag, once pushed, stays with its image.
        type: bool
        default: false
      scan_on_push:
        description: Whether images are scanned for known vulnerabilities when they are pushed.
        type: bool
        default: true
      keep_last:
        description: How many images are kept. Left out, all.
        type: int
      kms_key:
        description: KMS key that encrypts the images. It cannot be changed later, and is compared only when it is no alias.
        type: str
"""
