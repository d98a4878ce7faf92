# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What names a plan and what names a launch: the same for the same wish, another one for every other wish."""

from __future__ import annotations

import copy
import dataclasses
import random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import launch
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import token_prefix
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.offers import Market
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import plan as planning
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import DocumentError
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Observed
from tests.unit.plugins.module_utils.stack.test_plan_properties import DECLARATIONS, FAST, account, intent_of, planned

SOME = settings(FAST, max_examples=40)
ACCOUNT = "123456789012"


def named(declaration: dict[str, Any], seen: Observed, **control: Any) -> str:
    intent, changes = planned(declaration, seen, **control)
    return planning.plan_id(intent, seen, changes)


@SOME
@given(DECLARATIONS, DECLARATIONS)
def test_two_plans_have_one_name_exactly_if_they_wish_the_same(one, other):
    try:
        same = intent_of(one).stack == intent_of(other).stack
    except DocumentError:
        assume(False)
    assert (named(one, account()) == named(other, account())) is same


@settings(SOME, max_examples=20)
@given(DECLARATIONS, st.data())
def test_each_changed_word_of_a_wish_is_another_plan(declaration, data):
    """One section is replaced by another one of the same kind."""
    word = data.draw(st.sampled_from(sorted(set(declaration) - {"prune", "max_delete"})))
    other = {**declaration, word: data.draw(DECLARATIONS).get(word, declaration[word])}
    try:
        assume(intent_of(declaration).stack != intent_of(other).stack)
    except DocumentError:
        assume(False)
    assert named(declaration, account()) != named(other, account())


@SOME
@given(DECLARATIONS, st.floats(0.2, 3.0))
def test_prices_and_the_order_of_a_documents_keys_are_no_part_of_it(declaration, factor):
    seen = account()
    prices = {key: round(price * factor, 4) for key, price in seen.market.prices.items()}
    dearer = dataclasses.replace(seen, market=Market(seen.market.zones, prices))
    turned = {key: copy.deepcopy(declaration[key]) for key in reversed(list(declaration))}
    name = named(declaration, seen)
    assert named(turned, seen) == name
    try:
        assert named(declaration, dearer) == name
    except (StackError, DocumentError):
        assume(False)  # too dear for max_hourly_usd now


def launches(declaration: dict[str, Any], shuffle: random.Random | None = None) -> list[tuple[str, list[int], str]]:
    """(pool, slots, token) of every first request of the plan."""
    seen = account()
    intent, changes = planned(declaration, seen)
    new = [change for change in changes if change.kind == "instance" and change.action == "create"]
    if shuffle is not None:
        shuffle.shuffle(new)
    told = []
    for batch in launch.batches(new):
        make = batch[0].wish.make
        slots = [change.wish.make["slot"] for change in batch]
        params = launch.request(batch, make["offers"][0], 1, lambda ref: f"{ref.kind}-{ref.name}")
        told.append((make["pool"].name, slots, launch.token(intent.scope, ACCOUNT, make["pool"].name, slots, (), params)))
    return told


@SOME
@given(DECLARATIONS, st.randoms(use_true_random=False))
def test_the_same_wish_is_the_same_launches(declaration, shuffle):
    told = launches(declaration)
    assert sorted(launches(declaration, shuffle)) == sorted(told)
    assert len({token for _pool, _slots, token in told}) == len(told)
    prefix = token_prefix(intent_of(declaration).scope, ACCOUNT)
    assert all(len(token) <= 64 and token.isascii() and token.startswith(prefix) for _pool, _slots, token in told)
    for pool in intent_of(declaration).stack.pools or ():
        assert sorted(slot for name, slots, _token in told if name == pool.name for slot in slots) == list(range(pool.count))


@SOME
@given(DECLARATIONS, st.sampled_from(["tags", "environment", "name", "region"]))
def test_another_wish_is_another_launch(declaration, word):
    other = {**declaration, word: {"tags": {"cost-center": "other"}, "environment": "prod", "name": "speech", "region": "us-west-2"}[word]}
    one, two = ({token for _pool, _slots, token in launches(document)} for document in (declaration, other))
    assert not one & two


@settings(FAST, max_examples=60)
@given(
    st.lists(st.text("abcdef0123456789", min_size=1, max_size=4), max_size=4, unique=True),
    st.lists(st.text("abcdef0123456789", min_size=1, max_size=4), max_size=4, unique=True),
    st.dictionaries(st.sampled_from(["ImageId", "KeyName", "MinCount"]), st.sampled_from(["a", "b", 1]), max_size=3),
    st.dictionaries(st.sampled_from(["ImageId", "KeyName", "MinCount"]), st.sampled_from(["a", "b", 1]), max_size=3),
    st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True).map(sorted),
    st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True).map(sorted),
)
def test_a_token_knows_its_slots_its_request_and_all_that_was_there(ended, others, params, changed, slots, further):
    scope = intent_of({}).scope

    def token(gone: Any, request: dict[str, Any], places: list[int]) -> str:
        return launch.token(scope, ACCOUNT, "train", places, gone, request)

    name = token(ended, params, slots)
    assert name == token(list(reversed(ended)), dict(reversed(params.items())), slots)
    assert (name == token(others, changed, further)) is (set(ended) == set(others) and params == changed and slots == further)
