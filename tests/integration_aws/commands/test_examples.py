# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""inventories/: what they declare is valid, and they list an empty account without a word."""

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import parse

NAMES = ("demo", "dev", "staging", "prod")


@pytest.fixture(scope="module")
def aws(emulator):
    emulator.reset()
    return emulator


@pytest.fixture
def declared(ansible, key, request) -> dict:
    """Parameters of aws_stack as the inventory of the test's ``name`` has them, the public key read."""
    answer = ansible.run("ansible-inventory", "-i", ansible.example(request.getfixturevalue("name")), "--list")
    assert (answer.returncode, answer.stderr) == (0, "")
    variables = json.loads(answer.stdout)["_meta"]["hostvars"]["localhost"]
    parameters = {name.removeprefix("aws_stack_"): value for name, value in variables.items() if name.startswith("aws_stack_")}
    if parameters["key"].pop("public_key_file", None):
        parameters["key"]["public_key"] = key.with_suffix(".pub").read_text()
    return parameters


@pytest.mark.parametrize("name", NAMES)
def test_the_declaration_is_valid_and_the_plugin_lists_what_it_makes(declared, name, ansible):
    stack, dummy = parse(declared)

    assert sum(pool.count for pool in stack.pools) > 0
    with open(f"{ansible.example(name)}/ec2_gpu.yml", encoding="utf-8") as file:
        plugin = yaml.safe_load(file)
    assert (plugin["stack"], plugin["environment"], plugin["regions"]) == (stack.scope.stack, name, [stack.scope.region])
    assert stack.scope.environment == name


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_account_is_shown_without_a_word(name, ansible):
    answer = ansible.run("ansible-inventory", "-i", ansible.example(name), "--graph")

    assert answer.stdout.split() == ["@all:", "|--@ungrouped:", "|--@mlinfra_controller:", "|", "|--localhost", "|--@mlinfra_hosts:"]
    assert answer.stderr == ""


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_an_example_account_is_refused_before_any_write(name, ansible, key, aws):
    answer = ansible.run("ansible-playbook", "-i", ansible.example(name), "mlinfra.hosts.provision")

    assert answer.returncode == 2
    assert "account_id" in answer.stdout + answer.stderr
    assert "123456789012" in answer.stdout + answer.stderr
    assert not [call for call in aws.requests()["by_action"] if not call.split(":")[1].startswith(("Describe", "Get"))]
