# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts over MLflow's REST API, against a real HTTP server on loopback that answers as MLflow 3.17 does."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow import credentials
from ansible_collections.mlinfra.hosts.plugins.modules import mlflow_user as module

ADMIN, JOB = "admin password 1", "job password 12"


class Mlflow(http.server.BaseHTTPRequestHandler):
    """users of the server: {name: [password, is_admin]}."""

    def answer(self, status, body=None):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode() if isinstance(body, str) else json.dumps(body or {}).encode())

    def user(self, name):
        return {"user": {"id": 1, "username": name, "is_admin": self.server.users[name][1]}}

    def handle_request(self):
        path = urlsplit(self.path)
        if path.path == "/health":
            return self.answer(*self.server.health)
        given = self.headers.get("Authorization", "")
        name, _colon, password = base64.b64decode(given.rpartition(" ")[2]).decode().partition(":")
        users = self.server.users
        if self.server.open:
            name = "admin"
        elif name not in users or users[name][0] != password:
            return self.answer(401, "You are not authenticated.")
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        body.update({key: value[0] for key, value in parse_qs(path.query).items()})
        return self.act(self.command + " " + path.path.rpartition("/")[2], name, body)

    def act(self, call, name, body):
        users, other = self.server.users, body.get("username")
        self.server.calls.append(call)
        if call == "GET current":
            return self.answer(200, self.user(name))
        if not users[name][1] and other != name:
            return self.answer(403, "Permission denied")
        if call == "POST create":
            users[other] = [body["password"], False]
        elif other not in users:
            return self.answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "User with username=%s not found" % other})
        if call == "PATCH update-password":
            if other == name and body.get("current_password") != users[name][0]:
                return self.answer(400, {"message": "Current password does not match."})
            users[other][0] = body["password"]
        if call == "PATCH update-admin":
            users[other][1] = body["is_admin"]
        if call == "DELETE delete":
            del users[other]
            return self.answer(200)
        return self.answer(200, self.user(other))

    do_GET = do_POST = do_PATCH = do_DELETE = handle_request

    def log_message(self, *_unused):
        pass


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mlflow)
    made.users, made.calls, made.open, made.health = {"admin": [ADMIN, True]}, [], False, (200, "OK")
    made.url = f"http://127.0.0.1:{made.server_port}"
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def run(server, tmp_path, capsys):
    """run(**options) -> the module's result; the accounts' files are in tmp_path."""
    (tmp_path / "admin.ini").write_text(credentials.render("admin", ADMIN))
    (tmp_path / "job.ini").write_text(credentials.render("jobs", JOB))

    def act(check=False, **options):
        files = {"login_file": str(tmp_path / "admin.ini"), "account_file": str(tmp_path / "job.ini")}
        given = {"url": server.url, **files, "wait": 1, **options}
        with patch_module_args({**given, "_ansible_check_mode": check, "_ansible_diff": True}), pytest.raises(SystemExit):
            module.main()
        out = capsys.readouterr().out
        assert not [secret for secret in (ADMIN, JOB, "another password") if secret in out]
        return json.loads(out)

    return act


def test_made_once(server, run):
    assert run(check=True)["actions"] == ["create"]
    assert "jobs" not in server.users
    first, second = run(), run()
    assert (first["changed"], first["actions"]) == (True, ["create"])
    assert (second["changed"], second["actions"]) == (False, [])
    assert server.users["jobs"] == [JOB, False]
    assert (first["diff"]["before"], second["diff"]["before"]) == ("", second["diff"]["after"])


def test_another_password_and_another_right(server, run):
    server.users["jobs"] = ["another password", True]
    assert run(check=True)["actions"] == ["password", "make no admin"]
    assert run()["changed"]
    assert server.users["jobs"] == [JOB, False]
    assert run(admin=True)["actions"] == ["make admin"]
    assert server.users["jobs"][1]


def test_removed_once(server, run):
    server.users["jobs"] = [JOB, False]
    assert run(state="absent")["actions"] == ["delete"]
    assert not run(state="absent")["changed"]
    assert set(server.users) == {"admin"}


def test_administrator_gets_the_password_that_waits(server, run, tmp_path):
    new = tmp_path / "admin.ini.new"
    new.write_text(credentials.render("admin", "another password"))
    assert run(check=True)["changed"] and new.exists() and server.users["admin"][0] == ADMIN
    assert run()["actions"][0] == module.CHANGED_LOGIN
    assert server.users["admin"][0] == "another password" and not new.exists()
    assert not run()["changed"]


def test_interrupted_change_is_completed(server, run, tmp_path):
    (tmp_path / "admin.ini.new").write_text(credentials.render("admin", "another password"))
    server.users["admin"][0] = "another password"
    assert run()["actions"][0] == module.CHANGED_LOGIN
    assert credentials.parse((tmp_path / "admin.ini").read_text()) == ("admin", "another password")
    assert "PATCH update-password" not in server.calls


def test_password_changed_elsewhere(server, run):
    server.users["admin"][0] = "another password"
    assert "does not accept account admin with the password in" in run()["msg"]


def test_login_that_is_no_administrator(server, run):
    server.users["admin"][1] = False
    assert "is no administrator" in run()["msg"]


def test_server_that_asks_nobody_is_refused(server, run):
    server.open = True
    assert "answers without asking for a password" in run()["msg"]


def test_other_service(server, run):
    server.health = (200, "<html>")
    assert "does not say OK: is another service behind" in run()["msg"]
    server.health = (404, "no")
    assert "answers 404" in run()["msg"]


def test_no_server(server, run):
    assert "does not answer" in run(url="http://127.0.0.1:9", wait=0)["msg"]


def test_missing_file_is_named(run, tmp_path):
    (tmp_path / "job.ini").unlink()
    assert run()["msg"].startswith("%s is not there" % (tmp_path / "job.ini"))
