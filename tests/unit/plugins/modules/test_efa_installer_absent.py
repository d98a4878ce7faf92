# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module with state=absent around its decisions: which commands it runs, and that nothing is forgotten while something is left."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.module_utils.efa import removal
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import running
from ansible_collections.mlinfra.hosts.plugins.modules import efa_installer as module

LIST = "# EFA installer version: 1.47.0\n# Packages installed:\nefa_3.0.0-1_amd64 efa-config_1.18_all libibverbs1_58-1_amd64\n"
KEPT = "dpkg: dependency problems prevent removal of libibverbs1:amd64:\n libucx0:amd64 depends on libibverbs1.\n"
NEEDED = "error: Failed dependencies:\n\tlibibverbs.so.1()(64bit) is needed by (installed) openmpi-4.1.1-7.el9.x86_64\n"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host whose packages are a dictionary, with the words of dpkg and rpm."""
    listed, log = tmp_path / "amazon" / "efa_installed_packages", tmp_path / "log"
    listed.parent.mkdir()
    listed.write_text(LIST)
    log.write_text("installed\n")
    packages = {"efa": "3.0.0-1", "efa-config": "1.18", "libibverbs1": "58-1"}
    state = {"packages": packages, "refuses": "", "fails": "", "ran": [], "users": [], "references": 0, "loaded": None, "unloads": True}

    def known(_host, _programs, _names):
        return {name: {"version": version, "status": "installed"} for name, version in state["packages"].items()}

    def run(arguments, _timeout):
        if "--no-act" in arguments or "--test" in arguments:
            stays = [word for word in arguments if word.startswith("libibverbs")]
            return running.Outcome(1, err=state["refuses"]) if state["refuses"] and stays else running.Outcome(0)
        state["ran"].append(arguments)
        if arguments[0] == "rpm" and "--whatprovides" in arguments:
            return running.Outcome(0, out="libibverbs\n")
        if arguments[0] == "modprobe":
            state["loaded"] = None if state["unloads"] else state["loaded"]
            return running.Outcome(0)
        if state["fails"]:
            return running.Outcome(1, err=state["fails"])
        for word in arguments[2:]:
            state["packages"].pop(word.split(".")[0].split(":")[0], None)
        return running.Outcome(0)

    kmod = {"registered": [], "installed": None, "headers": True}
    monkeypatch.setattr(module.carry, "ask", known)
    monkeypatch.setattr(module.remove.running, "run", run)
    monkeypatch.setattr(module.remove.kmod, "look", lambda _host, _kernel: dict(kmod, loaded=state["loaded"]))
    monkeypatch.setattr(
        module.remove.os.path, "isdir", lambda path, real=module.remove.os.path.isdir: path == "/sys/module/efa" or real(path)
    )
    monkeypatch.setattr(module.remove, "wait_for_dpkg", lambda: None)
    monkeypatch.setattr(module.users, "look", lambda _host: {"processes": state["users"], "hidden": 0, "references": state["references"]})
    monkeypatch.setattr(module.carry, "LOG", str(log))
    monkeypatch.setattr(module.carry.installed, "FILE", str(listed))
    monkeypatch.setattr(module.carry.unfinished, "FILE", str(tmp_path / "unfinished"))
    monkeypatch.setattr(module.facts.Programs, "container", lambda _self: False)
    state["list"], state["log"], state["unfinished"] = listed, log, tmp_path / "unfinished"
    return state


@pytest.fixture
def absent(capsys):
    def run(check=False):
        with patch_module_args({"state": "absent", "_ansible_check_mode": check, "_ansible_diff": True}), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return run


def test_it_is_predicted_done_and_done_once(host, absent):
    told = absent(check=True)
    assert told["changed"] and told["steps"] == ["remove EFA software 1.47.0: efa, efa-config, libibverbs1"] and host["ran"] == []
    assert not told["needs_archive"] and told["diff"]["after"] == "EFA software none\n" and host["list"].exists()
    told = absent()
    assert told["changed"] and told["installed"] == {"version": None, "packages": [], "module": None} and host["packages"] == {}
    assert host["ran"] == [["dpkg", "--remove", "efa", "efa-config", "libibverbs1"], ["dpkg", "--purge", "efa-config"]]
    assert not host["list"].parent.exists() and not host["log"].exists()
    told = absent()
    assert not told["changed"] and told["steps"] == [] and len(host["ran"]) == 2


def test_what_others_need_stays_and_is_told(host, absent):
    host["refuses"] = KEPT
    told = absent()
    assert told["kept"] == [{"name": "libibverbs1", "needed_by": ["libucx0"]}] and host["packages"] == {"libibverbs1": "58-1"}
    assert not absent()["changed"], "it is a package like others now"


def test_rpm_names_what_others_need_by_its_contents(host, absent):
    host["list"].write_text(LIST.replace("libibverbs1_58-1_amd64", "").replace("efa_3.0.0-1_amd64 efa-config_1.18_all", "LIST"))
    host["list"].write_text(host["list"].read_text().replace("LIST", "efa-3.0.0-1.el9.x86_64 libibverbs-58-1.el9.x86_64"))
    host.update(packages={"efa": "3.0.0-1.el9", "libibverbs": "58-1.el9"}, refuses=NEEDED)
    told = absent()
    assert told["kept"] == [{"name": "libibverbs", "needed_by": ["openmpi-4.1.1-7.el9.x86_64"]}]
    assert ["rpm", "-e", "efa.x86_64"] in host["ran"] and host["packages"] == {"libibverbs": "58-1.el9"}


def test_another_refusal_of_dpkg_is_told(host, absent):
    host["refuses"] = "dpkg: error: this is an essential package\n"
    told = absent()
    assert told["failed"] and "cannot be removed: dpkg says: dpkg: error: this is an essential package. Nothing was changed" in told["msg"]
    assert host["ran"] == [] and host["list"].exists()


@pytest.mark.parametrize(("check", "used"), [(False, {"users": [{"pid": 7, "program": "python3"}]}), (True, {"references": 2})])
def test_nothing_is_removed_under_jobs(host, absent, check, used):
    host.update(used)
    told = absent(check)
    assert told["failed"] and "Nothing was changed" in told["msg"] and host["ran"] == [] and host["list"].exists()


def test_a_removal_that_fails_is_told_and_ended_by_the_next_run(host, absent):
    host["fails"] = "dpkg: error processing package efa (--remove):\n prerm failed\n"
    told = absent()
    assert told["failed"] and "It says: dpkg: error processing package efa (--remove): | prerm failed." in told["msg"]
    assert host["list"].exists() and host["log"].exists()
    host["fails"] = ""
    assert absent()["changed"] and not host["list"].exists()


def test_what_an_unfinished_installer_left_goes_too(host, absent):
    host["list"].unlink()
    host["unfinished"].write_text("# x\nefa_3.0.0-1_amd64\nlibibverbs1_57-1_amd64\n")
    told = absent()
    assert told["steps"] == ["remove EFA software of an unfinished installation: efa"] and not host["unfinished"].exists()
    assert host["packages"] == {"efa-config": "1.18", "libibverbs1": "58-1"}, "what was there in another version is not the installer's"


def test_its_module_is_unloaded_or_waits_for_a_reboot(host, absent):
    host["loaded"] = "3.0.0g"
    assert not absent()["reboot_required"] and host["ran"][0] == ["modprobe", "-r", "efa"]
    host["list"].parent.mkdir()
    host["list"].write_text(LIST)
    host.update(loaded="3.0.0g", unloads=False, packages={"efa": "3.0.0-1"})
    assert absent()["reboot_required"] and not absent()["reboot_required"]


def test_its_module_serves_on_where_it_cannot_be_removed(host, absent):
    host.update(loaded="3.0.0g", fails="dpkg: error processing package efa (--remove)")
    assert "failed" in absent()["msg"] and host["ran"][-1] == ["modprobe", "efa"]
    kept = removal.waits_for_reboot(
        {"packages": {"efa": "efa"}, "kept": {"efa": ["mine"]}, "container": False}, {"module": {"loaded": "3.0.0g"}}
    )
    assert not kept, "it stays, so no reboot takes it away"


def test_the_distributions_module_is_left_alone(host, absent):
    host.update(loaded="", packages={"efa-config": "1.18"})
    told = absent()
    assert told["changed"] and not told["reboot_required"] and all(one[0] == "dpkg" for one in host["ran"])
