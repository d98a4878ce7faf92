# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on the machine that runs it."""

from __future__ import annotations

import json
import os
import socket

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import host_preflight as module


@pytest.fixture
def preflight(capsys):
    def answer(**options):
        with patch_module_args({"systemd": False, **options}), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return answer


def test_without_options_the_platform_is_read(preflight):
    answer = preflight()
    assert answer["changed"] is False and answer["packages"] == answer["units"] == answer["ports"] == {}
    assert answer["container"] is (answer["virtualization"] in module.reading.platform.CONTAINERS)


def test_every_returned_value_is_documented(preflight):
    documented = yaml.safe_load(module.RETURN)
    assert set(documented) == set(preflight()) - {"changed", "invocation"}


def test_all_kinds_at_once(preflight, tmp_path):
    answer = preflight(
        packages=["no-such-package"], units=["no-such.service"], paths=[str(tmp_path)], users=["root"], kernel_modules=["no-such-module"],
        free=[{"path": str(tmp_path)}], directories=[{"path": str(tmp_path / "missing")}],
    )  # fmt: skip
    assert answer["packages"]["no-such-package"]["status"] == "not-installed" and not answer["units"]["no-such.service"]["exists"]
    assert answer["paths"][str(tmp_path)]["kind"] == "directory" and answer["users"]["root"]["uid"] == 0
    assert answer["kernel_modules"] == {"no-such-module": False} and answer["free"][str(tmp_path)] > 0
    assert [folder["path"] for folder in answer["directories"]] == [str(tmp_path / "missing")]


def test_contents_are_text_and_null_for_what_is_none(preflight, tmp_path):
    texts = {"there": "a = ü\r\nb\n".encode(), "empty": b"", "bytes": b"\xff\xfe", "large": b"x" * (1024 * 1024 + 1)}
    for name, content in texts.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe")
    paths = {name: str(tmp_path / name) for name in (*texts, "missing", "pipe", ".")}
    contents = preflight(contents=list(paths.values()))["contents"]
    assert {name: contents[path] for name, path in paths.items()} == {
        "there": "a = ü\r\nb\n", "empty": "", "bytes": None, "large": None, "missing": None, "pipe": None, ".": None,
    }  # fmt: skip


def test_what_is_in_force_is_read_and_null_for_the_rest(preflight, monkeypatch):
    monkeypatch.setattr(module.reading, "output", lambda module, program, arguments: {"apt-config": 'A::B "1";\n'}.get(program, ""))
    answer = preflight(sysctl=["kernel.ostype", "no.such"], limits=["NOFILE"], apt=["A::B"])
    assert answer["sysctl"] == {"kernel.ostype": "Linux", "no.such": None}
    assert answer["apt"] == {"A::B": ["1"]} and answer["limits"] == {"NOFILE": {"soft": None, "hard": None}}


def test_all_that_is_wrong_is_told_at_once(preflight, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answer = preflight(ports=[{"port": port, "unit": "x.service"}], free=[{"path": str(tmp_path), "mib": 10**9}])
    assert answer["failed"] and len(answer["problems"]) == 2 and f"(pid {os.getpid()}" in answer["msg"]


def test_bad_values_are_refused_before_the_host_is_read(preflight, monkeypatch):
    monkeypatch.setattr(module.reading, "look", None)
    assert preflight(contents=["relative"])["failed"]
    assert preflight(paths=["relative"])["msg"] == "relative is no absolute path. Begin it with a slash."
