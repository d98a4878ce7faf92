# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""MLflow as each host shall run it, asked over its REST API from outside."""

from __future__ import annotations

import base64
import json
import stat
import urllib.error
import urllib.request

import boto3
import pytest

BUCKET = "mlflow-test-artifacts-123456789012"
API = "/api/2.0/mlflow/"


@pytest.fixture
def variables(host):
    return host.ansible.get_variables()


@pytest.fixture
def url(variables):
    return f"http://{variables['mlinfra_private_ip']}:5000"


def account(host, name):
    """(name, password) in one of the server's files."""
    with host.sudo():
        lines = host.file(f"/etc/mlflow/{name}.ini").content_string.splitlines()
    return tuple(line.split(" = ", 1)[1] for line in lines[1:])


def call(url, path, login=None, body=None, method=None, headers=None):
    """(status, text) of one request."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=data, method=method, headers=headers or {})
    if not isinstance(body, bytes):
        request.add_header("Content-Type", "application/json")
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode())
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_nobody_gets_in_without_an_account(host, url):
    admin = account(host, "admin")[0]
    assert call(url, API + "experiments/search?max_results=1")[0] == 401
    assert call(url, API + "users/current", (admin, "password1234"))[0] == 401
    assert call(url, "/health") == (200, "OK")


def test_administrator_and_jobs_are_who_they_shall_be(host, url):
    admin, jobs = account(host, "admin"), account(host, "job")
    assert json.loads(call(url, API + "users/current", admin)[1])["user"]["is_admin"] is True
    assert json.loads(call(url, API + "users/current", jobs)[1])["user"] == {"id": 2, "username": "jobs", "is_admin": False}
    assert call(url, API + "users/create", jobs, {"username": "third", "password": "a password of its own"})[0] == 403
    assert call(url, API + "users/update-admin", jobs, {"username": "jobs", "is_admin": True}, "PATCH")[0] == 403


def test_job_logs_registers_and_gets_its_artifact_back(host, url, variables):
    jobs = account(host, "job")
    experiment = json.loads(call(url, API + "experiments/create", jobs, {"name": "by hand"})[1])["experiment_id"]
    try:
        run = json.loads(call(url, API + "runs/create", jobs, {"experiment_id": experiment})[1])["run"]["info"]
        assert run["artifact_uri"].startswith("mlflow-artifacts:/")
        metric = {"run_id": run["run_id"], "key": "loss", "value": 0.25, "timestamp": 1}
        assert call(url, API + "runs/log-metric", jobs, metric)[0] == 200
        name = f"{experiment}/{run['run_id']}/artifacts/model.txt"
        artifact = "/api/2.0/mlflow-artifacts/artifacts/" + name
        assert call(url, artifact, None, b"y = 2 x", "PUT")[0] == 401
        assert call(url, artifact, jobs, b"y = 2 x", "PUT")[0] == 200
        call(url, API + "registered-models/create", jobs, {"name": "line"})
        version = {"name": "line", "source": run["artifact_uri"], "run_id": run["run_id"]}
        assert json.loads(call(url, API + "model-versions/create", jobs, version)[1])["model_version"]["version"] == "1"
        assert call(url, artifact, jobs) == (200, "y = 2 x")
        if variables["mlinfra_pool"] == "postgresql":
            assert boto3.client("s3").get_object(Bucket=BUCKET, Key="mlflow/" + name)["Body"].read() == b"y = 2 x"
        else:
            with host.sudo():
                assert host.file("/var/lib/mlflow/artifacts/" + name).content == b"y = 2 x"
    finally:
        admin = account(host, "admin")
        call(url, API + "registered-models/delete", admin, {"name": "line"}, "DELETE")
        call(url, API + "experiments/delete", admin, {"experiment_id": experiment})
        # A deleted experiment keeps its name.
        call(url, API + "experiments/update", admin, {"experiment_id": experiment, "new_name": f"gone {experiment}"})


def test_other_names_in_a_request_are_refused(host, url, variables):
    jobs = account(host, "job")
    for name, status in (("evil.example.org", 403), (variables["inventory_hostname"] + ":5000", 200), ("localhost", 200)):
        assert call(url, API + "users/current", jobs, headers={"Host": name})[0] == status, name


def test_secrets_are_for_those_who_need_them(host):
    with host.sudo():
        for name, owner, group, mode in (
            ("admin.ini", "root", "root", 0o600),
            ("job.ini", "root", "root", 0o600),
            ("mlflow.env", "root", "root", 0o600),
            ("basic_auth.ini", "root", "mlflow", 0o640),
        ):
            file = host.file(f"/etc/mlflow/{name}")
            assert (file.user, file.group, stat.S_IMODE(file.mode)) == (owner, group, mode), name
        assert not host.file("/etc/mlflow/restart-pending").exists
        assert stat.S_IMODE(host.file("/var/lib/mlflow").mode) == 0o700


def test_database_is_where_it_was_wished(host, variables):
    with host.sudo():
        here = host.file("/var/lib/mlflow/mlflow.db").exists
    assert here is (variables["mlinfra_pool"] == "sqlite")
    if not here:
        with host.sudo("postgres"):
            assert host.check_output("psql -tAc 'SELECT count(*) FROM users' mlflow") == "2"
            assert host.check_output("psql -tAc \"SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'mlflow'\"") == "t"


def test_unit_is_hardened_and_starts_with_the_host(host):
    service = host.service("mlflow")
    assert service.is_running and service.is_enabled
    exposure = host.check_output("systemd-analyze security --no-pager mlflow.service | tail -n 1")
    assert float(exposure.split(":")[1].split()[0]) < 2, exposure


def test_jobs_find_the_server_and_their_account(host, variables):
    server = variables["groups"]["mlinfra_mlflow"][0]
    address = json.loads(host.file("/etc/mlinfra/mlflow.json").content_string)["tracking_uri"]
    with host.sudo():
        file = host.file("/var/lib/mlinfra-job/.mlflow/credentials")
        assert (file.user, stat.S_IMODE(file.mode)) == ("mlinfra-job", 0o600)
        lines = file.content_string.splitlines()
    login = tuple(line.split(" = ", 1)[1] for line in lines[1:])
    assert json.loads(call(address, API + "users/current", login)[1])["user"]["username"] == "jobs"
    if variables["inventory_hostname"] != server:
        assert login[1] != account(host, "job")[1], "the account is that of the server in group mlinfra_mlflow"
