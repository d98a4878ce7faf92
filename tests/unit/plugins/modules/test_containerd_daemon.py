# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""config.toml and containerd together, with a systemctl and a containerd of the test's own."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import containerd_daemon as module

tomllib = pytest.importorskip("tomllib")
PROGRAMS = {
    "systemctl": """\
if [ "$1" = show ]; then printf 'LoadState=loaded\\nActiveState=active\\nUnitFileState=enabled\\nNeedDaemonReload=no\\n'; exit 0; fi
echo "$1" >>"{home}/told"
""",
    "containerd": 'grep -q wrong "$2" || exit 0\necho "containerd: failed to load TOML: $2: no" >&2\nexit 1\n',
    "journalctl": "echo no such runtime\n",
    "ctr": """\
state=ok
grep -q orphan '{home}/c.toml' 2>/dev/null && state=error
printf 'TYPE ID PLATFORMS STATUS\\nx cri linux %s\\n' $state
""",
}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text("#!/bin/sh\n" + text.replace("{home}", str(tmp_path)))
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(module.pending, "FOLDER", str(tmp_path / "run"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def answer(check=False, **options):
        with patch_module_args({"path": str(tmp_path / "c.toml"), **options, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return answer


def test_first_run_writes_and_second_run_changes_nothing(run, tmp_path):
    wish = {"settings": {"debug": {"level": "warn"}}}
    assert run(check=True, **wish)["changed"] and not (tmp_path / "c.toml").exists()
    assert run(**wish)["action"] == "restart"
    assert tomllib.loads((tmp_path / "c.toml").read_text()) == {"version": 2, "debug": {"level": "warn"}}
    assert (tmp_path / "told").read_text().split()[-1] == "restart"
    assert not run(**wish)["changed"]


def test_what_containerd_does_not_take_is_not_written(run, tmp_path):
    answer = run(settings={"root": "wrong"})
    assert answer["failed"] and f"{tmp_path}/c.toml would not be taken by containerd" in answer["msg"]
    assert not (tmp_path / "c.toml").exists() and not (tmp_path / "told").exists()


def test_plugins_of_an_older_format(run, tmp_path):
    (tmp_path / "c.toml").write_text('disabled_plugins = ["cri"]\n')
    answer = run(settings={"plugins": {"io.containerd.grpc.v1.cri": {"enable_cdi": True}}})
    assert answer["failed"] and "format version 1" in answer["msg"] and "containerd config migrate" in answer["msg"]
    assert run(settings={"oom_score": -1})["changed"]


@pytest.mark.parametrize("version", ["3", '"two"'])
def test_plugins_of_a_format_that_is_not_known(run, tmp_path, version):
    (tmp_path / "c.toml").write_text(f"version = {version}\n")
    answer = run(settings={"plugins": {"io.containerd.grpc.v1.cri": {"enable_cdi": True}}})
    assert answer["failed"] and "has the format version" in answer["msg"] and "expected 2. Nothing was changed." in answer["msg"]


def test_a_plugin_that_fails_gets_the_former_file_back(run, tmp_path):
    run(settings={"debug": {"level": "warn"}})
    before = (tmp_path / "c.toml").read_text()
    answer = run(settings={"plugins": {"io.containerd.grpc.v1.cri": {"containerd": {"default_runtime_name": "orphan"}}}})
    assert answer["failed"] and "plugin cri does not" in answer["msg"] and "no such runtime" in answer["msg"]
    assert (tmp_path / "c.toml").read_text() == before


def test_containers_with_gpus_hold_a_restart_off(run, tmp_path, monkeypatch):
    monkeypatch.setattr(module.processes, "gpu_containers", lambda: 1)
    answer = run(settings={"debug": {"level": "warn"}})
    assert answer["failed"] and "must be restarted for debug, version, and 1 running container has GPUs" in answer["msg"]
    assert not (tmp_path / "c.toml").exists() and not (tmp_path / "told").exists()
    assert run(settings={"debug": {"level": "warn"}}, interrupt=True)["action"] == "restart"


def test_a_refused_restart_is_not_forgotten(run, tmp_path, monkeypatch):
    gpus, env = [1], tmp_path / "proxy.env"
    monkeypatch.setattr(module.processes, "gpu_containers", lambda: gpus[0])
    wish = {"files": {str(env): "HTTPS_PROXY=http://p:1\n"}}
    assert f"must be restarted for {env}, and 1 running container has GPUs" in run(**wish)["msg"] and not env.exists()
    assert run(restart=True)["failed"] and "must be restarted for its drop-ins" in run()["msg"]
    gpus[0] = 0
    answer = run(**wish)
    assert answer["action"] == "restart" and answer["changed_files"] == [str(env)] and env.exists()
    assert not run(**wish)["changed"]


def test_data_is_not_left_behind(run, tmp_path):
    (tmp_path / "old" / "io.containerd.content.v1.content" / "blobs" / "sha256" / "abc").mkdir(parents=True)
    (tmp_path / "c.toml").write_text(f'version = 2\nroot = "{tmp_path}/old"\n')
    answer = run(settings={"root": f"{tmp_path}/new"})
    assert answer["failed"] and "would no longer be seen" in answer["msg"] and not (tmp_path / "told").exists()
    assert run(settings={"root": f"{tmp_path}/new"}, abandon_data=True)["changed"]
