# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""aws_stack and aws_stack_info through ansible-playbook: the key course, as a user sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ansible_collections.mlinfra.hosts as collection

COLLECTIONS = Path(collection.__path__[0]).parents[2]


@pytest.fixture
def play(lab, tmp_path):
    """``play(state=…)`` runs one playbook with the whole stack and gives (return code, results by task, everything printed)."""

    def run(*options: str, info: bool = False, **sections):
        declared = lab.declared(sections)
        scope = {key: declared[key] for key in ("name", "environment", "account_id", "region")}
        module, arguments = ("aws_stack_info", scope) if info else ("aws_stack", declared)
        task = {"name": "The stack", f"mlinfra.hosts.{module}": arguments, "register": "told"}
        variables = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        (tmp_path / "play.json").write_text(
            json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables, "tasks": [task]}])
        )
        more = {"HOME": str(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
        environment = {**lab.aws.environment(), **more, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", str(tmp_path / "play.json"), *options]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
        assert done.stdout.lstrip().startswith("{"), done.stdout + done.stderr
        result = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]
        return done.returncode, result, done.stderr

    return run


def test_the_course_of_a_stack(play, lab, writes):
    code, planned, said = play("--check", "--diff")
    assert code == 0 and planned["changed"] and planned["outputs"]["vpc_id"] is None and len(planned["diff"]) == 20
    assert writes(lab.calls()) == {} and "WARN" not in said and "DEPRECAT" not in said
    code, made, said = play(expect_plan=planned["plan_id"])
    assert code == 0 and made["changed"] and made["plan_id"] == planned["plan_id"] and len(lab.alive()) == 8
    assert "WARN" not in said and "DEPRECAT" not in said and not made.get("deprecations") and not made.get("warnings")
    lab.calls()
    code, again, _said = play()
    calls = lab.calls()
    assert code == 0 and not again["changed"] and writes(calls) == {} and sum(calls.values()) <= 25
    code, told, _said = play(info=True)
    assert code == 0 and told["exists"] and told["outputs"] == made["outputs"]
    nothing = dict.fromkeys(("network", "key", "buckets", "repositories", "identity", "pools"))
    code, ended, _said = play(state="absent", confirm="vision-dev", **nothing)
    assert code == 0 and ended["changed"] and ended["remaining"] == [] and lab.alive() == []


def test_a_failure_is_one_clean_message(play, lab):
    code, result, said = play(account_id="210987654321")
    assert code == 2 and result["msg"].startswith("account_id is 210987654321: the credentials are for 123456789012")
    assert "Traceback" not in json.dumps(result) + said and result["found_account_id"] == "123456789012"
