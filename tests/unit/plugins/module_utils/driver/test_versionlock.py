# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks of dnf's versionlock, among those of others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import versionlock

OLD, NEW = {"nvidia-driver-cuda": "3:580.95.05-1.el9"}, {"nvidia-driver-cuda": "3:595.58.03-1.el9", "nvlsm": "2025.06-1"}
# As `dnf versionlock add kernel` and `exclude` leave it.
THEIRS = "# Added lock on Mon Nov 23 10:00:00 2026\nkernel-0:5.14.0-503.11.1.el9_5.*\n!nvidia-driver-cuda-3:575.1-1.el9.*\n"


def test_our_locks_come_and_go_among_those_of_others():
    first = versionlock.changed(THEIRS, {}, OLD)
    assert first == THEIRS + versionlock.NOTE + "\nnvidia-driver-cuda-3:580.95.05-1.el9.*\n"
    assert versionlock.changed(first, {}, OLD) == first
    moved = versionlock.changed(first, OLD, NEW)
    assert moved == THEIRS + versionlock.NOTE + "\nnvidia-driver-cuda-3:595.58.03-1.el9.*\nnvlsm-0:2025.06-1.*\n"
    assert versionlock.changed(moved, NEW, {}) == THEIRS


@pytest.mark.parametrize(
    ("lock", "is_held"),
    [
        ("nvidia-driver-cuda-3:580.95.05-1.el9.*", True),
        ("nvidia-driver-cuda-3:580.95.05-1.el9", True),
        ("nvidia-driver-cuda-580.95.05-1.el9.*", True),
        ("nvidia-driver-cuda-*:580.*", True),
        ("3:nvidia-driver-cuda-580.95.05-1.el9.*", True),
        ("nvidia-driver-cuda-3:595.58.03-1.el9.*", False),
        ("nvidia-driver-cuda-libs-3:580.95.05-1.el9.*", False),
        ("!nvidia-driver-cuda-3:580.95.05-1.el9.*", False),
        ("# nvidia-driver-cuda-3:580.95.05-1.el9.*", False),
    ],
)
def test_held_by_any_spelling_of_this_version(lock, is_held):
    assert versionlock.held(lock + "\n", "nvidia-driver-cuda", "3:580.95.05-1.el9") is is_held


def test_locks_of_others_are_told_and_ours_are_not():
    text = versionlock.changed("nvlsm-0:2024.01-1.*\n", {}, OLD)
    assert versionlock.foreign(text, OLD, NEW) == [("nvlsm", "nvlsm-0:2024.01-1.*")]
    assert versionlock.foreign(text, {}, NEW) == [
        ("nvidia-driver-cuda", "nvidia-driver-cuda-3:580.95.05-1.el9.*"),
        ("nvlsm", "nvlsm-0:2024.01-1.*"),
    ]
    assert versionlock.foreign(text, {}, OLD) == []


def test_where_the_list_is():
    assert versionlock.place("") is None
    assert versionlock.place("[main]\nenabled = 1\nlocklist = /srv/locks\n") == "/srv/locks"
    assert versionlock.place("[main]\n") == versionlock.DEFAULT


NAMES = st.from_regex(r"\A[a-z]{1,6}(-[a-z]{1,6}){0,2}\Z")
VERSIONS = st.from_regex(r"\A([1-9]:)?[0-9]{1,3}\.[0-9]{1,2}-[0-9]\.el9\Z")
OWN = st.dictionaries(NAMES, VERSIONS, max_size=5)


@given(theirs=st.lists(st.from_regex(r"\A[A-Z]{2,5}-[0-9]:[0-9.]{1,5}-1\.\*\Z")), old=OWN, new=OWN)
def test_lines_of_others_always_stay_and_ours_are_exactly_the_new(theirs, old, new):
    text = versionlock.changed(versionlock.changed("".join(one + "\n" for one in theirs), {}, old), old, new)
    assert versionlock.locks(text) == theirs + [versionlock.line(*pair) for pair in sorted(new.items())]
    assert all(versionlock.held(text, *pair) for pair in new.items())
    assert versionlock.changed(text, new, new) == text
