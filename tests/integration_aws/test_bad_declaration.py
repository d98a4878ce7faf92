# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Through ansible-playbook: a wrong declaration ends the run with one clean message, before any call to AWS.

Each case is a host of one run, with the wrong values as its variables: one start of Ansible instead of twenty.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
IMAGE = {"ssm": "/aws/service/debian/release/12/latest/amd64"}
SCOPE = {"name": "vision", "environment": "demo", "account_id": "123456789012"}
NETWORK = {"cidr": "10.42.0.0/16", "zone_count": 2, "access": {"cidrs": ["203.0.113.7/32"]}}
KEY = {"name": "ops", "existing": True}
POOL = {"name": "train", "count": 1, "gpu": {"models": ["a10g"]}, "image": IMAGE}
WRONG = {
    "unknown key": (
        {"pools": [POOL, {"name": "cpu", "gpu": {"modles": ["t4"]}, "image": IMAGE}]},
        "pools[1].gpu.modles is not an option: known are count, memory_gib and models. Did you mean models?",
    ),
    "wrong type": ({"pools": [{**POOL, "count": "many"}]}, "pools[0].count is many: a whole number belongs here. Write it in digits."),
    "wrong type of a section": (
        {"pools": {"name": "train"}},
        'pools is {"name": "train"}: a list belongs here. Begin each element with a dash.',
    ),
    "unknown GPU model": ({"pools": [{**POOL, "gpu": {"models": ["h101"]}}]}, "pools[0].gpu.models[0] is h101: EC2 offers a100, a10g,"),
    "GPU count that no type offers": (
        {"pools": [{**POOL, "gpu": {"models": ["h100"], "count": 3}}]},
        "pools[0].gpu.count is 3: no EC2 type offers 3 H100 (offered: 1, 8). Use one of those.",
    ),
    "overlapping CIDR": (
        {"network": {**NETWORK, "avoid_cidrs": ["10.42.64.0/18"]}},
        "network.cidr is 10.42.0.0/16: it overlaps 10.42.64.0/18 of network.avoid_cidrs[0]. Choose a range that is free",
    ),
    "duplicate names": (
        {"pools": [POOL, POOL]},
        "pools[1].name is train: pools[0].name has it already. Give each its own, or remove one of them.",
    ),
    "negative count": ({"pools": [{**POOL, "count": -1}]}, "pools[0].count is -1: 0 or more is possible. Use 0 for a pool without hosts."),
    "bucket name that S3 refuses": (
        {"buckets": [{"name": "data", "bucket_name": "My_Data"}]},
        "buckets[0].bucket_name is My_Data: S3 takes lowercase letters, digits, dots and hyphens,",
    ),
    "hosts that nothing could reach": (
        {"network": {**NETWORK, "private": True}},
        "network.access.via is direct: hosts of a private network have no public address, so nothing could reach them. Set via: bastion",
    ),
    "wrong confirm": (
        {"state": "absent", "confirm": "vision-prod"},
        "confirm is vision-prod: this stack is vision-demo. Set confirm: vision-demo if that is the one to remove.",
    ),
    "file that is not there": (
        {"key": {"public_key_file": "nowhere.pub"}},
        "key.public_key_file is nowhere.pub: no such file on the controller can be read. Give an absolute path, or put it into files/",
    ),
}
OVERRIDES = {"pool": [{"name": "train", "count": 4}]}
SECTION_ROLES = {
    "s3_bucket": ({"buckets": [{"name": "Data"}]}, "buckets[0].name is Data:"),
    "ecr_repository": ({"repositories": [{"name": "train", "keep_last": 0}]}, "repositories[0].keep_last is 0: 1 or more is possible."),
    "aws_network": ({"cidr": "10.0.0.0/8", "zone_count": 1, "access": {"cidrs": ["10.0.0.0/8"]}}, "network.cidr is 10.0.0.0/8: a VPC has"),
    "ec2_gpu": (
        {
            "pools": [POOL],
            "network": {"vpc": {"id": "vpc-1"}, "subnets": {"ids": ["net-1"]}, "security_groups": {"ids": ["sg-1"]}},
            "key_name": "ops",
        },
        "network.existing.subnets.ids[0] is net-1: an id that begins with subnet- belongs here.",
    ),
}


def inventory() -> dict:
    """A host for each case, with the role that it is for."""
    whole = {**SCOPE, "region": "us-east-1", "network": NETWORK, "key": KEY, "pools": [POOL]}
    hosts = {slug(case): prefixed("aws_stack", {**whole, **change}) for case, (change, _message) in WRONG.items()}
    hosts["misspelt_override"] = prefixed("aws_stack", {**SCOPE, "overrides": OVERRIDES})
    scope = {"stack": "vision", "environment": "demo", "account_id": "123456789012", "region": "us-east-1"}
    hosts.update({role: prefixed(role, {**scope, **options}) for role, (options, _message) in SECTION_ROLES.items()})
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return {"all": {"vars": local, "hosts": hosts}}


def prefixed(role: str, options: dict) -> dict:
    return {"role_of_case": f"mlinfra.hosts.{role}", **{f"{role}_{option}": value for option, value in options.items()}}


def slug(case: str) -> str:
    return case.replace(" ", "_")


@pytest.fixture(scope="module")
def calls():
    """An address that stands for AWS, and who called it."""
    noted = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            noted.append(self.path)
            self.send_error(500)

        do_GET = do_PUT = do_HEAD = do_POST

        def log_message(self, *unused):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", noted
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def output(tmp_path_factory, calls) -> str:
    """What ansible-playbook prints when every case has failed."""
    folder = tmp_path_factory.mktemp("play")
    include = {"ansible.builtin.include_role": {"name": "{{ role_of_case }}"}}
    plays = [{"hosts": "all", "gather_facts": False, "tasks": [include]}]
    (folder / "playbook.yml").write_text(json.dumps(plays))
    (folder / "hosts.yml").write_text(json.dumps(inventory()))
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_"))}
    fake = {
        "AWS_ENDPOINT_URL": calls[0],
        "AWS_ACCESS_KEY_ID": "fake",
        "AWS_SECRET_ACCESS_KEY": "fake",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "MLINFRA_LOCAL_ONLY": "1",
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build" / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        "HOME": str(folder),
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.yml", "playbook.yml"]
    return subprocess.run(
        command, cwd=folder, env={**kept, **fake}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    ).stdout


def told(output: str, host: str) -> dict:
    """The result that a host failed with."""
    found = re.search(rf"^fatal: \[{host}\]: FAILED! => (.*)$", output, re.MULTILINE)
    assert found, output
    return json.loads(found.group(1))


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_stack(case, output):
    result = told(output, slug(case))
    assert result["msg"].startswith(WRONG[case][1])
    assert "\n" not in result["msg"]
    assert [sorted(problem) for problem in result["problems"]] == [["expected", "hint", "path", "value"]]


@pytest.mark.parametrize("role", SECTION_ROLES)
def test_a_wrong_section(role, output):
    assert told(output, role)["msg"].startswith(SECTION_ROLES[role][1])


def test_a_misspelt_override_does_not_vanish(output):
    message = told(output, "misspelt_override")["msg"]
    assert "aws_stack_overrides.pool is not an option:" in message
    assert message.strip().endswith("Did you mean pools?")


def test_nothing_is_called_and_nothing_else_is_said(output, calls):
    assert not calls[1]
    assert not [word for word in ("Traceback", "WARNING", "DEPRECAT", "MODULE FAILURE") if word in output]
    assert len(re.findall("^fatal:", output, re.MULTILINE)) == len(WRONG) + len(SECTION_ROLES) + 1
