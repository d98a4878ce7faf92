# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files from a web server on this machine, whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import threading

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import download as module

BODY = b"release" * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def server(monkeypatch):
    """A server that gives BODY after `broken` answers of another kind, and notes what it was asked; also a proxy."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append((self.path, self.headers.get("Proxy-Authorization")))
            status, length, body = self.server.broken.pop(0) if self.server.broken else (200, len(BODY), BODY)
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module.os, "environ", dict(module.os.environ))
    monkeypatch.setattr(module, "PAUSE", 0)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        listener.asked, listener.broken = [], []
        listener.url = f"http://127.0.0.1:{listener.server_port}"
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield listener
        listener.shutdown()


@pytest.fixture
def fetched(server, capsys, tmp_path):
    """Function (options) → the module's answer; the file is tmp_path/file."""

    def answer(**options):
        arguments = {"url": f"{server.url}/file", "dest": str(tmp_path / "file"), **options}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return answer


def left(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir())


def test_once_and_not_again(server, fetched, tmp_path):
    file = tmp_path / "file"
    assert fetched(sha256=SHA256.upper(), mode="0600")["changed"] is True
    assert file.read_bytes() == BODY and file.stat().st_mode & 0o777 == 0o600
    assert fetched(sha256=SHA256.upper(), mode="0600")["changed"] is False
    assert fetched(mode="0640")["changed"] is True and file.stat().st_mode & 0o777 == 0o640
    assert len(server.asked) == 1 and left(tmp_path) == ["file"]


def test_a_file_that_is_there_stays_unless_its_checksum_is_another(server, fetched, tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    assert not fetched()["changed"] and not server.asked
    (tmp_path / "file").chmod(0o600)
    assert fetched(sha256=SHA256)["changed"] and (tmp_path / "file").read_bytes() == BODY
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644
    assert f"dest is {tmp_path}, a folder: expected the path of a file" in fetched(dest=str(tmp_path))["msg"]


def test_check_mode_asks_nobody(server, fetched, tmp_path):
    assert fetched(_ansible_check_mode=True)["changed"] and not server.asked and not left(tmp_path)


def test_another_checksum_is_refused_and_nothing_is_left(fetched, tmp_path):
    answer = fetched(sha256="0" * 64)
    assert answer["failed"] and answer["wrong_sha256"] == SHA256 and f"expected {'0' * 64}" in answer["msg"]
    assert left(tmp_path) == []


@pytest.mark.parametrize("broken", [(503, 0, b""), (429, 0, b""), (200, len(BODY), BODY[:10])])
def test_a_network_that_fails_is_tried_again(server, fetched, broken):
    server.broken = [broken, broken]
    assert fetched()["sha256"] == SHA256 and len(server.asked) == 3
    server.broken = [broken]
    assert "file cannot be downloaded: " in fetched(tries=1, dest="/tmp/no-such-file-of-the-test")["msg"]


def test_what_is_refused_is_not_tried_again(server, fetched, tmp_path):
    server.broken = [(404, 0, b"")]
    assert "cannot be downloaded: HTTP Error 404" in fetched()["msg"] and len(server.asked) == 1 and left(tmp_path) == []


def test_a_folder_that_is_not_there_is_named(fetched, tmp_path):
    assert f"{tmp_path}/none cannot be written: No such file or directory" in fetched(dest=str(tmp_path / "none" / "file"))["msg"]


def test_the_proxy_is_used_and_its_password_told_to_nobody(server, fetched):
    proxy = server.url.replace("//", "//me:s3cret@")
    answer = fetched(url="http://elsewhere.example/file", proxy=proxy)
    assert server.asked == [("http://elsewhere.example/file", "Basic " + base64.b64encode(b"me:s3cret").decode())]
    assert answer["sha256"] == SHA256 and "s3cret" not in json.dumps(answer)
