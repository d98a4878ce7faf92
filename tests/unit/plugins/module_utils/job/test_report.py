# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read out of a job's output, and what never gets out of it."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.job import report

CREDENTIALS = "[mlflow]\nmlflow_tracking_username = jobs\nmlflow_tracking_password = Pflaumenmus-7\n# rotated: yesterday\n"


def test_values_of_an_ini_file_are_secrets_and_its_names_are_not():
    assert report.secrets_in(CREDENTIALS) == ["Pflaumenmus-7"]  # "jobs" is too short to be masked without harm


@pytest.mark.parametrize("text", ["token: Pflaumenmus-7", "'Pflaumenmus-7'\n", 'password="Pflaumenmus-7"'])
def test_other_files_of_secrets(text):
    assert report.secrets_in(text) == ["Pflaumenmus-7"]


def test_longer_secrets_go_first():
    assert report.secrets_in("a = Pflaume\nb = Pflaumenmus") == ["Pflaumenmus", "Pflaume"]


def test_secrets_are_masked_at_any_depth():
    value = {"a": ["x Pflaumenmus y", 3], "Pflaumenmus": {"b": "http://jobs:Zwetschge@server:5000/p"}, "c": None}
    masked = report.masked(value, ["Pflaumenmus"])
    assert masked == {"a": ["x ******** y", 3], "********": {"b": "http://********@server:5000/p"}, "c": None}


@pytest.mark.parametrize("url", ["http://server:5000/path@x", "s3://bucket/a:b@c", "see 10:30 @ home"])
def test_what_only_looks_like_a_password_stays(url):
    assert report.masked(url, []) == url


def test_result_is_the_last_line():
    assert report.result_of('noise\n{"a": 1}\n\n') == {"a": 1}


@pytest.mark.parametrize(("output", "told"), [("", "it printed nothing"), ("{}\nbye", "'bye': expected JSON")])
def test_no_result_is_told(output, told):
    with pytest.raises(report.JobError, match=told):
        report.result_of(output)


def test_a_traceback_shrinks_to_its_exception():
    errors = 'Traceback (most recent call last):\n  File "a", line 1\n    x()\n    ^^^\nValueError: no\nsecond line\n'
    assert report.last_words(errors) == ["ValueError: no", "second line"]


def test_of_chained_tracebacks_the_last_one_counts():
    trace = "Traceback (most recent call last):\n  File\n"
    assert report.last_words(f"{trace}KeyError: 1\n\nDuring handling …\n\n{trace}OSError: disk full") == ["OSError: disk full"]


def test_without_a_traceback_the_last_lines_count():
    assert report.last_words("\n".join(str(n) for n in range(20))) == [str(n) for n in range(12, 20)]


@pytest.mark.parametrize(
    ("code", "words"), [(3, "exit code 3"), (-15, "SIGTERM"), (-9, "SIGKILL, as the kernel does"), (-64, "SIGRTMAX"), (-99, "signal 99")]
)
def test_ending_in_words(code, words):
    assert report.ending(code).startswith(words)
