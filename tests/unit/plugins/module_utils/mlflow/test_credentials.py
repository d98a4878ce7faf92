# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts' files, and passwords kept out of text."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow import credentials


@pytest.mark.parametrize("password", ["plum & pear pie", 'a"b\\c%(d)s$e;f#g', "Zwetschge: ä = ö", "=begins-so"])
def test_file_keeps_any_password(password):
    assert credentials.parse(credentials.render("jobs", password)) == ("jobs", password)


@pytest.mark.parametrize(
    "text", ["", "secret", "[mlflow]\nmlflow_tracking_password = secret\n", "[other]\nx = secret\n", "[mlflow]\n secret\n"]
)
def test_file_without_an_account_is_named_without_its_content(text):
    with pytest.raises(credentials.CredentialsError, match="^/etc/x holds no MLflow account") as refused:
        credentials.parse(text, "/etc/x")
    assert "secret" not in str(refused.value)


def test_generated_passwords_differ_and_are_accepted():
    made = {credentials.generate() for _unused in range(20)}
    assert len(made) == 20
    assert not any(credentials.problem_of(password) for password in made)


@pytest.mark.parametrize(
    ("password", "words"), [("short", "has 5 characters"), (" twelve letters", "space"), ("twelve\nletters!", "control")]
)
def test_password_that_cannot_be_kept(password, words):
    problem = credentials.problem_of(password)
    assert words in problem and password not in problem


def test_text_shows_no_password_in_any_form():
    text = "FATAL p@ss%40 for postgresql+psycopg2://mlflow:p%40ss%2540@db:5432/x, other://u:secret@h"
    shown = credentials.without(text, credentials.of_url("postgresql://mlflow:p%40ss%2540@db/x"))
    assert shown == "FATAL ******** for postgresql+psycopg2://mlflow:********@db:5432/x, other://u:********@h"


def test_password_among_the_parameters_is_one():
    assert credentials.of_url("postgresql://db/x?user=u&password=p%40ss") == ("p%40ss", "p@ss")


def test_url_without_password_hides_nothing():
    url = "sqlite:////var/lib/x.db"
    assert credentials.without(url + ": no", credentials.of_url(url)) == url + ": no"
