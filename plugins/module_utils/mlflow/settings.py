# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What an MLflow server's files shall say, as text, and what is wrong with the wish. Pure.

Formats: systemd.exec(5) for EnvironmentFile=, mlflow/server/auth/basic_auth.ini of MLflow 3.17.
"""

from __future__ import annotations

import hashlib
import json
import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow import credentials

HEADER = "# Written by mlinfra.hosts.mlflow_settings: changes by hand are lost.\n"
#: Lines that hold a secret, in either file.
SECRET_KEYS = ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_FLASK_SERVER_SECRET_KEY", "database_uri")
BUCKET = re.compile(r"^s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9!_.*'()/=+@-]*))?$")
DATABASE = re.compile(r"^(?:postgresql(?:\+psycopg2)?://|sqlite:////)\S+$")


def with_driver(url):
    """The URL with the driver that the environment has: which one SQLAlchemy takes by itself has changed (2.1: psycopg)."""
    return re.sub(r"^postgresql://", "postgresql+psycopg2://", url)


def quoted(value):
    """The value as one word of an EnvironmentFile."""
    return '"%s"' % re.sub(r'([\\"$`])', r"\\\1", value)


def environment(database, secret_key, auth_config):
    """Text of the service's EnvironmentFile: all of its secrets but the accounts' passwords, which no service needs."""
    pairs = {"MLFLOW_AUTH_CONFIG_PATH": auth_config, "MLFLOW_BACKEND_STORE_URI": database, "MLFLOW_FLASK_SERVER_SECRET_KEY": secret_key}
    return HEADER + "".join("%s=%s\n" % (name, quoted(pairs[name])) for name in sorted(pairs))


def kept_secret_key(text):
    """The Flask key of an environment file that `environment` wrote; None when there is none."""
    match = re.search(r'^MLFLOW_FLASK_SERVER_SECRET_KEY="([0-9A-Za-z_-]{32,})"$', text, re.MULTILINE)
    return match.group(1) if match else None


def basic_auth(auth_database, admin, default_permission):
    """Text of basic_auth.ini. It names the administrator without a password: the account is there before the service first starts."""
    values = {
        "admin_username": admin,
        # Checking a password takes a slow hash for each request. A password that was changed is good for as long in the other workers.
        "auth_cache_ttl_seconds": "30",
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        "database_uri": auth_database,
        "default_permission": default_permission,
    }
    return HEADER + "[mlflow]\n" + "".join("%s = %s\n" % (name, values[name].replace("%", "%%")) for name in sorted(values))


def shown(text, before=""):
    """The text as a diff may show it. With `before`, a secret that differs from the one there is marked as new."""
    old = dict(_secrets(before))

    def hide(match):
        fresh = before and old.get(match.group("name")) != match.group("value")
        return "%s%s" % (match.group("head"), "(new value)" if fresh else "(hidden)")

    return re.sub(r"^(?P<head>(?P<name>%s)\s*=\s*)(?P<value>.*)$" % "|".join(SECRET_KEYS), hide, text, flags=re.MULTILINE)


def _secrets(text):
    return re.findall(r"^(%s)\s*=\s*(.*)$" % "|".join(SECRET_KEYS), text, re.MULTILINE)


def bucket_of(artifacts):
    """(bucket, prefix) of an s3:// URL, None of a path."""
    match = BUCKET.match(artifacts)
    return (match.group(1), (match.group(2) or "").strip("/")) if match else None


def fingerprint(prepared):
    """What was prepared, in 64 hexadecimal digits. prepared: JSON-able; it is kept beside secrets, where only root reads."""
    return hashlib.sha256(json.dumps(prepared, sort_keys=True).encode()).hexdigest()


def problems(wish):
    """Messages about values that are wrong on any host. wish: the options of module mlflow_settings; no secret is in a message."""
    found = []
    if not DATABASE.match(wish["database_url"]):
        found.append(
            "mlflow_server_database_url is no URL that this role knows: expected postgresql://USER:PASSWORD@HOST:PORT/NAME, with other "
            "characters than letters, digits and - . _ ~ in user and password written as %%XX (it %s). The value is not shown."
            % ("has no scheme" if "://" not in wish["database_url"] else "has another scheme or a space")
        )
    if not wish["artifacts"].startswith("/") and bucket_of(wish["artifacts"]) is None:
        found.append("mlflow_server_artifacts is %r: expected an absolute path, or s3://BUCKET/PREFIX." % wish["artifacts"])
    for option in ("admin", "job"):
        password = wish[option + "_password"]
        problem = credentials.problem_of(password) if password is not None else ""
        if problem:
            found.append("mlflow_server_%s_password %s. Choose another, or leave it out to have one made." % (option, problem))
        if not re.match(r"^[A-Za-z0-9][A-Za-z0-9._@-]*$", wish[option + "_username"]):
            found.append("mlflow_server_%s_username is %r: expected letters, digits and . _ @ -." % (option, wish[option + "_username"]))
    if wish["admin_username"] == wish["job_username"]:
        found.append(
            "mlflow_server_job_username is %r, which is the administrator: jobs want an account of their own." % wish["job_username"]
        )
    return found
