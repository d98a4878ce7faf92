# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""bcrypt through libcrypt: against a published vector, and with what it cannot hash."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.exporter import bcrypt

# https://github.com/openwall/crypt_blowfish (wrapper.c, its own test vectors)
VECTOR = ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")


def test_published_vector():
    password, salt, hashed = VECTOR
    assert bcrypt.bcrypt(password, salt) == hashed


def test_fresh_hash_matches_its_password_only():
    hashed = bcrypt.bcrypt("plüm", bcrypt.new_salt(4))
    assert hashed.startswith("$2b$04$")
    assert bcrypt.matches("plüm", hashed, 4)
    assert not bcrypt.matches("plum", hashed, 4)


def test_another_cost_is_no_match():
    hashed = bcrypt.bcrypt("x", bcrypt.new_salt(4))
    assert not bcrypt.matches("x", hashed, 5)


@pytest.mark.parametrize("stored", ["", None, "x", "$1$abc$def", "$2b$10$short"])
def test_what_is_no_hash_is_no_match(stored):
    assert not bcrypt.matches("x", stored, 10)


def test_salts_differ_and_have_the_form():
    salts = {bcrypt.new_salt(10) for _unused in range(50)}
    assert len(salts) == 50
    assert all(len(salt) == 29 and salt[-1] in bcrypt.LAST for salt in salts)


@pytest.mark.parametrize(("password", "reason"), [("", "is empty"), ("ü" * 37, "74 bytes"), ("a\0b", "NUL")])
def test_passwords_that_cannot_be_hashed(password, reason):
    with pytest.raises(bcrypt.BcryptError, match=reason) as error:
        bcrypt.bcrypt(password, bcrypt.new_salt(4))
    assert password == "" or password not in str(error.value)


def test_a_library_without_bcrypt_is_named():
    with pytest.raises(bcrypt.BcryptError, match="does not know bcrypt"):
        bcrypt.bcrypt("x", bcrypt.new_salt(4), crypt=lambda password, setting: b"*0")
