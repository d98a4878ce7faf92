# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role refuses: one message that names the value and the next step, and a host that is left as it was."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

SCENARIO = Path(__file__).resolve().parents[1]

# Each host gets another set of values that cannot work.
WISHES = {
    "package-bookworm-0": {
        "node_exporter_port": 22,
        "node_exporter_listen_address": "0.0.0.0",
        "node_exporter_collectors_enabled": ["softirqs"],
        "node_exporter_tls": {"cert_file": "/no.crt", "key_file": "/etc/shadow"},
    },
    "package-trixie-0": {
        "node_exporter_source": "release",
        "node_exporter_version": "1.4.0",
        "node_exporter_release_url": "http://127.0.0.1:9",
        "node_exporter_sha256": {"amd64": "0" * 64, "arm64": "0" * 64},
        "node_exporter_port": 9101,
    },
    "release-bookworm-0": {"node_exporter_version": "1.4.0"},
    "release-trixie-0": {"node_exporter_version": "1.5.1", "node_exporter_sha256": {"amd64": "0" * 64, "arm64": "0" * 64}},
}
MESSAGES = {
    "package-bookworm-0": [
        r"node_exporter_port is 22: sshd \(pid \d+, ssh\.service\) listens there already, on 0\.0\.0\.0 and ::\. Stop it, or",
        r"node_exporter_collectors_enabled\[0\] is softirqs: node_exporter 1\.5\.0 has no such collector\.",
        r"node_exporter_tls\.cert_file is /no\.crt: there is no such file on this host\. Put it there",
        r"node_exporter_tls\.key_file is /etc/shadow \(mode 0640, root:shadow\): the service runs as node_exporter and cannot read it\.",
    ],
    "package-trixie-0": [
        r"http://127\.0\.0\.1:9/v1\.4\.0/node_exporter-1\.4\.0\.linux-\w+\.tar\.gz cannot be downloaded on package-trixie-0: ",
        r"Connection refused",
        r"Check node_exporter_version and node_exporter_release_url",
    ],
    "release-bookworm-0": [r"/v1\.4\.0/\S+\.linux-\w+\.tar\.gz cannot be downloaded on release-bookworm-0: HTTP Error 404"],
    "release-trixie-0": [r"/v1\.5\.1/\S+ has the SHA-256 [0-9a-f]{64}: expected node_exporter_sha256\.\w+ 0{64}\. Compare with"],
}


def refusals(*arguments):
    """{host: message} of a converge that no host lets through."""
    command = ["ansible-playbook", "-i", SCENARIO / "inventory", *arguments, SCENARIO / "converge.yml"]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 2, done.stdout[-3000:] + done.stderr[-3000:]
    decoder = json.JSONDecoder()
    fatal = re.finditer(r"^fatal: \[([\w-]+)\]: FAILED! => ", done.stdout, re.MULTILINE)
    return {match.group(1): decoder.raw_decode(done.stdout[match.end() :])[0]["msg"] for match in fatal}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    inventory = tmp_path_factory.mktemp("refusals") / "wishes.yml"
    inventory.write_text(json.dumps({"all": {"hosts": WISHES}}))
    return refusals("-i", inventory)


@pytest.mark.parametrize("name", sorted(WISHES))
def test_refused_with_the_reason_and_the_next_step(told, name):
    assert not [part for part in MESSAGES[name] if not re.search(part, told[name])], told[name]


@pytest.mark.parametrize(
    ("platforms", "message"),
    [
        ({"Plan-9": {}}, "package-trixie-0 runs Debian 13: role node_exporter knows Plan-9. Leave this host out of the play"),
        ({"Debian-13": {}}, "node_exporter_source is package: no package is known for Debian 13. Set it to release"),
    ],
)
def test_platform_that_the_table_does_not_have(platforms, message):
    told = refusals("--limit", "package-trixie-0", "-e", json.dumps({"_node_exporter_platforms": platforms}))
    assert told["package-trixie-0"].startswith(message)
