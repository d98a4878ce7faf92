# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who trains and who predicts."""

from __future__ import annotations

import pytest


@pytest.fixture
def who(value_of):
    """Function (hosts of the play, servers, {host: mlinfra_configure}) → (who trains, who predicts)."""

    def value(hosts, servers, wished=None, **settings):
        given = {
            "ansible_play_hosts": hosts,
            "groups": {"mlinfra_mlflow": servers},
            "hostvars": {host: {"mlinfra_configure": (wished or {})[host]} if host in (wished or {}) else {} for host in hosts},
            **settings,
        }
        return tuple(value_of("training_proof", f"_training_proof_{one}", **given) for one in ("first", "second"))

    return value


def test_the_server_serves_while_there_are_others(who):
    assert who(["cpu-0", "train-0", "train-1"], ["cpu-0"]) == ("train-0", "train-1")
    assert who(["cpu-0", "train-0"], ["cpu-0"]) == ("train-0", "cpu-0")
    assert who(["one"], ["one"]) == ("one", "one")


@pytest.mark.parametrize("wished", [["host_baseline", "node_exporter"], "host_baseline, node_exporter"])
def test_hosts_without_environments_run_no_jobs(who, wished):
    hosts = ["bastion-0", "mlflow-0", "train-0", "zoo-0"]
    assert who(hosts, ["mlflow-0"], {"bastion-0": wished, "zoo-0": wished}) == ("train-0", "mlflow-0")


def test_a_wish_counts(who):
    assert who(["a", "b", "c"], ["c"], training_proof_train_host="b") == ("b", "a")
    assert who(["a", "b", "c"], ["c"], training_proof_predict_host="c") == ("a", "c")
