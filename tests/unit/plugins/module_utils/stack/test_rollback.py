# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a stack a failed run takes back, and what instances that stay need."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import rollback
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Observed, Wish


def change(kind, name, id="", action="delete", **facts):
    found = Found(kind, name, id or f"{kind}-{name}", owned=True, facts=facts)
    return Change(kind, name, action, "it is protected" if action == "blocked" else "", id=found.id, found=found)


def host(name, id, action="delete", **facts):
    return change("instance", name, id, action, pool=name.partition("-")[0], **facts)


def began(*changes, market=("on_demand",)):
    """What a run began that was to make these."""

    def made(one):
        pool = SimpleNamespace(name=one.name.partition("-")[0], market=market)
        return Change(one.kind, one.name.partition(" ")[0], "create", wish=Wish(one.kind, one.name, make={"pool": pool}))

    return rollback.begun([made(one) for one in changes])


def split(there, *changes, **more):
    """After a run that made all of it."""
    return rollback.split(there, began(*changes, **more), changes)


def seen(*changes):
    observed = Observed("1", "aws", "us-east-1")
    for one in changes:
        observed.found.setdefault(one.kind, []).append(one.found)
    return observed


def names(changes):
    return [f"{one.kind} {one.name}" for one in changes]


def test_what_was_there_is_not_even_looked_at():
    old = [change("vpc", "vision-dev"), host("train-0", "i-1")]
    found = split(rollback.before(seen(*old)), *old, change("bucket", "data"), host("train-1", "i-2"))
    assert names(found.going) == ["bucket data", "instance train-1"] and not found.kept and not found.left
    assert found.told() == {"rollback": "complete", "rolled_back": ["bucket data", "instance train-1"]}


@pytest.mark.parametrize("disowned", [{"owned": False}, {"existing": True}])
def test_a_place_is_kept_only_where_the_stacks_own_was(disowned):
    theirs = host("train-0", "i-1")
    for word, value in disowned.items():
        setattr(theirs.found, word, value)
    found = split(rollback.before(seen(theirs)), host("train-0", "i-2"))
    assert names(found.going) == ["instance train-0"] and not found.kept


def test_a_replacement_disowns_what_it_ends_and_its_successor_stays_all_the_same():
    old = host("train-0", "i-1")
    there = rollback.before(seen(old))
    old.found.owned = False
    found = split(there, host("train-0", "i-2"), host("train-0 (i-3)", "i-3"))
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
    found = split(rollback.before(seen()), stays, used, other, market=("spot",))
    assert names(found.going) == names([other])
    assert found.told()["rollback"] == "incomplete"
    assert found.told()["rollback_left"] == [
        "instance train-0 (i-2): it is protected",
        f"{used.kind} {used.name} ({used.id}): train-0 may need it",
    ]
    alone = rollback.split(rollback.before(seen()), began(stays, used, other, market=("spot",)), [used, other])
    assert names(alone.going) == names([used, other]), "without it all of it goes"


@pytest.mark.parametrize(
    "unread",
    [
        change("nat_gateway", "us-east-1a"),
        change("bucket", "old"),
        change("launch_template", "t"),
        change("schedule", "train-7", instance="i-7"),
        host("serve-0", "i-9"),
    ],
    ids=lambda one: one.kind,
)
def test_what_the_run_did_not_begin_to_make_is_not_its_own(unread):
    """It was not seen before, as it is not declared: that says nothing of when it came."""
    unslotted = change("instance", "i-3", "i-3", pool="train")
    new = [change("bucket", "data"), host("train-1", "i-2"), unslotted, change("schedule", "i-3", instance="i-3")]
    found = rollback.split(rollback.before(seen()), began(*new[:2]), [unread, *new])
    assert names(found.going) == names(new) and not found.left and not found.kept


def test_what_the_run_updates_it_does_not_make():
    one = change("bucket", "data")
    updating = Change("bucket", "data", "update", wish=Wish("bucket", "data"))
    assert not rollback.split(rollback.before(seen()), rollback.begun([updating]), [one]).going
