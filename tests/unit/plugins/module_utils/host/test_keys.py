# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our block of an authorized_keys file."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import keys

ADA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9nUZrEGZUQZgm9uxnr0A7iBTKNvmoKO9kGEBTH6Wqt ada"
BOB = ADA.replace(" ada", " bob")


@pytest.mark.parametrize("line", [ADA, f'from="10.0.0.0/8",no-pty {ADA}', ADA.replace(" ada", "")])
def test_a_public_key(line):
    assert keys.problem(line) is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc", "private key"),
        (f"{ADA}\n{BOB}", "several lines"),
        ("ada", "is no public key"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 ada", "cut off or garbled"),
        (ADA.replace("ssh-ed25519", "ssh-rsa"), "cut off or garbled"),
        ("ssh-rsa AAA ada", "cut off or garbled"),
    ],
)
def test_what_is_no_public_key_is_told_without_it(line, problem):
    told = keys.problem(line)
    assert problem in told and "abc" not in told


def test_the_block_is_put_behind_what_is_there_and_found_again():
    text = keys.with_block("# mine\n" + BOB, [ADA])
    assert text.startswith(f"# mine\n{BOB}\n") and keys.block(text) == [ADA]
    assert keys.with_block(text, [ADA]) == text


def test_the_block_changes_at_its_place_and_goes():
    text = keys.with_block("", [ADA]) + BOB + "\n"
    assert keys.with_block(text, [BOB]).endswith(f"{keys.END}\n{BOB}\n") and keys.block(keys.with_block(text, [BOB])) == [BOB]
    assert keys.with_block(text, []) == BOB + "\n"


def test_half_a_block_is_none():
    assert keys.block(keys.BEGIN + "\n" + ADA) is None and keys.with_block("", []) == ""
