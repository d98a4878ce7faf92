# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web configuration as files: run like Ansible runs a module, into a folder of the test's own."""

from __future__ import annotations

import grp
import json
import os
import stat

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import exporter_web_config as module

CERT = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
KEY = "-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----"
GROUP = grp.getgrgid(os.getgid()).gr_name


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """run(**options) -> what the module answers; files go to tmp_path/web, owned by whoever runs the tests."""
    if os.getuid() != 0:
        attributes = module.attributes
        monkeypatch.setattr(module, "attributes", lambda *given: dict(attributes(*given), owner=None))

    def answer(check=False, **options):
        path = str(tmp_path / "web" / "web-config.yml")
        arguments = {"path": path, "group": GROUP, "bcrypt_cost": 4, **options, "_ansible_check_mode": check}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return answer


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_first_run_writes_and_second_run_changes_nothing(run, tmp_path):
    wish = {"cert_content": CERT, "key_content": KEY, "basic_auth_users": {"prom": "plum"}}
    first = run(**wish)
    folder = tmp_path / "web"
    assert first["changed"] and sorted(first["files"]) == [str(folder / name) for name in ("tls.crt", "tls.key", "web-config.yml")]
    assert first["cert_file"] == str(folder / "tls.crt")
    assert mode(folder) == 0o750 and {mode(path) for path in folder.iterdir()} == {0o640}
    text = yaml.safe_load((folder / "web-config.yml").read_text())
    assert text["tls_server_config"]["key_file"] == str(folder / "tls.key")
    assert text["basic_auth_users"]["prom"].startswith("$2b$04$")
    assert not run(**wish)["changed"]


def test_check_mode_says_so_and_writes_nothing(run, tmp_path):
    answer = run(check=True, group="group-that-is-not-there-yet", basic_auth_users={"prom": "plum"})
    assert answer["changed"] and "prom" in answer["diff"]["after"]
    assert not (tmp_path / "web").exists()


def test_another_password_changes_one_hash(run, tmp_path):
    file = tmp_path / "web" / "web-config.yml"
    run(basic_auth_users={"a": "one", "b": "two"})
    before = yaml.safe_load(file.read_text())["basic_auth_users"]
    answer = run(basic_auth_users={"a": "one", "b": "three"})
    after = yaml.safe_load(file.read_text())["basic_auth_users"]
    assert answer["changed"] and before["a"] == after["a"] and before["b"] != after["b"]


def test_no_secret_is_in_the_answer(run):
    answer = json.dumps(run(cert_content=CERT, key_content=KEY, basic_auth_users={"prom": "a plum a day"}))
    assert "a plum a day" not in answer and "BBBB" not in answer and "$2b$" not in answer


def test_open_mode_is_mended(run, tmp_path):
    wish = {"cert_content": CERT, "key_content": KEY}
    run(**wish)
    key = tmp_path / "web" / "tls.key"
    key.chmod(0o644)
    assert run(**wish)["files"] == [str(key)]
    assert mode(key) == 0o640


def test_absent_removes_what_was_written_and_nothing_else(run, tmp_path):
    run(cert_content=CERT, key_content=KEY)
    other = tmp_path / "web" / "other"
    other.touch()
    assert run(state="absent")["changed"]
    assert list((tmp_path / "web").iterdir()) == [other]
    assert not run(state="absent")["changed"]


def test_own_certificate_goes_when_the_user_brings_files(run, tmp_path):
    run(cert_content=CERT, key_content=KEY)
    answer = run(cert_file="/etc/ssl/x.crt", key_file="/etc/ssl/x.key")
    assert answer["cert_file"] == "/etc/ssl/x.crt"
    assert [path.name for path in (tmp_path / "web").iterdir()] == ["web-config.yml"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cert_content": "/etc/x.crt", "key_content": KEY}, "cert_content has no line that starts with -----BEGIN"),
        ({"basic_auth_users": {"a:b": "x"}}, "basic_auth_users has the user 'a:b'"),
        ({"basic_auth_users": {"a": "x" * 73}}, "basic_auth_users.a has 73 bytes"),
        ({"basic_auth_users": {"a": ""}}, "basic_auth_users.a is empty"),
        ({"bcrypt_cost": 20}, "bcrypt_cost is 20: expected 4 to 15"),
        ({"cert_file": "/x"}, "parameters are required together: cert_file, key_file"),
    ],
)
def test_bad_input_is_told_before_anything_is_written(run, tmp_path, options, message):
    answer = run(**options)
    assert answer["failed"] and message in answer["msg"]
    assert not (tmp_path / "web").exists()


def test_module_documents_every_option():
    assert set(yaml.safe_load(module.DOCUMENTATION)["options"]) == set(module.ARGUMENTS)
