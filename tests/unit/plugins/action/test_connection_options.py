# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection options that the action plugin lets through are those of amazon.aws."""

from __future__ import annotations

from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec

from ansible_collections.mlinfra.hosts.plugins.action.aws_stack import CONNECTION


def test_they_are_the_ones_of_amazon_aws() -> None:
    theirs = aws_argument_spec()
    assert set(theirs).union(*(option.get("aliases", ()) for option in theirs.values())) == CONNECTION
