# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments made by the real uv from an index of tiny wheels on the disk: run like Ansible runs a module."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import build, lock, state
from ansible_collections.mlinfra.hosts.plugins.modules import uv_environment as module
from ansible_collections.mlinfra.hosts.plugins.modules import uv_environment_info as info
from tests.unit.plugins.modules.package_index import Index, uv_folder

PYTHON = os.path.realpath(sys._base_executable)


@pytest.fixture(scope="module")
def uv() -> str:
    return uv_folder()


@pytest.fixture
def index(tmp_path) -> Index:
    return Index(tmp_path / "index")


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "envs" / "vision"


@pytest.fixture
def answer(monkeypatch, tmp_path, capsys):
    """answer(module, options, check) -> what the module prints."""
    monkeypatch.setattr(build, "LOCK", str(tmp_path / "lock"))

    def ask(which, options, check=False):
        with patch_module_args({**options, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            which.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return ask


@pytest.fixture
def run(answer, path, index, uv):
    """run(list, …options) -> what uv_environment answers."""

    def ask(*lines, check=False, **options):
        wish = {"path": str(path), "python": PYTHON, "index_url": index.url, "uv_path": uv}
        if lines:
            wish["requirements"] = "\n".join(lines)
        return answer(module, {**wish, **options}, check)

    return ask


def version_in(path: Path, name: str) -> str:
    code = f"import {name}; print({name}.version)"
    return subprocess.run([path / "bin" / "python", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def siblings(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir() if entry != path)


def test_check_mode_predicts_then_it_is_made_then_nothing_changes(run, index, path):
    lines = index.add("alpha", "1.0"), index.add("beta", "2.0"), "tomli==2.0 ; python_version < '3' --hash=sha256:" + "0" * 64
    predicted = run(*lines, check=True)
    assert predicted["changed"] and predicted["reasons"] == ["it is not there"] and not path.exists()
    made = run(*lines, imports=["alpha", "beta"])
    assert made["changed"] and made["installed"] == {"alpha": "1.0", "beta": "2.0"} == predicted["installed"] == made["added"]
    assert made["diff"] == {"before": "", "after": "alpha==1.0\nbeta==2.0\n"} == predicted["diff"]
    assert path.is_symlink() and version_in(path, "alpha") == "1.0" and siblings(path) == [os.path.basename(made["folder"])]
    again = run(*lines)
    assert not again["changed"] and again["reasons"] == [] and again["digest"] == made["digest"]


def test_a_new_list_upgrades_and_removes(run, index, path):
    alpha, beta = index.add("alpha", "1.0"), index.add("beta", "2.0")
    first = run(alpha, beta)
    newer = run(index.add("alpha", "1.1"), index.add("gamma", "3.0"))
    assert newer["changed"] and newer["updated"] == {"alpha": ["1.0", "1.1"]}
    assert newer["removed"] == {"beta": "2.0"} and newer["added"] == {"gamma": "3.0"}
    assert version_in(path, "alpha") == "1.1" and not os.path.exists(first["folder"])


@pytest.mark.parametrize("what", ["removed", "added"])
def test_what_somebody_did_by_hand_is_undone(run, index, path, what):
    lines = index.add("alpha", "1.0"), index.add("beta", "2.0")
    packages = next(Path(run(*lines)["folder"]).glob("lib/python3*/site-packages"))
    if what == "removed":
        (packages / "beta-2.0.dist-info").rename(packages / "somewhere")
        reason = "its packages were changed: beta 2.0 is missing"
    else:
        (packages / "left_pad-1.0.dist-info").mkdir()
        reason = "its packages were changed: left-pad 1.0 was added"
    assert run(*lines, check=True)["reasons"] == [reason]
    assert run(*lines)["changed"] and not run(*lines)["changed"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("hash", "alpha==1.1 from file://"),
        ("version", "has no alpha==9.9: check the list"),
        ("package", "has no package nowhere"),
        ("import", "import alpha fails in the new environment, so it was not put in place:"),
        ("module", "import delta fails in the new environment"),
        ("requirement", "line 1, alpha==1.1: it has no --hash=sha256"),
        ("python", "python is /usr/bin/python9: there is no such interpreter on this host"),
        ("index", "http://127.0.0.1:9/simple does not answer (http://127.0.0.1:9/simple/alpha/: "),
        ("owner", "Add it first, or leave owner and group out"),
    ],
)
def test_a_failure_says_why_and_leaves_the_old_one_working(run, index, path, monkeypatch, wrong, message):
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    before = run(index.add("alpha", "1.0"))
    new = index.add("alpha", "1.1", "raise RuntimeError('broken')" if wrong == "import" else "")
    lines = {
        "hash": "alpha==1.1 --hash=sha256:" + "0" * 64,
        "version": "alpha==9.9 --hash=sha256:" + "0" * 64,
        "package": "nowhere==1.0 --hash=sha256:" + "0" * 64,
        "requirement": "alpha==1.1",
    }
    options = {
        "import": {"imports": ["alpha"]},
        "module": {"imports": ["alpha", "delta"]},
        "python": {"python": "/usr/bin/python9"},
        "index": {"index_url": "http://127.0.0.1:9/simple"},
        "owner": {"owner": "nobody-of-that-name"},
    }
    failed = run(lines.get(wrong, new), **options.get(wrong, {}))
    assert failed["failed"] and message in failed["msg"], failed["msg"]
    assert version_in(path, "alpha") == "1.0" and siblings(path) == [os.path.basename(before["folder"])]


def test_what_an_interrupted_run_left_is_swept(run, index, path):
    path.parent.mkdir()
    (path.parent / ".vision-0123abcd-unfinish" / "lib").mkdir(parents=True)
    (path.parent / ".vision-scratch-abcdefgh").mkdir()
    (path.parent / ".vision-two-0123abcd-otherone").mkdir()
    made = run(index.add("alpha", "1.0"))
    assert siblings(path) == sorted([os.path.basename(made["folder"]), ".vision-two-0123abcd-otherone"])


def test_a_link_to_an_unfinished_environment_is_no_environment(run, index, path):
    path.parent.mkdir()
    (path.parent / ".vision-0123abcd-unfinish").mkdir()
    path.symlink_to(".vision-0123abcd-unfinish")
    assert run(index.add("alpha", "1.0"))["reasons"] == ["it is unfinished"]
    assert version_in(path, "alpha") == "1.0"


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_not_ours_stays(run, index, path, kind):
    path.parent.mkdir()
    if kind == "folder":
        path.mkdir()
        (path / "thesis.txt").write_text("years of work")
    elif kind == "file":
        path.write_text("years of work")
    else:
        path.symlink_to("/usr")
    for options in ({}, {"state": "absent"}, {"check": True}):
        assert "did not make" in (told := run(index.add("alpha", "1.0"), **options)["msg"]) or "was not made by this module" in told
    assert path.exists()


def test_an_empty_folder_gives_way(run, index, path):
    path.mkdir(parents=True)
    run(index.add("alpha", "1.0"))
    assert path.is_symlink()


def test_a_process_keeps_the_environment_that_it_runs_from(run, index, path):
    first = run(index.add("alpha", "1.0"))["folder"]
    library = Path(first) / "extension.so"
    library.write_bytes(b"\0" * 4096)
    code = "import mmap, sys; f = open(sys.argv[1], 'rb'); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); print(1, flush=True); input()"
    with subprocess.Popen([PYTHON, "-c", code, str(library)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as job:
        job.stdout.readline()
        assert run(index.add("alpha", "1.1"))["kept"] == [first]
        assert version_in(path, "alpha") == "1.1" and library.exists()
        job.stdin.close()
    assert run(index.add("alpha", "1.2"))["kept"] == [] and not library.exists()


def test_owner_and_mode_without_a_build(run, index, path):
    line = index.add("alpha", "1.0")
    folder = run(line)["folder"]
    changed = run(line, mode="0750")
    assert changed["changed"] and changed["reasons"] == ["its mode is not 0750"] and changed["folder"] == folder
    assert os.stat(path).st_mode & 0o777 == 0o750 and not run(line, mode="0750")["changed"]
    assert "mode is rwx: expected octal digits" in run(line, mode="rwx")["msg"]


def test_absent(run, index, path):
    run(index.add("alpha", "1.0"))
    assert run(state="absent", check=True)["removed"] == {"alpha": "1.0"} and path.exists()
    assert run(state="absent")["changed"] and siblings(path) == [] and not path.is_symlink()
    assert not run(state="absent")["changed"]


def test_a_second_run_waits_and_then_finds_it_done(index, path, uv, tmp_path, monkeypatch, run):
    line = index.add("alpha", "1.0")
    free = threading.Event()

    def hold():
        with build.one_at_a_time(str(path), 1):
            held.set()
            free.wait(30)

    held = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    refused = run(line, lock_timeout=0)
    free.set()
    thread.join()
    assert f"another run makes an environment on this host (process {os.getpid()}) for more than 0 s" in refused["msg"]
    assert run(line)["changed"]


def test_no_password_is_shown(run, index):
    failed = run(index.add("alpha", "1.0"), index_url="http://joe:geh%40im@127.0.0.1:9/simple", proxy="http://ann:heimlich@127.0.0.1:9")
    assert failed["failed"] and "127.0.0.1:9" in failed["msg"]
    assert not [word for word in ("geh%40im", "geh@im", "heimlich") if word in json.dumps(failed)]


def test_no_token_in_the_journal(run, index, monkeypatch):
    """A token alone in front of the host is nothing that Ansible's own filter knows."""
    logged = []
    monkeypatch.setattr(module.AnsibleModule, "log", lambda _self, text, log_args=None: logged.append(f"{text} {log_args}"))
    told = run(index.add("alpha", "1.0"), index_url="http://geheim-token@127.0.0.1:9/simple")
    assert logged and "geheim-token" not in " ".join(logged) + json.dumps(told) and "127.0.0.1:9" in told["msg"]


@pytest.mark.skipif(os.geteuid() != 0, reason="files are given to other users")
def test_what_others_own_does_not_run_as_root(tmp_path):
    assert build.owner_of(tmp_path) == {}
    os.chown(tmp_path, 65534, 65534)
    assert build.owner_of(tmp_path) == {"user": 65534, "group": 65534, "extra_groups": []}


@pytest.fixture
def open_folder():
    """pytest's own are root's alone."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="files are given to other users")
@pytest.mark.parametrize("group", [None, "nogroup"])
def test_imports_of_a_new_environment_run_as_its_owner(run, index, open_folder, group):
    path = open_folder / "vision"
    seen = "import os, pathlib\nversion = '1.0'\nfolder = pathlib.Path(__file__).parent\n"
    seen += "(folder / 'seen').write_text(f'{os.getuid()} {os.getgid()} {os.getgroups()}')\n"
    seen += "(pathlib.Path.home() / 'settings').write_text('a home of its own')\n"
    wish = {"path": str(path), "python": "/usr/bin/python3", "owner": "nobody", **({"group": group} if group else {})}
    made = run(index.add("alpha", "1.0", seen), imports=["alpha"], **wish)
    assert "folder" in made, made["msg"]
    (told,) = Path(made["folder"]).glob("lib/python3*/site-packages/seen")
    assert told.read_text() == "65534 65534 []", "a list's code is run as who asked for it, not as root"
    record = Path(made["folder"]) / state.RECORD
    assert (record.stat().st_uid, json.loads(record.read_text())["installed"]) == (65534, {"alpha": "1.0"})
    assert siblings(path) == [os.path.basename(made["folder"])]


@pytest.mark.skipif(os.geteuid() != 0, reason="files are given to other users")
def test_a_group_has_what_imports_compiled_too(run, index, open_folder):
    made = run(index.add("alpha", "1.0"), imports=["alpha"], path=str(open_folder / "vision"), group="nogroup")
    files = list(Path(made["folder"]).rglob("*"))
    assert any(path.name.startswith("alpha.cpython") for path in files)
    assert {path.lstat().st_gid for path in files} == {65534}


def test_root_writes_nothing_after_an_environment_was_given_away(run, index, path, monkeypatch, tmp_path):
    """Who owns it could put a link in the place of what is written."""
    done = []
    monkeypatch.setattr(build, "own", lambda folder, *_who: done.append(os.path.exists(os.path.join(folder, state.RECORD))))
    monkeypatch.setattr(build, "broken_import", lambda *_what, **_how: done.append("imported"))
    run(index.add("alpha", "1.0"), imports=["alpha"])
    assert done == [True, "imported"]


@pytest.mark.parametrize(
    ("there", "path"),
    [
        (["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"], "/etc/ssl/certs/ca-certificates.crt"),
        (["/etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"], "/etc/pki/tls/certs/ca-bundle.crt"),
        (["/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"], "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
        ([], None),
    ],
)
def test_pip_trusts_what_the_system_trusts(there, path):
    assert build.certificates(there.__contains__) == path


def test_uv_is_installed_by_its_list(run, index, tmp_path):
    uv = tmp_path / "tools" / "uv"
    line = index.add("uv", "0.0.1")
    assert "uv is not at " in run(index.add("alpha", "1.0"), uv_path=str(uv))["msg"]
    failed = run(index.add("alpha", "1.0"), uv_path=str(uv), uv_requirements=line)
    assert "bin/uv cannot be run" in failed["msg"]  # the tiny wheel has no program
    assert state.look(str(uv))["installed"] == {"uv": "0.0.1"}


@pytest.fixture
def read(answer, path):
    """read(list, …) -> the environment that uv_environment_info answers."""

    def ask(*lines, imports=(), **options):
        wish = {"name": "vision", "path": str(path), "python": PYTHON, **options}
        if lines:
            wish["requirements_sha256"] = lock.digest("\n".join(lines))
        found = answer(info, {"environments": [wish], "imports": {"vision": list(imports)}}, check=True)
        return found["environments"][0] if "environments" in found else found

    return ask


def test_info_agrees(run, read, answer, index, path):
    assert read("alpha")["reasons"] == ["it is not there"] and read(state="absent")["reasons"] == []
    line = index.add("alpha", "1.0")
    made = run(line)
    seen = read(line, imports=["alpha", "json"])
    assert (seen["there"], seen["reasons"], seen["failed_import"]) == (True, [], None)
    assert all(seen[key] == made[key] for key in ("installed", "digest", "requirements_sha256"))
    assert read(line + "\n", mode="0700")["reasons"] == ["its mode is not 0700"]
    assert read("other")["reasons"] == ["its requirements have changed"] and read()["reasons"] == []
    assert read(state="absent")["reasons"] == ["it shall not be there"]
    assert read(line, imports=["alpha", "delta"])["failed_import"] == {
        "module": "delta",
        "message": read(line, imports=["delta"])["failed_import"]["message"],
    }
    found = answer(info, {"environments": [{"name": "vision", "path": str(path), "python": PYTHON}], "imports": {"vision": "alpha,json"}})
    assert found["environments"][0]["failed_import"] is None, "a survey gives text"
    assert "vision: python is 9.9: there is no such interpreter" in read(line, python="9.9")["msg"]


def test_info_refuses_a_python_that_the_list_does_not_hold_for(run, read, index):
    line = index.add("alpha", "1.0")
    told = read(line, lowest_python="9.0")["msg"]
    assert f"vision: its list holds for Python 9.0 and later, and {PYTHON} is Python 3." in told and "set python to it" in told
    assert read(line, lowest_python="3.2")["reasons"] == ["it is not there"]
    run(line)
    assert read(line, lowest_python="9.0")["reasons"] == [], "what works is left alone"
