# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module around its decisions: what it predicts, refuses, and says of an installer that fails. molecule/efa has it on real hosts."""

from __future__ import annotations

import json
import os
import tarfile

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.module_utils.efa import installed
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import running
from ansible_collections.mlinfra.hosts.plugins.modules import efa_installer as module

KEY = "A" * 40
GOOD = f"[GNUPG:] GOODSIG {KEY[-16:]} test\n[GNUPG:] VALIDSIG {KEY} 2026-01-29 1 0 4 0 1 8 00 {KEY}\n"
INSTALLER = """
echo "installing with $*"
printf '# EFA installer version: %s\\n# Packages installed:\\nefa_1_amd64 efa-config_1_all libfabric_1_amd64 openmpi40_1_amd64\\n' \
    1.47.0 > LIST
"""
JOB = [{"pid": 7, "program": "python3"}]
BOOKWORM = {
    "platform_names": ["Debian-12"],
    "distribution": "Debian",
    "distribution_major_version": "12",
    "architecture": "x86_64",
}


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host below a folder: devices, DKMS's state and gpgv's words can be set; the installer of the archive is really run."""
    listed = tmp_path / "efa_installed_packages"
    state = {"installed": "3.0.0", "registered": ["3.0.0"], "headers": True, "gpgv": GOOD, "free": 9000, "fabric": "domain: a\n", "dkms": 0}

    def look(_host, _programs, kernel=None):
        found = installed.parse(listed.read_text() if listed.exists() else "")
        there = {"version": found["version"], "packages": found["packages"], "parts": installed.parts(found["packages"]), "not_whole": []}
        installed_now = state["installed"] if kernel in (None, state["built_for"]) else None
        kmod = {"installed": installed_now, "registered": state["registered"], "loaded": state["loaded"], "headers": state["headers"]}
        return {**there, "kernel": kernel or "6.1.0-1", "module": kmod, "devices": 1, "unbound": [], "container": False}

    real = running.run

    def run(arguments, timeout):
        if arguments[0] == "/usr/bin/gpgv":
            return running.Outcome(0, out=state["gpgv"])
        if arguments[0] == module.carry.FI_INFO:
            return running.Outcome(0 if state["fabric"] else 61, out=state["fabric"], err="fi_getinfo: -61")
        if arguments[0] == "dkms":
            state["built_for"] = arguments[-1]
            state["installed"] = "3.0.0" if state["dkms"] == 0 else None
            return running.Outcome(state["dkms"], err="Error! Bad return status for module build\n")
        if arguments[0] == "modprobe":
            state["modprobe"].append(arguments[1:])
            return running.Outcome(0)
        return real(arguments, timeout)

    monkeypatch.setattr(module.carry, "look", look)
    monkeypatch.setattr(module.carry.running, "run", run)
    monkeypatch.setattr(module.carry, "LOG", str(tmp_path / "log"))
    monkeypatch.setattr(module.carry, "SETTLE_SECONDS", 0)
    monkeypatch.setattr(module.carry.installed, "FILE", str(listed))
    monkeypatch.setattr(module.carry.unfinished, "FILE", str(tmp_path / "unfinished"))
    state.update(modprobe=[], loaded=None, built_for="6.1.0-1")
    monkeypatch.setattr(module.facts.Programs, "__init__", lambda self, _module: None)
    monkeypatch.setattr(module.facts.Programs, "find", lambda _self, name: state["gpgv"] and "/usr/bin/" + name, raising=False)
    monkeypatch.setattr(module.platform, "look", lambda: BOOKWORM)
    monkeypatch.setattr(module.disk, "free_mib", lambda _path: state["free"])
    monkeypatch.setattr(module, "prepare", lambda _wish: None)
    state["list"], state["folder"] = listed, tmp_path
    return state


@pytest.fixture
def answer(capsys, host):
    def run(check=False, script=INSTALLER, release="1.47.0", **wish):
        path = host["folder"] / "archive.tar.gz"
        top = host["folder"] / "aws-efa-installer"
        top.mkdir(exist_ok=True)
        (top / "efa_installer.sh").write_text(script.replace("LIST", str(host["list"])))
        (top / "env.sh").write_text(f"EFA_INSTALLER_VERSION={release}\n")
        with tarfile.open(path, "w:gz") as out:
            out.add(top, "aws-efa-installer")
        (host["folder"] / "key").write_bytes(b"key")
        files = {"archive": str(path), "signature": f"{path}.sig", "key": str(host["folder"] / "key"), "fingerprint": KEY}
        arguments = {"version": "1.47.0", **files, **wish, "_ansible_check_mode": check}
        with patch_module_args({name: value for name, value in arguments.items() if value is not None}), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return run


def test_a_bare_host_is_predicted_and_left(host, answer):
    told = answer(check=True, archive=None, signature=None, key=None)
    assert told["changed"] and told["steps"] == ["install EFA software 1.47.0"] and told["needs_archive"]
    assert told["diff"]["before"] == "EFA software none\n" and told["unmet"] == [] and not host["list"].exists()


def test_it_is_installed_once(host, answer):
    told = answer()
    assert told["changed"] and told["installed"]["version"] == "1.47.0" and told["unmet"] == [] and not told["reboot_required"]
    assert "installing with -y --mpi=openmpi4" in (host["folder"] / "log").read_text()
    assert [path for path in os.listdir(host["folder"]) if path.startswith("unpacked-")] == []
    assert host["modprobe"] == [], "the module that the installer loaded stays loaded"
    told = answer(archive=None)
    assert not told["changed"] and told["diff"]["before"] == told["diff"]["after"] == "EFA software 1.47.0\n"


@pytest.mark.parametrize(
    ("state", "wish", "said"),
    [
        ({"gpgv": "[GNUPG:] BADSIG 1 x\n"}, {}, "is not proven to be AWS's"),
        ({"gpgv": ""}, {}, "this host has no gpgv to check its signature with"),
        ({}, {"sha256": "0" * 64}, "expected " + "0" * 64 + ", by sha256"),
        ({}, {"fingerprint": None}, "by AWS's own list for 1.47.0"),
        ({}, {"release": "1.46.0"}, "is EFA software 1.46.0: expected 1.47.0"),
        ({}, {"archive": None}, "no archive was given"),
        ({}, {"archive": "/nowhere/a.tar.gz"}, "/nowhere/a.tar.gz cannot be read: No such file"),
        ({}, {"key": "/nowhere/key"}, "/nowhere/key is no key: No such file"),
        ({"free": 100}, {}, "/opt has 100 MiB free: 1024 MiB are needed"),
        ({}, {"fingerprint": "DD2D3CCC"}, "expected the 40 hexadecimal digits"),
        ({}, {"version": "latest"}, "efa_version is 'latest': expected three numbers"),
        ({}, {"version": "1.30.0"}, "AWS supports Debian 12 with 1.36.0 or newer"),
    ],
)
def test_what_is_refused_changes_nothing(host, answer, state, wish, said):
    host.update(state)
    told = answer(**wish)
    assert told["failed"] and said in told["msg"], told
    assert not host["list"].exists() and not (host["folder"] / "log").exists()


def test_an_installer_that_fails_is_told_and_mended_by_the_next_run(host, answer):
    told = answer(script="echo '== Installing EFA packages =='\necho 'E: Unable to fetch some archives' >&2\nexit 1\n")
    assert "failed with code 1" in told["msg"] and "== Installing EFA packages == | E: Unable to fetch some archives" in told["msg"], told
    assert "list of EFA software is not there" in told["msg"] and [name for name in os.listdir(host["folder"]) if "unpacked" in name] == []
    assert answer()["installed"]["version"] == "1.47.0"


def test_an_installer_that_hangs_is_ended(answer):
    assert "did not end within 1 s" in answer(script="echo waiting\nexec sleep 60\n", timeout=1)["msg"]


def test_an_installer_that_only_says_so_is_no_success(answer):
    assert "ended well, and this is still to be done: install EFA software 1.47.0" in answer(script="exit 0\n")["msg"]


def test_a_reboot_that_the_installer_wants_is_handed_on_with_those_it_would_end(host, answer, monkeypatch):
    host["fabric"] = ""
    monkeypatch.setattr(module.users, "look", lambda _host: {"processes": JOB, "hidden": 0, "references": 1})
    told = answer(script=INSTALLER + "echo '- Please reboot to complete the installation.'\n")
    assert told["reboot_required"] and told["unmet"] == [] and told["users"] == JOB
    assert answer(archive=None)["users"] == [], "nobody is asked for where no reboot waits"


def test_devices_that_do_not_answer_are_unmet(host, answer):
    answer()
    host["fabric"] = ""
    assert answer(archive=None)["unmet"] == ["fi_info -p efa shows 0 of 1 devices: fi_getinfo: -61"]


def test_another_kernel_gets_its_module_without_the_archive(host, answer):
    answer()
    host["installed"] = None
    assert answer(check=True)["steps"] == ["build kernel module efa 3.0.0 for kernel 6.1.0-1"]
    host.update(headers=False)
    assert "its headers are not here to build it with" in answer(archive=None)["msg"]
    host.update(headers=True, dkms=10)
    assert "DKMS says: Error! Bad return status for module build" in answer(archive=None)["msg"]
    host.update(dkms=0)
    told = answer(archive=None)
    assert told["changed"] and not told["needs_archive"] and told["installed"]["module"] == "3.0.0"


def test_on_a_builder_of_an_image_no_device_is_asked_and_nothing_stays_loaded(host, answer):
    host["fabric"] = ""
    told = answer(image=True, script=INSTALLER + "echo '- Please reboot to complete the installation.'\n")
    assert told["changed"] and told["unmet"] == [] and not told["reboot_required"]
    assert "--no-verify" in (host["folder"] / "log").read_text() and host["modprobe"] == [["-r", "efa"]]


def test_what_a_builder_had_loaded_stays_loaded(host, answer):
    host["loaded"] = "2.17.3g"
    assert not answer(image=True)["reboot_required"] and host["modprobe"] == []


def test_an_image_gets_the_module_of_the_kernel_that_it_boots(host, answer):
    told = answer(image=True, kernel="6.1.0-2")
    assert told["installed"]["module"] == "3.0.0" and host["built_for"] == "6.1.0-2"
    assert not answer(image=True, kernel="6.1.0-2", archive=None)["changed"]
    assert ["efa"] not in host["modprobe"], "building it loads nothing"


def test_an_image_whose_kernel_has_no_headers_is_refused_before(host, answer):
    host["headers"] = False
    told = answer(image=True, kernel="6.1.0-2")
    assert told["msg"].startswith("Kernel 6.1.0-2, which the image boots, has no headers here") and not (host["folder"] / "log").exists()


def test_what_a_failed_installer_may_have_brought_is_written_down_until_it_is_listed(host, answer, monkeypatch):
    there = set()
    monkeypatch.setattr(module.carry, "ask", lambda _host, _programs, names: {name: {"version": "1"} for name in names if name in there})
    place = host["folder"] / "aws-efa-installer" / "DEBS" / "DEBIAN12" / os.uname().machine / "rdma-core"
    place.mkdir(parents=True)
    for name in ("efa-config_1_all.deb", "openmpi50-aws_1_amd64.deb", "rdma-core_1_amd64.deb", "README"):
        (place / name).write_text("")
    (place.parents[1] / "other").mkdir()
    (place.parents[1] / "other" / "foreign_1_arm64.deb").write_text("")
    record = host["folder"] / "unfinished"
    there.add("rdma-core")
    assert answer(script="exit 1\n")["failed"]
    assert record.read_text().splitlines()[1:] == ["efa-config_1_all", "openmpi50-aws_1_amd64"], "the third was there before"
    there.update(("efa-config", "openmpi50-aws"))
    assert answer()["changed"]
    assert record.read_text().splitlines()[1:] == ["openmpi50-aws_1_amd64"], "AWS's list does not name it"
    there.remove("openmpi50-aws")
    assert answer(limits=False, script=INSTALLER.replace("efa-config_1_all ", ""))["changed"] and not record.exists()


def test_a_way_back_waits_for_jobs(host, answer, monkeypatch):
    answer()
    monkeypatch.setattr(module.users, "look", lambda _host: {"processes": JOB, "hidden": 0, "references": 1})
    assert not answer(archive=None)["changed"], "what is as wished disturbs nobody"
    (host["folder"] / "log").unlink()
    told = answer(limits=False)
    assert (
        told["failed"] and "python3 (pid 7) uses EFA devices. Nothing was changed" in told["msg"] and not (host["folder"] / "log").exists()
    )
