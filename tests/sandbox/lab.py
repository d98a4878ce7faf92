# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox with hosts as its tests use it: the command line, boto3, ssh."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from sandbox.paths import RUN_BASE, STATE_BASE, state_dir

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0


def wait_for(what: str, probe: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """The first true answer of ``probe``; fails by name when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = probe()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


class Lab:
    """One named sandbox. ``folder`` holds the keys that the tests make."""

    def __init__(self, name: str, folder: Path, cidr: str) -> None:
        self.name, self.folder, self.cidr = name, folder, cidr
        self.state = state_dir(name)
        self.key = folder / "key"
        self.vpc = self.subnet = ""

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sandbox", arguments[0], "--name", self.name, *arguments[1:]]
        done = subprocess.run(
            command, cwd=CHECKOUT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def status(self) -> dict[str, Any]:
        return json.loads(self.cli("status", "--json").stdout)

    def client(self, service: str) -> Any:
        ready = json.loads((self.state / "ready.json").read_text(encoding="utf-8"))
        return boto3.client(
            service, endpoint_url=f"http://127.0.0.1:{ready['port']}", region_name="us-east-1", aws_access_key_id="AKIASANDBOXFAKEKEY00",
            aws_secret_access_key="none", config=Config(proxies={}),
        )  # fmt: skip

    def furnish(self) -> None:
        """A VPC with one subnet, a key pair, a role with its profile."""
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(self.key)], check=True)
        ec2, iam = self.client("ec2"), self.client("iam")
        self.vpc = ec2.create_vpc(CidrBlock=self.cidr)["Vpc"]["VpcId"]
        self.subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock=self.cidr.replace("/16", "/24"), AvailabilityZone="us-east-1a")["Subnet"][
            "SubnetId"
        ]
        ec2.import_key_pair(KeyName="lab", PublicKeyMaterial=self.key.with_suffix(".pub").read_bytes())
        trust = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
        }
        iam.create_role(RoleName="lab-hosts", AssumeRolePolicyDocument=json.dumps(trust))
        iam.create_instance_profile(InstanceProfileName="lab-hosts")
        iam.add_role_to_instance_profile(InstanceProfileName="lab-hosts", RoleName="lab-hosts")

    def image(self, release: int) -> str:
        return self.client("ssm").get_parameter(Name=f"/aws/service/debian/release/{release}/latest/amd64")["Parameter"]["Value"]

    def launch(
        self, count: int = 1, kind: str = "t3.large", release: int = 12, tags: dict[str, str] | None = None, image: str = "", **more: Any
    ) -> list[str]:
        """Instance ids. Retries while the instance profile, made a moment ago, is not visible to EC2 yet, as on AWS."""
        specification = [{"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in (tags or {}).items()]}] if tags else []

        def attempt() -> list[str] | None:
            try:
                answer = self.client("ec2").run_instances(
                    ImageId=image or self.image(release), InstanceType=kind, MinCount=count, MaxCount=count, KeyName="lab",
                    SubnetId=self.subnet, IamInstanceProfile={"Name": "lab-hosts"}, TagSpecifications=specification,
                    MetadataOptions={"HttpTokens": "required", "InstanceMetadataTags": "enabled"}, **more,
                )  # fmt: skip
            except self.client("ec2").exceptions.ClientError as error:
                if "instance profile" in str(error).lower() or "IamInstanceProfile" in str(error):
                    return None
                raise
            return [instance["InstanceId"] for instance in answer["Instances"]]

        return wait_for("instances launched", attempt)

    def instance(self, instance_id: str) -> dict[str, Any]:
        return self.client("ec2").describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]

    def address(self, instance_id: str) -> str:
        return self.instance(instance_id)["PrivateIpAddress"]

    def state_of(self, instance_id: str) -> str:
        return self.instance(instance_id)["State"]["Name"]

    def ssh(
        self, instance_id: str, command: str, *options: str, key: Path | None = None, timeout: float = 10
    ) -> subprocess.CompletedProcess[str]:
        """Run ``command`` on the host as admin; exit code 255 is ssh's own."""
        base = self.ssh_base(key) + list(options)
        return subprocess.run(
            [*base, f"admin@{self.address(instance_id)}", command], capture_output=True, text=True, check=False, timeout=timeout + 20
        )

    def ssh_base(self, key: Path | None = None) -> list[str]:
        return [
            "ssh", "-F", "none", "-i", str(key or self.key), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=3",
        ]  # fmt: skip

    def said(self, instance_id: str, command: str) -> str:
        """What the host answers, once it can be reached."""
        try:
            wait_for(f"ssh to {instance_id}", lambda: self.ssh(instance_id, "true").returncode == 0)
        except AssertionError as error:
            raise AssertionError(f"{error}; status: {self.host(instance_id)}") from None
        done = self.ssh(instance_id, command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def host(self, instance_id: str) -> dict[str, Any]:
        """The row of ``status`` for this instance, {} when there is none."""
        return next((row for row in self.status()["hosts"] if row["instance_id"] == instance_id), {})


def fingerprint(*names: str) -> dict[str, Any]:
    """What ``down`` has to leave as it was, of the sandboxes ``names``; all of the machine's when it has no other sandbox."""

    def lines(*command: str) -> list[str]:
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
        return [re.sub(r"(packets|bytes) \d+|\[\d+:\d+\]|^#.*", "", line) for line in found]

    def ours(found: list[str]) -> list[str]:
        return sorted(line for line in found if any(re.search(rf"mlinfra(-sandbox/|-){name}\b", line) for name in names))

    running = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            running.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    mounts = [line.split(" ", 2)[2] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    links, rules = lines("ip", "-o", "link"), [*lines("nft", "list", "ruleset"), *lines("iptables-save")]
    folders = [str(path) for base in ("/var/lib", "/run", "/run/lock", "/etc") for path in Path(base).glob("*mlinfra*")]
    folders += [str(path) for path in (STATE_BASE, RUN_BASE) for path in path.glob("*")]
    found: dict[str, Any] = {
        "mounts": ours(mounts), "links": ours(links), "rules": ours(rules), "processes": ours(running), "folders": ours(folders),
        "groups": ours([str(path) for path in Path("/sys/fs/cgroup").glob("**/mlinfra-*")]),
    }  # fmt: skip
    others = {path.name for path in STATE_BASE.glob("[a-z]*")} - set(names) if STATE_BASE.is_dir() else set()
    if not others:
        settings = ("net.ipv4.ip_forward", "fs.inotify.max_user_instances", "fs.inotify.max_user_watches")
        found["all"] = {
            "mounts": sorted(mounts), "links": sorted(re.sub(r"^\d+: ", "", link) for link in links), "rules": rules,
            "routes": lines("ip", "route"),
            "folders": sorted(folders), "shared memory": sorted(path.name for path in Path("/dev/shm").glob("libpod*")),
            "sysctl": {name: Path("/proc/sys", *name.split(".")).read_text(encoding="ascii").strip() for name in settings},
        }  # fmt: skip
    return found


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """``{what: {gone: […], new: […]}}``. Where another sandbox came or went meanwhile, only what is ours can be compared."""
    found: dict[str, Any] = {}
    for key in before.keys() & after.keys():
        if isinstance(before[key], dict):
            found.update({f"{key} {name}": value for name, value in differences(before[key], after[key]).items()})
        elif isinstance(before[key], list):
            gone, new = [one for one in before[key] if one not in after[key]], [one for one in after[key] if one not in before[key]]
            found.update({key: {"gone": gone, "new": new}} if gone or new else {})
        elif before[key] != after[key]:
            found[key] = {"gone": before[key], "new": after[key]}
    return found
