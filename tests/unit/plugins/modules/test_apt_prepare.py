# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which the module does its work, with apt's answers played back. molecule/host_baseline has it on real hosts."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import apt_prepare as module

POLICY = "nginx:\n  Installed: (none)\n  Candidate: 1.22\n  Version table:\n     1.22 500\n"
HELD = {"held": True, "pid": 12, "command": "apt-get upgrade", "path": "/var/lib/dpkg/lock"}


@pytest.fixture
def host(monkeypatch):
    """A host whose programs answer from `answers` (first word that the command has) and note what they were asked."""

    class Host:
        answers = {"policy": (0, POLICY), "-s": (0, "Inst nginx (1.22 Debian [amd64])\n"), "pkgnames": (0, "nginx\n")}
        asked: list[str] = []
        broken = [[]]

        def run(self, apt, command):
            self.asked.append(" ".join(command))
            return next((answer for word, answer in self.answers.items() if word in command), (0, ""))

    host = Host()
    host.asked, host.answers = [], dict(Host.answers)
    monkeypatch.setattr(module.Apt, "run", lambda apt, command: Host.run(host, apt, command))
    monkeypatch.setattr(module.Apt, "stale", lambda apt: None)
    monkeypatch.setattr(module.os, "utime", lambda *arguments: None)
    monkeypatch.setattr(module.proxy, "environment", lambda url: {"APT_CONFIG": f"file with {url}"} if url else {})
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(module.locks, "apt_lock", lambda: {"held": False, "pid": None, "command": None, "path": None})
    monkeypatch.setattr(module.dpkg, "read_status", lambda: {})
    monkeypatch.setattr(module.dpkg, "interrupted", lambda: False)
    monkeypatch.setattr(module.dpkg, "broken", lambda known: host.broken.pop(0) if len(host.broken) > 1 else host.broken[0])
    monkeypatch.setattr(module.AnsibleModule, "get_bin_path", lambda *arguments, **options: "/usr/bin/apt-get")
    return host


@pytest.fixture
def prepare(capsys):
    def answer(**options):
        with patch_module_args(options), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return answer


def changes(host):
    return [command for command in host.asked if " -s " not in command and "apt-cache" not in command and "--print-uris" not in command]


def test_a_ready_host_is_only_read(host, prepare):
    answer = prepare(packages=["nginx"])
    assert (answer["candidates"], answer["would_install"], answer["changed"]) == ({"nginx": "1.22"}, ["nginx"], False)
    assert changes(host) == []
    assert {name for name, one in yaml.safe_load(module.RETURN).items() if one["returned"] == "success"} <= set(answer)


def test_a_proxy_is_handed_on_in_a_file(host, prepare):
    assert prepare(packages=["nginx"])["environment"] == {}
    assert set(prepare(packages=["nginx"], proxy="http://me:s3cret@proxy:3128")["environment"]) == {"APT_CONFIG"}
    assert prepare(packages=["nginx"], proxy="http://proxy:3128", _ansible_check_mode=True)["environment"] == {}


@pytest.mark.parametrize("update", [True, "true"])
def test_lists_are_fetched_when_asked_for(host, prepare, update):
    assert prepare(packages=["nginx"], update=update)["refreshed"] and changes(host) == [" ".join(module.UPDATE)]


def test_lists_are_fetched_for_an_unknown_package_which_is_then_refused(host, prepare):
    answer = prepare(packages=["ngnix"])
    assert changes(host) == [" ".join(module.UPDATE)] and "Did you mean nginx?" in answer["msg"]
    host.asked.clear()
    assert prepare(packages=["ngnix"], update=False)["failed"] and changes(host) == []


def test_check_mode_reports_what_is_unknown_and_changes_nothing(host, prepare):
    host.broken = [["half"]]
    answer = prepare(packages=["ngnix"], _ansible_check_mode=True)
    assert (answer["unknown"], answer["repaired"], answer["changed"]) == (["ngnix"], ["half"], True) and changes(host) == []


def test_the_lock_is_waited_for_and_its_holder_named(host, prepare, monkeypatch):
    monkeypatch.setattr(module.locks, "apt_lock", lambda: HELD)
    answer = prepare(packages=["nginx"], lock_timeout=0)
    assert "apt-get upgrade (pid 12) holds /var/lib/dpkg/lock" in answer["msg"] and answer["about"] == "lock"
    assert changes(host) == []


def test_a_half_configured_package_is_finished(host, prepare):
    host.broken = [["half"], []]
    answer = prepare(packages=["nginx"])
    assert answer["repaired"] == ["half"] and answer["changed"]
    assert changes(host) == ["dpkg --force-confdef --force-confold --configure -a"]


def test_a_repair_that_would_remove_packages_is_refused(host, prepare):
    host.broken = [["half"]]
    host.answers = {"-s": (0, "Remv exim4 [4.96]\n"), **host.answers, "--configure": (1, "no")}
    host.answers["-s"] = (0, "Remv exim4 [4.96]\n")
    answer = prepare(packages=["nginx"])
    assert "removing exim4" in answer["msg"] and len(changes(host)) == 1 and answer["about"] == "dpkg"


def test_what_cannot_be_finished_is_no_matter_of_the_source(host, prepare):
    host.broken, host.answers["--configure"] = [["half"]], (1, "it must not be yet\n")
    host.answers["-f"] = (100, "")
    answer = prepare(packages=["nginx"])
    assert answer["msg"].startswith("dpkg cannot finish half,") and answer["about"] == "dpkg"


def test_an_unreachable_source_is_named(host, prepare):
    host.answers["update"] = (100, "E: Failed to fetch http://mirror.example/debian/dists/foo/InRelease  Connection refused\n")
    answer = prepare(packages=["nginx"], update="true")
    assert "\nhttp://mirror.example/debian foo: Connection refused.\n" in answer["msg"] and answer["about"] == "source"


def test_a_full_disk_is_refused(host, prepare, monkeypatch):
    host.answers["--print-uris"] = (0, "'http://x/n.deb' nginx_1.22_amd64.deb 524288000\n")
    full = type("Status", (), {"f_bfree": 10, "f_frsize": 4096})
    monkeypatch.setattr(module.os, "statvfs", lambda path: full)
    answer = prepare(packages=["nginx"])
    assert "has 0 MiB free: installing nginx needs" in answer["msg"] and answer["about"] == "room"


def test_room_is_judged_for_packages_that_are_held_or_go_back_too(host, prepare):
    prepare(packages=["nginx=1.22"])
    (sizes,) = [command for command in host.asked if "--print-uris" in command]
    assert " --allow-change-held-packages --allow-downgrades " in sizes and "install nginx=1.22" in sizes


def test_what_apt_would_not_install_is_refused(host, prepare):
    host.answers["-s"] = (100, "E: Unable to correct problems, you have held broken packages.\n")
    assert "apt cannot install nginx: Unable to correct problems" in prepare(packages=["nginx"])["msg"]


@pytest.mark.parametrize("name", ["-y", "/etc/passwd", "two words", ""])
def test_what_is_no_name_never_reaches_apt(host, prepare, name):
    assert "expected names of packages" in prepare(packages=[name])["msg"] and host.asked == []
