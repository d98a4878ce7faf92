# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a stack a failed run takes back, and what instances that stay need."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import rollback
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Observed


def change(kind, name, id="", action="delete", **facts):
    found = Found(kind, name, id or f"{kind}-{name}", owned=True, facts=facts)
    return Change(kind, name, action, "it is protected" if action == "blocked" else "", id=found.id, found=found)


def host(name, id, action="delete", **facts):
    return change("instance", name, id, action, pool=name.partition("-")[0], **facts)


def seen(*changes):
    observed = Observed("1", "aws", "us-east-1")
    for one in changes:
        observed.found.setdefault(one.kind, []).append(one.found)
    return observed


def names(changes):
    return [f"{one.kind} {one.name}" for one in changes]


def test_what_was_there_is_not_even_looked_at():
    old = [change("vpc", "vision-dev"), host("train-0", "i-1")]
    found = rollback.split(rollback.before(seen(*old)), [*old, change("bucket", "data"), host("train-1", "i-2")])
    assert names(found.going) == ["bucket data", "instance train-1"] and not found.kept and not found.left
    assert found.told() == {"rollback": "complete", "rolled_back": ["bucket data", "instance train-1"]}


@pytest.mark.parametrize("disowned", [{"owned": False}, {"existing": True}])
def test_a_place_is_kept_only_where_the_stacks_own_was(disowned):
    theirs = host("train-0", "i-1")
    for word, value in disowned.items():
        setattr(theirs.found, word, value)
    found = rollback.split(rollback.before(seen(theirs)), [host("train-0", "i-2")])
    assert names(found.going) == ["instance train-0"] and not found.kept


def test_a_replacement_disowns_what_it_ends_and_its_successor_stays_all_the_same():
    old = host("train-0", "i-1")
    there = rollback.before(seen(old))
    old.found.owned = False
    found = rollback.split(there, [host("train-0", "i-2"), host("train-0 (i-3)", "i-3")])
    assert names(found.kept) == ["instance train-0"] and names(found.going) == ["instance train-0 (i-3)"], "a second one is added"
    assert found.told()["rollback_kept"] == ["instance train-0 (i-2): it replaces what was there"]


@pytest.mark.parametrize(
    ("used", "other"),
    [
        (change("schedule", "x", instance="i-2"), change("schedule", "x", instance="i-9")),
        (change("lease", "train"), change("lease", "serve")),
        (change("placement_group", "mine"), change("placement_group", "theirs")),
        (change("subnet", "a"), change("launch_template", "left over")),
        (change("role", "hosts"), host("serve-0", "i-9")),
    ],
    ids=lambda one: f"{one.kind} {one.name}",
)
def test_what_an_instance_needs_stays_with_it(used, other):
    stays = host("train-0", "i-2", "blocked", placement_group="mine")
    found = rollback.split(rollback.before(seen()), [stays, used, other])
    assert names(found.going) == names([other])
    assert found.told()["rollback"] == "incomplete"
    assert found.told()["rollback_left"] == [
        "instance train-0 (i-2): it is protected",
        f"{used.kind} {used.name} ({used.id}): train-0 may need it",
    ]
    assert names(rollback.split(rollback.before(seen()), [used, other]).going) == names([used, other]), "without it all of it goes"
