# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credentials of users an image would have."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.seal import act, left

HELPERS = {"credHelpers": {"123.dkr.ecr.us-east-1.amazonaws.com": "ecr-login"}}
LOGIN = {"auths": {"https://index.docker.io/v1/": {"auth": "bWU6c2VjcmV0"}}}
HOMES = ["/home/me", "/srv/b"]


@pytest.fixture
def root(tmp_path):
    """A machine's files below a folder."""
    for path in (
        "srv/b/.aws/credentials", "srv/b/.aws/config", "home/me/.ssh/id_ed25519", "home/me/.ssh/id_ed25519.pub", "home/me/.ssh/known_hosts",
        "home/me/.netrc", "home/me/.bashrc", "srv/other/.netrc",
    ):  # fmt: skip
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    return tmp_path


def test_keys_and_tokens_are_found_and_nothing_else(root):
    seen = left.look(HOMES, str(root))
    assert [one["path"] for one in seen] == ["/home/me/.ssh/id_ed25519", "/home/me/.netrc", "/srv/b/.aws/credentials"]
    assert act.carry_out(left.steps(seen), None, str(root)) == [] and left.look(HOMES, str(root)) == []
    assert (root / "srv/b/.aws/config").exists() and (root / "srv/other/.netrc").exists()
    assert (root / "home/me/.ssh/id_ed25519.pub").exists()


def test_nothing_is_looked_for_behind_a_link(root):
    (root / "home/me/.aws").symlink_to(root / "srv/b/.aws")
    (root / "home/me/.pypirc").symlink_to(root / "home/me/.bashrc")
    assert not {"/home/me/.aws/credentials", "/home/me/.pypirc"} & {one["path"] for one in left.look(HOMES, str(root))}


def test_a_home_may_be_elsewhere(root):
    (root / "srv/linked").symlink_to(root / "srv/other")
    assert [one["path"] for one in left.look(["/srv/linked"], str(root))] == ["/srv/linked/.netrc"]


@pytest.mark.parametrize(
    ("text", "has", "removable"),
    [
        (json.dumps(LOGIN), True, True),
        (json.dumps({**LOGIN, **HELPERS}), True, False),
        (json.dumps(HELPERS), False, False),
        (json.dumps({"auths": {"registry.example.org": {}}}), False, False),
        ("{}", False, False),
        ("", False, False),
        ("{broken", True, False),
        ("[]", True, False),
        (None, True, False),
    ],
)
def test_logins_to_registries(text, has, removable):
    """What role container_runtime writes is no secret, and stays."""
    assert left.logins(text) == (has, removable)


def test_an_iscsi_name_is_told_alone(root):
    file = root / left.INITIATOR[1:]
    file.parent.mkdir(parents=True)
    file.write_text("GenerateName=yes\n")
    assert left.look([], str(root)) == []
    file.write_text("## made\nInitiatorName=iqn.1993-08.org.debian:01:7e\n")
    assert left.look([], str(root)) == [{"what": "iSCSI name", "path": left.INITIATOR, "removable": False}]
    assert left.steps(left.look([], str(root))) == []


def test_words():
    assert left.words([]) is None
    many = [{"what": left.WHAT, "path": f"/srv/u{number}/.netrc", "removable": True} for number in range(10)]
    assert "/srv/u7/.netrc and 2 more. Where" in left.words(many) and "credentials: remove" in left.words(many)
