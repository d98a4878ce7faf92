# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""podman's files beside those of its user, with a podman of the test's own: run like Ansible runs a module."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import podman_settings as module

tomllib = pytest.importorskip("tomllib")
PODMAN = "#!/bin/sh\n! grep -rq nonsense {home}/etc || {{ echo 'Error: unknown nonsense' >&2; exit 125; }}\n"
OWN, REGISTRIES = "containers.conf.d/99-mlinfra.conf", "registries.conf.d/99-mlinfra.conf"


@pytest.fixture
def etc(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "podman").write_text(PODMAN.format(home=tmp_path))
    (tmp_path / "bin" / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr(module.data_root, "mounts", lambda: "/dev/vda / ext4 rw 0 0\nserver:/x /proc nfs4 rw 0 0\n")
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc"


@pytest.fixture
def run(etc, capsys):
    def answer(check=False, **options):
        with patch_module_args({"folder": str(etc), **options, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return answer


def read(path):
    return tomllib.loads(path.read_text())


def texts(etc):
    return {str(path.relative_to(etc)): path.read_text() for path in sorted(etc.rglob("*")) if path.is_file()}


WISH = {
    "settings": {"engine": {"num_locks": 4096}},
    "log_size": "50m",
    "registry_mirrors": ["http://mirror:5000"],
    "registries": [{"name": "registry:5000", "insecure": True}],
    "data_root": "/data/containers",
}


def test_first_run_writes_and_second_run_changes_nothing(run, etc):
    predicted = run(check=True, **WISH)
    assert predicted["changed"] and not texts(etc)
    first = run(**WISH)
    assert first["changed_files"] == predicted["changed_files"] == [str(etc / name) for name in (OWN, REGISTRIES, "storage.conf")]
    assert read(etc / OWN) == {"containers": {"log_driver": "k8s-file", "log_size_max": 52428800}, "engine": {"num_locks": 4096}}
    assert [table["location"] for table in read(etc / REGISTRIES)["registry"]] == ["docker.io", "registry:5000"]
    assert read(etc / "storage.conf") == {
        "storage": {"driver": "overlay", "runroot": "/run/containers/storage", "graphroot": "/data/containers"}
    }
    assert not run(**WISH)["changed"]
    assert run()["changed"] and sorted(texts(etc)) == ["storage.conf"], "our own files go when they say nothing; data stays where it is"


def test_what_the_user_wrote_stays_and_counts(run, etc):
    (etc / "containers.conf").write_text('[containers]\nlog_driver = "journald" # ours\n')
    (etc / "storage.conf").write_text('# by hand\n[storage]\ndriver = "overlay"\nrunroot = "/run/x"\n')
    before = texts(etc)
    run(**WISH)
    after = texts(etc)
    assert after["containers.conf"] == before["containers.conf"] and "log_size_max" not in after[OWN], "the user's own logging"
    assert "# by hand" in after["storage.conf"] and 'runroot = "/run/x"' in after["storage.conf"]
    assert after["storage.conf.mlinfra-original"] == before["storage.conf"]


def test_a_registry_that_another_file_has(run, etc):
    (etc / "registries.conf").write_text('[[registry]]\nlocation = "registry:5000"\n')
    answer = run(**WISH)
    assert answer["failed"] and "registry:5000 is in another registries.conf" in answer["msg"] and list(texts(etc)) == ["registries.conf"]


def test_what_podman_does_not_take_is_taken_back(run, etc):
    run(settings={"engine": {"num_locks": 1024}})
    before = texts(etc)
    answer = run(settings={"engine": {"nonsense": 1}}, data_root="/data")
    assert answer["failed"] and "podman does not run with these settings: Error: unknown nonsense" in answer["msg"]
    assert texts(etc) == {**before, **{name: text for name, text in texts(etc).items() if name.endswith("-original")}}


def test_a_file_that_is_not_toml(run, etc):
    (etc / "containers.conf").write_text("[containers]\nlog_driver = journald\n")
    answer = run(**WISH)
    assert answer["failed"] and f"{etc}/containers.conf is not TOML" in answer["msg"] and "line 2, column 14" in answer["msg"]
    assert list(texts(etc)) == ["containers.conf"]


def test_data_is_not_left_behind(run, etc, tmp_path):
    (etc / "storage.conf").write_text(f'[storage]\ndriver = "overlay"\nrunroot = "/run/x"\ngraphroot = "{tmp_path}/old"\n')
    (tmp_path / "old" / "overlay-images" / "abc").mkdir(parents=True)
    (tmp_path / "old" / "overlay-images" / "abc" / "manifest").touch()
    answer = run(data_root=f"{tmp_path}/new")
    assert answer["failed"] and f"rsync -aHAXS {tmp_path}/old/ {tmp_path}/new/" in answer["msg"]
    assert run(check=True, data_root=f"{tmp_path}/new", abandon_data=True)["changed"]
    (tmp_path / "old").rename(tmp_path / "new")
    assert run(data_root=f"{tmp_path}/new")["data_root"] == f"{tmp_path}/new"
    assert "file system of type nfs4" in run(data_root="/proc/x", abandon_data=True)["msg"]


def test_a_size_that_is_none(run):
    answer = run(log_size="much")
    assert answer["failed"] and "max-size is much: expected a size as 50m" in answer["msg"]


def test_no_password_in_the_diff(run):
    answer = run(settings={"engine": {"env": ["HTTPS_PROXY=http://me:s3cret@proxy:3128"]}})
    assert answer["changed"] and "s3cret" not in json.dumps(answer["diff"])
