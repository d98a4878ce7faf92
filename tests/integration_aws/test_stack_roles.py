# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles and aws_stack_info through ansible-playbook: check mode writes nothing, a run makes what is declared, another nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SCOPE = {"environment": "dev", "account_id": "123456789012", "region": "us-east-1"}
IMAGE = {"ssm": "/aws/service/debian/release/12/latest/amd64"}
SHOW = {"name": "Show", "ansible.builtin.debug": {"msg": "<<{{ result | to_json }}>>"}}


class Playbooks:
    """``run(tasks)`` plays them on localhost beside a folder files/ and returns what each ``SHOW`` shows."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_"))}
        fake = {
            "AWS_ENDPOINT_URL": url,
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
        self.environment = {**kept, **fake}
        (folder / "files").mkdir()

    def run(self, tasks: list, *options: str, warns: bool = False) -> list[dict]:
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
        play["vars"] = {"ansible_python_interpreter": sys.executable}
        (self.folder / "playbook.yml").write_text(json.dumps([play]))
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "playbook.yml", *options]
        ran = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        output = ran.stdout + ran.stderr
        assert ran.returncode == 0, output
        assert ("WARNING" in output) == warns, output
        assert not [word for word in ("Traceback", "DEPRECAT") if word in output], output
        self.output = output
        return [json.loads(json.loads(f'"{text}"')) for text in re.findall(r"<<(.*)>>", output)]


@pytest.fixture
def playbooks(tmp_path, lab):
    return Playbooks(tmp_path, lab.aws.url)


def role(called: str, **options) -> list[dict]:
    prefix = called.rpartition(".")[2]
    variables = {f"{prefix}_{option}": value for option, value in options.items()}
    shown = {**SHOW, "vars": {"result": f"{{{{ {prefix}_result }}}}"}}
    return [{"ansible.builtin.include_role": {"name": called}, "vars": variables}, shown]


def test_a_whole_stack(playbooks, lab, writes):
    (playbooks.folder / "files" / "id.pub").write_text(
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1rWJ1n1u0Q2n0cVqkL0l3yZcM0aXH6o5GvC3y8yZ1a me\n"
    )
    (playbooks.folder / "files" / "first-boot.sh").write_text("#!/bin/sh\ntouch /run/booted\n")
    stack = {
        **SCOPE,
        "name": "vision",
        "tags": '{"cost-center": "ml"}',
        "network": {"cidr": "10.42.0.0/16", "zone_count": "2", "access": {"cidrs": ["192.0.2.0/24"]}},
        "key": {"public_key_file": "id.pub"},
        "buckets": [{"name": "data"}],
        "pools": [{"name": "train", "count": "1", "gpu": {"models": ["a10g"]}, "image": IMAGE, "user_data_file": "first-boot.sh"}],
        "overrides": {"pools": [{"name": "train", "count": 2}]},
    }
    (planned,) = playbooks.run(role("mlinfra.hosts.aws_stack", **stack), "--check", "--diff")
    assert planned["changed"] and planned["outputs"]["buckets"] == {"data": "vision-dev-data-123456789012"}
    assert "+++ after: vpc main (create)" in playbooks.output
    assert not writes(lab.calls())
    (made,) = playbooks.run(role("mlinfra.hosts.aws_stack", **stack))
    assert made["plan_id"] == planned["plan_id"]
    assert len(made["outputs"]["pools"]["train"]["instance_ids"]) == 2
    instance = made["outputs"]["pools"]["train"]["instance_ids"][0]
    answer = lab.client("ec2").describe_instance_attribute(InstanceId=instance, Attribute="userData")
    assert answer["UserData"]["Value"] == "IyEvYmluL3NoCnRvdWNoIC9ydW4vYm9vdGVkCg=="
    lab.calls()
    info = {"mlinfra.hosts.aws_stack_info": {**SCOPE, "name": "vision"}, "register": "result"}
    again, read = playbooks.run([*role("mlinfra.hosts.aws_stack", **stack), info, SHOW])
    assert not again["changed"]
    assert not writes(lab.calls())
    assert read["exists"] and read["outputs"]["pools"] == made["outputs"]["pools"]
    assert {"kind": "bucket", "name": "data", "id": "vision-dev-data-123456789012", "owned": True} in read["resources"]


def _way_out(ec2, vpc: str) -> None:
    """AWS' own default VPC has it; moto's does not."""
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    main = {"Name": "association.main", "Values": ["true"]}
    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}, main])["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)


def test_one_section_at_a_time(playbooks, lab):
    scope = {**SCOPE, "stack": "vision"}
    ec2 = lab.client("ec2")
    lab.client("ec2").import_key_pair(
        KeyName="ops", PublicKeyMaterial=b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1rWJ1n1u0Q2n0cVqkL0l3yZcM0aXH6o5GvC3y8yZ1a"
    )
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]  # the account's default one stands for somebody else's
    _way_out(ec2, vpc)
    subnets = [raw["SubnetId"] for raw in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]]
    group = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"][0]["GroupId"]
    tasks = [
        *role("mlinfra.hosts.aws_network", **scope, cidr="10.42.0.0/16", zone_count=1, access={"cidrs": ["192.0.2.0/24"]}),
        *role("mlinfra.hosts.s3_bucket", **scope, buckets=[{"name": "data", "versioning": True}]),
        *role("mlinfra.hosts.ecr_repository", **scope, repositories=[{"name": "train"}]),
        *role(
            "mlinfra.hosts.ec2_gpu",
            **{**scope, "stack": "speech"},
            pools=[{"name": "train", "instance_types": ["g5.xlarge"], "image": IMAGE}],
            network={"vpc": {"id": vpc}, "subnets": {"ids": subnets}, "security_groups": {"ids": [group]}},
            key_name="ops",
        ),
    ]
    planned = playbooks.run(tasks, "--check", "--diff")
    assert [result["changed"] for result in planned] == [True] * 4
    network, bucket, repository, pool = playbooks.run(tasks)
    assert network["outputs"]["vpc_id"].startswith("vpc-")
    assert bucket["outputs"]["buckets"] == {"data": "vision-dev-data-123456789012"}
    assert repository["outputs"]["repositories"]["train"].endswith("/vision-dev/train")
    assert len(pool["outputs"]["pools"]["train"]["instance_ids"]) == 1
    assert [result["changed"] for result in playbooks.run(tasks)] == [False] * 4


def test_what_is_seldom_meant_is_a_warning(playbooks):
    network = {"cidr": "10.42.0.0/16", "zone_count": 1, "access": {"cidrs": ["0.0.0.0/0"]}}
    (planned,) = playbooks.run(role("mlinfra.hosts.aws_stack", **SCOPE, name="vision", network=network), "--check", warns=True)
    assert planned["changed"]
    assert "[WARNING]: network.access.cidrs has 0.0.0.0/0: the whole internet may try ssh." in playbooks.output


def failing(**options) -> dict:
    """A task of which only the failure is looked at."""
    task = {"mlinfra.hosts.aws_stack": {**SCOPE, "name": "vision", "buckets": [{"name": "data"}], **options}}
    shown = {**SHOW, "vars": {"result": "{{ ansible_failed_result }}"}}
    return {"block": [task, {"ansible.builtin.fail": {"msg": "it did not fail"}}], "rescue": [shown]}


def test_what_the_account_refuses_is_one_message(playbooks, lab, writes):
    account, region, endpoint, profile = playbooks.run(
        [
            failing(account_id="111122223333"),
            failing(region="us-nowhere-1"),
            failing(endpoint_url="http://127.0.0.1:9"),
            failing(access_key="", secret_key="", profile="nobody"),
        ]
    )
    assert account["msg"].startswith("account_id is 111122223333: the credentials are for 123456789012")
    assert account["found_account_id"] == "123456789012"
    assert region["msg"].startswith("region is us-nowhere-1: AWS has no such region.")
    assert "http://127.0.0.1:9" in endpoint["msg"] and "Check the network" in endpoint["msg"]
    assert "profile" in profile["msg"]
    assert not [result["msg"] for result in (account, region, endpoint, profile) if "\n" in result["msg"]]
    assert not writes(lab.calls())
