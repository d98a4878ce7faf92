# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by test_aws_isolation.py in a network namespace of its own, as a user with a real-looking AWS configuration.

What leaves the machine would take the default route, whose interface leads nowhere and counts packets.
Prints one JSON object: packets that left while the sandbox was used, access keys that the emulator saw, and packets that the same
program causes without the sandbox's environment, which shows that the trap works.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from sandbox import environment
from sandbox.aws.process import Emulator

CHECKOUT = Path(__file__).resolve().parents[2]
REAL_KEY = "AKIA2E7QPLMZ6TXWVN3K"
ELSEWHERE = "198.51.100.7"  # TEST-NET-2, RFC 5737
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9nUZrEGZUQZgm9uxnr0A7iBTKNvmoKO9kGEBTH6Wqt someone"

PROGRAM = """
import boto3, botocore.config
quick = botocore.config.Config(connect_timeout=1, read_timeout=30, retries={"total_max_attempts": 1})
def use(service, work):
    try:
        work(boto3.client(service, config=quick))
    except Exception as error:
        print(service, type(error).__name__, error)
        raise SystemExit(1)
use("s3", lambda s3: (s3.create_bucket(Bucket="only-here"), s3.put_object(Bucket="only-here", Key="k", Body=b"x")))
use("sts", lambda sts: sts.get_caller_identity())
use("ec2", lambda ec2: ec2.describe_instances())
use("ecr", lambda ecr: ecr.describe_repositories())
use("iam", lambda iam: iam.list_roles())
use("ssm", lambda ssm: ssm.get_parameter(Name="/aws/service/debian/release/12/latest/amd64"))
"""


def trap() -> None:
    """The namespace's only ways: loopback, and a default route into an interface that counts."""
    for command in (
        "ip link set lo up",
        "ip link add trap type veth peer name hole",
        "sysctl -q -w net.ipv6.conf.trap.disable_ipv6=1 net.ipv6.conf.hole.disable_ipv6=1",  # the kernel's own chatter would be counted
        "ip link set hole up",
        "ip address add 192.0.2.1/24 dev trap",
        "ip link set trap up",
        "ip neighbour add 192.0.2.254 lladdr 02:00:00:00:00:fe dev trap",
        "ip route add default via 192.0.2.254 dev trap",
    ):
        subprocess.run(command.split(), check=True)


def left() -> int:
    """How many packets went out so far."""
    lines = Path("/proc/net/dev").read_text(encoding="ascii").splitlines()  # /sys shows the namespace that it was mounted in
    (counters,) = (line.partition(":")[2].split() for line in lines if line.strip().startswith("trap:"))
    return int(counters[9])


def plant(home: Path) -> None:
    """What a person who works with AWS has in the home folder and the environment."""
    folder = home / ".aws"
    folder.mkdir()
    secret = f"aws_access_key_id = {REAL_KEY}\naws_secret_access_key = q8Zr1vNxTn0h5mB4yWc7KpLs2JdGfUeXaRiOtQw9\n"
    (folder / "credentials").write_text(f"[default]\n{secret}[prod]\n{secret}", encoding="utf-8")
    (folder / "config").write_text(
        f"[default]\nregion = eu-west-3\nservices = theirs\n[profile prod]\nsso_session = corp\nsso_account_id = 111122223333\n"
        f"sso_role_name = admin\n[sso-session corp]\nsso_start_url = https://{ELSEWHERE}/start\nsso_region = eu-west-3\n"
        f"[services theirs]\nec2 =\n  endpoint_url = https://{ELSEWHERE}\n", encoding="utf-8")
    os.environ.update({
        "HOME": str(home), "AWS_PROFILE": "prod", "AWS_ACCESS_KEY_ID": REAL_KEY, "AWS_SECRET_ACCESS_KEY": "q8Zr1vNxTn0h5mB4yWc7",
        "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjE", "AWS_ENDPOINT_URL_S3": f"https://{ELSEWHERE}", "AWS_ENDPOINT_URL_EC2": f"https://{ELSEWHERE}",
        "AWS_ENDPOINT_URL": f"https://{ELSEWHERE}", "AWS_REGION": "eu-west-3", "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/admin",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{ELSEWHERE}/credentials",
        "HTTP_PROXY": f"http://{ELSEWHERE}:3128", "HTTPS_PROXY": f"http://{ELSEWHERE}:3128",
        "http_proxy": f"http://{ELSEWHERE}:3128", "https_proxy": f"http://{ELSEWHERE}:3128",
    })


def run(environ: dict[str, str], *argv: str) -> str:
    """Empty when it ended well, else what it said."""
    done = subprocess.run(argv, env=environ, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def main(folder: Path) -> None:
    trap()
    home = folder / "home"
    home.mkdir()
    plant(home)
    with Emulator() as aws:
        inside = environment.child("isolation", folder / "state", int(aws.url.rpartition(":")[2]))
        inside["ANSIBLE_COLLECTIONS_PATH"] = str(CHECKOUT / ".build/collections")
        inside["ANSIBLE_HOME"] = str(folder / "ansible")
        failures = run(inside, sys.executable, "-c", PROGRAM)
        failures += run(inside, "ansible-playbook", "--extra-vars", f'bench_public_key="{PUBLIC_KEY}"', "bench/stack.yml")
        report = {"failures": failures, "left": left(), "keys": aws.requests()["by_key"], "calls": aws.requests()["by_action"]}
        report["control failed"] = bool(run(dict(os.environ), sys.executable, "-c", PROGRAM))
    print(json.dumps(report | {"left without": left() - report["left"]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
