# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a right declaration becomes, and how several mistakes are told."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.arguments import ARGUMENTS
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import DocumentError, parse, parse_scope
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Disk, LifecycleRule


def test_names_are_derived_from_stack_and_environment(declaration):
    stack, control = parse(declaration)
    assert stack.scope.prefix == "vision-demo"
    assert stack.scope.iam_path == "/mlinfra/vision/demo/"
    assert [bucket.bucket_name for bucket in stack.buckets] == ["vision-demo-data-123456789012", "vision-demo-artifacts-123456789012"]
    assert stack.repositories[0].repository_name == "vision-demo/train"
    assert stack.key.name == "vision-demo"
    assert control.state == "present"


def test_gpu_wish_becomes_instance_types_cheapest_first(declaration):
    pools = parse(declaration)[0].pools
    assert pools[0].instance_types == ("g5.12xlarge", "g5.24xlarge")
    assert pools[1].instance_types == ("t3.large",)
    assert pools[1].gpu is None


def test_defaults_are_filled_in(declaration):
    stack, control = parse(declaration)
    pool = stack.pools[1]
    assert (pool.count, pool.ssh_user, pool.spread, pool.disk) == (1, "admin", True, Disk())
    assert stack.buckets[0].lifecycle == (LifecycleRule(prefix="tmp/", expire_days=7),)
    assert (stack.network.nat, stack.network.access.via) == ("none", "direct")
    assert (control.max_delete, control.on_failure, control.wait_timeout) == (0, "keep", 600)


def test_a_section_that_is_not_given_is_none():
    stack, control = parse({"name": "vision", "environment": "demo", "account_id": "123456789012", "region": "us-east-1"})
    assert [getattr(stack, section) for section in ("network", "key", "buckets", "repositories", "identity", "pools")] == [None] * 6


def test_an_empty_section_is_not_none(declaration):
    stack, control = parse({**declaration, "buckets": [], "identity": {}, "pools": []})
    assert stack.buckets == () and stack.pools == ()


def test_values_of_a_survey_are_strings(wrong):
    stack, control = parse(
        wrong(
            {
                "network.zone_count": "3",
                "network.private": "false",
                "pools[0].count": " 4 ",
                "pools[0].gpu.count": "1",
                "pools[1].instance_types": "t3.large, t3.xlarge",
                "tags": '{"team": "ml"}',
                "prune": "yes",
                "max_delete": "2",
            }
        )
    )
    assert (stack.network.zone_count, stack.network.private, stack.pools[0].count) == (3, False, 4)
    assert stack.pools[1].instance_types == ("t3.large", "t3.xlarge")
    assert stack.scope.tags == {"team": "ml"}
    assert (control.prune, control.max_delete) == (True, 2)


def test_existing_things_are_referred_to(wrong):
    stack, control = parse(
        wrong(
            {
                "network": {
                    "existing": {
                        "vpc": {"id": "vpc-1a"},
                        "subnets": {"tags": {"tier": "gpu"}},
                        "security_groups": {"ids": ["sg-1a", "sg-1b"]},
                    }
                },
                "key": {"name": "ops", "existing": True},
                "buckets[0]": {"name": "data", "bucket_name": "shared-data", "existing": True},
                "repositories[0]": {"name": "train", "repository_name": "team/train", "existing": True},
            }
        )
    )
    assert stack.network.existing.vpc.ids == ("vpc-1a",)
    assert stack.network.existing.subnets.tags == {"tier": "gpu"}
    assert stack.network.existing.security_groups.ids == ("sg-1a", "sg-1b")
    assert (stack.key.name, stack.key.existing) == ("ops", True)
    assert (stack.buckets[0].bucket_name, stack.buckets[0].existing) == ("shared-data", True)
    assert stack.repositories[0].repository_name == "team/train"


def test_all_mistakes_are_told_at_once(wrong):
    with pytest.raises(DocumentError) as caught:
        parse(wrong({"pools[0].count": -1, "pools[1].contu": 2, "buckets[0].name": "Data", "tags": {"aws:x": "y"}, "max_delete": "some"}))
    found = {problem.path for problem in caught.value.problems}
    assert {"pools[0].count", "pools[1].contu", "buckets[0].name", "tags.aws:x", "max_delete"} <= found
    assert str(caught.value).startswith(f"{len(found)} things to mend before anything can be done:\n- ")


def test_one_mistake_is_one_sentence(wrong):
    with pytest.raises(DocumentError) as caught:
        parse(wrong({"pools[0].gpu": {"models": ["h100"], "count": 3}}))
    assert str(caught.value) == "pools[0].gpu.count is 3: no EC2 type offers 3 H100 (offered: 1, 8). Use one of those."


def test_absent_does_not_ask_how_hosts_are_reached(declaration):
    del declaration["key"], declaration["network"]
    stack, control = parse({**declaration, "state": "absent", "confirm": "vision-demo"})
    assert control.state == "absent"


def test_absent_is_confirmed_outside_check_mode_only(declaration):
    declaration["state"] = "absent"
    assert parse(declaration, check_mode=True)[1].check_mode
    with pytest.raises(DocumentError, match="confirm is missing: .*Set confirm: vision-demo"):
        parse(declaration)


def test_scope_alone():
    scope = parse_scope({"name": "vision", "environment": "demo", "account_id": 123456789012, "region": "us-east-1"})
    assert (scope.prefix, scope.account_id) == ("vision-demo", "123456789012")
    with pytest.raises(DocumentError, match="region is missing"):
        parse_scope({"name": "vision", "environment": "demo", "account_id": "123456789012"})


def test_what_is_parsed_can_be_compared(declaration):
    assert dataclasses.asdict(parse(declaration)[0]) == dataclasses.asdict(parse(declaration)[0])


_JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 70000)
    | st.text(max_size=12)
    | st.sampled_from(["10.0.0.0/16", "a10g", "data", "gp2", "absent"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _of(option):
    """Values for an option: of its shape, or junk."""
    kind = option["type"]
    if kind == "list":
        element = _of({**option, "type": option["elements"]})
        return st.lists(element, max_size=3) | _JUNK
    if kind == "dict" and option.get("options"):
        return st.fixed_dictionaries({}, optional={key: _of(sub) for key, sub in option["options"].items()}) | _JUNK
    return _JUNK | (st.sampled_from(option["choices"]) if option.get("choices") else st.integers(-2, 99))


@given(st.fixed_dictionaries({}, optional={key: _of(option) for key, option in ARGUMENTS.items()}))
@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_nothing_but_a_document_error_comes_of_junk(params):
    try:
        parse({**params, "region": "us-east-1"})
    except DocumentError as error:
        assert all(problem.sentence for problem in error.problems)
