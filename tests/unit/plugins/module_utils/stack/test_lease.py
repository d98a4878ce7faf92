# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power and leases as they are declared: what is refused, by which path; durations; when a lease begins and who ends it."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import terms
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import duration
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import DocumentError, parse
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Observed, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Image, Lease, Pool

NOW = 1_800_000_000
HOST = {"name": "p", "image": {"id": "ami-12345678"}, "instance_types": ["t3.large"]}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90m", 5400),
        ("12h", 43200),
        ("3d", 259200),
        ("1w", 604800),
        ("1d12h", 129600),
        (" 2H ", 7200),
        ("0h", 0),
        ("", None),
        ("3", None),
        ("3 days", None),
        ("12h1d", None),
        ("-1h", None),
        ("1.5h", None),
        ("90s", None),
    ],
)
def test_durations(text, seconds):
    assert duration.seconds(text) == seconds


def test_moments_come_back():
    assert duration.moment(NOW) == "2027-01-15T08:00:00Z" and duration.epoch("2027-01-15T08:00:00Z") == NOW
    assert duration.epoch("2027-01-15") is None is duration.epoch(None)


def refusals(wrong, pool):
    with pytest.raises(DocumentError) as caught:
        parse(wrong({"pools[0]": {**HOST, **pool}}))
    return {problem.path: str(problem.sentence) for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("pool", "path", "said"),
    [
        ({"power": "off"}, "power", "one of running, stopped and unmanaged"),
        ({"power": "stopped", "market": ["on_demand", "spot"]}, "power", "EC2 stops no one-time spot instances"),
        ({"data_loss": "yes"}, "data_loss", "one of refused and accepted"),
        ({"lease": {}}, "lease", "expire or idle is needed"),
        ({"lease": {"renew": "x"}}, "lease", "expire or idle is needed"),
        ({"lease": {"expire": "3 days"}}, "lease.expire", "Write it like 3d, 12h or 90m"),
        ({"lease": {"expire": "1m"}}, "lease.expire", "5m to 366d is possible"),
        ({"lease": {"idle": "400d"}}, "lease.idle", "5m to 366d is possible"),
        ({"lease": {"idle": "1h", "expire": "3d"}}, "lease.on_idle", "Use enforce: scheduler, so that the host only stops itself"),
        ({"lease": {"idle": "1h"}, "market": ["spot"]}, "lease.on_idle", "Use on_idle: terminate, or no spot"),
        ({"lease": {"idle": "1h"}, "power": "running"}, "lease.on_idle", "power: running would start it again"),
        ({"lease": {"expire": "3d"}, "power": "stopped"}, "lease.enforce", "cannot end itself. Use enforce: scheduler"),
        ({"lease": {"expire": "3d"}, "termination_protection": True}, "lease.expire", "a lease ends what it protects"),
        ({"lease": {"idle": "3d", "renew": "x"}}, "lease.renew", "only a lease that expires can be renewed"),
        ({"lease": {"expire": "3d", "renew": "x" * 65}}, "lease.renew", "up to 64 characters"),
        ({"lease": {"expire": "3d"}, "tags": {"a b": "c"}}, "tags.a b", "Use letters, digits and + - = . , _ : @"),
        ({"lease": {"expire": "3d"}, "tags": {"team/ml": "c"}}, "tags.team/ml", "whose metadata would show this key"),
        ({"lease": {"expire": "3d"}, "instance_types": ["p3.2xlarge"]}, "lease.enforce", "p3.2xlarge is not built on Nitro"),
        ({"lease": {"expire": "3d"}, "user_data": "#!/bin/sh\n" + "#" * 16000}, "user_data", "with the timer of the lease it would be"),
    ],
)
def test_what_is_refused(wrong, pool, path, said):
    found = refusals(wrong, pool)
    assert list(found) == [f"pools[0].{path}"] and said in found[f"pools[0].{path}"]


def test_tags_of_the_stack_have_to_be_such_that_metadata_shows_them(wrong):
    with pytest.raises(DocumentError, match="tags.cost center is ml: the host reads its lease from its tags"):
        parse(wrong({"tags": {"cost center": "ml"}, "pools[0]": {**HOST, "lease": {"expire": "3d"}}}))


@pytest.mark.parametrize(
    "pool",
    [
        {"lease": {"idle": "1h", "expire": "3d", "on_idle": "terminate"}},
        {"lease": {"idle": "1h", "expire": "3d", "enforce": "scheduler"}},
        {"lease": {"idle": "1h", "on_idle": "terminate"}, "market": ["spot"], "power": "running"},
        {"lease": {"expire": "3d", "enforce": "scheduler"}, "power": "stopped", "tags": {"a b": "c"}, "instance_types": ["p3.2xlarge"]},
        {"lease": {"expire": "3d", "enforce": "scheduler"}, "user_data": "#!/bin/sh\n" + "#" * 16000},
        {"power": "stopped"},
    ],
)
def test_what_is_possible(wrong, pool):
    parse(wrong({"pools[0]": {**HOST, **pool}}))


@pytest.mark.parametrize(
    ("lease", "timer", "behaviour"),
    [
        (Lease(expire=1), True, "terminate"),
        (Lease(expire=1, idle=1, on_idle="terminate"), True, "terminate"),
        (Lease(idle=1), True, "stop"),
        (Lease(expire=1, idle=1, enforce="scheduler"), True, "stop"),
        (Lease(expire=1, enforce="scheduler"), False, "stop"),
    ],
)
def test_one_shutdown_behaviour(lease, timer, behaviour):
    assert (lease.on_host, lease.shutdown) == (timer, behaviour)


def instance(slot, **tags):
    facts = {"pool": "train", "slot": slot, "status": "running"}
    return Found("instance", f"train-{slot}", f"i-{slot}", {}, {f"mlinfra:{key}": one for key, one in tags.items()}, True, facts=facts)


def seen(record, *instances):
    found = Found("lease", "train", "x", {"slots": terms.record(record)}, {}, True)
    return Observed("1", "aws", "us-east-1", {"lease": [found] if record else [], "instance": list(instances)}, now=NOW)


def pool(renew="", count=2, **more):
    return Pool("train", count, ("t3.large",), Image(id="ami-1"), lease=Lease(expire=1000, renew=renew), **more)


def test_a_record_comes_back_and_is_short():
    record = {slot: terms.Term(NOW, "x") for slot in range(300)}
    assert len(terms.record(record)) == 1 and terms.recorded({"slots": terms.record(record)}) == record
    assert terms.recorded({"slots": [{"slots": "0-1", "began": "nonsense"}, {}]}) == {}


def test_when_a_term_begins():
    old, told = terms.Term(NOW - 100, ""), {"expires": duration.moment(NOW + 900)}
    new = terms.Term(NOW, "")
    assert terms.terms(pool(), seen({})) == {0: new, 1: new}
    assert terms.terms(pool(), seen({0: old, 1: old}, instance(0, **told))) == {0: old, 1: old}
    assert terms.terms(pool(), seen({0: old, 1: old}, instance(0))) == {0: new, 1: old}, "one that knows of no end begins now"
    assert terms.terms(pool("again"), seen({0: old, 1: old})) == dict.fromkeys((0, 1), terms.Term(NOW, "again"))
    assert terms.terms(pool(count=1), seen({0: old, 1: old})) == {0: old, 1: old}, "a slot comes back as it went"
    assert terms.terms(pool(power="stopped"), seen({})) == {}, "what is not launched has not begun"


@pytest.mark.parametrize(("ago", "filled"), [(999, [0, 1]), (1000, [1]), (5000, [1])])
def test_what_is_over_is_not_filled(ago, filled):
    there = seen({0: terms.Term(NOW - ago, "")})
    assert terms.to_fill(pool(), there) == filled
    assert [line.name for line in terms.left_empty(pool(), there)] == [f"train-{slot}" for slot in (0, 1) if slot not in filled]


@pytest.mark.parametrize(
    ("tags", "status", "scheduled", "who"),
    [
        ({"timer": "terminate"}, "running", False, "host"),
        ({"timer": "stop"}, "running", False, "nobody"),
        ({"timer": "terminate"}, "stopped", False, "nobody"),
        ({}, "running", False, "nobody"),
        ({}, "stopped", True, "scheduler"),
    ],
)
def test_who_ends_an_instance(tags, status, scheduled, who):
    one = instance(0, **tags)
    one.facts["status"] = status
    schedules = [Found("schedule", "i-0", "x", facts={"instance": "i-0"})] if scheduled else []
    assert terms.enforcer(one, schedules) == who


def test_what_ends_an_adopted_one():
    """``reap`` ends only what the stack launched, so it is no way out for an adopted instance."""
    adopting = pool(adopt=("i-1",))
    made = [Wish("instance", f"train-{slot}", make={"pool": adopting}) for slot in range(2)]
    changes = [Change("instance", one.name, "keep", wish=one, found=instance(slot)) for slot, one in enumerate(made)]
    launched, adopted = terms.unenforced(changes, NOW)
    assert launched.startswith("pools.train.lease.expire is not enforced for train-0 (i-0)") and "run the playbook reap" in launched
    assert adopted.startswith("pools.train.lease.expire is not enforced for train-1 (i-1)")
    assert adopted.endswith("Use enforce: scheduler: the playbook reap ends only what the stack launched.")


@pytest.mark.parametrize(("late", "told"), [(599, False), (601, True)])
def test_one_that_is_long_over_and_still_there_is_enforced_by_nobody(late, told):
    over = instance(0, expires=duration.moment(NOW - late), timer="terminate")
    there = seen({0: terms.Term(NOW - 5000)}, over)
    terms.join(there)
    assert over.state["enforced"] == ("nobody" if told else "host")
    wish = Wish("instance", "train-0", make={"pool": pool()})
    said = terms.unenforced([Change("instance", "train-0", "keep", wish=wish, found=over)], NOW)
    assert bool(said) == told and all("still there. Run the playbook reap" in one for one in said)
    renewed = Change("instance", "train-0", "update", wish=wish, found=over, tags={"mlinfra:expires": duration.moment(NOW + 9)})
    assert not terms.unenforced([renewed], NOW)
