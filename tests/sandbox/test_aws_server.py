# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated AWS as a process: it counts, takes faults, resets, listens on more addresses and reads no configuration of the user."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from sandbox.aws.isolation import FAKE_KEY, quarantine
from sandbox.aws.process import Emulator
from sandbox.aws.seeds import TAKEN_BUCKET

CHECKOUT = Path(__file__).resolve().parents[2]


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def test_requests_are_counted_by_action_and_key(aws: Emulator) -> None:
    aws.client("sts").get_caller_identity()
    aws.client("s3").create_bucket(Bucket="counted-one")
    aws.client("s3").put_bucket_versioning(Bucket="counted-one", VersioningConfiguration={"Status": "Enabled"})
    aws.client("ecr").describe_repositories()
    assert aws.requests() == {
        "total": 4, "by_key": {FAKE_KEY: 4},
        "by_action": {"sts:GetCallerIdentity": 1, "s3:CreateBucket": 1, "s3:PutBucketVersioning": 1, "ecr:DescribeRepositories": 1},
    }
    assert [one["call"] for one in aws.control("GET", "requests/log")][0] == "sts:GetCallerIdentity"
    aws.control("POST", "requests/reset")
    assert aws.requests()["total"] == 0


@pytest.mark.parametrize(("service", "action", "call"), [
    ("ec2", "DescribeVpcs", lambda aws: aws.client("ec2").describe_vpcs()),
    ("iam", "ListRoles", lambda aws: aws.client("iam").list_roles()),
    ("s3", "ListBuckets", lambda aws: aws.client("s3").list_buckets()),
    ("ssm", "DescribeParameters", lambda aws: aws.client("ssm").describe_parameters()),
])
def test_a_fault_speaks_the_protocol_of_its_service_and_hits_once(service, action, call, aws: Emulator) -> None:
    aws.fault(service=service, action=action, code="AccessDenied", message="not today")
    with pytest.raises(ClientError) as refused:
        call(aws)
    assert (code_of(refused), refused.value.response["Error"]["Message"]) == ("AccessDenied", "not today")
    call(aws)


def test_nth_match_and_clearing(aws: Emulator) -> None:
    ec2 = aws.client("ec2")
    aws.fault(service="ec2", action="CreateVpc", nth=2, code="VpcLimitExceeded")
    aws.fault(service="ec2", action="CreateVpc", times=0, match="10.7.0.0", code="InvalidVpc.Range")
    ec2.create_vpc(CidrBlock="10.1.0.0/16")
    with pytest.raises(ClientError) as second:
        ec2.create_vpc(CidrBlock="10.2.0.0/16")
    with pytest.raises(ClientError) as matched:
        ec2.create_vpc(CidrBlock="10.7.0.0/16")
    assert (code_of(second), code_of(matched)) == ("VpcLimitExceeded", "InvalidVpc.Range")
    aws.control("DELETE", "faults")
    ec2.create_vpc(CidrBlock="10.7.0.0/16")


def test_a_call_can_take_effect_and_its_answer_be_lost(aws: Emulator) -> None:
    ec2 = aws.client("ec2")
    before = len(ec2.describe_vpcs()["Vpcs"])
    aws.fault(service="ec2", action="CreateVpc", after_effect=True, drop=True)
    with pytest.raises(ConnectionClosedError):
        ec2.create_vpc(CidrBlock="10.3.0.0/16")
    assert len(ec2.describe_vpcs()["Vpcs"]) == before + 1


def test_capacity_limits_a_launch(aws: Emulator) -> None:
    ec2 = aws.client("ec2")
    image = aws.client("ssm").get_parameter(Name="/aws/service/debian/release/12/latest/amd64")["Parameter"]["Value"]
    aws.fault(service="ec2", action="RunInstances", capacity=2)
    made = ec2.run_instances(ImageId=image, InstanceType="g5.xlarge", MinCount=1, MaxCount=5)["Instances"]
    assert [one["AmiLaunchIndex"] for one in made] == [0, 1]


def test_new_resources_can_be_invisible_for_a_while(aws: Emulator) -> None:
    ec2 = aws.client("ec2")
    aws.timing(visibility=3600)
    vpc = ec2.create_vpc(CidrBlock="10.4.0.0/16")["Vpc"]["VpcId"]
    with pytest.raises(ClientError) as refused:
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.4.1.0/24")
    assert code_of(refused) == "InvalidVpcID.NotFound"
    aws.timing(visibility=0)
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.4.1.0/24")


def test_reset_forgets_all_but_the_seeds(aws: Emulator) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="forgotten-one")
    aws.fault(service="s3", action="ListBuckets", code="SlowDown")
    aws.timing(pending=9)
    aws.reset()
    assert s3.list_buckets()["Buckets"] == []
    assert aws.control("GET", "timing")["pending"] != 9
    with pytest.raises(ClientError) as refused:
        s3.head_bucket(Bucket=TAKEN_BUCKET)
    assert code_of(refused) == "403"


@pytest.mark.parametrize(("method", "what", "payload", "named"), [
    ("POST", "faults", {"service": "ec2"}, "action"),
    ("POST", "faults", [{"service": "ec2", "action": "RunInstances", "colour": "red"}], "colour"),
    ("PUT", "timing", {"pending": "soon"}, "pending"),
    ("PUT", "timing", {"bedtime": 1}, "bedtime"),
    ("PUT", "quotas", {"L-00000000": 1}, "L-DB2E81BA"),
    ("PUT", "quotas", {"L-DB2E81BA": "many"}, "L-DB2E81BA is 'many'"),
    ("GET", "nothing", None, "nothing"),
])
def test_control_says_what_is_wrong(method, what, payload, named, aws: Emulator) -> None:
    with pytest.raises(ValueError, match=named):
        aws.control(method, what, payload)


def test_a_patch_that_does_not_exist_is_named() -> None:
    with pytest.raises(RuntimeError, match="no patch nonsense; there are .*client_token"):
        Emulator("--without-patch=nonsense").__enter__()


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"127.0.0.1 port {port}"):
            Emulator(f"--port={port}").__enter__()


def test_the_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    server = f"[sys.executable, '-m', 'sandbox.aws.server', '--no-hosts', '--die-with-parent', '--ready-file', {str(ready)!r}]"
    parent = subprocess.Popen([sys.executable, "-c", f"import subprocess, sys; subprocess.run({server})"], cwd=CHECKOUT)
    while not ready.exists():
        assert parent.poll() is None
        time.sleep(0.05)
    pid = json.loads(ready.read_text())["pid"]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while _runs(pid):
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_answers_on_more_addresses_while_asked_to(tmp_path: Path) -> None:
    script = tmp_path / "listen.py"
    script.write_text(
        "import sys\nfrom sandbox.aws.server import Server\n"
        "server = Server()\nserver.listen('127.0.0.1')\nserver.listen('127.0.0.2')\nserver.listen('127.0.0.2')\n"
        "print(server.port, flush=True)\nsys.stdin.readline()\n"
        "server.unlisten('127.0.0.2')\nprint('closed', flush=True)\nsys.stdin.readline()\n")
    child = subprocess.Popen([sys.executable, str(script)], cwd=CHECKOUT, env={"PYTHONPATH": str(CHECKOUT)}, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin and child.stdout
    try:
        port = int(child.stdout.readline())
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for address in ("127.0.0.1", "127.0.0.2"):
            with direct.open(f"http://{address}:{port}/sandbox/health", timeout=30) as answer:
                assert answer.status == 200
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "closed\n"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port))
    finally:
        child.kill()
        child.communicate()


def test_hosts_may_not_use_the_control_interface() -> None:
    from sandbox.aws.gate import Gate

    said: list[str] = []
    gate = Gate(lambda *_: [], lambda: None, {})
    environ = {"PATH_INFO": "/sandbox/reset", "REQUEST_METHOD": "POST", "REMOTE_ADDR": "10.42.0.9"}
    gate(environ, lambda line, *_: said.append(line))
    assert said == ["403 Forbidden"]


def test_an_exception_in_moto_is_an_answer_that_clients_understand() -> None:
    from sandbox.aws.gate import Gate

    def broken(_environ, start):
        start("500 INTERNAL SERVER ERROR", [("Content-Type", "text/html; charset=utf-8")])
        return [b"<!doctype html>"]

    said = []
    body = b"".join(Gate(broken, lambda: None, {})(_request("Action=DescribeInstances"), lambda *more: said.append(more)))
    ((status, headers),) = said
    assert status.startswith("500") and dict(headers)["Content-Type"] == "text/xml"
    assert b"<Code>InternalError</Code>" in body


def _request(body: str) -> dict[str, object]:
    scope = f"{FAKE_KEY}/20260101/us-east-1/ec2/aws4_request"
    return {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body.encode()),
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
    }  # fmt: skip


def test_quarantine_drops_every_setting_of_the_user() -> None:
    theirs = {
        "AWS_PROFILE": "prod", "AWS_ENDPOINT_URL_S3": "https://s3.example.org", "AWS_ACCESS_KEY_ID": "AKIA-REAL", "AWS_SESSION_TOKEN": "t",
        "HTTPS_PROXY": "http://proxy.example.org", "http_proxy": "http://proxy.example.org", "MOTO_ACCOUNT_ID": "1", "HOME": "/home/me",
    }
    quarantine(theirs)
    assert "example.org" not in json.dumps(theirs)
    assert theirs["AWS_ACCESS_KEY_ID"] == FAKE_KEY
    assert theirs["AWS_CONFIG_FILE"] == theirs["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert (theirs["HOME"], theirs.get("AWS_PROFILE"), theirs.get("AWS_SESSION_TOKEN")) == ("/home/me", None, None)
