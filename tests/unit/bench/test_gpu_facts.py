# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree that gpu_facts is measured on is read as the host that it stands for, by one program that is run twice."""

from __future__ import annotations

from bench import gpu_facts as bench


def test_a_host_with_eight_gpus(tmp_path):
    bench.put_bus(tmp_path)
    bench.put_software(tmp_path)
    _seconds, _used, ran, found = bench.measure(tmp_path, bench.put_smi(tmp_path))
    assert ran == ["nvidia-smi -q -x", "nvidia-smi nvlink --status"]
    assert [len(gpu["nvlink"]["links"]) for gpu in found["gpus"]] == [18] * 8
    assert [gpu["address"] for gpu in found["gpus"]] == [f"0000:{bus}:00.0" for bus in bench.GPUS]
    assert {gpu["health"]["state"] for gpu in found["gpus"]} == {"healthy"}
    assert (len(found["nvswitches"]), len(found["efa"]["devices"]), found["nvswitch_count"]) == (4, 32, 4)
    assert {entry["state"] for entry in found["driver"]["dkms_modules"]} == {"built"} and found["kernel"]["without_headers"] == []
    assert found["cdi"][0]["devices"] == list("01234567") and found["engine_settings"]["docker"]["nvidia_runtime"] is True
    assert found["unread"] == []
