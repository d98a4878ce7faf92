# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scrape of a real HTTP server on loopback: waiting, TLS, passwords, and what is said when it goes wrong."""

from __future__ import annotations

import base64
import http.server
import json
import shutil
import socket
import ssl
import subprocess
import threading

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import exporter_scrape_info as module

WISH = {"url": "http://127.0.0.1:1/metrics", "cert_file": None, "username": None, "password": None, "wait": 10}
PAGE = 'node_exporter_build_info{version="1.9.0"} 1\nnode_load1 0.5\nstrange NaN\n'


class Exporter(http.server.BaseHTTPRequestHandler):
    """Answers /metrics; asks for prom:plum when its server says so."""

    def do_GET(self):
        wanted = "Basic " + base64.b64encode(b"prom:plum").decode()
        allowed = not self.server.closed or self.headers.get("Authorization") == wanted
        self.send_response(200 if allowed else 401)
        self.end_headers()
        self.wfile.write(self.server.page.encode() if allowed else b"no")

    def log_message(self, *_unused):
        pass


@pytest.fixture
def serve():
    """serve(page, closed, certificate) -> URL of a running exporter."""
    running = []

    def start(page=PAGE, closed=False, certificate=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
        server.page, server.closed = page, closed
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        running.append(server)
        return f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}/metrics"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def scrape(capsys):
    def answer(url, **options):
        with patch_module_args({"url": url, "metrics": ["node_exporter_build_info"], "wait": 0, **options}), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return answer


def certificate(folder, name):
    if not shutil.which("openssl"):
        pytest.skip("no openssl on this machine to make a certificate with")
    pair = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        + ["-subj", f"/CN={name}", "-out", pair[0], "-keyout", pair[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return pair


def test_named_metrics_come_back(scrape, serve):
    answer = scrape(serve())
    assert answer["samples"] == [{"name": "node_exporter_build_info", "labels": {"version": "1.9.0"}, "value": 1.0}]
    assert answer["size"] == len(PAGE) and not answer["changed"]


def test_what_json_has_no_number_for_is_text(scrape, serve):
    assert scrape(serve(), metrics=["strange"])["samples"][0]["value"] == "NaN"


def test_password_is_sent_and_a_wrong_one_is_told(scrape, serve):
    url = serve(closed=True)
    assert scrape(url, username="prom", password="plum")["samples"]
    answer = scrape(url, username="prom", password="pear")
    assert answer["failed"] and "answers 401 Unauthorized: expected 200" in answer["msg"] and "pear" not in json.dumps(answer)


def test_only_the_wished_certificate_is_trusted(scrape, serve, tmp_path):
    own, other = certificate(tmp_path, "own"), certificate(tmp_path, "other")
    url = serve(certificate=own)
    assert scrape(url, cert_file=str(own[0]))["samples"]
    answer = scrape(url, cert_file=str(other[0]))
    assert answer["failed"] and "CERTIFICATE_VERIFY_FAILED" in answer["msg"]


def test_nobody_there_is_told_with_the_url(scrape, serve):
    url = "http://127.0.0.1:9/metrics"
    answer = scrape(url)
    assert answer["failed"] and answer["msg"].startswith(f"{url} does not answer within 0 s")


def test_a_page_that_is_no_metrics_is_told(scrape, serve):
    answer = scrape(serve(page="<html>hello</html>"))
    assert answer["failed"] and "is no metrics page: line 1" in answer["msg"]


def test_something_that_does_not_speak_http_is_told(scrape):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet():
            connection, _address = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        answer = scrape(f"http://127.0.0.1:{server.getsockname()[1]}/metrics")
        thread.join()
    assert answer["failed"] and "does not answer within 0 s: it does not speak HTTP (SSH-2.0-OpenSSH_9.2p1)" in answer["msg"]


def test_it_waits_for_a_service_that_is_only_starting(monkeypatch):
    answers = [ConnectionRefusedError("refused"), ConnectionRefusedError("refused"), "page"]

    def fetch(*_asked):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(module.scrape, "fetch", fetch)
    now = [0.0]
    assert module.patiently(WISH, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds)) == "page"
    answers[:] = [ConnectionRefusedError("refused")] * 100
    with pytest.raises(ConnectionRefusedError):
        module.patiently(WISH, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    assert now[0] < 12


def test_it_does_not_wait_for_a_unit_that_is_not_there(monkeypatch):
    def fetch(*_asked):
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(module.scrape, "fetch", fetch)
    asked, slept = [], []
    with pytest.raises(ConnectionRefusedError):
        module.patiently(WISH, lambda: asked.append(1) or True, clock=lambda: 0.0, sleep=slept.append)
    assert asked == [1] and slept == []
