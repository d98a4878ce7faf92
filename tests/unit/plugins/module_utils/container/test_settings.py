# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What settings become: JSON merge patches (examples of RFC 7396, but one), groups of defaults, and what a diff may show."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.container import settings


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": ["d"]}, {"a": ["d"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {}),
        ({}, {"a": {}}, {"a": {}}),
        ({"a": [1]}, {"a": {"b": 2}}, {"a": {"b": 2}}),
    ],
)
def test_patch(before, patch, after):
    assert settings.merged(before, patch) == after


def test_a_patch_leaves_what_it_was_given():
    before, patch = {"a": {"b": 1}}, {"a": {"c": [1]}}
    settings.merged(before, patch)["a"]["c"].append(2)
    assert before == {"a": {"b": 1}} and patch == {"a": {"c": [1]}}


GROUPS = [{"live-restore": True}, {"log-driver": "json-file", "log-opts": {"max-size": "50m"}}]


def test_defaults_count_where_nobody_said_otherwise():
    assert settings.with_defaults({}, {"debug": True}, GROUPS) == {**GROUPS[0], **GROUPS[1], "debug": True}
    assert settings.with_defaults({"log-driver": "journald"}, {}, GROUPS) == GROUPS[0], "half of a group"
    assert settings.with_defaults({}, {"live-restore": False, "log-opts": {"tag": "x"}}, GROUPS) == {
        "live-restore": False,
        "log-opts": {"tag": "x"},
    }


def test_changed_keys():
    assert settings.changed_keys({"a": 1, "b": {"c": 2}, "d": None}, {"a": 1, "b": {"c": 3}, "e": 1}) == ["b", "d", "e"]


def test_no_password_in_a_diff():
    text = '{"proxies": {"http-proxy": "http://me:s3cret@proxy:3128"}, "registry-mirrors": ["https://mirror/a@b"]}'
    shown = settings.without_passwords(text)
    assert "s3cret" not in shown and "http://***@proxy:3128" in shown and "https://mirror/a@b" in shown


def test_additions_take_nothing_away():
    ours = {"runtimes": {"nvidia": {"path": "ours"}}, "list": ["b"]}
    assert settings.extended({}, ours) == {"runtimes": {"nvidia": {"path": "ours"}}, "list": ["b"]}
    assert settings.extended({"runtimes": {"team": {}}, "list": ["a"]}, ours) == {"runtimes": ours["runtimes"], "list": ["a", "b"]}
    assert settings.extended({"runtimes": {"nvidia": {"path": "theirs"}}, "list": ["b", "c"]}, ours) == {}
