# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module sees on the machine that runs it."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import pwd
import socket
import threading
from types import SimpleNamespace

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import node_exporter_preflight as module

PROGRAM = """#!/bin/sh
case $1 in
  --version) echo 'node_exporter, version 1.9.0 (branch: x)' >&2 ;;
  --help) echo '--collector.cpu  Enable the cpu collector (default: enabled).' ;;
esac
"""


@pytest.fixture
def preflight(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(module.os.path, "isdir", lambda path, real=os.path.isdir: path == "/run/systemd/system" or real(path))

    def answer(**options):
        arguments = {
            "source": "package", "binary": str(tmp_path / "node_exporter"), "unit": "no-such.service", "user": "root",
            "listen_address": "127.0.0.1", "port": 1, **options,
        }  # fmt: skip
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return answer


def test_a_bare_host(preflight):
    answer = preflight(user="nobody-of-that-name")
    assert answer["version"] is None and not answer["installed"] and not answer["user_ready"] and answer["unit_file"] is None
    assert answer["changed"] is False


@pytest.fixture
def serve():
    """serve(page) -> URL where a server on loopback has it."""
    running = []

    def start(page):
        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if page else 500)
                self.end_headers()
                self.wfile.write(page.encode())

            def log_message(self, *_unused):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_port}/metrics"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def test_a_service_that_runs_is_scraped_on_the_way(preflight, serve, monkeypatch):
    active = {"active": True, "enabled": True, "stale": False, "sha256": None, "mode": None, "owner": None}
    monkeypatch.setattr(module, "service", lambda _module: active)
    page = "node_exporter_build_info 1\nnode_load1 0.5\n"
    asked = {"scrape_url": serve(page), "scrape_metrics": ["node_exporter_build_info"]}
    told = {"samples": [{"name": "node_exporter_build_info", "labels": {}, "value": 1.0}], "size": len(page)}
    assert preflight(**asked)["scrape"] == told
    assert preflight()["scrape"] is None
    assert preflight(scrape_url=serve(""))["scrape"] is None and preflight(scrape_url=serve("<html>"))["scrape"] is None
    active["active"] = False
    assert preflight(**asked)["scrape"] is None


def test_the_unit_is_told_by_its_checksum(preflight, tmp_path):
    unit = tmp_path / "unit"
    unit.write_text("[Service]\n")
    unit.chmod(0o640)
    service = preflight(unit_path=str(unit))["service"]
    assert service["sha256"] == hashlib.sha256(b"[Service]\n").hexdigest() and service["mode"] == "0640"
    assert not service["active"] and not service["enabled"] and not service["stale"]
    assert preflight(unit_path=str(tmp_path / "none"))["service"]["sha256"] is None


def test_what_came_after_the_start_waits_for_a_restart(tmp_path, monkeypatch):
    file = tmp_path / "program"
    file.write_text("")
    os.utime(file, (1, 1))  # as out of an archive
    changed = file.stat().st_ctime
    assert module.changed_since(str(file), changed - 1) and not module.changed_since(str(file), changed + 1)
    assert not module.changed_since(str(file), None) and not module.changed_since(str(tmp_path / "none"), 1.0)
    monkeypatch.setattr(module.time, "time", lambda: changed - 3600)
    assert not module.changed_since(str(file), changed - 1)


def test_an_installed_program_is_asked(preflight, tmp_path):
    program = tmp_path / "node_exporter"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    answer = preflight(source="release", version="1.9.0", release_url="http://mirror.example", sha256={"amd64": "0" * 64})
    assert answer["version"] == "1.9.0" and answer["installed"] and answer["collectors"] == {"cpu": True}


def test_a_taken_port_fails_with_its_holder(preflight):
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = preflight(port=server.getsockname()[1])
    assert answer["failed"] and f"(pid {os.getpid()}" in answer["msg"]


def test_all_that_is_wrong_is_told_at_once(preflight):
    answer = preflight(port=0, listen_address="here", textfile_directory="x")
    assert len(answer["msg"].splitlines()) == 3


def test_folders_that_are_not_as_wished_are_named(preflight, tmp_path):
    me = pwd.getpwuid(os.getuid()).pw_name
    group = module.paths.group(tmp_path.stat())
    tmp_path.chmod(0o755)
    right = {"path": str(tmp_path), "owner": me, "group": group, "mode": "0755"}
    wrong = [{**right, "mode": "0700"}, {**right, "group": "other"}, {**right, "path": str(tmp_path / "missing")}]
    assert preflight(directories=[right, *wrong])["directories"] == wrong


@pytest.mark.parametrize(
    ("mode", "uid", "gids", "readable"),
    [
        (0o640, 0, {5}, True),
        (0o640, 7, {5}, True),
        (0o640, 7, {6}, False),
        (0o604, 7, {5}, False),  # the group's bits count, not the world's
        (0o604, 7, {6}, True),
        (0o040, 0, {5}, False),
        (0o644, None, set(), True),
        (0o640, None, set(), False),
    ],
)
def test_who_may_read(mode, uid, gids, readable):
    assert module.allows(SimpleNamespace(st_mode=mode, st_uid=0, st_gid=5), uid, gids, 4) is readable


def test_module_documents_every_option():
    assert set(yaml.safe_load(module.DOCUMENTATION)["options"]) == set(module.ARGUMENTS)
