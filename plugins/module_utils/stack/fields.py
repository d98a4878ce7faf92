# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Brings raw parameters into the types of an argument spec and reports each mistake by its path.

Ansible's own validation stops at the first mistake and does not say in which element it is. This one goes on. Values of surveys and
extra variables arrive as strings, so strings are read as what the spec wants.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.validation import check_type_bool, check_type_float, check_type_int

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import MISSING, UNKNOWN, Problems, closest, listed

_WANTED = {
    "str": ("a string belongs here", "Quote it if it is meant as text"),
    "path": ("a file name belongs here", "Quote it if it is meant as text"),
    "int": ("a whole number belongs here", "Write it in digits"),
    "float": ("a number belongs here", "Write it in digits"),
    "bool": ("true or false belongs here", "Use one of those"),
    "dict": ("a mapping of options belongs here", "Write it as key: value lines"),
    "list": ("a list belongs here", "Begin each element with a dash"),
}


def coerce(params: Mapping[str, Any], spec: Mapping[str, Any], problems: Problems, path: str = "") -> dict[str, Any]:
    """The parameters in the spec's types with its defaults.

    An empty string counts as not given, as a survey writes what was left out. A value that cannot be read becomes None (a list: empty)
    and is reported. So are unknown and missing keys and values out of their choices.
    """
    for key in params:
        if key not in spec:
            problems.add(_join(path, key), UNKNOWN, f"known are {listed(sorted(spec))}", closest(key, spec, "Use one of those"))
    clean = {}
    for key, option in spec.items():
        value = params.get(key)
        here = _join(path, key)
        if value is None or value == "":
            if option.get("required"):
                problems.add(here, MISSING, "it has to be given", f"Add {key} to {path}" if path else f"Add {key}")
            value = option.get("default")
        clean[key] = _value(value, option, problems, here)
    return clean


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _value(value: Any, option: Mapping[str, Any], problems: Problems, path: str) -> Any:
    kind = option["type"]
    if kind == "list":
        return _list(value, option, problems, path)
    if value is None:
        return None
    try:
        value = _READERS[kind](value)
    except (TypeError, ValueError, OverflowError):  # int(inf), for one
        problems.add(path, value, *_WANTED[kind])
        return None
    choices = option.get("choices")
    if choices and value not in choices:
        problems.add(path, value, f"one of {listed(choices)} belongs here", closest(value, choices, "Use one of those"))
        return None
    if kind == "dict" and option.get("options"):
        return coerce(value, option["options"], problems, path)
    return value


def _list(value: Any, option: Mapping[str, Any], problems: Problems, path: str) -> Any:
    """A list with None in the place of each element that cannot be read. None stays None, for a section that is not given."""
    if value is None:
        return None
    if isinstance(value, str):
        value = _from_text(value, list) or [part.strip() for part in value.split(",") if part.strip()]
        if option["elements"] == "dict" and not all(isinstance(element, Mapping) for element in value):
            problems.add(path, ",".join(map(str, value)), *_WANTED["list"])
            return []
    if not isinstance(value, (list, tuple)):
        if option["elements"] == "dict" or isinstance(value, Mapping):
            problems.add(path, value, *_WANTED["list"])
            return []
        value = [value]
    element = dict(option, type=option["elements"])
    clean = []
    for index, raw in enumerate(value):
        here = f"{path}[{index}]"
        if raw is None:
            problems.add(here, raw, *_WANTED[element["type"]])
        clean.append(_value(raw, element, problems, here))
    return clean


def _from_text(text: str, kind: type) -> Any:
    """What JSON in a survey's text field says, if it is of that kind."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, kind) else None


def _str(value: Any) -> str:
    if isinstance(value, (bool, bytes)) or not isinstance(value, (str, int, float)):
        raise TypeError
    return str(value)


def _int(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    return check_type_int(value.strip() if isinstance(value, str) else value)


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    number = check_type_float(value.strip() if isinstance(value, str) else value)
    if not math.isfinite(number):
        raise TypeError
    return number


def _dict(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        value = _from_text(value, dict)
    if not isinstance(value, Mapping):
        raise TypeError
    return dict(value)


_READERS = {"str": _str, "path": _str, "int": _int, "float": _float, "bool": check_type_bool, "dict": _dict}
