# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that was stopped after a new program was put in its place, and before the service was restarted."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

SCENARIO = Path(__file__).resolve().parents[1]
HOST = "release-trixie-0"
PROGRAM = "/usr/local/bin/node_exporter"


def run(*command):
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def shell(text):
    return run("ansible", "-i", SCENARIO / "inventory", HOST, "--become", "-m", "ansible.builtin.raw", "-a", text)


def changes():
    """How much a converge of the host changes."""
    said = run("ansible-playbook", "-i", SCENARIO / "inventory", SCENARIO / "converge.yml", "--limit", HOST)
    return int(re.search(rf"^{HOST}\s+:.* changed=(\d+)", said, re.MULTILINE).group(1))


def test_the_service_is_restarted_once():
    running = "readlink /proc/$(systemctl show --property MainPID --value node_exporter)/exe"
    # With the time of the old one, as an archive would give it.
    shell(f"cp --preserve=all {PROGRAM} {PROGRAM}.new && mv {PROGRAM}.new {PROGRAM}")
    assert "(deleted)" in shell(running)
    assert changes() == 1
    assert PROGRAM in shell(running) and "(deleted)" not in shell(running)
    assert changes() == 0
