# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken from PyTorch's index, and what never is."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import lock, torch_index

HASH = " --hash=sha256:" + "0" * 64
BASE = "https://mirror.example.org/whl/"


def listed(*lines):
    return "# made\n" + "".join("%s \\\n   %s\n" % (line, HASH) for line in lines)


def test_only_torchs_own_packages_are_taken_from_there():
    text = listed("numpy==2.4.6+cu128", "torch==2.11.0+cu128 ; sys_platform == 'linux'", "torchvision==0.26.0+cu128", "torchmetrics==1.0")
    ((address, own),) = torch_index.split(text, BASE)
    assert address == "https://mirror.example.org/whl/cu128"
    assert [(one.name, one.version) for one in lock.parse(own)] == [("torch", "2.11.0+cu128"), ("torchvision", "0.26.0+cu128")]
    assert own.count("--hash=sha256:") == 2 and "sys_platform == 'linux'" in own


@pytest.mark.parametrize("line", ["torch==2.11.0", "numpy==2.4.6+cu128"])
def test_a_list_of_the_default_index_takes_nothing_from_there(line):
    assert torch_index.split(listed(line), BASE) == []


def test_a_file_without_a_label_is_of_the_same_index():
    text = listed("torch==2.5.1+cu124 ; platform_machine == 'x86_64'", "torch==2.5.1 ; platform_machine != 'x86_64'")
    ((address, own),) = torch_index.split(text, BASE)
    assert address.endswith("/cu124") and len(lock.parse(own)) == 2


def test_each_build_is_of_its_own_index():
    text = listed(
        "torch==2.11.0+cu128 ; platform_machine == 'x86_64'", "torch==2.11.0+cpu ; platform_machine != 'x86_64'", "torchaudio==2.11.0"
    )
    found = dict(torch_index.split(text, BASE))
    assert sorted(address.rsplit("/", 1)[1] for address in found) == ["cpu", "cu128"]
    assert "torchaudio" not in "".join(found.values())


def test_what_is_needed_but_not_named_is_told():
    text = listed("torch==2.11.0+cu128", "torchvision==0.26.0", "numpy==2.4.6")
    assert torch_index.unnamed(text, ["torch==2.11.0", "timm"]) == ["torchvision"]
    assert torch_index.unnamed(text, ["torch==2.11.0", "TorchVision>=0.20"]) == []


def test_the_project_is_toml():
    tomllib = pytest.importorskip("tomllib")
    wish = ["torch==2.11.0", 'numpy ; python_version < "3.13"', "x\\y"]
    made = tomllib.loads(torch_index.project(wish, "3.11", "https://u:p%22@mirror.example.org/whl/cu128"))
    assert made["project"]["dependencies"] == wish and made["project"]["requires-python"] == ">=3.11"
    (index,) = made["tool"]["uv"]["index"]
    assert index["explicit"] is True and index["url"] == "https://u:p%22@mirror.example.org/whl/cu128"
    assert set(made["tool"]["uv"]["sources"]) == {"torch", "torchvision", "torchaudio"}
