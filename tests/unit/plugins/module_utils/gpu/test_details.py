# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of the GPUs of several generations and releases of nvidia-smi."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import mig_profiles, per_gpu, smi
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.running import Outcome
from tests.unit.plugins.module_utils.gpu.conftest import recorded

NO_BUS = {"devices": [], "nvswitch_count": 0, "bus": False}


def look(text, bus=None):
    outcome = Outcome(0, text)
    return per_gpu.look(bus or NO_BUS, smi.understand(outcome), outcome)


@pytest.mark.parametrize(
    ("name", "count", "model", "memory", "product"),
    [
        ("t4_v11", 1, "t4", 15360, "Tesla T4"),
        ("a10g_v12", 1, "a10g", 23028, "NVIDIA A10G"),
        ("a100_mig_v12", 2, "a100", 40960, "NVIDIA A100-SXM4-40GB"),
        ("h100x8_v12", 8, "h100", 81559, "NVIDIA H100 80GB HBM3"),
        ("l40s_v12", 1, "l40s", 46068, "NVIDIA L40S"),
        ("b200_v13", 2, "b200", 183359, "NVIDIA B200"),
    ],
)
def test_each_generation(name, count, model, memory, product):
    gpus, unread = look(recorded(name))
    assert [(gpu["model"], gpu["memory_mib"], gpu["name"]) for gpu in gpus] == [(model, memory, product)] * count
    assert [gpu["index"] for gpu in gpus] == [gpu["minor_number"] for gpu in gpus] == list(range(count))
    assert {gpu["health"]["state"] for gpu in gpus} == {"healthy"}, [gpu["health"] for gpu in gpus]
    for gpu in gpus:
        assert gpu["uuid"].startswith("GPU-") and gpu["persistence_mode"] is True and gpu["compute_mode"] == "Default"
        assert gpu["ecc"]["current"] is True and gpu["ecc"]["volatile"] == gpu["ecc"]["aggregate"] == {"corrected": 0, "uncorrected": 0}
        assert gpu["now"]["clocks_mhz"]["graphics"] <= gpu["max_clocks_mhz"]["graphics"]
        assert gpu["now"]["temperature_c"] == 31 and gpu["now"]["performance_state"] == "P0"
    kinds = {entry["what"].rpartition(" ")[2] for entry in unread}
    assert kinds <= {"uuid", "links"}


def test_a_gpu_that_retires_pages():
    (gpu,) = look(recorded("t4_v11"))[0]
    assert gpu["row_remaps"] is None and gpu["retired_pages"] == {"single_bit": 0, "double_bit": 0, "pending": False}
    assert gpu["recovery"] == {"reset_required": None, "drain_recommended": None, "action": None} and gpu["fabric"] is None
    assert gpu["now"]["throttle_reasons"] == ["gpu_idle"] and gpu["now"]["processes"] == []
    assert gpu["mig"] == {"current": None, "pending": None, "devices": []}


def test_a_gpu_that_remaps_rows_and_is_at_work():
    (gpu,) = look(recorded("a10g_v12"))[0]
    assert gpu["retired_pages"] is None and gpu["recovery"]["reset_required"] is False
    assert gpu["row_remaps"] == {"correctable": 0, "uncorrectable": 0, "pending": False, "failure": False, "exhausted_banks": 0}
    assert gpu["now"]["throttle_reasons"] == ["sw_power_cap"] and gpu["now"]["memory_used_mib"] == 18060


def test_arguments_of_processes_are_nowhere():
    found = look(recorded("a10g_v12"))
    assert found[0][0]["now"]["processes"] == [{"pid": 4711, "program": "python3", "type": "C", "memory_mib": 18042}]
    assert "token" not in json.dumps(found)


@pytest.mark.parametrize("name", ["a b", "pass=word", "x" * 65, "/", "é", "https://user:secret@host/"])
def test_what_is_no_plain_file_name_is_no_program(name):
    text = recorded("a10g_v12").replace("/opt/mlinfra/bin/python3 train.py --token=not-for-facts", name)
    (process,) = look(text)[0][0]["now"]["processes"]
    assert process["pid"] == 4711 and process["program"] in (None, "a")


def test_mig_devices():
    gpus, unread = look(recorded("a100_mig_v12"))
    cut, next_time = (gpu["mig"] for gpu in gpus)
    assert (cut["current"], cut["pending"]) == ("enabled", "enabled") and (next_time["current"], next_time["pending"]) == (
        "disabled",
        "enabled",
    )
    assert [device["profile"] for device in cut["devices"]] == ["3g.20gb", "2g.10gb", "1g.5gb", "1g.5gb"]
    assert [device["gpu_instance_id"] for device in cut["devices"]] == [2, 3, 9, 10] and next_time["devices"] == []
    assert [device["uuid"] for device in cut["devices"]] == [None, None, None, "MIG-7d2f9c1a-33b0-5a4e-9f55-0d5b6a1c9e10"]
    assert any("nvidia-smi -L" in entry["why"] for entry in unread)


def test_nvlink_fabric():
    gpus, unread = look(recorded("b200_v13"))
    assert gpus[0]["fabric"]["state"] == "Completed" and gpus[0]["fabric"]["health"]["summary"] == "Healthy"
    assert unread == []
    assert look(recorded("l40s_v12"))[0][0]["fabric"] is None


@pytest.mark.parametrize(
    ("model", "total", "part", "multiprocessors", "profile"),
    [
        ("a100", 40960, 4864, 14, "1g.5gb"),
        ("a100", 40960, 9856, 14, "1g.10gb"),
        ("a100", 81920, 19968, 14, "1g.20gb"),
        ("a100", 81920, 40192, 56, "4g.40gb"),
        ("a100", 40960, 40192, 98, "7g.40gb"),
        ("a100", 40960, 40192, 14, "1c.7g.40gb"),
        ("h100", 81559, 9984, 16, "1g.10gb"),
        ("h100", 81559, 40448, 60, "3g.40gb"),
        ("h200", 143771, 16384, 16, "1g.18gb"),
        ("b200", 183359, 22528, None, "1g.23gb"),
        ("b200", 183359, 45056, 36, None),
        ("a100", 40960, 30000, 42, None),
        ("a30", 24576, 5952, 14, None),
        (None, 40960, 4864, 14, None),
        ("a100", None, 4864, 14, None),
        ("a100", 40960, 0, 14, None),
        ("a100", 40960, 81920, 14, None),
    ],
)
def test_profiles(model, total, part, multiprocessors, profile):
    assert mig_profiles.profile(model, total, part, multiprocessors) == profile
