# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks by their names, on an account without hosts that answer: plan, refusals, and nothing that makes noise."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from sandbox.aws.process import Emulator


@pytest.fixture
def aws(emulator):
    emulator.reset()
    return emulator


@pytest.fixture
def play(ansible, key):
    """``play(name, …)`` runs mlinfra.hosts.<name> over inventories/demo; the output must not warn of anything."""

    def run(name: str, *arguments: str, code: int = 0, inventory: str = ansible.example("demo"), **environment: str) -> str:
        environment = {"MLINFRA_SSH_KEY": str(key), **environment}
        answer = ansible.run("ansible-playbook", "-i", inventory, f"mlinfra.hosts.{name}", *arguments, **environment)
        said = answer.stdout + answer.stderr
        assert answer.returncode == code, said
        assert not re.search("WARNING|DEPRECATION|Traceback", said), said
        return said

    return run


def writes(aws: Emulator) -> list[str]:
    return [call for call in aws.requests()["by_action"] if not call.split(":")[1].startswith(("Describe", "Get", "List", "Head"))]


def test_plan_shows_all_that_is_missing_and_writes_nothing(play, aws):
    said = play("plan", ANSIBLE_SHOW_CUSTOM_STATS="1")

    assert re.search(r"create +vpc +main +10.42.0.0/16", said)
    assert re.search(r"create +instance +train-0 +g5.12xlarge", said)
    assert re.search(r"preflight: (\d+) of \1 checks passed", said)
    assert writes(aws) == []
    stats = json.loads(said[said.index("CUSTOM STATS") :].split("RUN: ", 1)[1])
    assert re.fullmatch("[0-9a-f]{16}", stats["mlinfra_plan_id"])
    assert stats["mlinfra_plan_id"] == stats["aws_stack_expect_plan"]
    assert stats["mlinfra_plan_summary"]["create"] == 14


def test_site_in_check_mode_ends_well_on_an_empty_account(play, aws):
    said = play("site", "--check")

    assert said.count("skipping: no hosts matched") == 3
    assert "0 hosts in mlinfra_hosts" in said
    assert "check mode: nothing was verified" in said
    assert writes(aws) == []


def test_an_approved_plan_is_applied_and_the_next_run_changes_nothing(play):
    plan_id = re.search("plan_id ([0-9a-f]+)", play("plan")).group(1)

    assert "14 created" in play("provision", "-e", f"aws_stack_expect_plan={plan_id}")
    again = play("provision")
    assert "nothing to change, 14 kept" in again
    assert re.search(r"localhost +: ok=\d+ +changed=0 ", again)


def test_another_plan_than_the_approved_one_is_refused(play, aws):
    assert "expect_plan" in play("provision", "-e", "aws_stack_expect_plan=0123456789abcdef", code=2)
    assert writes(aws) == []


def test_answers_of_a_survey_are_text(play):
    """AWX hands on what people type: numbers and booleans as strings, and empty text for what was left out."""
    survey = {"aws_stack_confirm": "", "aws_stack_prune": "false", "aws_stack_max_delete": "0", "aws_stack_wait_timeout": "300"}

    assert "14 to create" in play("provision", "--check", "-e", json.dumps(survey))


def test_destroy_shows_what_would_go_and_wants_a_word(play, aws):
    play("provision")
    aws.control("POST", "requests/reset")

    said = play("destroy", code=2)
    assert re.search(r"delete +bucket +data +vision-demo-data-123456789012", said)
    assert "run again with -e aws_stack_confirm=vision-demo" in said
    assert "this stack is vision-demo" in play("destroy", "-e", "aws_stack_confirm=vision-dev", code=2)
    assert "check mode: nothing was removed" in play("destroy", "--check")
    assert writes(aws) == []

    # Nobody has to keep the key file for the day on which the stack goes.
    assert "vision-demo is gone" in play("destroy", "-e", "aws_stack_confirm=vision-demo", MLINFRA_SSH_KEY="nowhere/key")
    assert "nothing to change, nothing there" in play("destroy", "-e", "aws_stack_confirm=vision-demo")


def test_destroy_takes_what_a_bucket_holds_only_when_it_is_named(play, aws):
    play("provision")
    aws.client("s3").put_object(Bucket="vision-demo-artifacts-123456789012", Key="model", Body=b"weights")

    refused = play("destroy", "-e", "aws_stack_confirm=vision-demo", "-e", "aws_stack_force=data", code=2)
    assert "name it in force: [artifacts]" in " ".join(refused.split())
    assert aws.client("s3").get_object(Bucket="vision-demo-artifacts-123456789012", Key="model")["Body"].read() == b"weights"
    assert "vision-demo is gone" in play("destroy", "-e", "aws_stack_confirm=vision-demo", "-e", "aws_stack_force=data,artifacts")


def test_hosts_that_the_inventory_does_not_show_are_missed(play, ansible):
    """The stack has instances, but the plugin looks elsewhere."""
    mine = shutil.copytree(ansible.example("demo"), ansible.folder / "mine")
    (mine / "ec2_gpu.yml").write_text("plugin: mlinfra.hosts.ec2_gpu\nstack: elsewhere\n")

    said = play("site", code=2, inventory=str(mine))
    assert "The stack has 2 instances" in said
    assert "the inventory shows no host in mlinfra_hosts" in said


def test_a_host_that_does_not_answer_is_named_with_its_address(play):
    """The emulator without hosts: instances run and nobody answers."""
    play("provision")
    said = play("reachable", "-e", "mlinfra_reachable_timeout=2", code=2)

    for host in ("cpu-0", "train-0"):
        assert re.search(rf"{host} \(10\.42\.\d+\.\d+\) cannot be reached\s+as admin:\s+no answer to ssh within 2 seconds", said)
    assert "Check that the instance runs" in said


def test_verify_without_hosts_fails(play):
    assert "There was no host to verify" in play("verify", code=2)
