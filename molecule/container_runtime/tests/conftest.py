# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A converge of this scenario with other variables, and what it said."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

SCENARIO = Path(__file__).resolve().parents[1]


def run(*arguments):
    """The finished process."""
    command = ["ansible-playbook", "-i", SCENARIO / "inventory", *arguments, SCENARIO / "converge.yml"]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@pytest.fixture
def converge():
    """converge(*arguments) -> the finished process."""
    return run


@pytest.fixture(scope="session")
def refusals():
    """refusals(*arguments) -> {host: message} of a converge that fails."""

    def messages(*arguments):
        done = run(*arguments)
        assert done.returncode == 2, done.stdout[-3000:] + done.stderr[-3000:]
        decoder = json.JSONDecoder()
        fatal = re.finditer(r"^fatal: \[([\w-]+)\]: FAILED! => ", done.stdout, re.MULTILINE)
        return {match.group(1): decoder.raw_decode(done.stdout[match.end() :])[0]["msg"] for match in fatal}

    return messages


@pytest.fixture(scope="session")
def on():
    """on(host, script) -> stdout of a shell script that must succeed there, as root."""

    def output(name, script):
        command = ["ansible", "-i", SCENARIO / "inventory", name, "--become", "-m", "ansible.builtin.raw", "-a", script]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = done.stdout.replace("\r", "").splitlines()[1:]
        return "\n".join(line for line in lines if not line.startswith("Shared connection to "))

    return output


@pytest.fixture(scope="session")
def registry(on):
    """HOST:PORT of the registry on the scenario's mirror."""
    address = on("mirror-0", "hostname -I").split()
    return [word for word in address if word.startswith("10.")][0] + ":5000"


@pytest.fixture
def on_mirror(on):
    """The same on the scenario's mirror."""
    return lambda script: on("mirror-0", script)
