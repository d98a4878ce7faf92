# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""User data with the timer of a lease: what cloud-init will find in it, and what the host's half decides."""

from __future__ import annotations

import email
import subprocess
import types

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import timer

SCRIPT = "#!/bin/sh\necho 'From here'\n"
MIME = """Content-Type: multipart/mixed; boundary="theirs"
MIME-Version: 1.0

--theirs
Content-Type: text/x-shellscript

#!/bin/sh
true
--theirs
Content-Type: text/cloud-config

#cloud-config
packages: [jq]
--theirs--
"""


def parts(text):
    """(type, content) of all parts, in the order in which cloud-init walks through them."""
    return [
        (one.get_content_type(), one.get_payload(decode=True).decode())
        for one in email.message_from_string(timer.user_data(text)).walk()
        if one.get_content_maintype() != "multipart"
    ]


def test_the_timer_comes_first_and_alone_without_user_data():
    (only,) = parts(None)
    assert only[0] == "text/cloud-boothook" and only[1].startswith("#!/bin/sh\n")
    assert parts(SCRIPT)[0] == only


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (SCRIPT, "text/x-shellscript"),
        ("#cloud-config\npackages: [jq]\n", "text/cloud-config"),
        ("#cloud-config-archive\n- {}\n", "text/cloud-config-archive"),
        ("#include\nhttps://example.org/x\n", "text/x-include-url"),
        ("something else\n", "text/plain"),
        ("#!/bin/sh\necho Grüße\n", "text/x-shellscript"),
        ("#!/bin/sh\r\ntrue\r\n", "text/x-shellscript"),
    ],
)
def test_what_the_declaration_gives_arrives_unchanged(text, kind):
    assert parts(text)[1:] == [(kind, text)]


def test_parts_of_its_own_stay_parts():
    assert [(kind, content.strip()) for kind, content in parts(MIME)[1:]] == [
        ("text/x-shellscript", "#!/bin/sh\ntrue"),
        ("text/cloud-config", "#cloud-config\npackages: [jq]"),
    ]


def test_the_same_gives_the_same_since_launches_hang_on_it():
    assert timer.user_data(SCRIPT) == timer.user_data(SCRIPT) != timer.user_data(None)


def test_the_timer_leaves_most_of_the_room():
    assert len(timer.user_data(None).encode()) < timer.LIMIT / 4


def test_the_boothook_is_a_shell_script():
    done = subprocess.run(["sh", "-n"], input=parts(None)[0][1], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def host(tmp_path, monkeypatch):
    """The host's half as a module, without its last lines, which act."""
    source = timer._HOST.partition("\nwhy = over")[0]
    module = types.ModuleType("lease")
    exec(compile(source, "lease.py", "exec"), module.__dict__)
    module.BUSY = str(tmp_path / "busy")
    return module


@pytest.mark.parametrize(
    ("tags", "over"),
    [
        ({}, False),
        ({"expires": "2020-01-01T00:00:00Z"}, False),
        ({"expires": "2020-01-01T00:00:00Z", "timer": "stop"}, False),
        ({"expires": "2020-01-01T00:00:00Z", "timer": "terminate"}, True),
        ({"expires": "2999-01-01T00:00:00Z", "timer": "terminate"}, False),
        ({"idle": "1", "timer": "stop"}, True),
        ({"idle": "999999999", "timer": "stop"}, False),
    ],
)
def test_when_a_host_ends_itself(host, monkeypatch, tags, over):
    monkeypatch.setattr(host, "busy", lambda: False)
    assert bool(host.over(tags)) == over


def test_idle_counts_from_when_it_was_last_busy(host, monkeypatch):
    monkeypatch.setattr(host, "busy", lambda: True)
    assert host.idle_for() == 0 and host.over({"idle": "1"}) == ""
    monkeypatch.setattr(host, "busy", lambda: False)
    assert host.idle_for() < 5


@pytest.mark.parametrize(
    ("said", "load", "busy"),
    [(b"0\n3\n", 99, False), (b"0\n5\n", 0, True), (None, 0.0, False), (None, 99, True), (b"[N/A]\n", 99, True), (b"", 0.0, False)],
)
def test_what_counts_as_busy(host, monkeypatch, said, load, busy):
    def run(*_command, **_options):
        if said is None:
            raise FileNotFoundError
        return types.SimpleNamespace(stdout=said)

    monkeypatch.setattr(host.subprocess, "run", run)
    monkeypatch.setattr(host.os, "getloadavg", lambda: (load, 0, 0))
    monkeypatch.setattr(host, "configured", lambda: False)
    assert host.busy() == busy
    monkeypatch.setattr(host, "configured", lambda: True)
    assert host.busy()


def test_many_processors_are_not_idle_with_one_at_work(host, monkeypatch):
    monkeypatch.setattr(host, "configured", lambda: False)
    monkeypatch.setattr(host.os, "cpu_count", lambda: 192)
    monkeypatch.setattr(host.os, "getloadavg", lambda: (1.0, 0, 0))
    monkeypatch.setenv("PATH", "/nonexistent")
    assert host.busy()


def test_ansible_at_work_on_the_host_is_seen(host):
    script = ["sh", "-c", "echo BECOME-SUCCESS-x; read line"]
    with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()  # it runs, and is no copy of this process any more
        assert host.configured()
        child.communicate(b"\n")
