# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build is locked and installed, by the real uv from indexes on loopback with tiny wheels of the real names and versions."""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import build
from ansible_collections.mlinfra.hosts.plugins.modules import framework_lock, uv_environment
from tests.unit.plugins.modules.package_index import Index, uv_folder

PYTHON = os.path.realpath(sys._base_executable)
PINS = {
    "driver": {"version": "570.172.08"},
    "wish": {"mode": "strict", "framework": "torch==2.11.0"},
    "cuda": {"release": "12.8"},
    "gpu": {"models": ["h100"], "architectures": ["hopper"]},
}
CUDA_13, CUDA_12 = ("numpy", "nvidia-cuda-runtime==13.0.96"), ("numpy", "nvidia-cuda-runtime-cu12==12.8.90")


class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *arguments, asked, **more):
        self.asked = asked
        super().__init__(*arguments, **more)

    def log_message(self, *unused):
        self.asked.append(self.path)


class Site:
    """The default index, which has torch for CUDA 13.0, and PyTorch's, which has it for 12.8 and copies of others; asked: their paths."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.default, self.torch = Index(folder / "simple"), Index(folder / "whl" / "cu128")
        handler = functools.partial(Handler, directory=str(folder), asked=self.asked)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        for index, label, needs in ((self.default, "", CUDA_13), (self.torch, "+cu128", CUDA_12)):
            index.add("torch", f"2.11.0{label}", requires=needs)
            index.add("torchvision", f"0.26.0{label}", requires=("torch==2.11.0",))
        self.default.add("nvidia_cuda_runtime", "13.0.96")
        self.default.add("nvidia_cuda_runtime_cu12", "12.8.90")
        self.default.add("numpy", "2.4.6")
        self.default.add("timm", "1.0", requires=("torchvision",))
        # Newer and another: as a second index it would win over the default one's.
        self.torch.add("numpy", "9.9.9")


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path / "site")
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def uv() -> str:
    return uv_folder()


@pytest.fixture
def answer(site, uv, tmp_path, monkeypatch, capsys):
    """answer(module, options) -> what it prints. No way to the network but loopback."""
    monkeypatch.setattr(build, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(framework_lock.shutil, "which", lambda name: None)

    def ask(module, **options):
        wish = {"uv_path": uv, "index_url": site.url + "/simple", "torch_index": site.url + "/whl/", **options}
        with patch_module_args(wish), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return ask


@pytest.fixture
def lock(answer, tmp_path):
    def ask(pins, framework="torch==2.11.0", **options):
        return answer(framework_lock, framework=framework, pins=pins, dest=str(tmp_path / "locks" / "list.txt"), **options)

    return ask


def versions(text):
    return sorted(line.split(" ")[0] for line in text.splitlines() if "==" in line and not line.startswith("#"))


def test_the_build_of_the_pins_is_locked_and_installed(site, answer, lock, tmp_path):
    locked = lock(PINS, packages=["torchvision"])
    assert (locked["cuda"], locked["torch_index"]) == ("12.8", site.url + "/whl/cu128"), locked
    expected = ["numpy==2.4.6", "nvidia-cuda-runtime-cu12==12.8.90", "torch==2.11.0+cu128", "torchvision==0.26.0+cu128"]
    assert versions(locked["text"]) == expected
    assert lock(PINS, packages=["torchvision"])["changed"] is False
    path = tmp_path / "envs" / "torch"
    wish = {"path": str(path), "python": PYTHON, "requirements": locked["text"], "imports": ["torch", "torchvision"]}
    told = answer(uv_environment, **wish)
    assert told["changed"] and sorted(f"{name}=={version}" for name, version in told["installed"].items()) == expected
    code = "import torch, numpy; print(torch.version, numpy.version)"
    done = subprocess.run([path / "bin" / "python", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2.11.0+cu128", "2.4.6"]
    assert answer(uv_environment, **wish)["changed"] is False
    assert not [one for one in site.asked if "cu128" in one and "/torch" not in one], "PyTorch's index was asked for another's package"


def test_the_default_index_does_where_its_build_fits(site, lock):
    pins = {**PINS, "driver": {"version": "580.95.05"}, "cuda": {"release": "13.0"}}
    locked = lock(pins)
    assert (locked["cuda"], locked["torch_index"]) == ("13.0", None) and "torch==2.11.0 " in locked["text"]
    assert not [one for one in site.asked if "/whl/" in one]


def test_a_default_index_that_has_the_build_itself_is_not_left(site, lock):
    for entry in (site.default.folder / "torch").iterdir():
        entry.unlink()
    site.default.add("torch", "2.11.0+cu128", requires=CUDA_12)
    locked = lock(PINS)
    assert (locked["cuda"], locked["torch_index"]) == ("12.8", None) and "torch==2.11.0+cu128" in locked["text"]
    assert not [one for one in site.asked if "/whl/" in one]


def test_a_cuda_that_was_wished_decides_over_what_would_run(lock):
    pins = {**PINS, "driver": {"version": "580.95.05"}, "wish": {"mode": "strict", "cuda": "12.8"}}
    assert lock(pins)["cuda"] == "12.8"
    assert lock({**pins, "wish": {"mode": "strict"}}, upgrade=True)["cuda"] == "13.0", "pins for something else bind nothing"


def test_without_such_an_index_what_runs_is_taken_and_told(site, lock, monkeypatch):
    warned: list[str] = []
    monkeypatch.setattr(framework_lock.AnsibleModule, "warn", lambda self, text: warned.append(text))
    pins = {**PINS, "driver": {"version": "580.95.05"}}
    (site.torch.folder / "torch" / "index.html").unlink()
    (site.torch.folder / "torch" / "torch-2.11.0+cu128-py3-none-any.whl").unlink()
    told = lock(pins)
    assert told["cuda"] == "13.0" and told["torch_index"] is None
    assert "its build for CUDA 13.0, and the pins are for CUDA 12.8; the one for CUDA 12.8 cannot be had" in warned[0]


@pytest.mark.parametrize("base", ["", "http://user:hidden@127.0.0.1:1/whl"])
def test_what_does_not_run_is_refused_with_the_reason(lock, base, tmp_path):
    told = lock(PINS, torch_index=base)
    assert told["failed"] and "has its build for CUDA 13.0, and driver 570.172.08 cannot run it" in told["msg"]
    assert "as torch 2.10 on the default index" in told["msg"] and not (tmp_path / "locks").exists()
    why = (
        "the one for CUDA 12.8 cannot be had: http://***@127.0.0.1:1/whl/cu128"
        if base
        else "no torch_index (python_env_framework_index) is given"
    )
    assert why in told["msg"] and "hidden" not in json.dumps(told)


def test_a_package_of_another_build_is_refused(lock):
    told = lock(PINS, packages=["timm"])
    assert told["failed"] and "torchvision would come of the default index" in told["msg"], told
    assert lock(PINS, packages=["timm", "torchvision"])["changed"]


def test_a_file_that_is_not_the_pinned_one_is_not_installed(site, answer, lock, tmp_path):
    locked = lock(PINS)
    site.torch.add("torch", "2.11.0+cu128", code="changed = True", requires=CUDA_12)
    told = answer(uv_environment, path=str(tmp_path / "envs" / "torch"), python=PYTHON, requirements=locked["text"])
    assert told["failed"] and "is not the file that was pinned" in told["msg"] and "where torch_index says" in told["msg"]
    assert not (tmp_path / "envs" / "torch").exists()


def test_jax_gets_the_libraries_that_a_strict_driver_runs(site, lock):
    for release, runtime in (("12.8.1", "12.8.90"), ("12.9.1", "12.9.79")):
        site.default.add("nvidia_cuda_runtime_cu12", runtime)
        needs = (f"nvidia-cuda-runtime-cu12=={runtime}; extra == 'cudart'",)
        site.default.add("cuda_toolkit", release, requires=needs)
    site.default.add("jax", "0.7.2", requires=("nvidia-cuda-runtime-cu12>=12.1; extra == 'cuda12'",))
    pins = {**PINS, "wish": {"mode": "strict", "framework": "jax==0.7.2"}, "cuda": {"release": "12.6"}}
    locked = lock(pins, "jax==0.7.2")
    assert locked["cuda"] == "12.8" and "cuda-toolkit==12.8.1" in locked["text"], locked
    assert lock({**pins, "wish": {"mode": "compatible"}}, "jax==0.7.2", upgrade=True)["cuda"] == "12.9"
