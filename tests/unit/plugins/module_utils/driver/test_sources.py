# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources of somebody else for the same repository."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import sources

URL = "https://example.org/debian12/x86_64/"
KEY, OTHER = b"\x98key", b"\x98other"
A, B = "/usr/share/keyrings/a.gpg", "/usr/share/keyrings/b.gpg"
LIST, DEB822 = "/etc/apt/sources.list.d/cuda.list", "/etc/apt/sources.list.d/cuda.sources"


@pytest.mark.parametrize(
    ("path", "text", "keys"),
    [
        (LIST, f"deb [signed-by={A} arch=amd64] {URL} /\n", [A]),
        (LIST, f"deb {URL.rstrip('/')} /\n", [""]),
        (LIST, f"deb [ Signed-By={A} ] {URL.upper()} /\n", [A]),
        (LIST, f"# deb {URL} /\ndeb {URL}more /\ndeb {URL.replace('debian12', 'debian13')} /\n", []),
        (DEB822, f"Types: deb\nURIs: {URL}\nSuites: /\n", [""]),
        (DEB822, f"Types: deb\nURIs: http://other {URL}\nSuites: /\nSigned-By: {A}\n\n# note\nTypes: deb\nURIs: http://x\n", [A]),
        (DEB822, f"Enabled: no\nTypes: deb\nURIs: {URL}\nSuites: /\n", []),
        (DEB822, "", []),
    ],
)
def test_keys_of_the_entries_in_force(path, text, keys):
    assert sources.keys_of(path, text, URL) == keys


def test_switched_off_and_all_else_stays():
    text = f"deb http://kept /\ndeb [signed-by={A}] {URL} /\n"
    assert sources.switched_off(LIST, text, URL) == f"deb http://kept /\n{sources.NOTE}deb [signed-by={A}] {URL} /\n"
    text = f"Types: deb\nURIs: http://kept\nSuites: /\n\nEnabled: yes\nTypes: deb\nURIs: {URL}\nSuites: /\n"
    off = sources.switched_off(DEB822, text, URL)
    assert off.startswith("Types: deb\nURIs: http://kept\nSuites: /\n\n# Switched off") and off.count("Enabled:") == 1


LINES = st.lists(st.sampled_from([f"deb {URL} /", f"deb [signed-by={A}] {URL} /", "deb http://kept /", "# note", "", f"deb-src {URL} /"]))


@given(LINES)
def test_off_is_off_and_stays_as_it_is(lines):
    once = sources.switched_off(LIST, "\n".join(lines), URL)
    assert sources.keys_of(LIST, once, URL) == [] and sources.switched_off(LIST, once, URL) == once
    assert [line for line in lines if line and URL not in line] == [line for line in once.splitlines() if line and URL not in line]


@pytest.mark.parametrize(
    ("found", "key", "keep", "off"),
    [
        ({}, KEY, None, []),
        ({LIST: [(A, KEY)]}, KEY, LIST, []),
        ({LIST: [(A, OTHER)]}, KEY, None, [LIST]),
        ({LIST: [(A, None)]}, KEY, None, [LIST]),
        ({LIST: [(A, OTHER)]}, None, LIST, []),
        ({LIST: [("", None)]}, KEY, LIST, []),
        # one of two with the same key under another name: apt compares names
        ({LIST: [(A, KEY)], DEB822: [(B, KEY)]}, KEY, LIST, [DEB822]),
        ({LIST: [(A, KEY)], DEB822: [(A, KEY)]}, KEY, LIST, []),
        ({LIST: [(A, OTHER)], DEB822: [(B, KEY)]}, KEY, DEB822, [LIST]),
        ({LIST: [(A, KEY), (B, KEY)]}, KEY, None, [LIST]),
    ],
)
def test_which_source_is_used(found, key, keep, off):
    assert sources.judge(found, key) == {"keep": keep, "off": off}


def test_armored_key_is_the_same_key():
    armored = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: x\n\n" + base64.b64encode(KEY) + b"\n=abcd\n-----END PGP PUBLIC"
    assert sources.is_same(armored, KEY) and not sources.is_same(armored, OTHER)
