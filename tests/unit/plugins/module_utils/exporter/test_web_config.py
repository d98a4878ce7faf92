# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web configuration file: valid YAML, stable, and never a secret in a diff."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.exporter import web_config

HASH = "$2b$10$" + "a" * 53
OTHER = "$2b$10$" + "b" * 53


def test_the_text_is_the_yaml_that_exporter_toolkit_reads():
    text = web_config.render("/etc/x.crt", "/etc/x.key", "TLS12", {'a"b': HASH})
    assert yaml.safe_load(text) == {
        "tls_server_config": {"cert_file": "/etc/x.crt", "key_file": "/etc/x.key", "min_version": "TLS12"},
        "basic_auth_users": {'a"b': HASH},
    }


def test_only_what_is_wished_is_written():
    assert set(yaml.safe_load(web_config.render(None, None, "TLS12", {"a": HASH}))) == {"basic_auth_users"}
    assert set(yaml.safe_load(web_config.render("/c", "/k", "TLS13", {}))) == {"tls_server_config"}


@given(st.dictionaries(st.text(min_size=1), st.just(HASH)))
def test_hashes_are_read_back(hashes):
    assert web_config.stored_hashes(web_config.render("/c", "/k", "TLS12", hashes)) == hashes


def test_other_files_are_read_as_empty():
    assert web_config.stored_hashes("") == {}
    assert web_config.stored_hashes("basic_auth_users:\n  bob: $2y$10$x\n") == {}


def test_a_hash_that_fits_is_kept_and_another_is_made_anew():
    hashes, fresh = web_config.decide_hashes(
        {"kept": "p", "changed": "q", "new": "r"},
        {"kept": HASH, "changed": OTHER, "gone": HASH},
        lambda password, hashed: (password, hashed) == ("p", HASH),
        lambda password: "hash of " + password,
    )
    assert hashes == {"kept": HASH, "changed": "hash of q", "new": "hash of r"}
    assert fresh == ["changed", "new"]


def test_a_diff_shows_that_a_hash_is_new_and_no_hash():
    before = web_config.without_secrets(web_config.render(None, None, "TLS12", {"a": HASH, "b": HASH}))
    after = web_config.without_secrets(web_config.render(None, None, "TLS12", {"a": HASH, "b": OTHER}), [OTHER])
    assert "$2" not in before + after
    assert [line for line in after.splitlines() if line not in before.splitlines()] == ['  "b": (new hash)']
