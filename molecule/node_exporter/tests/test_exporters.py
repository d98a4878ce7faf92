# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""node_exporter as each host shall run it."""

from __future__ import annotations

import shlex

import pytest

PASSWORDS = {"prometheus": "plum & pear", "backup": "Zwetschge: ä"}


@pytest.fixture
def wished(host):
    """How this host was set up."""
    variables = host.ansible.get_variables()
    release = variables["mlinfra_pool"].startswith("release-")
    return {
        "release": release,
        "suite": variables["mlinfra_pool"].split("-")[1],
        "unit": "node_exporter" if release else "prometheus-node-exporter",
        "url": "https://127.0.0.1:9443" if release else f"http://{variables['mlinfra_private_ip']}:9100",
        "cert": "/etc/exporter-tls/exporter.crt" if variables["mlinfra_pool"] == "release-trixie" else "/etc/node_exporter/tls.crt",
    }


def scrape(host, wished, user="prometheus", password=None):
    """(HTTP status, page), as root, who may read the certificate. The certificate names exporter.test, so curl goes there."""
    options = ["--silent", "--output", "/root/page", "--write-out", "%{http_code}"]
    if wished["release"]:
        options += ["--cacert", wished["cert"], "--connect-to", "::127.0.0.1:9443"]
        options += ["--user", f"{user}:{PASSWORDS[user] if password is None else password}"] if user else []
    url = "https://exporter.test:9443" if wished["release"] else wished["url"]
    with host.sudo():
        status = host.check_output(f"curl {shlex.join(options)} {url}/metrics")
        return int(status), host.file("/root/page").content_string


def test_suite(host, wished):
    assert host.system_info.codename == wished["suite"]


def test_service_runs_starts_with_the_host_and_is_the_only_one(host, wished):
    service = host.service(wished["unit"])
    assert service.is_running and service.is_enabled
    assert host.check_output("pgrep --count --full 'bin/(prometheus-)?node.exporter '") == "1"


def test_it_runs_as_its_own_user_with_no_rights(host, wished):
    with host.sudo():
        pid = host.check_output("systemctl show --property MainPID --value %s", wished["unit"])
        status = dict(line.split(":", 1) for line in host.file(f"/proc/{pid}/status").content_string.splitlines())
    assert host.check_output("ps -o user:32= -p %s", pid).strip() == "node_exporter"
    assert int(status["CapEff"], 16) == 0 and status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"


def test_unit_counts_as_hardened(host, wished):
    exposure = host.check_output("systemd-analyze security --no-pager %s.service | tail -n 1", wished["unit"])
    assert float(exposure.split(":")[1].split()[0]) < 3, exposure


def test_scrape_has_what_was_asked_for(host, wished):
    status, page = scrape(host, wished)
    assert status == 200
    if wished["release"]:
        assert 'version="1.5.0"' in page
    else:
        assert 'node_scrape_collector_success{collector="processes"} 1' in page
        assert 'collector="arp"' not in page
    assert 'node_scrape_collector_success{collector="timex"} 1' in page, "the hardening keeps a collector from its work"


def test_text_files_are_served(host, wished):
    with host.sudo():
        folder = host.file("/var/lib/node_exporter/textfile")
        assert (folder.user, folder.group, folder.mode) == ("root", *(("adm", 0o775) if wished["release"] else ("root", 0o755)))
        host.check_output("echo 'mlinfra_test 42' > /var/lib/node_exporter/textfile/test.prom")
        assert "\nmlinfra_test 42\n" in scrape(host, wished)[1]
        host.check_output("rm /var/lib/node_exporter/textfile/test.prom")


def test_only_the_wished_address_listens(host, wished):
    sockets = host.check_output("ss -Hltn").splitlines()
    listening = {line.split()[3] for line in sockets if line.split()[3].endswith((":9100", ":9443"))}
    assert listening == ({"*:9443"} if wished["release"] else {wished["url"].removeprefix("http://")})


def test_passwords_are_asked_for(host, wished):
    if not wished["release"]:
        assert not host.file("/etc/node_exporter").exists
        return
    assert scrape(host, wished, "backup")[0] == 200
    assert scrape(host, wished, None)[0] == 401
    assert scrape(host, wished, "backup", "wrong")[0] == 401


def test_secrets_are_the_services_alone(host, wished):
    if not wished["release"]:
        return
    with host.sudo():
        for name in host.file("/etc/node_exporter").listdir():
            file = host.file(f"/etc/node_exporter/{name}")
            assert (file.user, file.group, file.mode) == ("root", "node_exporter", 0o640), name
        stored = host.file("/etc/node_exporter/web-config.yml").content_string
        journal = host.check_output("journalctl --no-pager")
        unit = host.check_output("systemctl cat %s", wished["unit"])
        processes = host.check_output("ps axww -o args")
    assert stored.count("$2b$10$") == len(PASSWORDS)
    for password in PASSWORDS.values():
        assert not [where for where in (stored, unit, processes) if password in where]
        # our own curl above runs through sudo, which logs command lines
        assert not [line for line in journal.splitlines() if password in line and "curl" not in line]


def test_recommended_collector_scripts_are_not_there(host):
    assert not host.package("prometheus-node-exporter-collectors").is_installed
    assert host.check_output("systemctl list-timers --all --no-legend 'prometheus*'") == ""


def test_nothing_of_the_download_is_left(host):
    with host.sudo():
        assert not host.file("/var/cache/node_exporter").exists
