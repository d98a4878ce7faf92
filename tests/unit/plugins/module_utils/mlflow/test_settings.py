# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server's files say, and which wishes are refused."""

from __future__ import annotations

import configparser
import re

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow import settings

WISH = {
    "database_url": "sqlite:////var/lib/mlflow/mlflow.db",
    "artifacts": "/var/lib/mlflow/artifacts",
    "admin_username": "admin",
    "admin_password": None,
    "job_username": "jobs",
    "job_password": None,
}
URL = 'postgresql+psycopg2://u:p%40$HOME`"\\x@db/mlflow'
KEY = "k" * 32


def test_environment_file_is_read_back_as_it_was_meant():
    text = settings.environment(URL, KEY, "/etc/mlflow/basic_auth.ini")
    # systemd.exec(5): in double quotes, a backslash takes the meaning from " \\ $ and `.
    pairs = {name: re.sub(r'\\(["\\$`])', r"\1", value) for name, value in re.findall(r'^(\w+)="(.*)"$', text, re.MULTILINE)}
    assert pairs["MLFLOW_BACKEND_STORE_URI"] == URL
    assert settings.kept_secret_key(text) == pairs["MLFLOW_FLASK_SERVER_SECRET_KEY"] == KEY


def test_no_key_in_a_file_of_somebody_else():
    assert settings.kept_secret_key("MLFLOW_FLASK_SERVER_SECRET_KEY=\n") is None


def test_mlflow_reads_the_percent_signs_of_a_url():
    parser = configparser.ConfigParser()
    parser.read_string(settings.basic_auth(URL, "admin", "READ"))
    assert parser["mlflow"]["database_uri"] == URL
    assert "admin_password" not in parser["mlflow"]


def test_diff_marks_a_new_secret_and_shows_none():
    before = settings.environment(URL, KEY, "/etc/mlflow/basic_auth.ini")
    after = settings.environment("postgresql://u:other@db/mlflow", KEY, "/etc/mlflow/basic_auth.ini")
    shown = settings.shown(after, before)
    assert "MLFLOW_BACKEND_STORE_URI=(new value)" in shown and "MLFLOW_FLASK_SERVER_SECRET_KEY=(hidden)" in shown
    assert settings.shown(before) != shown
    assert not [secret for secret in (URL, KEY, "other") if secret in shown + settings.shown(before)]
    assert "(hidden)" in settings.shown(settings.basic_auth(URL, "admin", "READ"))


@pytest.mark.parametrize(
    ("artifacts", "bucket"),
    [("s3://b-1.x", ("b-1.x", "")), ("s3://bucket/a/b/", ("bucket", "a/b")), ("/srv/x", None), ("s3://B", None), ("s3://bucket/a b", None)],
)
def test_bucket(artifacts, bucket):
    assert settings.bucket_of(artifacts) == bucket


def test_driver_is_named():
    assert settings.with_driver("postgresql://x/y") == "postgresql+psycopg2://x/y"
    assert settings.with_driver("postgresql+psycopg2://x/y") == "postgresql+psycopg2://x/y"
    assert settings.with_driver(WISH["database_url"]) == WISH["database_url"]


def test_no_problem_with_a_plain_wish():
    assert settings.problems(WISH) == []


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("database_url", "mysql://u:topsecret@h/d", r"mlflow_server_database_url is no URL .* another scheme .* not shown"),
        ("database_url", "topsecret", "mlflow_server_database_url .* has no scheme"),
        ("artifacts", "gs://bucket", "mlflow_server_artifacts is 'gs://bucket': expected an absolute path, or s3://BUCKET/PREFIX"),
        ("admin_password", "topsecret", "mlflow_server_admin_password has 9 characters: MLflow wants at least 12"),
        ("job_username", "admin", "mlflow_server_job_username is 'admin', which is the administrator"),
        ("admin_username", "a b", "mlflow_server_admin_username is 'a b': expected letters"),
    ],
)
def test_refused(option, value, message):
    (problem,) = settings.problems({**WISH, option: value})
    assert re.search(message, problem), problem
    assert "topsecret" not in problem
