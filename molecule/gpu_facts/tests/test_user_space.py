# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user space whose kernel module comes from elsewhere, on a host whose GPUs have NVLinks."""

from __future__ import annotations

POOL = "h100"
VERSION = "580.95.05"


def test_user_space_alone(host, look, driver):
    assert driver(VERSION).rc == 0
    facts = look()
    assert facts["driver_state"] == "user_space_only" and facts["driver"]["installed"]["version"] == VERSION
    assert facts["driver"]["installed"]["source"] == "packages" and facts["smi"]["problem"] == "not_run"
    host.check_output(f"sudo stub-nvidia load {VERSION}")
    facts = look(become=True)
    assert facts["driver_state"] == "coherent" and facts["driver"]["loaded"] == {"version": VERSION, "flavor": "open", "is_loaded": True}
    assert [gpu["address"] for gpu in facts["smi"]["gpus"]] == [gpu["address"] for gpu in facts["devices"]]
    assert facts["smi"]["version"] == VERSION and facts["mig"]["supported"] is False
    assert [(gpu["nvlink"]["state"], len(gpu["nvlink"]["links"])) for gpu in facts["gpus"]] == [("active", 18)] * facts["count"]
    assert facts["unread"] == []
    # Root or not, but for who has its device files open: the stand-in's nvidia-smi says nothing of processes.
    seen = look()
    assert seen["users"] is None and [entry["what"] for entry in seen["unread"]] == ["/proc/*/fd"]
    assert {**seen, "users": [], "unread": []} == facts
    host.check_output("echo '3 17' | sudo tee /run/stub-nvidia/inactive")
    degraded = [gpu for gpu in look()["gpus"] if gpu["health"]["state"] == "degraded"]
    assert [(gpu["index"], gpu["health"]["reasons"][0]) for gpu in degraded] == [(3, "1 of its 18 NVLinks are inactive: 17")]
    host.check_output("sudo touch /run/stub-nvidia/hangs")
    facts = look("smi_timeout=1")
    assert facts["smi"]["problem"] == "timeout" and facts["driver_state"] == "coherent"
