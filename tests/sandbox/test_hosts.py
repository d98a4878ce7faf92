# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real hosts for emulated instances: one sandbox for all tests here, used through boto3, ssh and ansible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.lab import CHECKOUT, Lab, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="systemd hosts need root")
CURL = "curl --silent --max-time 5"
TOKEN = f"$({CURL} -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)"


def metadata(path: str) -> str:
    return f'{CURL} --fail -H "X-aws-ec2-metadata-token: {TOKEN}" http://169.254.169.254/latest/{path}'


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    found = Lab("hosts-test", tmp_path_factory.mktemp("lab"), "10.99.0.0/16")
    found.cli("down")
    found.cli("up")
    try:
        found.furnish()
        yield found
    finally:
        found.cli("down")


@pytest.fixture(scope="module")
def eight(lab: Lab) -> list[str]:
    """Two GPU hosts and five CPU hosts on bookworm, one CPU host on trixie, launched at once."""
    return [
        *lab.launch(2, "g5.12xlarge", tags={"Name": "gpu"}),
        *lab.launch(5),
        *lab.launch(1, release=13, UserData='#!/bin/sh\necho "ran as $(id -un)" >> /root/user-data-ran\n'),
    ]


@pytest.fixture(scope="module")
def gpu(eight: list[str]) -> str:
    return eight[0]


@pytest.fixture(scope="module")
def trixie(eight: list[str]) -> str:
    return eight[7]


def test_eight_hosts_run_systemd_at_their_private_addresses(lab: Lab, eight: list[str]):
    for instance_id in eight:
        name, state, release = lab.said(
            instance_id, "hostname; systemctl is-system-running --wait; . /etc/os-release; echo $VERSION_CODENAME"
        ).split()
        assert name == "ip-" + lab.address(instance_id).replace(".", "-")
        assert state == "running"
        assert release == ("trixie" if instance_id == eight[7] else "bookworm")
    assert {row["host"] for row in lab.status()["hosts"]} == {"up"}


def test_each_host_has_keys_and_ids_of_its_own(lab: Lab, eight: list[str]):
    told = [
        lab.said(i, "cat /etc/ssh/ssh_host_ed25519_key.pub /etc/machine-id /proc/sys/kernel/random/boot_id").splitlines() for i in eight[:3]
    ]
    for column in zip(*told, strict=True):
        assert len(set(column)) == 3, column


def test_only_the_key_pair_opens_a_host(lab: Lab, eight: list[str]):
    lab.said(eight[2], "sudo -n id -u")
    other = lab.folder / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    refused = lab.ssh(eight[2], "true", key=other)
    assert refused.returncode == 255 and "Permission denied" in refused.stderr


def test_gpus_are_on_the_bus_of_gpu_types_only(lab: Lab, eight: list[str], gpu: str):
    shown = [line for line in lab.said(gpu, "lspci -nn").splitlines() if "[10de:" in line]
    assert len(shown) == 4 and all("[10de:2237]" in line and "3D controller [0302]" in line for line in shown)
    plain = lab.said(eight[2], "lspci -nn")
    assert "[10de:" not in plain and "[1d0f:ec20]" in plain


def test_metadata_wants_a_token(lab: Lab, gpu: str):
    assert lab.said(gpu, f"{CURL} -o /dev/null -w '%{{http_code}}' http://169.254.169.254/latest/meta-data/") == "401"
    assert lab.said(gpu, metadata("meta-data/instance-id")) == gpu


def test_metadata_knows_who_where_and_with_which_role(lab: Lab, gpu: str, trixie: str):
    document = json.loads(lab.said(gpu, metadata("dynamic/instance-identity/document")))
    assert (document["instanceId"], document["region"], document["instanceType"]) == (gpu, "us-east-1", "g5.12xlarge")
    assert json.loads(lab.said(trixie, metadata("dynamic/instance-identity/document")))["instanceId"] == trixie
    assert lab.said(gpu, metadata("meta-data/tags/instance/Name")) == "gpu"
    assert lab.said(gpu, metadata("meta-data/iam/security-credentials/")) == "lab-hosts"
    given = json.loads(lab.said(gpu, metadata("meta-data/iam/security-credentials/lab-hosts")))
    assert given["Code"] == "Success" and given["AccessKeyId"].startswith("ASIA") and given["Token"]


def test_user_data_runs_once_as_root(lab: Lab, trixie: str):
    wait_for("user data ran", lambda: lab.ssh(trixie, "test -e /run/cloud-init-done").returncode == 0)
    assert lab.said(trixie, "sudo cat /root/user-data-ran") == "ran as root"


def test_the_aws_endpoint_answers_on_the_gateway(lab: Lab, eight: list[str]):
    endpoint = lab.status()["endpoint"].replace("127.0.0.1", "10.99.255.254")
    assert "ListAllMyBucketsResult" in lab.said(eight[2], f"{CURL} {endpoint}/")


def test_the_debian_mirror_is_reached_from_inside(lab: Lab, trixie: str):
    assert (
        lab.ssh(trixie, "sudo apt-get -qq update && apt-cache policy prometheus-node-exporter", timeout=120).stdout.count("Candidate: 1.")
        == 1
    )


def test_hosts_of_a_vpc_reach_each_other(lab: Lab, eight: list[str]):
    lab.said(eight[2], f"ping -c 1 -W 2 {lab.address(eight[3])}")


def test_stop_and_start_keep_the_disk(lab: Lab, eight: list[str]):
    ec2, it = lab.client("ec2"), eight[3]
    before = lab.said(it, "echo kept > ~/note; cat /etc/ssh/ssh_host_ed25519_key.pub /proc/sys/kernel/random/boot_id")
    ec2.stop_instances(InstanceIds=[it])
    wait_for("host off", lambda: lab.host(it)["host"] == "off")
    assert lab.ssh(it, "true").returncode == 255
    wait_for("stopped", lambda: lab.state_of(it) == "stopped")
    ec2.start_instances(InstanceIds=[it])
    after = lab.said(it, "cat ~/note /etc/ssh/ssh_host_ed25519_key.pub /proc/sys/kernel/random/boot_id").splitlines()
    assert after[0] == "kept" and after[1] == before.splitlines()[0] and after[2] != before.splitlines()[1]


def test_reboot_through_the_api_is_a_new_boot_of_the_same_disk(lab: Lab, eight: list[str]):
    it = eight[4]
    before = lab.said(it, "echo kept > ~/note; cat /proc/sys/kernel/random/boot_id")
    lab.client("ec2").reboot_instances(InstanceIds=[it])
    wait_for("new boot", lambda: lab.ssh(it, "cat /proc/sys/kernel/random/boot_id").stdout.strip() not in ("", before))
    assert lab.said(it, "cat ~/note") == "kept"
    assert lab.said(it, "journalctl --list-boots | grep -c '^ *-1 '") == "1"


def test_power_off_inside_stops_the_instance(lab: Lab, eight: list[str]):
    it = eight[5]
    lab.said(it, "true")
    lab.ssh(it, "sudo systemctl poweroff")
    wait_for("stopped", lambda: lab.state_of(it) == "stopped")
    lab.client("ec2").start_instances(InstanceIds=[it])
    assert lab.said(it, "hostname")


def test_power_off_inside_terminates_where_the_launch_says_so(lab: Lab):
    (it,) = lab.launch(InstanceInitiatedShutdownBehavior="terminate")
    lab.said(it, "true")
    lab.ssh(it, "sudo systemctl poweroff")
    wait_for("terminated", lambda: lab.state_of(it) == "terminated")


def test_terminate_deletes_the_disk(lab: Lab):
    (it,) = lab.launch()
    lab.said(it, "true")
    assert (lab.state / "hosts" / it).is_dir()
    lab.client("ec2").terminate_instances(InstanceIds=[it])
    wait_for("host gone", lambda: not (lab.state / "hosts" / it).exists() and not (lab.state / "netns" / it).exists())


def test_an_image_of_a_host_has_its_disk(lab: Lab):
    """What was written and what was removed, also in an image of a host of the image; each host has its own name."""
    ec2 = lab.client("ec2")

    def image_of(instance_id: str, name: str, script: str) -> str:
        lab.said(instance_id, f"sudo sh -c '{script}; sync'")
        made = ec2.create_image(InstanceId=instance_id, Name=name)["ImageId"]
        ec2.terminate_instances(InstanceIds=[instance_id])
        # the next instance may get its address, and would be answered for by what still goes down
        wait_for("host gone", lambda: not (lab.state / "netns" / instance_id).exists())
        return made

    script = "echo one >/root/one; echo one >/var/lib/docker/one; rm -r /usr/bin/less /etc/skel; mkdir /etc/skel"
    (second,) = lab.launch(image=image_of(lab.launch()[0], "one", script))
    assert lab.said(second, "sudo ls /root /var/lib/docker; ls -A /etc/skel; test -e /usr/bin/less || echo none").split() == [
        "/root:", "one", "/var/lib/docker:", "one", "none",
    ]  # fmt: skip
    (third,) = lab.launch(image=image_of(second, "two", "echo two >/root/two; rm /root/one"))
    assert lab.said(third, "sudo ls /root; ls -A /etc/skel").split() == ["two"]
    assert lab.said(third, "hostname") == f"ip-{lab.address(third).replace('.', '-')}" and lab.host(third)["suite"] == "bookworm"
    ec2.terminate_instances(InstanceIds=[third])


def test_ansible_reboots_a_host(lab: Lab, gpu: str):
    address, arguments = lab.address(gpu), " ".join(lab.ssh_base()[1:])
    command = [
        str(Path(sys.executable).with_name("ansible")), "all", "-i", f"{address},", "-u", "admin", "--become",
        "-m", "ansible.builtin.reboot",
        "-a", "reboot_timeout=60", "--ssh-common-args", arguments,
    ]  # fmt: skip
    before = lab.said(gpu, "cat /proc/sys/kernel/random/boot_id")
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0"}
    )
    assert done.returncode == 0 and "rebooted: true" in done.stdout.replace('"', ""), done.stdout + done.stderr
    assert lab.said(gpu, "cat /proc/sys/kernel/random/boot_id") != before
    assert lab.state_of(gpu) == "running"


def test_a_host_behind_a_bastion_is_reached_through_it_only(lab: Lab, eight: list[str]):
    (hidden,) = lab.launch(tags={"mlinfra:access": "bastion"})
    bastion = lab.address(eight[2])
    wait_for("host up", lambda: lab.host(hidden).get("host") == "up")
    through = f"ProxyCommand={' '.join(lab.ssh_base())} -W %h:%p admin@{bastion}"
    wait_for("ssh through the bastion", lambda: lab.ssh(hidden, "true", "-o", through).returncode == 0)
    direct = lab.ssh(hidden, "true")
    assert direct.returncode == 255 and "timed out" in direct.stderr
    lab.client("ec2").create_tags(Resources=[hidden], Tags=[{"Key": "mlinfra:access", "Value": "direct"}])
    assert lab.said(hidden, "true") == ""


def test_an_image_without_a_root_runs_without_host_and_status_says_so(lab: Lab):
    ubuntu = lab.client("ec2").describe_images(Owners=["099720109477"])["Images"][0]["ImageId"]
    it = lab.client("ec2").run_instances(ImageId=ubuntu, InstanceType="t3.large", MinCount=1, MaxCount=1, SubnetId=lab.subnet)["Instances"][
        0
    ]["InstanceId"]
    wait_for("reason in status", lambda: "no root file system" in str(lab.host(it).get("reason")))
    assert lab.host(it)["host"] == "none" and it in lab.cli("status").stdout


def test_a_vpc_that_overlaps_a_live_one_gets_no_hosts_and_a_reason(lab: Lab, eight: list[str]):
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.99.128.0/20")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.99.128.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    it = ec2.run_instances(ImageId=lab.image(12), InstanceType="t3.large", MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"][0][
        "InstanceId"
    ]
    reason = wait_for("reason in status", lambda: lab.host(it).get("reason"))
    assert "overlaps" in reason and "10.99.128.0/20" in reason and lab.host(it)["host"] == "none"


def test_logs_of_a_host_come_from_its_journal(lab: Lab, eight: list[str]):
    assert "Take name, host keys" in lab.cli("logs", "--lines", "2000", lab.address(eight[2])).stdout
    assert "neither aws nor hosts" in lab.cli("logs", "nobody", check=False).stderr


def test_run_and_env_hide_the_users_aws_configuration(lab: Lab, tmp_path: Path):
    planted = {
        "AWS_PROFILE": "prod",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ENDPOINT_URL_S3": "http://elsewhere.example",
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
    }
    base = {**os.environ, **planted, "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "sandbox", "run", "--name", lab.name, "--", "env"]
    shown = subprocess.run(command, cwd=CHECKOUT, env=base, capture_output=True, text=True, check=True).stdout
    found = dict(line.split("=", 1) for line in shown.splitlines() if line.startswith("AWS_"))
    assert found["AWS_ENDPOINT_URL"] == lab.status()["endpoint"] and found["AWS_ACCESS_KEY_ID"].startswith("AKIASANDBOX")
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"} & found.keys()
    assert Path(found["AWS_CONFIG_FILE"]).read_text(encoding="utf-8") == ""
    script = f'eval "$({sys.executable} -m sandbox env --name {lab.name})" && env'
    sourced = subprocess.run(["sh", "-c", script], cwd=CHECKOUT, env=base, capture_output=True, text=True, check=True).stdout
    assert {line for line in sourced.splitlines() if line.startswith("AWS_")} == {
        line for line in shown.splitlines() if line.startswith("AWS_")
    }
