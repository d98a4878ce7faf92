# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run was made with."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import subprocess
from pathlib import Path

import yaml


def read(checkout: Path) -> dict[str, str]:
    found = {"mlinfra.hosts": str(yaml.safe_load((checkout / "galaxy.yml").read_text(encoding="utf-8"))["version"])}
    commit = _said(["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"])
    if commit:
        found["commit"] = commit
    for name in ("ansible-core", "boto3", "botocore"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not there"
    listed = _said(["ansible-galaxy", "collection", "list", "amazon.aws", "--format", "json"])
    collections = [entry["amazon.aws"]["version"] for entry in json.loads(listed or "{}").values() if "amazon.aws" in entry]
    return {**found, "amazon.aws": collections[0] if collections else "not there", "Python": platform.python_version()}


def missing() -> list[str]:
    """What has to be installed before anything can be called: messages."""
    absent = [name for name in ("boto3", "ansible") if importlib.util.find_spec(name) is None]
    return [
        f"Python has no {name} here. Run this through `make smoke-aws`, which makes the project's environment first." for name in absent
    ]


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
