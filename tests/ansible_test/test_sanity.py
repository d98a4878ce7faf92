# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity on what is shipped: a real copy of it, since ansible-test refuses a symlinked checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
# ansible-test bootstraps pip with a script that it downloads, or finds in its cache: this one needs no download.
GET_PIP = """\
import subprocess, sys
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
wished = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *wished]))
"""
PIP_VERSION = """\
from types import SimpleNamespace
from ansible_test._internal.python_requirements import get_venv_packages
print(get_venv_packages(SimpleNamespace(version=%r))["pip"])
"""


def _cache() -> Path:
    named = os.environ.get("MLINFRA_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlinfra"


def _pip_configuration() -> str:
    """pip's present configuration as a file: ansible-test hands no PIP_ variable on."""
    options = {}
    uv = subprocess.run([CHECKOUT / "scripts" / "env", "--uv"], capture_output=True, text=True, check=True).stdout.strip()
    with_pip = str(Path(uv).with_name("python"))
    listed = subprocess.run([with_pip, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        key, separator, value = line.partition("=")
        if separator:
            options[key.rpartition(".")[2]] = value.strip("'\"").replace("\\n", " ")
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in options.items()), ""])


@pytest.fixture(scope="session")
def home() -> Path:
    """ansible-test keeps its virtual environments under HOME: give it one in the cache, where the next run finds them."""
    folder = _cache() / "ansible-test" / Path(sys.prefix).name
    (folder / ".config" / "pip").mkdir(parents=True, exist_ok=True)
    (folder / ".config" / "pip" / "pip.conf").write_text(_pip_configuration())
    pip = subprocess.run([sys.executable, "-c", PIP_VERSION % VERSION], capture_output=True, text=True, check=True).stdout.strip()
    script = folder / ".ansible" / "test" / "cache" / f"get_pip_{pip.replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(GET_PIP)
    return folder


@pytest.fixture(scope="session")
def copy(tmp_path_factory) -> Path:
    """The artifact, unpacked where ansible-test wants it, beside the collections that it depends on."""
    place = tmp_path_factory.mktemp("sanity")
    subprocess.run(["ansible-galaxy", "collection", "build", "--output-path", str(place), str(CHECKOUT)], check=True, capture_output=True)
    target = place / "ansible_collections" / "mlinfra" / "hosts"
    target.mkdir(parents=True)
    (artifact,) = place.glob("*.tar.gz")
    with tarfile.open(artifact) as packed:
        packed.extractall(target, filter="data")
    installed = Path(sysconfig.get_paths()["purelib"]) / "ansible_collections" / "amazon"
    (place / "ansible_collections" / "amazon").symlink_to(installed)
    return target


def test_nothing_is_left_out_for_want_of_a_tool(copy):
    """Without pwsh and shellcheck ansible-test skips their tests: nothing may be there for them (first: it leaves scripts of its own)."""
    assert not [path for pattern in ("*.ps1", "*.psm1", "*.sh") for path in copy.rglob(pattern)]


def test_sanity(copy, home):
    environment = {**os.environ, "HOME": str(home)}
    environment.pop("PYTHONPATH", None)
    command = ["ansible-test", "sanity", "--venv", "--python", VERSION, "--color", "no"]
    done = subprocess.run(command, cwd=copy, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    print(output)
    assert done.returncode == 0, output[-8000:]
    assert re.findall(r"^Running sanity test [\"'](\S+)[\"']", output, re.M), output
