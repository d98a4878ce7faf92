# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The pools section."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import match
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.types import GPU_TYPES
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import check_change, check_launch, check_volumes, checks
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.check_lease import lease, power
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.check_network import zone_names
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import Problems, closest, listed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Disk, GpuWish, Image, Pool, Scope

_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9]+(-[a-z0-9]+)*")
_AMI = re.compile(r"ami-([0-9a-f]{8}|[0-9a-f]{17})")
_PARAMETER = re.compile(r"/[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")  # AWS Systems Manager user guide, Parameter Store names
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_OWNER_ALIASES = ("self", "amazon", "aws-marketplace", "aws-backup-vault")  # Amazon EC2 API reference, DescribeImages, Owner
_USER_DATA = 16 * 1024  # bytes before base64 (Amazon EC2 user guide, instance user data)
_GIB = {"gp3": check_volumes.LARGEST, "gp2": 16384}  # Amazon EC2 API reference, EbsBlockDevice (2026)


def pools(section: Any | None, scope: Scope, problems: Problems) -> tuple[Pool, ...] | None:
    if section is None:
        return None
    checks.unique(((f"{path}.name", one["name"]) for path, one in checks.each(section, "pools")), problems)
    check_change.adopted_once(section, problems)
    return tuple(_pool(one, path, scope, problems) for path, one in checks.each(section, "pools"))


def _pool(section: Mapping[str, Any], path: str, scope: Scope, problems: Problems) -> Pool:
    checks.name(section["name"], f"{path}.name", problems)
    checks.least(section["count"], 0, f"{path}.count", problems, "Use 0 for a pool without hosts")
    types = section["instance_types"]
    if section["gpu"] is not None and types:
        hint = "Keep gpu for what the hosts must offer, or instance_types to choose them yourself"
        problems.add(
            f"{path}.instance_types", ", ".join(map(str, types)), f"{path}.gpu is given too, and only one of them is possible", hint
        )
    elif section["gpu"] is None and not types and not problems.at(f"{path}.gpu") and not problems.at(f"{path}.instance_types"):
        problems.add(
            path, section["name"], "one of gpu and instance_types is needed", "Write gpu: {models: [a10g]} or instance_types: [t3.large]"
        )
    for option in ("instance_types", "exclude_types"):
        for here, kind in checks.each(section[option], f"{path}.{option}"):
            if not _TYPE.fullmatch(kind):
                problems.add(here, kind, "an EC2 instance type belongs here", closest(kind, GPU_TYPES, "Write it like g5.xlarge"))
        checks.unique(checks.each(section[option], f"{path}.{option}"), problems)
    gpu, offering = _gpu(section["gpu"], f"{path}.gpu", problems)
    for option in ("zones", "exclude_zones"):
        zone_names(section[option], f"{path}.{option}", scope.region, problems)
    user = section["ssh_user"]
    if user is not None and not _USER.fullmatch(user):
        problems.add(
            f"{path}.ssh_user",
            user,
            "the image's login user belongs here",
            "Use admin for Debian, ubuntu for Ubuntu, ec2-user for Amazon Linux",
        )
    if section["termination_protection"] and "spot" in checks.present(section["market"]):
        hint = "Leave spot out of market, or the protection"
        problems.add(f"{path}.termination_protection", True, "EC2 protects no spot instances, and market has spot", hint)
    return Pool(
        name=section["name"] or "",
        count=section["count"] or 0,
        instance_types=offering or checks.present(types),
        image=_image(section["image"] or {}, f"{path}.image", problems),
        gpu=gpu,
        disk=_disk(section["disk"], f"{path}.disk", scope, problems),
        volumes=check_volumes.volumes(section["volumes"], f"{path}.volumes", scope, problems),
        **check_launch.launch(section, path, problems),
        market=_markets(section, path, problems),
        max_hourly_usd=_most(section["max_hourly_usd"], f"{path}.max_hourly_usd", problems),
        min=_min(section, path, problems),
        zones=checks.present(section["zones"]),
        exclude_zones=checks.present(section["exclude_zones"]),
        exclude_types=checks.present(section["exclude_types"]),
        spread=bool(section["spread"]),
        **check_change.options(section, path, problems),
        ssh_user=user or "admin",
        user_data=_user_data(section, path, problems),
        termination_protection=bool(section["termination_protection"]),
        power=power(section, path, problems),
        data_loss=section["data_loss"] or "refused",
        lease=lease(section, path, scope, offering or checks.present(types), problems),
        tags=checks.tags(section["tags"], f"{path}.tags", problems),
    )


def _markets(section: Mapping[str, Any], path: str, problems: Problems) -> tuple[str, ...]:
    markets = checks.present(section["market"])
    if section["market"] is not None and not any(section["market"]):
        problems.add(f"{path}.market", "[]", "at least one market is needed", "Leave it out for on_demand")
    checks.unique(checks.each(section["market"], f"{path}.market"), problems)
    return markets or ("on_demand",)


def _most(usd: float | None, path: str, problems: Problems) -> float | None:
    if usd is not None and not usd > 0:
        problems.add(path, usd, "more than 0 belongs here, USD for an hour of one instance", "Leave it out for any price")
    return usd


def _min(section: Mapping[str, Any], path: str, problems: Problems) -> int | None:
    checks.least(section["min"], 0, f"{path}.min", problems, "Leave it out to want all of count")
    if None not in (section["min"], section["count"]) and section["min"] > section["count"]:
        problems.add(f"{path}.min", section["min"], f"count is {section['count']}", "Use at most that")
    return section["min"]


def _gpu(section: Mapping[str, Any] | None, path: str, problems: Problems) -> tuple[GpuWish | None, tuple[str, ...]]:
    """The wish and the types that offer it, cheapest first."""
    if section is None:
        return None, ()
    known = match.models()
    models = tuple(model.lower() for model in checks.present(section["models"]))
    for here, model in checks.each(section["models"], f"{path}.models"):
        if model.lower() not in known:
            problems.add(here, model, f"EC2 offers {listed(known)}", closest(model, known, "Use one of those"))
    checks.unique(((here, model.lower()) for here, model in checks.each(section["models"], f"{path}.models")), problems)
    count, memory = section["count"], section["memory_gib"]
    checks.least(count, 1, f"{path}.count", problems, "Use instance_types for hosts without a GPU")
    checks.least(memory, 1, f"{path}.memory_gib", problems, "Give the nominal size of one GPU's memory, like 24 or 80")
    offering: tuple[str, ...] = ()
    if count is not None and not problems.at(path):
        offering = match.instance_types(models, count, memory)
        if not offering:
            _unoffered(models, count, memory, path, problems)
    return GpuWish(models=models, count=count or 1, memory_gib=memory), offering


def _unoffered(models: tuple[str, ...], count: int, memory: int | None, path: str, problems: Problems) -> None:
    """Says which part of the wish no type meets, and what there is instead."""
    table = match.offered(models)
    what = " or ".join(model.upper() for model in models) or "GPUs"
    fitting = {model: counts[count] for model, counts in table.items() if count in counts}
    if not fitting:
        offered = listed_by_model({model: list(counts) for model, counts in table.items()})
        problems.add(f"{path}.count", count, f"no EC2 type offers {count} {what} (offered: {offered})", "Use one of those")
    else:
        problems.add(
            f"{path}.memory_gib",
            memory,
            f"no EC2 type with {count} {what} has that much on each (offered: {listed_by_model(fitting)})",
            "Use one of those",
        )


def listed_by_model(table: Mapping[str, list[int]]) -> str:
    """``1, 8`` for one model, ``a100 8; h100 1, 8`` for several; for many models only the numbers."""
    if len(table) > 4 or len(table) == 1:
        return ", ".join(map(str, sorted({number for numbers in table.values() for number in numbers})))
    return "; ".join(f"{model} {', '.join(map(str, numbers))}" for model, numbers in table.items())


def _image(section: Mapping[str, Any], path: str, problems: Problems) -> Image:
    known = {key: section.get(key) for key in ("id", "ssm", "owner", "name")}
    if section:
        by_name = known["owner"] or known["name"]
        ways = {"id": known["id"], "ssm": known["ssm"], "owner": by_name}
        checks.exactly_one(
            ways, ways, path, problems, "Give id, ssm, or owner with name, for example ssm: /aws/service/debian/release/12/latest/amd64"
        )
        if by_name and not (known["owner"] and known["name"]):
            missing = "name" if known["owner"] else "owner"
            if not problems.at(path):
                problems.add(
                    path, by_name, "owner and name belong together", f"Add {missing}, so that nobody else's image of that name is taken"
                )
    if known["id"] is not None and not _AMI.fullmatch(known["id"]):
        problems.add(f"{path}.id", known["id"], "an AMI's id belongs here", "Write it like ami-0123456789abcdef0")
    if known["ssm"] is not None and not _PARAMETER.fullmatch(known["ssm"]):
        problems.add(
            f"{path}.ssm", known["ssm"], "a parameter's path belongs here", "Write it like /aws/service/debian/release/12/latest/amd64"
        )
    if known["owner"] is not None and not (checks.is_account(known["owner"]) or known["owner"] in _OWNER_ALIASES):
        problems.add(
            f"{path}.owner",
            known["owner"],
            f"an account id of 12 digits or one of {listed(_OWNER_ALIASES)} belongs here",
            "Debian's is 136693071363",
        )
    return Image(**known)


def _disk(section: Mapping[str, Any] | None, path: str, scope: Scope, problems: Problems) -> Disk:
    if section is None:
        return Disk()
    gib, kind, iops, throughput = section["gib"], section["type"] or "gp3", section["iops"], section["throughput"]
    checks.least(gib, 1, f"{path}.gib", problems, f"Give a size in GiB; {kind} goes to {_GIB[kind]}", largest=_GIB[kind])
    if kind == "gp3":
        check_volumes.gp3(gib, iops, throughput, path, problems)
    else:
        checks.unwanted(
            section, ("iops", "throughput"), path, problems, f"only gp3 takes it, and this is {kind}", "Use type: gp3, or remove it"
        )
    checks.kms_key(section["kms_key"], scope.region, f"{path}.kms_key", problems)
    return Disk(gib=gib or 0, type=kind, iops=iops, throughput=throughput, kms_key=section["kms_key"])


def _user_data(section: Mapping[str, Any], path: str, problems: Problems) -> str | None:
    text = section["user_data"]
    if text is not None and section["user_data_file"] is not None:
        problems.add(f"{path}.user_data_file", section["user_data_file"], f"{path}.user_data is given too", "Keep one of them")
    if text is not None and len(text.encode("utf-8", "surrogateescape")) > _USER_DATA:
        size = f"{len(text.encode('utf-8', 'surrogateescape'))} bytes"
        problems.add(f"{path}.user_data", size, f"EC2 takes {_USER_DATA} bytes", "Put the rest into a bucket and fetch it from there")
    return text
