# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ec2_gpu_offers_info as a user sees it, against the emulated EC2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ansible_collections.mlinfra.hosts as collection

COLLECTIONS = Path(collection.__path__[0]).parents[2]


@pytest.fixture
def ask(lab, tmp_path):
    """``ask(option=…)`` gives the module's result, ``ask.each([options, …])`` those of several in one play; no run may warn of anything."""

    def each(wishes):
        tasks = [{"mlinfra.hosts.ec2_gpu_offers_info": {"region": "us-east-1", **wish}, "ignore_errors": True} for wish in wishes]
        variables = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        book = tmp_path / "play.json"
        book.write_text(
            json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables, "tasks": tasks}])
        )
        more = {"HOME": str(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", str(book)]
        environment = {**lab.aws.environment(), **more, "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
        assert "WARN" not in done.stderr and "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return [task["hosts"]["localhost"] for task in json.loads(done.stdout)["plays"][0]["tasks"]]

    def run(**options):
        return each([options])[0]

    run.each = each
    return run


def test_offers_of_a_region(ask, lab):
    lab.calls()
    told = ask(memory_gib=24, count=1, market=["spot", "on_demand"], zones=["us-east-1a", "us-east-1b"], max_hourly_usd=1.1)
    assert lab.calls() == {"ec2:DescribeInstanceTypeOfferings": 1, "ec2:DescribeSpotPriceHistory": 1}
    assert told["changed"] is False
    prices = [offer["usd_per_hour"] for offer in told["offers"]]
    assert prices == sorted(prices) and max(prices) <= 1.1
    assert {offer["market"] for offer in told["offers"]} == {"spot", "on_demand"}
    cheapest = next(offer for offer in told["offers"] if offer["market"] == "on_demand")
    assert (cheapest["instance_type"], cheapest["usd_per_hour"]) == ("g6.xlarge", 0.8048)
    assert cheapest["gpu"] == {"model": "l4", "count": 1, "memory_gib": [24]}
    reasons = {(one["instance_type"], one["zone"], one["market"]): one["reason"] for one in told["rejected"]}
    assert reasons["g5.4xlarge", "us-east-1a", "on_demand"] == "1.624 USD an hour, and max_hourly_usd is 1.1"
    assert reasons["p5.48xlarge", None, None] == "it has 8 GPUs"


def test_prices_of_other_regions_are_not_known_and_said_so(ask):
    elsewhere = {"region": "eu-west-1", "instance_types": ["g5.xlarge"]}
    free, bounded = ask.each([elsewhere, {**elsewhere, "max_hourly_usd": 5}])
    assert free["offers"] and {offer["usd_per_hour"] for offer in free["offers"]} == {None}
    assert bounded["offers"] == []
    assert {one["reason"] for one in bounded["rejected"] if one["market"]} == {"its price is not known, and max_hourly_usd is 5"}


def test_what_nothing_satisfies_is_asked_of_nobody(ask, lab):
    lab.calls()
    assert ask(models=["h100"], memory_gib=24)["offers"] == [] and lab.calls() == {}


def test_wishes_that_make_no_sense_are_refused(ask):
    wrong = {
        "models has h1000: EC2 offers a100, a10g": {"models": ["h1000"]},
        "count is 0: expected more than 0. Leave it out for any.": {"count": 0},
        "instance_types stands beside models": {"instance_types": ["g5.xlarge"], "models": ["l4"]},
    }
    for message, told in zip(wrong, ask.each(wrong.values()), strict=True):
        assert told["failed"] and message in told["msg"]
