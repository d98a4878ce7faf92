# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""prepare_script.py, run with the Python of MLflow's environment as the service's user, and what its answers mean to a person."""

from __future__ import annotations

import json
import pkgutil
import pwd
import subprocess
from urllib.parse import urlsplit

from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow import credentials, prepare_script

TIMEOUT = 900  # seconds: an upgrade of a large database takes its time
# What the service has, and nothing else: no proxy, key or profile of the person who runs the task decides whether it works.
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet", "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}


class PrepareError(Exception):
    """What keeps the server from its work, in words for the user, without secrets."""


def run(python, user, given):
    """The script's answer, {"stop", "did"}. given: its input; see there.

    :raises PrepareError: it found a problem, or did not work.
    """
    account = pwd.getpwnam(user)
    secrets = [given["admin"]["password"]]
    for url in (given["database"], given["auth_database"]):
        secrets += credentials.of_url(url)
    source = pkgutil.get_data(prepare_script.__package__, "prepare_script.py").decode("utf-8")
    try:
        done = subprocess.run(
            [python, "-I", "-c", source],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
            cwd="/",
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=[],
            env=dict(QUIET, HOME=account.pw_dir),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        text = "did not end within %d s" % TIMEOUT if isinstance(error, subprocess.TimeoutExpired) else str(error)
        raise PrepareError("%s cannot try the settings: %s. Is the environment whole?" % (python, text)) from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        last = credentials.without("\n".join(done.stderr.strip().splitlines()[-5:]), secrets)
        raise PrepareError("%s ended with %d while it tried the settings. Its last words:\n%s" % (python, done.returncode, last)) from None
    if "problem" in answer:
        raise PrepareError(credentials.without(sentence(answer["problem"], given), secrets))
    return answer


def sentence(problem, given):
    """The problem with the setting that it is about, and the next step. problem: {about, text}."""
    said = problem["text"].rstrip(". ")
    if problem["about"] == "bucket":
        return "mlflow_server_artifacts is in the bucket %s%s: %s. %s" % (
            given["bucket"],
            " at %s" % given["endpoint_url"] if given["endpoint_url"] else "",
            said,
            "Create the bucket, and let the instance's role list, read and write it (aws_stack_buckets, aws_stack_identity.write).",
        )
    where = place(given["database"])
    if where.startswith("/"):
        return "The database %s: %s. Look at the file, and at the folder's owner and free space." % (where, said)
    if problem["about"] == "schema":
        return "The database %s: %s. Use the MLflow that made it or a newer one, or restore a backup." % (where, said)
    return "The database %s cannot be used: %s. Check mlflow_server_database and mlflow_server_database_url. Nothing was changed." % (
        where,
        said,
    )


def place(url):
    """Where a database is, without user or password: the file of SQLite, else host, port and name."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return parts.path[1:]
    host = parts.netloc.rpartition("@")[2]
    return host + parts.path if host else "%s on the local socket" % parts.path.strip("/")
