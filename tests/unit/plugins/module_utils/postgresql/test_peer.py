# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a peer database lacks, in SQL, and what is left alone."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.postgresql import peer

OWN = {"owner": "mlflow", "encoding": "UTF8"}
PLAIN = {"login": True, "superuser": False}


def seen(**other):
    return {"role": PLAIN, "database": OWN, "version": "15", **other}


def test_nothing_to_do():
    assert peer.statements(seen(), "mlflow", "mlflow") == []


def test_all_is_missing():
    made = peer.statements(seen(role=None, database=None), "mlflow", "runs")
    assert [line.split(" ")[:3] for line in made] == [["CREATE", "ROLE", "mlflow"], ["CREATE", "DATABASE", "runs"], ["REVOKE", "ALL", "ON"]]


def test_role_that_cannot_log_in():
    assert peer.statements(seen(role={"login": False, "superuser": False}), "mlflow", "mlflow") == ["ALTER ROLE mlflow LOGIN;"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (seen(role={"login": True, "superuser": True}), "role mlflow is a superuser"),
        (seen(database={"owner": "other", "encoding": "UTF8"}), "belongs to other: expected mlflow"),
        (seen(database={"owner": "mlflow", "encoding": "SQL_ASCII"}), "encoding SQL_ASCII: expected UTF8"),
    ],
)
def test_refused(state, words):
    assert words in peer.refusal(state, "mlflow", "mlflow")


def test_own_things_are_accepted():
    assert peer.refusal(seen(), "mlflow", "mlflow") == "" == peer.refusal(seen(role=None, database=None), "mlflow", "mlflow")


@pytest.mark.parametrize(
    ("name", "good"), [("mlflow", True), ("ml_flow2", True), ("ml-flow", False), ("x';--", False), ("Upper", False), ("", False)]
)
def test_names_need_no_quotes(name, good):
    assert (peer.problem_of("role", name) == "") is good


def test_look_is_one_statement():
    assert peer.look("mlflow", "runs").count(";") == 1
    assert peer.parse('{"role": null, "database": null, "version": "15"}')["version"] == "15"
