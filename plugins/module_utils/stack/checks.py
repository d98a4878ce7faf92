# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Checks that several sections share: names, tags, ARNs, CIDRs, alternatives. Each adds to ``problems`` and returns what it read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import EMPTY, Problems, listed

# Our own names end up in names of every kind of resource, so they keep to what the strictest of them (S3) takes.
_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
# IAM's own pattern for tags, the strictest of the services we tag in (IAM API reference, type tagKeyType), letters as Python sees them.
_TAG_TEXT = re.compile(r"[\w\s.:/=+\-@]*")
_RESERVED_TAGS = ("aws:", "mlinfra:")
MAX_TAGS = 35  # AWS allows 50 on a resource (Tag naming limits, AWS General Reference); the rest is for our own
_ACCOUNT = re.compile(r"[0-9]{12}")
_PARTITIONS = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-iso-", "aws-iso"),
    ("eusc-", "aws-eusc"),
)


def each(elements: Iterable[Any] | None, path: str) -> Iterator[tuple[str, Any]]:
    """(path, element) of those that could be read."""
    for index, element in enumerate(elements or ()):
        if element is not None:
            yield f"{path}[{index}]", element


def present(elements: Iterable[Any] | None) -> tuple[Any, ...]:
    return tuple(element for element in elements or () if element is not None)


def name(value: str | None, path: str, problems: Problems, longest: int = 32) -> None:
    if value is not None and not (_NAME.fullmatch(value) and len(value) <= longest and "--" not in value):
        problems.add(
            path,
            value,
            f"1 to {longest} lowercase letters, digits and single hyphens, from a letter to a letter or digit",
            "Choose a name like train or data-raw",
        )


def unique(values: Iterable[tuple[str, Any]], problems: Problems) -> None:
    """``values`` are (path, value); the second and later of equal ones are reported."""
    seen: dict[Any, str] = {}
    for path, value in values:
        if value is None:
            continue
        if value in seen:
            problems.add(path, value, f"{seen[value]} has it already", "Give each its own, or remove one of them")
        seen.setdefault(value, path)


def least(value: int | None, smallest: int, path: str, problems: Problems, hint: str, largest: int | None = None) -> None:
    if value is None:
        return
    if value < smallest or (largest is not None and value > largest):
        bounds = f"{smallest} or more" if largest is None else f"{smallest} to {largest}"
        problems.add(path, value, f"{bounds} is possible", hint)


def is_account(value: Any) -> bool:
    return bool(_ACCOUNT.fullmatch(str(value)))


def partition(region: str | None) -> str:
    return next((name for prefix, name in _PARTITIONS if (region or "").startswith(prefix)), "aws")


def arn(value: str | None, rest: str, example: str, region: str | None, path: str, problems: Problems) -> None:
    """``rest`` is a pattern for what follows ``arn:<partition>:``. The partition must be the region's; without a region, any will do."""
    if value is None:
        return
    wanted = partition(region)
    shape = re.fullmatch(r"arn:(aws[a-z-]*):(.*)", value)
    if not shape or not re.fullmatch(rest, shape.group(2)):
        problems.add(path, value, "an ARN belongs here", f"Write it like arn:{wanted}:{example}")
    elif region and shape.group(1) != wanted:
        problems.add(path, value, f"region {region} is in partition {wanted}", f"Write it like arn:{wanted}:{example}")


def kms_key(value: str | None, region: str | None, path: str, problems: Problems) -> None:
    """A key id, an alias or the ARN of either (KMS API reference, parameter KeyId)."""
    if value is None or re.fullmatch(r"(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|alias/[A-Za-z0-9/_-]+)", value):
        return
    if value.startswith("arn:"):
        rest = r"kms:[a-z0-9-]+:[0-9]{12}:(key/[a-z0-9-]+|alias/[A-Za-z0-9/_-]+)"
        arn(value, rest, "kms:us-east-1:123456789012:key/…", region, path, problems)
    else:
        problems.add(path, value, "a KMS key's id, alias/… or ARN belongs here", "Leave it out for the key that AWS manages")


def tags(value: Mapping[str, Any] | None, path: str, problems: Problems) -> dict[str, str]:
    """Tag limits: 128 and 256 characters, reserved prefixes (AWS General Reference, Tagging your AWS resources)."""
    clean = {}
    folded: dict[str, str] = {}
    for key, text in (value or {}).items():
        here = f"{path}.{key}"
        key = str(key)
        if key.lower().startswith(_RESERVED_TAGS) or key == "Name":
            problems.add(here, text, "keys that begin with aws: or mlinfra: and the key Name are reserved", "Choose another key")
        elif not key or len(key) > 128 or not _TAG_TEXT.fullmatch(key):
            problems.add(
                here,
                text,
                "a key has 1 to 128 letters, digits, spaces and . : / = + - @ _",
                "Shorten it or replace what is not in that list",
            )
        elif key.lower() in folded:
            problems.add(here, text, f"IAM takes {folded[key.lower()]} and {key} for the same key", "Remove one of them")
        folded.setdefault(key.lower(), key)
        if isinstance(text, (bool, dict, list)) or text is None:
            problems.add(here, text, "a tag's value is text", "Quote it")
        elif len(str(text)) > 256 or not _TAG_TEXT.fullmatch(str(text)):
            problems.add(
                here,
                text,
                "a value has 0 to 256 letters, digits, spaces and . : / = + - @ _",
                "Shorten it or replace what is not in that list",
            )
        clean[key] = str(text)
    if len(clean) > MAX_TAGS:
        problems.add(
            path, f"{len(clean)} tags", f"AWS takes 50 on a resource and the collection needs some, so {MAX_TAGS} are left", "Remove some"
        )
    return clean


def cidr(value: str | None, path: str, problems: Problems, example: str = "203.0.113.7/32") -> ipaddress.IPv4Network | None:
    """An IPv4 range without host bits, or None where it is not one."""
    if value is None:
        return None
    try:
        wide = ipaddress.ip_network(value, strict=False)
    except ValueError:
        problems.add(path, value, "an IPv4 range belongs here", f"Write it like {example}")
        return None
    if wide.version != 4 or "/" not in value:
        problems.add(path, value, "an IPv4 range with its prefix length belongs here", f"Write it like {example}")
        return None
    if str(wide.network_address) != value.split("/")[0]:
        problems.add(path, value, "bits are set beyond the prefix length", f"Write {wide} for the whole range")
        return None
    return wide


def cidrs(values: Iterable[Any] | None, path: str, problems: Problems) -> tuple[str, ...]:
    ranges = [(here, cidr(value, here, problems)) for here, value in each(values, path)]
    unique(((here, str(network)) for here, network in ranges if network), problems)
    return tuple(str(network) for here, network in ranges if network)


def exactly_one(section: Mapping[str, Any], keys: Iterable[str], path: str, problems: Problems, hint: str) -> None:
    """One of the keys must be given. A key that is reported already counts as given."""
    keys = list(keys)
    given = [key for key in keys if section.get(key) or problems.at(f"{path}.{key}")]
    if not given:
        problems.add(path, _without(section), f"one of {listed(keys)} is needed", hint)
    elif len(given) > 1:
        problems.add(
            f"{path}.{given[1]}", section.get(given[1]), f"{path}.{given[0]} is given too, and only one of {listed(keys)} is possible", hint
        )


def _without(section: Mapping[str, Any]) -> Any:
    return {key: value for key, value in section.items() if value is not None} if any(section.values()) else EMPTY


def unwanted(section: Mapping[str, Any], keys: Iterable[str], path: str, problems: Problems, reason: str, hint: str) -> None:
    """Settings that would have no effect, and so are mistakes."""
    for key in keys:
        if section.get(key):
            problems.add(f"{path}.{key}" if path else key, section[key], reason, hint)
