# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret shows anywhere while a damaged installation is mended at the highest verbosity; and what is refused says why."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
import testinfra

SCENARIO = Path(__file__).resolve().parents[1]
HOSTS = ("postgresql-0", "sqlite-0")
DUMP = """
- hosts: mlinfra_hosts
  gather_facts: false
  tasks:
    - ansible.builtin.setup: {gather_subset: min}
    - ansible.builtin.debug: {var: "hostvars[inventory_hostname]"}
"""
WRONG = "wr0ng:p@ss/w%rd"
WISHES = [
    {
        "sqlite-0": {"mlflow_server_port": 22},
        "postgresql-0": {"mlflow_server_artifacts": "s3://mlflow-test-nowhere-123456789012/x"},
    },
    {
        "sqlite-0": {"mlflow_server_database_url": "postgresql://mlflow@127.0.0.1/mlflow"},
        "postgresql-0": {
            "mlflow_server_database": "external",
            "mlflow_server_database_url": f"postgresql://mlflow:{quote(WRONG, safe='')}@127.0.0.1/mlflow",
        },
    },
]
MESSAGES = [
    ("sqlite-0", 0, r"mlflow_server_port is 22: sshd \(pid \d+.*\) listens there already"),
    ("postgresql-0", 0, r"bucket mlflow-test-nowhere-123456789012 at http://10\.68\.\S+: there is no such bucket\. Create the"),
    ("sqlite-0", 1, "mlflow_server_database_url is set, and mlflow_server_database is sqlite: it would not be used"),
    ("postgresql-0", 1, r"The database 127\.0\.0\.1/mlflow cannot be used: .*password authentication failed .*Nothing was changed\."),
]


@pytest.fixture(scope="module")
def machines():
    """{name: testinfra host, as root}."""
    found = testinfra.get_hosts(["ansible://" + name for name in HOSTS], ansible_inventory=str(SCENARIO / "inventory"), sudo=True)
    return dict(zip(HOSTS, found))


def play(*arguments):
    command = ["ansible-playbook", "-i", SCENARIO / "inventory", *arguments]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def refused(done):
    """{host: message} of a play that no host lets through."""
    assert done.returncode == 2, done.stdout[-3000:] + done.stderr[-3000:]
    decoder = json.JSONDecoder()
    fatal = re.finditer(r"^fatal: \[([\w-]+)\]: FAILED! => ", done.stdout, re.MULTILINE)
    return {match.group(1): decoder.raw_decode(done.stdout[match.end() :])[0]["msg"] for match in fatal}


def started(machines):
    """When the services were started: nothing that is refused restarts one."""
    return [machine.check_output("systemctl show mlflow.service --property ExecMainStartTimestamp") for machine in machines.values()]


@pytest.fixture(scope="module")
def told(machines, tmp_path_factory):
    """[messages of one play each], after a look at the services."""
    before, answers, inventory = started(machines), [], tmp_path_factory.mktemp("wishes") / "wishes.yml"
    for wish in WISHES:
        inventory.write_text(json.dumps({"all": {"hosts": wish}}))
        done = play("-i", inventory, "-vvv", "--diff", SCENARIO / "converge.yml")
        assert not [form for form in (WRONG, quote(WRONG, safe="")) if form in done.stdout + done.stderr], "the URL's password shows"
        answers.append(refused(done))
    assert started(machines) == before
    return answers


@pytest.mark.parametrize(("name", "number", "message"), MESSAGES)
def test_refused_before_anything_is_changed(told, name, number, message):
    assert re.search(message, told[number][name]), told[number][name]


def test_full_disk_is_refused():
    wish = {"_mlflow_server_environment": "/opt/elsewhere", "_mlflow_server_needed_mib": 10**9}
    told = refused(play("--limit", "sqlite-0", "-e", json.dumps(wish), SCENARIO / "converge.yml"))
    assert re.search(r"/opt/elsewhere has \d+ MiB free on sqlite-0: MLflow wants 1000000000\. Free some", told["sqlite-0"])


def test_masked_unit_is_refused(machines):
    """Its unit is gone afterwards, as on a host where an earlier installation was not finished."""
    machines["sqlite-0"].check_output(
        "systemctl disable --now mlflow.service && ln -sf /dev/null /etc/systemd/system/mlflow.service && systemctl daemon-reload"
    )
    try:
        told = refused(play("--limit", "sqlite-0", SCENARIO / "converge.yml"))
    finally:
        machines["sqlite-0"].check_output("rm /etc/systemd/system/mlflow.service && systemctl daemon-reload")
    assert "mlflow.service is masked on sqlite-0" in told["sqlite-0"] and "systemctl unmask" in told["sqlite-0"]


def secrets(machines):
    """{what and where: value} of every secret on the hosts."""
    found = {}
    for name, machine in machines.items():
        for file in ("admin.ini", "job.ini"):
            found[name, file] = re.search(r"_password = (.+)", machine.file("/etc/mlflow/" + file).content_string).group(1)
        environment = machine.file("/etc/mlflow/mlflow.env").content_string
        found[name, "key"] = re.search(r'SECRET_KEY="(.+)"', environment).group(1)
    return found


@pytest.fixture(scope="module")
def mended(machines, tmp_path_factory):
    """(secrets before, secrets after, output) of a play at -vvv over hosts that were left in the middle of it.

    sqlite-0 was killed between writing the secrets and the first start, and its unit is gone. postgresql-0 has lost its accounts' files.
    """
    before = secrets(machines)
    machines["sqlite-0"].check_output("rm -f /etc/mlflow/prepared /etc/systemd/system/mlflow.service && touch /etc/mlflow/restart-pending")
    machines["postgresql-0"].check_output("rm /etc/mlflow/admin.ini /etc/mlflow/job.ini")
    dump = tmp_path_factory.mktemp("dump") / "dump.yml"
    dump.write_text(DUMP)
    done = play("-vvv", "--diff", SCENARIO / "converge.yml", dump)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return before, secrets(machines), done.stdout + done.stderr


def test_half_an_installation_is_mended(mended, machines):
    before, after, _output = mended
    for name, machine in machines.items():
        assert machine.service("mlflow").is_running and machine.service("mlflow").is_enabled
        assert not machine.file("/etc/mlflow/restart-pending").exists
        kept = {key for key in before if key[0] == name and before[key] == after[key]}
        assert kept == {(name, "key"), *(((name, "admin.ini"), (name, "job.ini")) if name == "sqlite-0" else ())}


def forms(value):
    """A value as such, as a URL has it, and as slurp brings it: base64 of a text that it stands in, at any of three offsets."""
    encoded = (base64.b64encode(b"x" * offset + value.encode())[4 * bool(offset) : -4].decode() for offset in range(3))
    return {value, quote(value, safe=""), *encoded}


def showing(values, text):
    return sorted({name for name, value in values.items() if any(form in text for form in forms(value))})


def test_no_secret_in_what_ansible_prints(mended):
    before, after, output = mended
    assert '"ansible_facts"' in output and "mlflow_server_s3_endpoint_url" in output, "the play did not show its variables"
    assert "EXEC" in output and "/etc/mlflow/mlflow.env" in output, "the play was not verbose"
    assert showing({**{("before", *key): value for key, value in before.items()}, **after}, output) == []


@pytest.mark.parametrize("name", HOSTS)
def test_no_secret_on_the_host_but_in_its_files(mended, machines, name):
    def text_of(command):  # databases and the like are among it
        return machines[name].run(command).stdout_bytes.decode("utf-8", "replace")

    places = {
        "journal": text_of("journalctl --no-pager --all --output verbose"),
        "processes": text_of("ps auxww; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"),
        "unit": text_of("systemctl cat mlflow.service; systemctl show mlflow.service"),
        "files for all": text_of(
            "find /etc /var/log /var/lib /run /tmp /home /root /opt/mlinfra -xdev -type f -perm /o=r -not -path '*/site-packages/*' "
            "-not -path '/etc/ssl/*' -size -2048k -exec cat {} + 2>/dev/null"
        ),
    }
    assert "mlflow" in places["journal"] and "uvicorn" in places["processes"] and "ExecStart=" in places["unit"]
    for place, text in places.items():
        assert showing({**mended[0], **mended[1]}, text) == [], place
