# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The sections key and identity: who may log in, and what the hosts may do."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import checks
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.check_scope import POLICY
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import HIDDEN, MISSING, Problems, closest, listed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Identity, Key, Scope

# EC2 imports these two (Amazon EC2 API reference, ImportKeyPair).
_KEY_TYPES = ("ssh-ed25519", "ssh-rsa")
_PROFILE = re.compile(r"[\w+=,.@-]{1,128}")  # IAM API reference, instanceProfileNameType
_OWN = ("read", "write", "pull", "push", "managed_policies")


def key(section: Mapping[str, Any] | None, scope: Scope, problems: Problems) -> Key | None:
    if section is None:
        return None
    name, text = section["name"], section["public_key"]
    if name is not None and not (0 < len(name) <= 255 and name.isascii() and name.isprintable()):
        problems.add("key.name", name, "EC2 takes 1 to 255 printable ASCII characters", "Choose another name, or leave it out")
    if section["public_key_file"] is not None and text is not None:
        problems.add("key.public_key_file", section["public_key_file"], "key.public_key is given too", "Keep one of them")
    elif section["existing"]:
        if not name and not problems.at("key.name"):
            problems.add("key.name", MISSING, "existing: true refers to a key pair by its name", "Add the name that EC2 shows")
        if text is not None or section["public_key_file"] is not None:
            problems.add("key.public_key", HIDDEN, "an existing key pair is not imported again", "Remove it, or remove existing")
    elif text is None and not problems.at("key"):
        problems.add(
            "key.public_key",
            MISSING,
            "a key pair is made from a public key",
            "Set public_key_file: ~/.ssh/id_ed25519.pub, or existing: true",
        )
    elif text is not None:
        _public_key(text, problems)
    return Key(name=name or scope.prefix, public_key=text.strip() if text else None, existing=bool(section["existing"]))


def _public_key(text: str, problems: Problems) -> None:
    """Checks form only. What is not a public key may be a secret, so no message repeats it."""
    words = text.split()
    if "PRIVATE KEY" in text:
        problems.add(
            "key.public_key",
            HIDDEN,
            "this is a private key",
            "Give the public half, the file whose name ends in .pub, and keep this one secret",
        )
    elif len(words) < 2 or words[0] not in _KEY_TYPES or "\n" in text.strip() or not _holds(words[0], words[1]):
        problems.add(
            "key.public_key",
            HIDDEN,
            f"one OpenSSH public key of type {' or '.join(_KEY_TYPES)} belongs here",
            "Make one with ssh-keygen -t ed25519",
        )


def _holds(kind: str, blob: str) -> bool:
    """Whether the base64 text begins with its own type, as RFC 4253 section 6.6 writes keys."""
    try:
        raw = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return False
    return raw[:4] == len(kind).to_bytes(4, "big") and raw[4 : 4 + len(kind)] == kind.encode()


def identity(section: Mapping[str, Any] | None, params: Mapping[str, Any], scope: Scope, problems: Problems) -> Identity | None:
    """``params`` has the sections whose names this one uses."""
    if section is None:
        return None
    profile = section["existing_instance_profile"]
    if profile is not None:
        hint = "Remove it, or remove existing_instance_profile to have a role made"
        checks.unwanted(section, _OWN, "identity", problems, "identity.existing_instance_profile is read and never written", hint)
        if not _PROFILE.fullmatch(profile):
            hint = "Give the name alone, without ARN or path"
            problems.add("identity.existing_instance_profile", profile, "a name has 1 to 128 letters, digits and + = , . @ _ -", hint)
    for verb, kind in (("read", "buckets"), ("write", "buckets"), ("pull", "repositories"), ("push", "repositories")):
        _declared(section[verb], verb, kind, params[kind], problems)
    for path, policy in checks.each(section["managed_policies"], "identity.managed_policies"):
        checks.arn(policy, POLICY, "iam::aws:policy/AmazonSSMManagedInstanceCore", scope.region, path, problems)
    checks.unique(checks.each(section["managed_policies"], "identity.managed_policies"), problems)
    if section["managed_policies"] and len(section["managed_policies"]) > 10:  # IAM quota: 10 managed policies on a role by default
        count = f"{len(section['managed_policies'])} policies"
        problems.add("identity.managed_policies", count, "IAM attaches 10 to a role", "Merge some of them into one policy")
    return Identity(existing_instance_profile=profile, **{verb: checks.present(section[verb]) for verb in _OWN})


def _declared(names: Any, verb: str, kind: str, section: Any, problems: Problems) -> None:
    known = [one["name"] for path, one in checks.each(section, kind) if one["name"] is not None]
    checks.unique(checks.each(names, f"identity.{verb}"), problems)
    for path, name in checks.each(names, f"identity.{verb}"):
        if name not in known and not problems.at(kind):
            problems.add(
                path,
                name,
                f"{kind} declares {listed(known)}",
                closest(name, known, f"Declare it in {kind}; with existing: true if it is there already"),
            )
