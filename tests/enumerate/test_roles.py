# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role says what it takes, its defaults are what it says, and a test uses it."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from scripts import tree

ENTRY_POINTS = [(role, entry) for role in tree.roles() for entry in tree.argument_specs(role)]
# Set once for all roles, in the inventory: mlinfra_mirrors, mlinfra_proxy. A role's default would hide what the inventory says.
SHARED = "mlinfra_"
MIRRORED = [(role, entry) for role, entry in ENTRY_POINTS if "mlinfra_mirrors" in tree.argument_specs(role)[entry].get("options", {})]
OPTIONS = [
    (role, name)
    for role in tree.roles()
    for name in tree.argument_specs(role).get("main", {}).get("options", {})
    if not name.startswith(SHARED)
]


@cache
def _pages() -> dict:
    names = [f"{tree.COLLECTION}.{role}" for role in tree.roles()]
    done = subprocess.run(["ansible-doc", "--json", "-t", "role", *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), done.stderr
    return json.loads(done.stdout)


@cache
def _users() -> str:
    """The text of what tests roles: tests, scenarios, and the playbooks that those run."""
    kept = [
        path for path in tree.files() if path.parts[0] in ("tests", "molecule", "playbooks") and path.parts[:2] != ("tests", "enumerate")
    ]
    return "\n".join((tree.CHECKOUT / path).read_text(errors="replace") for path in kept)


def _without_documentation(options: dict) -> dict:
    """An argument spec as the validator takes it: neither descriptions nor versions."""
    kept = {}
    for name, option in options.items():
        spec = {key: value for key, value in option.items() if key not in ("description", "version_added", "options")}
        if "options" in option:
            spec["options"] = _without_documentation(option["options"])
        kept[name] = spec
    return kept


def _templated(value) -> bool:
    return "{{" in str(value) or "{%" in str(value)


def test_there_are_roles():
    assert {"aws_stack", "ec2_gpu", "s3_bucket", "ecr_repository", "aws_network", "node_exporter"} <= set(tree.roles())


@pytest.mark.parametrize("role", tree.roles())
def test_has_a_main_entry_point(role):
    assert "main" in tree.argument_specs(role), f"roles/{role}/meta/argument_specs.yml has no main"


@pytest.mark.parametrize(("role", "entry"), ENTRY_POINTS)
def test_entry_point_is_documented(role, entry):
    spec = tree.argument_specs(role)[entry]
    page = _pages()[f"{tree.COLLECTION}.{role}"]["entry_points"][entry]
    for field in ("short_description", "description", "version_added"):
        assert page.get(field), f"{role}, entry point {entry} has no {field}"
    stem = tree.CHECKOUT / "roles" / role / "tasks" / entry
    assert stem.with_suffix(".yml").exists(), f"{role} describes an entry point {entry} that has no tasks"
    lacking = [name for name, option in spec.get("options", {}).items() if not option.get("description") or not option.get("type")]
    assert not lacking, f"{role}, {entry}: options without description or type: {lacking}"


@pytest.mark.parametrize("role", tree.roles())
def test_every_default_is_in_the_specs(role):
    unknown = set(tree.defaults(role)) - set(tree.argument_specs(role)["main"].get("options", {}))
    assert not unknown, f"roles/{role}/defaults has variables that argument_specs does not: {sorted(unknown)}"


@pytest.mark.parametrize(("role", "name"), OPTIONS)
def test_default_is_what_the_specs_say(role, name):
    option, given = tree.argument_specs(role)["main"]["options"][name], tree.defaults(role)
    if option.get("required"):
        assert name not in given, f"{name} is required and has a default"
        return
    assert name in given, f"{name} is not in roles/{role}/defaults (null, where there is no value to give)"
    assert given[name] == option.get("default"), f"{name}: argument_specs says {option.get('default')!r}, defaults say {given[name]!r}"


@pytest.mark.parametrize("role", tree.roles())
def test_defaults_have_their_types(role):
    specs = _without_documentation(tree.argument_specs(role)["main"].get("options", {}))
    literal = {name: value for name, value in tree.defaults(role).items() if not _templated(value) and value is not None}
    wished = {name: {**specs[name], "required": False} for name in literal}
    result = ArgumentSpecValidator(wished).validate(literal)
    assert not result.error_messages, result.error_messages
    coerced = {name: result.validated_parameters[name] for name in literal if specs[name]["type"] not in ("list", "dict")}
    assert coerced == {name: literal[name] for name in coerced}, "a default is written in another type than its option has"


@pytest.mark.parametrize(("role", "entry"), MIRRORED)
def test_mirrors_that_other_roles_use_are_no_mistake(role, entry):
    """mlinfra_mirrors is set once for all roles; Ansible refuses a key that a role does not list."""
    mirrors = tree.argument_specs(role)[entry]["options"]["mlinfra_mirrors"]
    assert set(mirrors["options"]) == {"apt", "pypi", "nvidia", "nvidia_container", "github"}


@pytest.mark.parametrize("role", tree.roles())
def test_variables_carry_the_role_name(role):
    names = [*tree.defaults(role), *tree.argument_specs(role)["main"].get("options", {})]
    wrong = [name for name in names if not name.startswith((f"{role}_", SHARED))]
    assert not wrong, f"{role}: public variables without the role's name in front: {wrong}"


@pytest.mark.parametrize("role", tree.roles())
def test_has_a_readme(role):
    """Galaxy refuses a collection with a role that has none."""
    readme = tree.CHECKOUT / "roles" / role / "README.md"
    assert readme.exists() and f"{tree.COLLECTION}.{role}" in readme.read_text(), f"roles/{role}/README.md must show how the role is called"


@pytest.mark.parametrize("role", tree.roles())
def test_has_a_test(role):
    assert re.search(rf"(?<![a-z0-9_.]){tree.COLLECTION}\.{role}(?![a-z0-9_])", _users()), f"no test, scenario or playbook uses role {role}"


@pytest.mark.parametrize("role", tree.roles())
def test_refuses_without_computing_twice(role):
    """An assert computes its fail_msg also where nothing is wrong: `fail` with `when` computes the refusals once."""
    files = [path for path in tree.files() if path.parts[:3] == ("roles", role, "tasks")]
    wrong = [str(path) for path in files if re.search(r"^ *(- )?(ansible\.builtin\.)?assert:", (tree.CHECKOUT / path).read_text(), re.M)]
    assert not wrong, f"{', '.join(wrong)}: use ansible.builtin.fail with when in place of assert"


def test_configure_has_no_vars_files():
    """Ansible parses those anew for each task of each host."""
    assert "vars_files:" not in (tree.CHECKOUT / "playbooks" / "configure.yml").read_text()
