# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module around its decision; molecule/python_env has it with the real index."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible.plugins.loader import lookup_loader

from ansible_collections.mlinfra.hosts.plugins.modules import framework_lock as module

HASH = "sha256:" + "0" * 64
LISTS = {
    "torch==2.9.1": f"nvidia-cuda-runtime-cu12==12.8.90 \\\n    --hash={HASH}\ntorch==2.9.1 \\\n    --hash={HASH}\n",
    "torch==2.11.0": f"nvidia-cuda-runtime==13.0.96 \\\n    --hash={HASH}\ntorch==2.11.0 \\\n    --hash={HASH}\n",
}
PINS = {"driver": {"version": "570.172.08"}, "wish": {"mode": "compatible"}, "gpu": {"models": ["h100"], "architectures": ["hopper"]}}


@pytest.fixture
def answer(capsys, monkeypatch, tmp_path):
    """Run the module; uv is a table of two lists, and each call is counted."""
    asked = []
    monkeypatch.setattr(module, "compiled", lambda params, wish: asked.append(*wish) or LISTS[wish[0]])

    def run(framework="torch==2.9.1", **arguments):
        wish = {"framework": framework, "pins": PINS, "dest": str(tmp_path / "locks" / "list.txt"), **arguments}
        with patch_module_args(wish), pytest.raises(SystemExit):
            module.main()
        return {**json.loads(capsys.readouterr().out.strip().splitlines()[-1]), "asked": list(asked)}

    return run


def test_it_is_made_once(answer, tmp_path):
    first = answer()
    assert first["changed"] and first["cuda"] == "12.8" and (tmp_path / "locks" / "list.txt").read_text() == first["text"]
    assert answer()["changed"] is False and answer()["asked"] == ["torch==2.9.1"]
    assert answer(packages=["numpy"])["changed"], "another wish is another list"
    assert answer(packages=["numpy"], upgrade=True)["changed"] is False, "made anew, and the same"


def test_check_mode_asks_nobody(answer, tmp_path):
    told = answer(_ansible_check_mode=True)
    assert told["changed"] and told["text"] is None and told["asked"] == [] and list(tmp_path.iterdir()) == []


def test_a_list_that_does_not_fit_is_not_written(answer, tmp_path):
    told = answer("torch==2.11.0")
    assert told["failed"] and "driver 570.172.08 cannot run it" in told["msg"] and list(tmp_path.iterdir()) == []


def test_a_list_that_does_not_fit_any_more_is_told(answer):
    answer()
    told = answer(pins={**PINS, "driver": {"version": "470.256.02"}})
    assert told["failed"] and "470.256.02" in told["msg"]
    told = answer(pins={**PINS, "driver": {"version": "560.35.05"}, "wish": {"mode": "strict"}})
    assert told["failed"] and "The list was made for other pins: remove " in told["msg"], told


def test_the_lookup_knows_a_list_that_stays(answer, tmp_path):
    """Where it finds the list, the module would change nothing and refuse nothing."""
    path = str(tmp_path / "locks" / "list.txt")
    listed = lookup_loader.get("mlinfra.hosts.framework_list")

    def found(framework="torch==2.9.1", path=path, **options):
        return listed.run([path], {}, framework=framework, **{"pins": PINS, **options})

    assert found() == [], "there is none yet"
    text = answer()["text"]
    assert found() == [text]
    assert found(packages=["numpy"]) == [] and found("torch==2.9.0") == [], "it was made for another wish"
    assert found(pins={**PINS, "driver": {"version": "470.256.02"}}) == [], "it does not fit any more"
    assert found("torch") == [] and found(path=str(tmp_path)) == [], "the module says what is wrong"
    (tmp_path / "locks" / "list.txt").write_text(text.replace("--hash", "--hush"))
    assert found() == []
