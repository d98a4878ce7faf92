# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the example gives AWX: options that the awx.awx modules have, names that exist, surveys that name real variables."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from scripts import tree

PROJECT = tree.CHECKOUT / "examples" / "awx-project"
DEFINED = {
    key: value
    for name in ("base", "surveys", "templates", "workflow", "schedules")
    for key, value in tree.load(PROJECT / "awx" / f"{name}.yml").items()
}
MODULES = {
    "execution_environment": "mlinfra_execution_environments",
    "project": "mlinfra_projects",
    "credential": "mlinfra_credentials",
    "inventory": "mlinfra_inventories",
    "inventory_source": "mlinfra_inventory_sources",
    "job_template": "mlinfra_job_templates",
    "workflow_job_template": "mlinfra_workflows",
    "schedule": "mlinfra_schedules",
}
QUESTIONS = [question for name, survey in DEFINED.items() if name.startswith("mlinfra_survey_") for question in survey]


def _names(key: str) -> set[str]:
    return {entry["name"] for entry in DEFINED[key]}


@pytest.mark.parametrize(("module", "key"), MODULES.items())
def test_load_hands_every_option_to_a_module_that_has_it(module, key):
    given = {option for entry in DEFINED[key] for option in entry}
    tasks = tree.load(PROJECT / "awx" / "load.yml")[0]["tasks"]
    handed = next(task[f"awx.awx.{module}"] for task in tasks if f"awx.awx.{module}" in task)
    assert given == set(handed), f"awx/load.yml and {key} differ"
    done = subprocess.run(["ansible-doc", "--json", f"awx.awx.{module}"], capture_output=True, text=True, check=False)
    if done.returncode or not json.loads(done.stdout):
        pytest.skip("this environment's ansible package has no awx.awx")
    assert given <= set(json.loads(done.stdout)[f"awx.awx.{module}"]["doc"]["options"])


def test_templates_name_playbooks_and_what_is_defined():
    assert {template["playbook"] for template in DEFINED["mlinfra_job_templates"]} == {
        path.name for path in PROJECT.glob("*.yml") if path.name != "execution-environment.yml"
    }
    for template in DEFINED["mlinfra_job_templates"]:
        assert template["project"] in _names("mlinfra_projects")
        assert template["inventory"] in _names("mlinfra_inventories")
        assert template["execution_environment"] in _names("mlinfra_execution_environments")
        assert set(template["credentials"]) <= _names("mlinfra_credentials")


def test_surveys_ask_for_variables_of_the_roles():
    options = {name for role in ("aws_stack", "nvidia_driver", "seal") for name in tree.argument_specs(role)["main"]["options"]}
    for question in QUESTIONS:
        assert question["variable"] in options, question
        assert question["type"] in ("text", "multiplechoice")
        assert isinstance(question.get("default", ""), str), f"{question['variable']}: AWX keeps defaults as text"
        assert all(isinstance(choice, str) for choice in question.get("choices", []))


def test_schedules_answer_all_that_their_templates_ask():
    templates = {template["name"]: template for template in DEFINED["mlinfra_job_templates"]}
    for schedule in DEFINED["mlinfra_schedules"]:
        spec = templates[schedule["unified_job_template"]]["survey_spec"]["spec"]
        asked = [question for named in re.findall(r"mlinfra_survey_\w+", spec) for question in DEFINED[named]]
        assert {one["variable"] for one in asked if one["required"] and "default" not in one} <= set(schedule["extra_data"])
        assert re.fullmatch(r"DTSTART:\d{8}T\d{6}Z RRULE:FREQ=\w+;INTERVAL=\d+", schedule["rrule"])


def test_every_template_has_a_survey_that_exists():
    for template in DEFINED["mlinfra_job_templates"] + DEFINED["mlinfra_workflows"]:
        named = re.findall(r"mlinfra_survey_\w+", template["survey_spec"]["spec"])
        assert named and set(named) <= set(DEFINED), template["name"]


def test_workflow_goes_from_plan_over_approval_to_verify():
    (workflow,) = DEFINED["mlinfra_workflows"]
    nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
    path, at = ["plan"], nodes["plan"]
    while at.get("related"):
        (following,) = at["related"]["success_nodes"]
        at = nodes[following["identifier"]]
        path.append(at["identifier"])
    assert path == ["plan", "approve", "provision", "hosts", "reachable", "configure", "verify"] == list(nodes)
    kinds = {name: node["unified_job_template"]["type"] for name, node in nodes.items()}
    assert kinds["approve"] == "workflow_approval" and kinds["hosts"] == "inventory_source"
    for name, node in nodes.items():
        known = {"job_template": "mlinfra_job_templates", "inventory_source": "mlinfra_inventory_sources"}.get(kinds[name])
        assert not known or node["unified_job_template"]["name"] in _names(known)


def test_execution_environment_context(tmp_path):
    """ansible-builder makes a build context of the example's definition."""
    command = ["ansible-builder", "create", "-f", str(PROJECT / "execution-environment.yml"), "-c", str(tmp_path / "context")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    wished = tree.load(tmp_path / "context" / "_build" / "requirements.yml")["collections"]
    assert "mlinfra.hosts" in {collection["name"] for collection in wished}
