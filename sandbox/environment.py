# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment in which a command sees the sandbox and nothing of the user's AWS configuration."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from sandbox.aws.isolation import FAKE_KEY, FAKE_SECRET, REGION

# Those that `env` unsets even when they are not set where it runs: its output may be read elsewhere.
ALWAYS_UNSET = (
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CREDENTIAL_EXPIRATION", "AWS_DEFAULT_PROFILE",
    "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE", "BOTO_CONFIG",
)  # fmt: skip
LOCAL = ("127.0.0.1", "localhost")


def wanted(name: str, state: Path, port: int, now: Mapping[str, str]) -> dict[str, str]:
    """What is to be set. The two configuration files are there and empty, so that no default of the user's is looked for."""
    folder = state / "aws"
    folder.mkdir(parents=True, exist_ok=True)
    for empty in ("config", "credentials"):
        (folder / empty).touch()
    direct = ",".join(
        [*LOCAL, *(part for part in (now.get("NO_PROXY") or now.get("no_proxy") or "").split(",") if part and part not in LOCAL)]
    )
    # The key that the demo made opens its hosts to any later command too; a key that was named stays.
    key = state / "ssh" / "id_ed25519"
    ssh = {"MLINFRA_SSH_KEY": str(key)} if key.exists() and not now.get("MLINFRA_SSH_KEY") else {}
    return {
        **ssh,
        "AWS_ACCESS_KEY_ID": FAKE_KEY, "AWS_SECRET_ACCESS_KEY": FAKE_SECRET, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"), "AWS_EC2_METADATA_DISABLED": "true", "MLINFRA_LOCAL_ONLY": "1",
        "MLINFRA_SANDBOX": name, "NO_PROXY": direct, "no_proxy": direct,
    }  # fmt: skip


def unwanted(now: Mapping[str, str], kept: Mapping[str, str]) -> list[str]:
    """Names to unset: every AWS setting but ours. AWS_CA_BUNDLE stays, it holds no identity."""
    found = {name for name in now if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"} | set(ALWAYS_UNSET)
    return sorted(found - kept.keys())


def child(name: str, state: Path, port: int) -> dict[str, str]:
    """The whole environment of a command; the programs beside this Python come first in its PATH."""
    now = dict(os.environ)
    kept = wanted(name, state, port, now)
    for gone in unwanted(now, kept):
        now.pop(gone, None)
    beside = str(Path(sys.executable).parent)
    path = now.get("PATH", os.defpath).split(os.pathsep)
    return {**now, **kept, "PATH": os.pathsep.join([beside, *(part for part in path if part != beside)])}
