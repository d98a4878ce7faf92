# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on a tree of files, and on the machine that runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import gpu_facts as module
from tests.unit.plugins.module_utils.gpu.conftest import Tree, module_file

NVRM = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\n"
GPU = '<gpu id="00000000:00:1E.0"><uuid>GPU-1</uuid></gpu>'
LOG = f'<?xml version="1.0" ?><nvidia_smi_log><driver_version>580.95.05</driver_version>{GPU}</nvidia_smi_log>'
SMI = f"#!/bin/sh\necho \"$@\" >>%s\necho '{LOG}'\n"


class NoPrograms(module.Programs):
    """As Programs; ``found`` are the paths of those that there are."""

    def __init__(self, **found):
        self.find = found.get


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def run(capsys, **options):
    with patch_module_args(options), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def documented(entry):
    """{key: documentation} of what a dict contains."""
    return entry["contains"]


def test_every_fact_is_documented_on_any_machine(capsys):
    answer = run(capsys)
    facts = documented(documented(yaml.safe_load(module.RETURN)["ansible_facts"])["mlinfra_gpu"])
    assert answer["changed"] is False and not answer.get("failed")
    assert set(answer["ansible_facts"]["mlinfra_gpu"]) == set(facts)
    assert set(answer["ansible_facts"]["mlinfra_gpu"]["driver"]) == set(documented(facts["driver"]))


def test_links_have_what_is_left_of_the_time(tree):
    program = tree.put("/smi", SMI.replace("\necho '<", '\n[ "$1" = nvlink ] && sleep 600\necho \'<') % (tree.root / "asked"))
    program.chmod(0o755)
    tree.function("0000:00:1e.0", 0x10DE, 0x2330, 0x030200)
    tree.put("/proc/driver/nvidia/version", NVRM)
    facts = module.look(tree.host, NoPrograms(**{"nvidia-smi": str(program)}), 1)
    assert (tree.root / "asked").read_text() == "-q -x\nnvlink --status\n"
    assert facts["smi"]["version"] == "580.95.05" and facts["gpus"][0]["nvlink"] is None
    assert [entry["what"] for entry in facts["unread"] if "did not end within" in entry["why"]] == ["nvidia-smi nvlink"]
    left = NoPrograms(**{"nvidia-smi": str(program)}).links(0)
    assert left.problem == "not run: nvidia-smi -q -x took all of smi_timeout"


def test_check_mode_says_the_same(capsys):
    assert run(capsys, _ansible_check_mode=True) == run(capsys)


def test_nothing_at_all(tree):
    facts = module.look(tree.host, NoPrograms(), 60)
    assert facts["present"] is False and facts["driver_state"] == "absent" and facts["secure_boot"] == "unsupported"
    assert facts["driver"]["installed"]["source"] is None and facts["unread"] == []


def test_a_whole_driver(tree):
    release = os.uname().release
    tree.function("0000:00:1e.0", 0x10DE, 0x2237, 0x030200)
    tree.put("/proc/driver/nvidia/version", NVRM)
    tree.put("/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05")
    tree.put(f"/lib/modules/{release}/updates/dkms/nvidia.ko", module_file(version="580.95.05", license="Dual MIT/GPL"))
    program = tree.put("/smi", SMI % (tree.root / "asked"))
    program.chmod(0o755)
    facts = module.look(tree.host, NoPrograms(**{"nvidia-smi": str(program)}), 60)
    assert facts["driver_state"] == "coherent" and facts["models"] == ["a10g"]
    assert (tree.root / "asked").read_text() == "-q -x\n" and facts["smi"]["gpus"][0]["uuid"] == "GPU-1"
    installed = facts["driver"]["installed"]
    assert (installed["version"], installed["flavor"], installed["source"]) == ("580.95.05", "open", "files")
    assert facts["driver"]["kernel_module_built_for"] == [release]


@pytest.mark.parametrize(("timeout", "is_loaded"), [(60, False), (0, True)])
def test_nvidia_smi_is_not_run_where_it_must_not(tree, timeout, is_loaded):
    program = tree.put("/smi", SMI % (tree.root / "asked"))
    program.chmod(0o755)
    said, unused = NoPrograms(**{"nvidia-smi": str(program)}).smi(timeout, is_loaded)
    assert said["problem"] == "not_run" and said["available"] and not Path(tree.root / "asked").exists()


def test_a_hanging_nvidia_smi_does_not_hold_the_module(tree):
    program = tree.put("/smi", "#!/bin/sh\nsleep 600\n")
    program.chmod(0o755)
    tree.put("/proc/driver/nvidia/version", NVRM)
    tree.put("/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05")
    facts = module.look(tree.host, NoPrograms(**{"nvidia-smi": str(program)}), 1)
    assert facts["smi"]["problem"] == "timeout" and facts["driver_state"] == "coherent"
    assert any("did not end within 1 s" in reason for reason in facts["driver_reasons"])


@pytest.mark.parametrize("timeout", [60, 0])
def test_a_job_that_nvidia_smi_cannot_show_uses_the_gpus(tree, timeout):
    """smi_timeout 0, and the library of another driver than the loaded one."""
    program = tree.put("/smi", "#!/bin/sh\necho 'Failed to initialize NVML: Driver/library version mismatch'\nexit 18\n")
    program.chmod(0o755)
    tree.function("0000:00:1e.0", 0x10DE, 0x2237, 0x030200)
    tree.put("/proc/driver/nvidia/version", NVRM)
    tree.put("/usr/lib/x86_64-linux-gnu/libcuda.so.580.126.09")
    for pid, name, target in ((1, "systemd", "/dev/null"), (7, "nvidia-persiste", "/dev/nvidia0"), (40, "python3", "/dev/nvidia-uvm")):
        tree.put(f"/proc/{pid}/comm", f"{name}\n")
        (tree.folder(f"/proc/{pid}/fd") / "0").symlink_to(target)
    facts = module.look(tree.host, NoPrograms(**{"nvidia-smi": str(program)}), timeout)
    assert facts["gpus"][0]["now"]["processes"] is None
    assert facts["users"] == [{"pid": 40, "program": "python3"}]
    (tree.root / "proc/1/fd/0").unlink()
    (tree.root / "proc/1/fd").rmdir()
    (tree.root / "proc/40/fd/0").unlink()
    facts = module.look(tree.host, NoPrograms(**{"nvidia-smi": str(program)}), timeout)
    assert facts["users"] is None and {"what": "/proc/*/fd", "why": "it does not show the processes of others"} in facts["unread"]


def test_gpus_of_a_container_that_is_not_shown_the_bus(tree):
    program = tree.put("/smi", SMI % (tree.root / "asked"))
    program.chmod(0o755)
    tree.put("/proc/driver/nvidia/version", NVRM)
    facts = module.look(tree.host, NoPrograms(**{"nvidia-smi": str(program)}), 60)
    assert facts["present"] and facts["count"] == 1 and facts["devices"] == []


def shape(documentation, facts, path="mlinfra_gpu"):
    """Paths of documented dicts whose keys are not those of the facts."""
    wrong = []
    for name, entry in documentation.items():
        below = facts.get(name)
        inner = (below or [{}])[0] if entry["type"] == "list" else below
        if "contains" in entry and inner:
            wrong += [f"{path}.{name}"] if set(inner) != set(entry["contains"]) else []
            wrong += shape(entry["contains"], inner, f"{path}.{name}")
    return wrong


def test_each_gpu_is_documented_and_what_was_not_read_is_told(tree):
    tree.function("0000:00:1e.0", 0x10DE, 0x2237, 0x030200)
    tree.put("/etc/docker/daemon.json", "{")
    facts = module.look(tree.host, NoPrograms(), 60)
    assert shape(documented(documented(yaml.safe_load(module.RETURN)["ansible_facts"])["mlinfra_gpu"]), facts) == []
    (gpu,) = facts["gpus"]
    assert (gpu["model"], gpu["health"]["state"]) == ("a10g", "unknown")
    assert [entry["what"] for entry in facts["unread"]] == ["/etc/docker/daemon.json"] and facts["unread"][0]["why"]


def test_a_file_that_cannot_be_read_is_told(tree, monkeypatch):
    path = tree.put("/etc/docker/daemon.json", "{}")
    real = os.open

    def refuse(name, *arguments):
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied")
        return real(name, *arguments)

    monkeypatch.setattr(os, "open", refuse)
    facts = module.look(tree.host, NoPrograms(), 60)
    assert facts["unread"] == [{"what": "/etc/docker/daemon.json", "why": "Permission denied"}]
    assert facts["engine_settings"]["docker"]["runtimes"] is None


def test_a_target_is_told_and_a_wrong_one_refused(capsys):
    facts = run(capsys, target=["a10g", "h100"])["ansible_facts"]["mlinfra_gpu"]
    assert facts["target"]["models"] == ["a10g", "h100"] and facts["present"]
    assert facts["target"]["in_use"] == (facts["count"] == 0)
    answer = run(capsys, target="v100,b200")
    assert answer["failed"] and "mlinfra_gpu_target is [v100, b200]" in answer["msg"]
