# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook as an AWX job, in the order of the workflow: each test goes on where the one before it ended."""

from __future__ import annotations

import re

import pytest

CONFIRM = {"aws_stack_confirm": "vision-dev", "aws_stack_force": ""}


@pytest.fixture(scope="module")
def answers(awx) -> dict:
    """What a survey gives, as text, and what the job template overrides so that the stack fits this machine."""
    survey = {
        "aws_stack_account_id": "123456789012",
        "aws_stack_prune": "false",
        "aws_stack_max_delete": "0",
    }
    template = {
        "aws_stack_network": {"cidr": "10.59.0.0/16", "zone_count": "1", "access": {"via": "direct", "cidrs": ["10.59.0.0/16"]}},
        "aws_stack_key": {"public_key": awx.public_key},
        # as -e and surveys give it; molecule's default scenario runs all roles
        "mlinfra_configure": "node_exporter",
        "aws_stack_pools": [
            {"name": "cpu", "count": "1", "instance_types": ["t3.large"], "image": {"ssm": "/aws/service/debian/release/12/latest/amd64"}}
        ],
    }
    return {**survey, **template}


def clean(job):
    """A job that ended well and said nothing that a person must wonder about."""
    assert job.code == 0, job.output
    assert not re.search(r"\[(WARNING|DEPRECATION WARNING|ERROR)\]", job.output), job.output
    assert job.count("failures") == job.count("dark") == 0
    return job


@pytest.fixture(scope="module")
def plan(awx, answers):
    awx.update_inventory()
    return clean(awx.job("plan", answers))


def test_plan_hands_its_id_on(plan):
    assert plan.count("changed") == 0 or "create" in plan.output
    assert plan.artifacts["aws_stack_expect_plan"] == plan.artifacts["mlinfra_plan_id"]
    assert plan.artifacts["mlinfra_plan_summary"]["create"] > 5


def test_provision_refuses_another_plan_than_the_approved_one(awx, answers, plan):
    job = awx.job("provision", {**answers, "aws_stack_expect_plan": "0" * len(plan.artifacts["aws_stack_expect_plan"])})
    assert job.code != 0
    assert plan.artifacts["aws_stack_expect_plan"] in job.output, job.output
    assert "Traceback" not in job.output


def test_provision_applies_the_approved_plan(awx, answers, plan):
    job = clean(awx.job("provision", {**answers, **plan.artifacts}))
    assert job.count("changed") == 1


def test_inventory_update_finds_the_host(awx):
    found = awx.update_inventory()
    assert found["mlinfra_hosts"]
    assert found["_meta"]["hostvars"]["cpu-0"]["mlinfra_instance_type"] == "t3.large"


def test_reachable(awx, answers):
    assert clean(awx.job("reachable", answers, ssh=True)).count("changed") == 0


def test_configure(awx, answers):
    assert clean(awx.job("configure", answers, ssh=True)).count("changed") > 0


def test_verify(awx, answers):
    job = clean(awx.job("verify", answers, ssh=True))
    assert job.count("changed") == 0
    assert "1 host: all that is there is proven" in job.output
    assert job.artifacts["mlinfra_verify"]["hosts"]["cpu-0"]["node_exporter"]["state"] == "proven"
    assert job.artifacts["mlinfra_verify"]["hosts"]["cpu-0"]["container_runtime"]["state"] == "not there"


def test_site_finds_nothing_to_change(awx, answers):
    assert clean(awx.job("site", answers, ssh=True)).count("changed") == 0


def test_destroy_wants_the_right_word(awx, answers):
    job = awx.job("destroy", {**answers, "aws_stack_confirm": "vision-prod"})
    assert job.code != 0
    assert "vision-prod" in job.output and "vision-dev" in job.output, job.output
    assert "Traceback" not in job.output
    assert "cpu-0" in awx.update_inventory()["_meta"]["hostvars"]


def test_destroy(awx, answers):
    job = clean(awx.job("destroy", {**answers, **CONFIRM}))
    assert "vision-dev is gone" in job.output
    assert not awx.update_inventory()["_meta"]["hostvars"].get("cpu-0")


def test_jobs_left_home_to_ansible_alone(awx):
    assert {path.name for path in awx.home.iterdir()} <= {".ansible"}
