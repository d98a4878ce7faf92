# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A StateReason is of this start only once something of the start has been seen, or enough time has passed."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.starting import SETTLED, Start

NONE = "Server.InsufficientInstanceCapacity"


def raw(state, code=""):
    return {"State": {"Name": state}, "StateReason": {"Code": code}}


@pytest.mark.parametrize(
    ("seen", "refused"),
    [
        ([(0, raw("stopped", NONE))], [False]),
        ([(0, raw("stopped", NONE)), (1, raw("pending")), (2, raw("stopped", NONE))], [False, False, True]),
        ([(1, raw("stopped", NONE)), (SETTLED, raw("stopped", NONE))], [False, True]),
        ([(1, raw("pending")), (2, raw("stopped", "Client.InstanceInitiatedShutdown"))], [False, True]),
        ([(1, raw("pending")), (2, raw("stopped", "Client.InternalError"))], [False, True]),
        ([(1, raw("stopped", "Client.InternalError")), (SETTLED, raw("stopped", "Client.InternalError"))], [False, False]),
        ([(1, raw("pending")), (2, raw("stopped", "Client.UserInitiatedShutdown"))], [False, False]),
        ([(1, raw("pending")), (2, {"State": {"Name": "stopped"}})], [False, False]),
    ],
    ids=[
        "of the last stop", "of this start", "begun unseen",
        "by the host itself", "a lost key", "perhaps of the last stop", "by somebody", "untold",
    ],  # fmt: skip
)
def test_whose_reason_it_is(seen, refused):
    now = [0.0]
    start = Start(lambda: now[0])
    for (when, one), expected in zip(seen, refused):
        now[0] = when
        assert (start.refused(one) is not None) is expected
