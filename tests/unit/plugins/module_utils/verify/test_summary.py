# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verify says of what it saw."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.verify.summary import HEADINGS, summary, table

TRAINED = {
    "model": "mlinfra-proof",
    "version": 4,
    "run_id": "ab12",
    "metrics": {"accuracy": 0.9678},
    "classes": [1, 2],
    "artifacts": "/var/lib/mlflow/artifacts",
    "seconds": 5.0,
}
GPU = {
    "present": True,
    "count": 4,
    "models": ["a10g"],
    "driver": {"installed": {"version": "580.95.05"}},
    "driver_state": "coherent",
    "smi": {"available": True, "problem": None, "gpus": [{}, {}, {}, {}]},
}


def seen(there=("node_exporter",), **more):
    return {"there": list(there), "problems": {}, **more}


@pytest.fixture
def two():
    return {
        "gpu1": seen(["node_exporter", "mlflow_server"], training={"predicted": {"seconds": 3.0}}),
        "gpu2": seen(training={"trained": TRAINED}),
    }


def test_all_that_is_there_is_proven(two):
    told = summary(two, "")
    assert told["proven"] and told["problems"] == []
    assert told["hosts"]["gpu1"]["mlflow_server"]["state"] == "proven"
    assert told["hosts"]["gpu2"]["mlflow_server"] == {"state": "not there", "detail": ""}
    trained = told["training"]
    assert (trained["train_host"], trained["predict_host"], trained["separate_hosts"]) == ("gpu2", "gpu1", True)
    assert trained["seconds"] == {"train": 5.0, "predict": 3.0} and "accuracy 0.968" in trained["detail"]
    assert table(told)[0] == "2 hosts: all that is there is proven"
    json.dumps(told)


def test_roles_that_few_hosts_declare_have_a_column_when_one_does(two):
    assert "mig" not in table(summary(two, ""))[1].split()
    two["gpu1"] = seen(["mig", "cuda_toolkit"], problems={"mig": "GPU 0 is not so."}, training=two["gpu1"]["training"])
    told = summary(two, "")
    assert told["problems"] == ["gpu1, mig: GPU 0 is not so."] and "mig" not in told["hosts"]["gpu2"]
    lines = table(told)
    assert lines[1].split()[-2:] == ["cuda", "mig"] and lines[2].endswith("failed") and lines[3].endswith("not there")


def test_no_training_is_no_success_and_no_failure():
    told = summary({"gpu1": seen()}, "no host in group mlinfra_mlflow")
    assert told["proven"] and told["training"] == {"state": "not there", "detail": "no host in group mlinfra_mlflow"}
    assert table(told)[-1] == "training: not there (no host in group mlinfra_mlflow)"


def test_one_host_says_that_it_did_both():
    told = summary({"gpu2": seen(training={"trained": TRAINED, "predicted": {}})}, "")
    assert told["training"]["state"] == "failed"
    told = summary({"gpu2": seen(training={"trained": TRAINED, "predicted": {"seconds": 1.0}})}, "")
    assert told["training"]["separate_hosts"] is False and "the same host, in another process" in told["training"]["detail"]


def test_a_problem_names_host_role_and_what_was_said(two):
    two["gpu2"]["problems"] = {"node_exporter": "does not answer.\n Restart it."}
    told = summary(two, "")
    assert not told["proven"] and told["problems"] == ["gpu2, node_exporter: does not answer. Restart it."]
    assert table(told)[0] == "2 hosts: 1 problem" and "failed" in table(told)[3]


def test_a_failed_training_keeps_what_was_made(two):
    two["gpu1"].update(problems={"training_proof": "no model"}, training=None)
    told = summary(two, "")
    assert told["training"]["state"] == "failed" and told["training"]["version"] == 4
    assert told["problems"] == ["training_proof: gpu1: no model"]


@pytest.mark.parametrize(("report", "word"), [({}, "train"), ({"trained": TRAINED}, "predict")])
def test_half_a_training_is_a_failure(report, word):
    told = summary({"gpu2": seen(training=report)}, "")
    assert told["training"]["detail"] == f"no host was left to {word}" and not told["proven"]


def test_a_host_that_does_not_answer_is_a_failure(two):
    told = summary({**two, "gpu3": None}, "")
    assert told["problems"] == ["gpu3 does not answer any more; see what ansible said of it above."]
    assert {state["state"] for state in told["hosts"]["gpu3"].values()} == {"failed"}


def test_no_host_is_no_success():
    assert not summary({}, "no MLflow")["proven"]


def test_gpus_count_only_when_the_driver_answers():
    there = seen(["nvidia_driver"], gpu=GPU)
    assert summary({"a": there}, "-")["hosts"]["a"]["nvidia_driver"] == {"state": "proven", "detail": "4 x A10G, driver 580.95.05"}
    there["gpu"] = {**GPU, "driver_state": "user_space_only"}
    told = summary({"a": there}, "-")
    assert told["hosts"]["a"]["nvidia_driver"]["state"] == "not proven" and told["proven"]
    assert table(told)[0] == "1 host: all that can be proven here is proven; 1 thing is not (see below)"
    (rest,) = told["not_proven"]
    assert rest.startswith("a, nvidia_driver: ")
    assert table(told)[-1] == "a, gpu: 4 x A10G, driver 580.95.05: user space only"


def test_a_driver_that_waits_for_a_reboot_is_shown_as_such():
    facts = {**GPU, "driver_state": "reboot_pending", "driver_reasons": ["module 580.65.06 is loaded"]}
    lines = table(summary({"a": seen(["nvidia_driver"], gpu=facts), "b": seen()}, "-"))
    assert lines[0] == "2 hosts: all that can be proven now is proven; 1 waits for a reboot"
    assert "reboot pending" in lines[2] and "reboot pending" not in lines[3]
    assert lines[-1] == "a, gpu: 4 x A10G, driver 580.95.05: reboot pending (module 580.65.06 is loaded)"


@pytest.mark.parametrize(
    ("smi", "state"),
    [
        ({"available": True, "problem": "not_run", "error": "no module is loaded", "gpus": []}, "not proven"),
        ({"available": True, "problem": None, "gpus": [{}, {}, {}]}, "failed"),
        ({}, "not proven"),
    ],
)
def test_a_driver_that_shows_not_all_gpus_is_no_proof(smi, state):
    told = summary({"a": seen(["nvidia_driver"], gpu={**GPU, "smi": smi})}, "-")
    assert told["hosts"]["a"]["nvidia_driver"]["state"] == state


@pytest.mark.parametrize(
    ("state", "expected"), [("failed", "failed"), ("degraded", "proven"), ("unknown", "proven"), ("healthy", "proven")]
)
def test_a_gpu_that_has_failed_is_no_proof(state, expected):
    one = {"address": "0000:00:1e.0", "health": {"state": state, "reasons": ["the driver asks for: GPU Reset"]}}
    entry = summary({"a": seen(["nvidia_driver"], gpu={**GPU, "gpus": [one]})}, "-")["hosts"]["a"]["nvidia_driver"]
    assert entry["state"] == expected
    assert ("0000:00:1e.0: the driver asks for: GPU Reset" in entry["detail"]) is (expected == "failed")


def test_a_host_without_a_gpu_has_none_to_prove():
    told = summary({"a": seen(["nvidia_driver"], gpu={"present": False})}, "-")
    assert told["hosts"]["a"]["nvidia_driver"] == {"state": "not there", "detail": "no NVIDIA device"}


def test_table_has_a_column_for_each_role(two):
    lines = table(summary(two, ""))
    assert lines[1].split() == ["host", *HEADINGS.values()] and [line.split()[0] for line in lines[2:4]] == ["gpu1", "gpu2"]
