# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to environments afterwards: hands, new lists, and lists that cannot be had. Run last, in this order."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import testinfra

SCENARIO = Path(__file__).resolve().parents[1]
LISTS = SCENARIO / "lists"
INVENTORY = SCENARIO / "inventory"
HOSTS = ("bookworm-0", "trixie-0")
VISION = "/opt/mlinfra/envs/vision"


def connect(name):
    return testinfra.get_host(f"ansible://{name}?ansible_inventory={INVENTORY}")


def converge(tmp_path, wishes, code=0):
    """What ansible-playbook prints with variables by host."""
    more = tmp_path / "wishes.yml"
    more.write_text(json.dumps({"all": {"hosts": wishes}}))
    command = ["ansible-playbook", "-vvv", "-i", INVENTORY, "-i", more, SCENARIO / "converge.yml"]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stdout[-5000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def refusals(output):
    """{host: message} of the failed tasks, those in loops too."""
    decoder, found = json.JSONDecoder(), {}
    for match in re.finditer(r"^(?:fatal|failed): \[([\w-]+)\](?:: FAILED! => |: FAILED! |[^\n]*? => )(?={)", output, re.MULTILINE):
        message = decoder.raw_decode(output[match.end() :])[0]["msg"]
        found[match.group(1)] = found.get(match.group(1), "") + message + "\n"
    return found


def project(requirements, **more):
    return {"python_env_projects": [{"name": "vision", "requirements": str(requirements), "imports": ["idna"], **more}]}


def test_what_hands_changed_is_put_right(tmp_path):
    bookworm, trixie = connect(HOSTS[0]), connect(HOSTS[1])
    with bookworm.sudo(), trixie.sudo():
        bookworm.check_output(
            f"/opt/mlinfra/uv/bin/uv -q --no-cache --system-certs pip install --python {VISION}/bin/python colorama==0.4.5"
        )
        trixie.check_output(f"/opt/mlinfra/uv/bin/uv -q --no-cache pip uninstall --python {VISION}/bin/python six")
    told = converge(tmp_path, {})
    assert "colorama 0.4.5 was added" in told and "six 1.17.0 is missing" in told
    assert trixie.check_output(f"{VISION}/bin/python -c 'import six; print(six.__version__)'") == "1.17.0"
    assert bookworm.run(f"{VISION}/bin/python -c 'import colorama'").failed


@pytest.fixture(scope="module")
def small():
    """A folder of 300 KiB on trixie, to fill."""
    host = connect(HOSTS[1])
    with host.sudo():
        host.check_output("mkdir -p /mnt/small && mount -t tmpfs -o size=300k tmpfs /mnt/small")
    yield "/mnt/small"
    with host.sudo():
        host.check_output("umount /mnt/small && rmdir /mnt/small")


def test_a_list_that_cannot_be_had_leaves_the_old_one_working(tmp_path, small):
    wrong = "idna==3.11 --hash=sha256:" + "0" * 64
    wishes = {HOSTS[0]: project(wrong), HOSTS[1]: {**project(LISTS / "newer.txt"), "python_env_root": small}}
    told = refusals(converge(tmp_path, wishes, code=2))
    assert re.search(r"idna==3\.11 from the default index is not the file that was pinned \(it has SHA-256 [0-9a-f]{64}\)", told[HOSTS[0]])
    assert f"{small}/vision: the disk is full. Free space" in told[HOSTS[1]]
    for name in HOSTS:
        host = connect(name)
        assert host.check_output(f"{VISION}/bin/python -c 'import idna, six; print(idna.__version__)'") == "3.10"
        assert host.check_output("ls -A /opt/mlinfra/envs | wc -l") == "4"
    assert connect(HOSTS[1]).check_output(f"ls -A {small} | wc -l") == "0"


def test_refused_with_the_reason_and_no_password(tmp_path):
    password = "pflaume-und-birne"
    wishes = {
        HOSTS[0]: {**project(LISTS / "newer.txt"), "mlinfra_mirrors": {"pypi": f"http://joe:{password}@127.0.0.1:9/simple"}},
        HOSTS[1]: project("idna==3.11\nsix==1.17.0"),
    }
    output = converge(tmp_path, wishes, code=2)
    told = refusals(output)
    assert "http://***@127.0.0.1:9/simple does not answer (http://127.0.0.1:9/simple/" in told[HOSTS[0]], told
    assert "line 1, idna==3.11: it has no --hash=sha256:…: make the list with uv pip compile --generate-hashes" in told[HOSTS[1]], told
    assert password not in output
    assert password not in connect(HOSTS[0]).check_output("sudo journalctl --no-pager -b")


def test_a_new_list_upgrades_and_removes_and_an_absent_project_goes(tmp_path):
    wish = project(LISTS / "newer.txt")
    wish["python_env_projects"].append({"name": "speech", "state": "absent"})
    converge(tmp_path, dict.fromkeys(HOSTS, wish))
    for name in HOSTS:
        host = connect(name)
        assert host.check_output(f"{VISION}/bin/python -c 'import idna, packaging; print(idna.__version__)'") == "3.11"
        assert host.run(f"{VISION}/bin/python -c 'import six'").failed
        assert host.check_output("ls -A /opt/mlinfra/envs | wc -l") == "2"
