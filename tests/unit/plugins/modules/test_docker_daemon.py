# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""daemon.json and dockerd together, with a systemctl, a dockerd and a docker of the test's own: run like Ansible runs a module."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import docker_daemon as module

SYSTEMCTL = """\
#!/bin/sh
# show: the state in the folder; all else is noted, and fails when the folder says so.
cd "{home}"
if [ "$1" = show ]; then
    printf 'LoadState=loaded\\nActiveState=%s\\nUnitFileState=%s\\n' "$(cat active)" "$(cat enabled)"
    printf 'NeedDaemonReload=%s\\nExecMainStartTimestampMonotonic=%s\\n' "$(cat stale 2>/dev/null)" "$(cat began 2>/dev/null)"
    printf 'ExecStart={{ path=/x ; argv[]=/x -H fd:// ; ignore_errors=no ; }}\\nEnvironmentFiles=\\nEnvironment=\\n'
    exit 0
fi
echo "$1" >>told
case "$1" in enable) echo enabled >enabled ;; start | restart | reload)
    if [ -e fails ] && grep -q "$(cat fails)" "{file}"; then echo inactive >active; echo "Job for docker.service failed." >&2; exit 1; fi
    echo active >active ;;
esac
"""
DOCKERD = """\
#!/bin/sh
for last in "$@"; do case "$before" in --config-file) file=$last ;; esac; before=$last; done
grep -q nonsense "$file" || { echo "configuration OK"; exit 0; }
echo "unable to configure the Docker daemon with file $file: the following directives don't match any configuration option: nonsense"
exit 1
"""
DOCKER = '#!/bin/sh\necho \'{"LiveRestoreEnabled": true, "Swarm": {"LocalNodeState": "%s"}}\'\n'


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host whose docker runs; the folder holds its state."""
    programs = tmp_path / "bin"
    programs.mkdir()
    file = tmp_path / "etc" / "daemon.json"
    texts = {"systemctl": SYSTEMCTL.format(home=tmp_path, file=file), "dockerd": DOCKERD, "docker": DOCKER % "inactive"}
    for name, text in {**texts, "journalctl": "#!/bin/sh\necho it was like this\n"}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / "active").write_text("active\n")
    (tmp_path / "enabled").write_text("enabled\n")
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr(module, "mounts", lambda: "/dev/vda / ext4 rw 0 0\nserver:/x /proc nfs4 rw 0 0\n")
    monkeypatch.setattr(module.pending, "FOLDER", str(tmp_path / "run"))
    monkeypatch.setattr(module.processes, "shims", lambda namespace: int((tmp_path / "containers").exists()))
    file.parent.mkdir()
    return tmp_path


@pytest.fixture
def run(host, capsys):
    def answer(check=False, **options):
        arguments = {"path": str(host / "etc" / "daemon.json"), **options, "_ansible_check_mode": check}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return answer


def told(host):
    return (host / "told").read_text().split() if (host / "told").exists() else []


def write(host, text):
    (host / "etc" / "daemon.json").write_text(text)


def read(host):
    return json.loads((host / "etc" / "daemon.json").read_text())


def test_first_run_writes_and_second_run_changes_nothing(run, host):
    wish = {"settings": {"debug": True, "data-root": "/data"}, "defaults": [{"live-restore": True}]}
    first = run(**wish)
    assert first["changed"] and first["action"] == "restart" and first["changed_keys"] == ["data-root", "debug", "live-restore"]
    assert read(host) == {"live-restore": True, "debug": True, "data-root": "/data"} and told(host)[-1] == "restart"
    assert stat.S_IMODE((host / "etc" / "daemon.json").stat().st_mode) == 0o644
    (host / "told").unlink()
    second = run(**wish)
    assert not second["changed"] and second["action"] == "none" and not told(host)


def test_what_the_user_wrote_stays_and_is_kept_aside(run, host):
    text = '{\n\t"dns": ["10.0.0.2"],\n\t"x-unknown": {"a": 1}\n}\n'
    write(host, text)
    (host / "etc" / "daemon.json").chmod(0o640)
    assert run(settings={"debug": True})["original"] == str(host / "etc" / "daemon.json.mlinfra-original")
    run(settings={"debug": False})
    assert read(host) == {"dns": ["10.0.0.2"], "x-unknown": {"a": 1}, "debug": False}
    assert '\n\t"dns"' in (host / "etc" / "daemon.json").read_text()
    assert (host / "etc" / "daemon.json.mlinfra-original").read_text() == text, "the first original, not the last"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (host / "etc").iterdir()} == {0o640}


def test_check_mode_says_so_and_does_nothing(run, host):
    answer = run(check=True, settings={"debug": True})
    assert answer["changed"] and '"debug": true' in answer["diff"]["after"]
    assert not list((host / "etc").iterdir()) and not told(host)


def test_a_reload_when_that_is_enough(run, host):
    assert run(settings={"labels": ["a=b"]})["action"] == "reload"
    assert told(host) == ["reset-failed", "reload"]


def test_what_dockerd_does_not_take_is_not_written(run, host):
    write(host, "{}")
    answer = run(settings={"nonsense": 1})
    assert answer["failed"] and "don't match any configuration option: nonsense" in answer["msg"]
    assert read(host) == {} and not told(host)


def test_not_json(run, host):
    write(host, '{"debug": tru}')
    answer = run(check=True, settings={"debug": True})
    assert answer["failed"] and "daemon.json, line 1, column 11 is not JSON" in answer["msg"]
    assert (host / "etc" / "daemon.json").read_text() == '{"debug": tru}'


def test_a_daemon_that_does_not_come_back_gets_its_former_file(run, host):
    write(host, '{"debug": true}')
    (host / "fails").write_text("data-root")
    answer = run(settings={"data-root": "/data"})
    assert answer["failed"] and "it was like this" in answer["msg"] and "runs again" in answer["msg"]
    assert read(host) == {"debug": True} and (host / "active").read_text() == "active\n"


def test_a_daemon_that_does_not_run_is_started_and_enabled(run, host):
    (host / "active").write_text("inactive\n")
    (host / "enabled").write_text("disabled\n")
    assert run()["action"] == "start"
    assert "start" in told(host) and "enable" in told(host)
    assert not run()["changed"]


def test_running_containers_are_not_stopped(run, host):
    (host / "containers").touch()
    answer = run(settings={"ipv6": True})
    assert answer["failed"] and "would stop 1 running container, as live-restore is off" in answer["msg"] and not told(host)
    assert run(settings={"ipv6": True}, defaults=[{"live-restore": True}])["changed"]
    moved = run(settings={"data-root": "/data"})
    assert moved["failed"] and "data-root changes" in moved["msg"]
    assert run(settings={"data-root": "/data"}, interrupt=True)["changed"]


def test_a_swarm_has_no_live_restore(run, host):
    (host / "bin" / "docker").write_text(DOCKER % "active")
    assert run(settings={"labels": ["a=b"]}, defaults=[{"live-restore": True}])["changed"]
    assert read(host) == {"labels": ["a=b"]}


def test_data_root_where_overlay_does_not_work(run):
    answer = run(settings={"data-root": "/proc/none"})
    assert answer["failed"] and "file system of type nfs4" in answer["msg"]


def test_no_password_in_the_diff(run):
    answer = run(settings={"proxies": {"http-proxy": "http://me:s3cret@proxy:3128"}})
    assert answer["changed"] and "s3cret" not in json.dumps(answer["diff"])


def test_entries_are_added_to_what_the_user_lists(run, host):
    write(host, '{"insecure-registries": ["theirs:5000"]}')
    wish = {"additions": {"insecure-registries": ["ours:5000", "theirs:5000"]}}
    assert run(**wish)["action"] == "reload"
    assert read(host) == {"insecure-registries": ["theirs:5000", "ours:5000"]}
    assert not run(**wish)["changed"]


def test_a_runtime_is_added_beside_those_that_are_there(run, host):
    theirs = {"team": {"path": "/usr/bin/runc"}}
    write(host, json.dumps({"runtimes": theirs}))
    wish = {"additions": {"runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}}}}
    assert run(**wish)["action"] == "reload"
    assert read(host) == {"runtimes": {**theirs, **wish["additions"]["runtimes"]}}
    assert not run(**wish)["changed"]
    assert run(settings={"runtimes": {"nvidia": None}}, **wish)["changed"], "the last word"
    assert read(host) == {"runtimes": theirs}
    write(host, json.dumps({"runtimes": {"nvidia": {"path": "/opt/wrapper"}}}))
    assert not run(**wish)["changed"]
    assert run(settings={"runtimes": theirs}, **wish)["changed"]
    assert set(read(host)["runtimes"]) == {"nvidia", "team"} and read(host)["runtimes"]["nvidia"] == {"path": "/opt/wrapper"}


def test_containers_with_gpus_hold_a_restart_off(run, host, monkeypatch):
    (host / "containers").touch()
    monkeypatch.setattr(module.processes, "gpu_containers", lambda namespace: 2)
    live = {"defaults": [{"live-restore": True}]}
    answer = run(settings={"ipv6": True}, **live)
    assert answer["failed"] and "must be restarted for ipv6, live-restore, and 2 running containers have GPUs" in answer["msg"]
    assert not told(host) and not (host / "etc" / "daemon.json").exists()
    assert run(settings={"labels": ["a=b"]})["action"] == "reload", "which no container notices"
    assert run(settings={"ipv6": True}, interrupt=True, **live)["action"] == "restart"


@pytest.fixture
def proxy(host):
    """{path: text} of what a proxy asks for."""
    return {str(host / "etc" / "proxy.env"): "HTTP_PROXY=http://me:s3cret@p:1\n", str(host / "etc" / "d" / "proxy.conf"): "[Service]\n"}


def test_files_that_want_a_restart_are_written_when_it_may_be(run, host, proxy, monkeypatch):
    write(host, "{}")
    (host / "containers").touch()
    gpus = [1]
    monkeypatch.setattr(module.processes, "gpu_containers", lambda namespace: gpus[0])
    wish = {"settings": {"live-restore": True}, "files": proxy}
    refused = run(**wish)
    assert refused["failed"] and f"live-restore, {host}/etc/d/proxy.conf, {host}/etc/proxy.env, and 1 running" in refused["msg"]
    assert "s3cret" not in json.dumps(refused) and not told(host)
    assert [path.name for path in (host / "etc").iterdir()] == ["daemon.json"]
    gpus[0] = 0
    assert run(check=True, **wish)["changed"] and not (host / "etc" / "proxy.env").exists()
    done = run(**wish)
    assert done["action"] == "restart" and done["changed_files"] == sorted(proxy)
    assert told(host)[-1] == "restart" and "daemon-reload" in told(host)
    assert {path: Path(path).read_text() for path in proxy} == proxy
    modes = [stat.S_IMODE((host / "etc" / name).stat().st_mode) for name in ("proxy.env", "d/proxy.conf")]
    assert modes == [0o600, 0o644] and "s3cret" not in json.dumps(done)
    assert not run(**wish)["changed"]
    (host / "etc" / "proxy.env").chmod(0o644)
    assert run(**wish)["changed_files"] == [str(host / "etc" / "proxy.env")]
    gone = {"settings": {"live-restore": True}, "files": dict.fromkeys(proxy, "")}
    assert run(**gone)["action"] == "restart" and not any((host / "etc" / name).exists() for name in ("proxy.env", "d/proxy.conf"))
    assert not run(**gone)["changed"]


def test_files_are_put_back_with_the_settings(run, host, proxy):
    (host / "etc" / "proxy.env").write_text("theirs")
    write(host, "{}")
    (host / "fails").write_text("ipv6")
    answer = run(settings={"ipv6": True}, files=proxy)
    assert answer["failed"] and f"{host}/etc/d/proxy.conf, {host}/etc/proxy.env are as before. docker.service runs again." in answer["msg"]
    assert (host / "etc" / "proxy.env").read_text() == "theirs" and not (host / "etc" / "d" / "proxy.conf").exists() and read(host) == {}


@pytest.mark.parametrize("options, state", [({}, "yes"), ({"restart": True}, "no")])
def test_a_refused_restart_is_not_forgotten(run, host, monkeypatch, options, state):
    """Anybody's daemon-reload takes away what systemd knows of it."""
    gpus = [1]
    monkeypatch.setattr(module.processes, "gpu_containers", lambda namespace: gpus[0])
    (host / "began").write_text("4711")
    (host / "stale").write_text(state)
    (host / "containers").touch()
    write(host, '{"live-restore": true}')
    assert not run(check=True, **options).get("changed") and not (host / "run").exists()
    assert run(**options)["failed"]
    (host / "stale").write_text("no")
    assert "must be restarted for its drop-ins" in run()["msg"], "refused again, for as long as they run"
    gpus[0] = 0
    assert run()["action"] == "restart"
    assert run()["action"] == "none"


def test_a_restart_that_was_not_lived_to_see(run, host, proxy, monkeypatch):
    """Killed when the files were there; a restart by anybody else counts, too."""
    (host / "began").write_text("4711")
    monkeypatch.setattr(module, "restart", lambda *given: (one for one in ()).throw(KeyboardInterrupt))
    for _time in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(settings={"ipv6": True}, files=proxy)
    monkeypatch.undo()
    monkeypatch.setattr(module.pending, "FOLDER", str(host / "run"))
    assert read(host) == {"ipv6": True}
    monkeypatch.setenv("PATH", f"{host}/bin:/usr/bin:/bin")
    monkeypatch.setattr(module, "mounts", lambda: "")
    assert run(check=True, settings={"ipv6": True}, files=proxy)["action"] == "restart"
    (host / "began").write_text("4712")
    assert run(check=True, settings={"ipv6": True}, files=proxy)["action"] == "none"
    (host / "began").write_text("4711")
    assert run(settings={"ipv6": True}, files=proxy)["action"] == "restart"
    assert run(settings={"ipv6": True}, files=proxy)["action"] == "none"


def test_data_is_not_left_behind(run, host, tmp_path):
    (tmp_path / "old" / "containers" / "abc").mkdir(parents=True)
    write(host, json.dumps({"data-root": str(tmp_path / "old")}))
    answer = run(settings={"data-root": str(tmp_path / "new")})
    assert answer["failed"] and "would no longer be seen" in answer["msg"] and "systemctl stop docker.socket docker" in answer["msg"]
    assert read(host) == {"data-root": str(tmp_path / "old")} and not told(host)
    assert run(settings={"data-root": str(tmp_path / "new")}, abandon_data=True)["changed"]
