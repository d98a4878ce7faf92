# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds the lock when several want it, one is slow, one dies and one comes back from the dead."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack import renewal
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.lock import Lock
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.renewal import GUARD, LEASE, Renewal
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Control, Scope

SCOPE = Scope("123456789012", "us-east-1", "vision", "dev")


class Refused(Exception):
    """An error of SSM as botocore raises it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 500 if code == "InternalServerError" else 400}}


class Ssm:
    """One parameter with its versions, numbered from 1 again once it was deleted."""

    def __init__(self) -> None:
        self.versions: list[str] = []
        self.lose = 0  # so many answers of writes
        self.fail = 0  # so many writes

    def put_parameter(self, Name: str, Value: str, Overwrite: bool = False, **_more: Any) -> dict[str, int]:
        if self.fail:
            self.fail -= 1
            raise Refused("InternalServerError")
        if self.versions and not Overwrite:
            raise Refused("ParameterAlreadyExists")
        self.versions.append(Value)
        if self.lose:
            self.lose -= 1
            raise Refused("InternalServerError")
        return {"Version": len(self.versions)}

    def get_parameter(self, Name: str) -> dict[str, Any]:
        number = int(Name.partition(":")[2] or len(self.versions))
        if not self.versions:
            raise Refused("ParameterNotFound")
        if not 1 <= number <= len(self.versions):
            raise Refused("ParameterVersionNotFound")
        return {"Parameter": {"Value": self.versions[number - 1], "Version": number}}

    def delete_parameter(self, Name: str) -> None:
        if not self.versions:
            raise Refused("ParameterNotFound")
        self.versions = []

    def run(self) -> Any:
        return json.loads(self.versions[-1])["run"] if self.versions else None

    def expire(self) -> None:
        """What is written by now has come to its end."""
        self.versions = [json.dumps({**json.loads(text), "expires": time.time() - 1}) for text in self.versions]


@pytest.fixture
def ssm() -> Ssm:
    return Ssm()


def lock(ssm: Ssm, owner: str = "one", **control: Any) -> Lock:
    return Lock(ssm, SCOPE, Control(**control), owner)


def test_it_is_held_inside_and_gone_after(ssm):
    with lock(ssm) as held:
        assert ssm.run() == held.run and not held.waited
        held.check("ec2:CreateVpc")
    assert ssm.versions == []


def test_an_answer_that_is_lost_is_noticed(ssm):
    ssm.lose = 1
    with lock(ssm) as held:
        assert ssm.run() == held.run and held.renew()
    assert ssm.versions == []


def test_a_request_without_an_effect_is_no_lock_of_somebody(ssm):
    ssm.fail = 1
    with lock(ssm) as held:
        assert ssm.run() == held.run and not held.waited
    ssm.fail = 100
    with pytest.raises(Refused, match="InternalServerError"), lock(ssm):
        raise AssertionError("there is no lock")


def test_a_lock_that_is_released_in_between_is_taken(ssm, monkeypatch):
    first, second = lock(ssm).__enter__(), lock(ssm, "two")
    read = ssm.get_parameter

    def released(Name: str) -> Any:
        monkeypatch.setattr(ssm, "get_parameter", read)
        first.__exit__(None, None, None)
        return read(Name)

    monkeypatch.setattr(ssm, "get_parameter", released)
    with second:
        assert ssm.run() == second.run and second.waited, "everything may be different now"


def test_the_second_is_told_who_holds_it(ssm):
    with lock(ssm, "someone"), pytest.raises(StackError, match="locked: someone holds /mlinfra/") as caught, lock(ssm, "two"):
        raise AssertionError("two runs hold the lock")
    assert caught.value.details["lock"]["owner"] == "someone"


def test_an_expired_lock_is_taken_over_and_left_to_who_did(ssm):
    first = lock(ssm).__enter__()
    ssm.expire()
    second = lock(ssm, "two").__enter__()
    assert second.waited and ssm.run() == second.run
    first.__exit__(None, None, None)
    assert ssm.run() == second.run, "what somebody took over is not released"
    second.__exit__(None, None, None)
    assert ssm.versions == []


def test_of_two_that_take_over_one_gets_it_and_keeps_it(ssm):
    lock(ssm).__enter__()
    ssm.expire()
    first, second = lock(ssm, "two"), lock(ssm, "three")
    assert first._take_over(1) and not second._take_over(1)
    assert ssm.run() == first.run
    assert first.renew() and ssm.run() == first.run, "a loser's attempt is not taken for a takeover"
    first.__exit__(None, None, None)
    assert ssm.versions == []


@pytest.mark.parametrize("when", ["before the loser reads", "before the loser gives back"])
def test_a_loser_leaves_nothing_of_a_winner_that_has_finished(ssm, monkeypatch, when):
    lock(ssm).__enter__()
    ssm.expire()
    winner, loser = lock(ssm, "two"), lock(ssm, "three")
    assert winner._take_over(1)
    read = ssm.get_parameter

    def finished(Name: str) -> Any:
        answer = None if when == "before the loser reads" else read(Name)
        ssm.versions = []
        return answer or read(Name)

    monkeypatch.setattr(ssm, "get_parameter", finished)
    assert not loser._take_over(1)
    assert ssm.versions == []


def test_a_lock_is_renewed_for_as_long_as_its_run_lasts(ssm, monkeypatch):
    monkeypatch.setattr(renewal, "EVERY", 0.01)
    with lock(ssm) as held:
        ssm.expire()
        deadline = time.monotonic() + 10
        while json.loads(ssm.versions[-1])["expires"] < time.time() and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(StackError, match="is locked"), lock(ssm, "two"):
            raise AssertionError("two runs hold the lock")
        held.check("ec2:CreateVpc")
    assert ssm.versions == [], "the last renewal does not bring back what is released"


def test_a_run_whose_lock_was_taken_over_writes_no_more(ssm):
    first = lock(ssm).__enter__()
    ssm.expire()
    second = lock(ssm, "two").__enter__()
    first.renewal._lost = not first.renew()
    with pytest.raises(StackError, match="was lost .* stopped before ec2:RunInstances. Run again"):
        first.check("ec2:RunInstances")
    assert ssm.run() == second.run and second.renew()
    second.check("ec2:RunInstances")


def test_a_run_whose_lock_was_taken_over_and_released_leaves_none(ssm):
    first = lock(ssm).__enter__()
    ssm.expire()
    with lock(ssm, "two"):
        pass
    assert not first.renew() and ssm.versions == []


def test_a_renewal_whose_answer_is_lost_loses_nothing(ssm):
    with lock(ssm) as held:
        ssm.lose = 1
        with pytest.raises(Refused):
            held.renew()
        assert held.renew() and ssm.run() == held.run


def test_a_run_that_cannot_renew_stops_before_the_others_may_begin(monkeypatch):
    now = [1000.0]
    kept = Renewal(lambda: True)
    monkeypatch.setattr(renewal.time, "time", lambda: now[0])
    kept.start()
    now[0] += LEASE - GUARD - 1
    assert kept.good()
    now[0] += 2
    assert not kept.good()
    kept.stop()


def test_nothing_is_renewed_after_the_release(monkeypatch):
    monkeypatch.setattr(renewal, "EVERY", 0.0)
    renewed: list[int] = []
    kept = Renewal(lambda: renewed.append(1) or True)
    kept.start()
    kept.stop()
    assert kept._thread is not None and not kept._thread.is_alive()


def test_a_dead_lock_is_swept_and_a_held_one_is_not(ssm):
    with lock(ssm) as held:
        lock(ssm, "two").sweep()
        assert ssm.run() == held.run
        ssm.expire()
        lock(ssm, "two").sweep()
        assert ssm.versions == []
    lock(ssm).sweep()
    assert ssm.versions == []
