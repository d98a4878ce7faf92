# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: its verdict, its exit code, and what it does not tell."""

from __future__ import annotations

import json

import pytest

from smoke import leftovers, report

DONE = {"name": "Provision", "state": "done", "seconds": 12.3, "detail": ""}
PROOF = {"name": "driver", "state": "proven", "detail": "580.95.05, coherent"}


def told(**more) -> dict:
    return {
        "stack": "smoke-0a1b2c", "sandbox": False, "account": "…3333", "region": "us-east-1", "begun": "2026-01-02 23:00 UTC",
        "refused": False, "stopped": "", "steps": [DONE], "proofs": [PROOF], "host": {}, "tried": [],
        "cost": {"bound": 2.0, "worst": 1.99, "estimate": None}, "left": [], "left_problem": "", "advice": [], "versions": {"boto3": "1"},
        **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "code", "verdict"),
    [
        ({}, 0, "proven, and nothing is left in the account"),
        ({"proofs": [{**PROOF, "state": "not provable here"}]}, 0, "proven, but for what cannot be proven here: driver"),
        ({"steps": [{**DONE, "state": "failed"}]}, 1, "failed: Provision. Nothing is left in the account"),
        ({"proofs": [{**PROOF, "state": "failed"}]}, 1, "failed: driver. Nothing is left"),
        ({"refused": True, "steps": []}, 1, "not run: nobody agreed to the cost"),
        ({"stopped": "SIGTERM"}, 1, "stopped by SIGTERM. Nothing is left"),
        ({"left": ["volume vol-1 (available)"]}, 3, "SOMETHING IS LEFT: 1 things"),
        ({"left": None, "left_problem": "AccessDenied"}, 3, "NOT KNOWN whether anything is left"),
        ({"left": ["volume vol-1"], "stopped": "SIGINT"}, 3, "SOMETHING IS LEFT"),
    ],
)
def test_verdict_and_exit_code(more, code, verdict):
    assert report.code(told(**more)) == code
    assert report.verdict(told(**more)).startswith(verdict)
    assert report.as_markdown(told(**more)).startswith(f"# Smoke test of mlinfra.hosts: {verdict}")
    assert json.loads(report.as_json(told(**more)))["verdict"].startswith(verdict)


def test_what_is_left_is_listed_with_how_to_remove_it():
    left = [leftovers.Left("instance", "i-1", "running"), leftovers.Left("volume", "vol-1")]
    advice = leftovers.advice(left, "eu-west-1", "smoke-0a1b2c", "scripts/run ansible-playbook …")
    text = report.as_markdown(told(left=[str(one) for one in left], advice=advice))
    assert "- instance i-1 (running)\n- volume vol-1\n" in text
    assert "    aws ec2 terminate-instances --region eu-west-1 --instance-ids i-1\n" in text
    assert "`mlinfra:stack = smoke-0a1b2c`" in text
    assert leftovers.advice([], "eu-west-1", "smoke-0a1b2c", "") == []


def test_the_report_has_what_an_issue_needs():
    host = {"instance_type": "g4dn.xlarge", "kernel": "6.1.0-40-cloud-amd64", "driver": "580.95.05", "nvidia_smi": "+---+\n| x |"}
    offer = {"instance_type": "g4dn.xlarge", "zone": "us-east-1a", "market": "spot", "usd_per_hour": 0.1999}
    tried = [{**offer, "code": "InsufficientInstanceCapacity"}, {**offer, "zone": "us-east-1b", "code": None}]
    text = report.as_markdown(told(host=host, tried=tried, cost={"bound": 2.0, "worst": 1.99, "estimate": 0.07}))
    for line in (
        "| kernel | 6.1.0-40-cloud-amd64 |",
        "    +---+\n    | x |\n",
        "| g4dn.xlarge | us-east-1a | spot | 0.1999 | InsufficientInstanceCapacity |",
        "| g4dn.xlarge | us-east-1b | spot | 0.1999 | taken |",
        "| estimate | 0.0700 |",
        "| boto3 | 1 |",
    ):
        assert line in text, text


def test_account_keys_and_addresses_are_nowhere():
    secrets = {"111122223333": "…3333", "203.0.113.7/32": "<your range>", "203.0.113.7": "<your address>", "hush": "<credentials>"}
    deep = {"a": ["arn:aws:iam::111122223333:user/me", {"b": "from 203.0.113.7/32 and 203.0.113.7", "hush": ("hush", 1)}], "n": None}
    assert report.scrubbed(deep, secrets) == {
        "a": ["arn:aws:iam::…3333:user/me", {"b": "from <your range> and <your address>", "<credentials>": ["<credentials>", 1]}],
        "n": None,
    }


def test_a_cell_cannot_break_its_table():
    text = report.as_markdown(told(steps=[{**DONE, "detail": "one | two\nthree"}]))
    assert "| Provision | done | 12.3 | one \\| two three |" in text


def test_the_tag_index_is_believed_only_where_nobody_else_was_asked():
    """GetResources names what was tagged once, so an instance that is gone stays in it for a while."""
    arns = [
        "arn:aws:ec2:us-east-1:111122223333:instance/i-1",
        "arn:aws:ec2:us-east-1:111122223333:fleet/fleet-1",
        "arn:aws:ec2:us-east-1:111122223333:natgateway/nat-1",
        "arn:aws:ssm:us-east-1:111122223333:parameter/mlinfra/smoke-0a1b2c/proof/lock",
        "arn:aws:s3:::smoke-bucket",
    ]
    assert [one.id.split(":", 5)[5] for one in leftovers.others(arns)] == ["natgateway/nat-1", "smoke-bucket"]
