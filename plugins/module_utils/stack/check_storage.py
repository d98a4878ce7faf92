# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The sections buckets and repositories."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import checks
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import EMPTY, MISSING, Problems
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Bucket, LifecycleRule, Repository, Scope

# Amazon S3 user guide, General purpose bucket naming rules.
_BUCKET = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_BUCKET_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_BUCKET_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an")
# Amazon ECR API reference, CreateRepository, repositoryName.
_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_ACTIONS = ("expire_days", "noncurrent_expire_days", "abort_multipart_days")


def buckets(section: Any | None, scope: Scope, problems: Problems) -> tuple[Bucket, ...] | None:
    if section is None:
        return None
    checks.unique(((f"{path}.name", one["name"]) for path, one in checks.each(section, "buckets")), problems)
    wishes = [(path, _bucket(one, path, scope, problems)) for path, one in checks.each(section, "buckets")]
    checks.unique(((f"{path}.bucket_name", wish.bucket_name) for path, wish in wishes if not problems.at(f"{path}.name")), problems)
    return tuple(wish for path, wish in wishes)


def _bucket(section: Mapping[str, Any], path: str, scope: Scope, problems: Problems) -> Bucket:
    name, given = section["name"], section["bucket_name"]
    checks.name(name, f"{path}.name", problems)
    _foreign(section, "bucket_name", ("versioning", "kms_key", "mlflow", "lifecycle"), path, problems)
    physical = given or f"{scope.prefix}-{name}-{scope.account_id}"
    if given:
        wrong = bucket_name_fault(given)
        if wrong:
            problems.add(f"{path}.bucket_name", given, wrong, "Choose another name; it is unique among all accounts of AWS")
    elif not any(problems.at(where) for where in (f"{path}.name", "name", "environment", "account_id")):
        wrong = bucket_name_fault(physical)
        if wrong:
            problems.add(
                f"{path}.name",
                name,
                f"the bucket would be called {physical} ({len(physical)} characters): {wrong}",
                "Shorten it, or set bucket_name",
            )
    if section["kms_key"] and section["encryption"] == "s3":
        problems.add(f"{path}.kms_key", section["kms_key"], "only encryption kms uses a key", "Set encryption: kms, or remove the key")
    checks.kms_key(section["kms_key"], scope.region, f"{path}.kms_key", problems)
    return Bucket(
        name=name or "",
        bucket_name=physical,
        existing=bool(section["existing"]),
        versioning=bool(section["versioning"]),
        encryption=section["encryption"] or "s3",
        kms_key=section["kms_key"],
        tls_only=bool(section["tls_only"]),
        mlflow=bool(section["mlflow"]),
        lifecycle=_lifecycle(section["lifecycle"], f"{path}.lifecycle", problems),
    )


def bucket_name_fault(name: str) -> str | None:
    """Which of S3's rules the name breaks, or None."""
    if not 3 <= len(name) <= 63:
        return "S3 takes 3 to 63 characters"
    if not _BUCKET.fullmatch(name):
        return "S3 takes lowercase letters, digits, dots and hyphens, from a letter or digit to a letter or digit"
    if ".." in name:
        return "S3 takes no two dots in a row"
    try:
        ipaddress.IPv4Address(name)
        return "S3 takes no name that looks like an IP address"
    except ValueError:
        pass
    if name.startswith(_BUCKET_PREFIXES):
        return f"S3 keeps names that begin with {_match(name.startswith, _BUCKET_PREFIXES)} for itself"
    if name.endswith(_BUCKET_SUFFIXES):
        return f"S3 keeps names that end in {_match(name.endswith, _BUCKET_SUFFIXES)} for itself"
    return None


def _match(test: Any, words: tuple[str, ...]) -> str:
    return next(word for word in words if test(word))


def _lifecycle(rules: Any, path: str, problems: Problems) -> tuple[LifecycleRule, ...]:
    checks.unique(((f"{here}.prefix", rule["prefix"]) for here, rule in checks.each(rules, path)), problems)
    wishes = []
    for here, rule in checks.each(rules, path):
        if not any(rule[action] is not None or problems.at(f"{here}.{action}") for action in _ACTIONS):
            problems.add(here, EMPTY, "a rule without an action does nothing", f"Add one of {', '.join(_ACTIONS)}")
        for action in _ACTIONS:
            checks.least(rule[action], 1, f"{here}.{action}", problems, "Give a number of days")
        wishes.append(LifecycleRule(prefix=rule["prefix"] or "", **{action: rule[action] for action in _ACTIONS}))
    return tuple(wishes)


def repositories(section: Any | None, scope: Scope, problems: Problems) -> tuple[Repository, ...] | None:
    if section is None:
        return None
    checks.unique(((f"{path}.name", one["name"]) for path, one in checks.each(section, "repositories")), problems)
    wishes = [(path, _repository(one, path, scope, problems)) for path, one in checks.each(section, "repositories")]
    checks.unique(((f"{path}.repository_name", wish.repository_name) for path, wish in wishes if not problems.at(f"{path}.name")), problems)
    return tuple(wish for path, wish in wishes)


def _repository(section: Mapping[str, Any], path: str, scope: Scope, problems: Problems) -> Repository:
    name, given = section["name"], section["repository_name"]
    checks.name(name, f"{path}.name", problems, longest=64)
    _foreign(section, "repository_name", ("immutable_tags", "keep_last", "kms_key"), path, problems)
    if given and not (_REPOSITORY.fullmatch(given) and 2 <= len(given) <= 256):
        problems.add(
            f"{path}.repository_name",
            given,
            "ECR takes 2 to 256 lowercase letters, digits and single . _ - / between them",
            "Write it like team/train",
        )
    checks.least(section["keep_last"], 1, f"{path}.keep_last", problems, "Give the number of images to keep, or leave it out to keep all")
    checks.kms_key(section["kms_key"], scope.region, f"{path}.kms_key", problems)
    return Repository(
        name=name or "",
        repository_name=given or f"{scope.prefix}/{name}",
        existing=bool(section["existing"]),
        immutable_tags=bool(section["immutable_tags"]),
        scan_on_push=bool(section["scan_on_push"]),
        keep_last=section["keep_last"],
        kms_key=section["kms_key"],
    )


def _foreign(section: Mapping[str, Any], physical: str, settings: tuple[str, ...], path: str, problems: Problems) -> None:
    """What exists already is referred to by its real name and keeps its settings."""
    if not section["existing"]:
        return
    if not section[physical] and not problems.at(f"{path}.{physical}"):
        problems.add(f"{path}.{physical}", MISSING, "existing: true refers to one by its real name", f"Add {physical}")
    checks.unwanted(
        section, settings, path, problems, "existing: true is read and never written", "Remove it, or remove existing to have one made"
    )
