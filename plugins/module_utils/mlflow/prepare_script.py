# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Runs with the Python of MLflow's own environment, as the service's user: can it use its database and its bucket? And prepares them.

Standard input: {"running": whether the server runs meanwhile, "database", "auth_database": SQLAlchemy URLs,
"bucket", "endpoint_url", "region": text or null, "backups": folder, "admin": {"name", "password", "replace": bool}}.
Nothing secret is on the command line or in the environment.
Standard output: one line of JSON, {"problem": {"about": "database" | "bucket" | "schema", "text"}} or
{"stop": whether a schema wants an upgrade for which the server must stop first (nothing was done then), "did": [text]}.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time

PATIENCE = 10  # seconds for one connection


class Problem(Exception):
    """What keeps the server from its work: (about, text)."""


def first_lines(error):
    """The driver's words, without SQLAlchemy's frame around them."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def connect(url):
    """An engine that has connected once."""
    import sqlalchemy

    options = {"connect_timeout": PATIENCE} if url.startswith("postgresql") else {}
    try:
        engine = sqlalchemy.create_engine(url, connect_args=options)
        with engine.connect():
            return engine
    except (sqlalchemy.exc.SQLAlchemyError, ImportError, ValueError, UnicodeError) as error:
        raise Problem("database", first_lines(error)) from None


def missing_file(url):
    """Whether this is an SQLite database that nobody has made yet; opening it would make it."""
    return url.startswith("sqlite:///") and not os.path.exists(url[len("sqlite:///") :])


def look_at_store(url, version_table, script):
    """{revision, head, empty} of one of MLflow's two stores. `script` is Alembic's folder of all the revisions that this MLflow knows."""
    import sqlalchemy
    from alembic.migration import MigrationContext

    head = script.get_current_head()
    if missing_file(url):
        return {"revision": None, "head": head, "empty": True}
    engine = connect(url)
    try:
        with engine.connect() as connection:
            tables = set(sqlalchemy.inspect(connection).get_table_names())
            revision = MigrationContext.configure(connection, opts={"version_table": version_table}).get_current_revision()
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise Problem("database", first_lines(error)) from None
    finally:
        engine.dispose()
    if revision is not None and revision not in {known.revision for known in script.walk_revisions()}:
        raise Problem("schema", "its schema is at revision %s, which this MLflow does not know: a newer one has made it" % revision)
    marker = "users" if version_table == "alembic_version_auth" else "experiments"
    return {"revision": revision, "head": head, "empty": marker not in tables}


def look_at_stores(given):
    """{store: what look_at_store says}."""
    from alembic.script import ScriptDirectory
    from mlflow.server.auth.db.utils import _get_alembic_config as auth_config
    from mlflow.store.db.utils import _get_alembic_config as tracking_config

    return {
        "tracking": look_at_store(given["database"], "alembic_version", ScriptDirectory.from_config(tracking_config(""))),
        "auth": look_at_store(given["auth_database"], "alembic_version_auth", ScriptDirectory.from_config(auth_config(""))),
    }


def look_at_bucket(given):
    """Ask S3 for the bucket, with the credentials that the service will find: those of the instance's role."""
    import boto3
    from botocore import exceptions
    from botocore.config import Config

    settings = Config(connect_timeout=PATIENCE, read_timeout=PATIENCE, retries={"max_attempts": 2, "mode": "standard"})
    try:
        client = boto3.client("s3", endpoint_url=given["endpoint_url"], region_name=given["region"], config=settings)
        client.head_bucket(Bucket=given["bucket"])
    except exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        said = {404: "there is no such bucket", 403: "access is denied", 400: "the request was refused (400)"}
        raise Problem("bucket", said.get(status, "S3 answered %s" % status)) from None
    except exceptions.NoCredentialsError:
        raise Problem("bucket", "this host has no credentials: its instance has no role, or its metadata service is off") from None
    except (exceptions.BotoCoreError, ValueError) as error:
        raise Problem("bucket", first_lines(error)) from None


def back_up(url, folder, revision):
    """A copy of an SQLite file, made while others may use it; its path, or None for another kind of database."""
    if not url.startswith("sqlite:///") or missing_file(url):
        return None
    import sqlite3

    source = url[len("sqlite:///") :]
    name, suffix = os.path.splitext(os.path.basename(source))
    copy = os.path.join(folder, "%s-%s-%s%s" % (name, revision or "unversioned", time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), suffix))
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(copy)) as new:
            old.backup(new)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            os.unlink(copy)
        raise Problem("database", "it cannot be copied to %s before its schema is upgraded: %s" % (copy, first_lines(error))) from None
    return copy


def bring_up_to_date(given, stores):
    """Make or upgrade the schemas that are not at their head; what was done, in words."""
    import sqlalchemy
    from mlflow.db import upgrade
    from mlflow.server.auth.db.utils import migrate_if_needed

    did = []
    for store, url in (("tracking", given["database"]), ("auth", given["auth_database"])):
        seen = stores[store]
        if seen["revision"] == seen["head"]:
            continue
        copy = None if seen["empty"] else back_up(url, given["backups"], seen["revision"])
        try:
            if store == "tracking":
                upgrade.callback(url=url)
            else:
                engine = sqlalchemy.create_engine(url)
                migrate_if_needed(engine, "head")
                engine.dispose()
        except Exception as error:  # whatever a revision's script raises
            kept = "; the file as it was before is %s" % copy if copy else ""
            raise Problem(
                "schema", "its schema (%s) cannot be brought to %s: %s%s" % (store, seen["head"], first_lines(error), kept)
            ) from None
        did.append("%s schema made" % store if seen["empty"] else "%s schema from %s to %s" % (store, seen["revision"], seen["head"]))
        did += ["backup %s" % copy] if copy else []
    return did


def settle_admin(given):
    """The administrator is there before the server answers anybody; what was done, in words."""
    try:
        return settled_admin(given)
    except Exception as error:  # MLflow's own and SQLAlchemy's, whose text has what was to be written: a password's hash
        cause = error.__cause__ or error
        reason = first_lines(cause) if getattr(cause, "orig", None) else type(cause).__name__
        raise Problem("database", "the administrator's account cannot be written: %s" % reason) from None


def settled_admin(given):
    """See settle_admin."""
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    admin, store = given["admin"], SqlAlchemyStore()
    store.init_db(given["auth_database"])
    if not store.has_user(admin["name"]):
        store.create_user(admin["name"], admin["password"], is_admin=True)
        return ["account %s made" % admin["name"]]
    if admin["replace"] and not store.authenticate_user(admin["name"], admin["password"]):
        store.update_user(admin["name"], password=admin["password"], is_admin=True)
        return ["password of account %s set anew" % admin["name"]]
    return []


def work(given):
    """See the module's head."""
    stores = look_at_stores(given)
    if given["bucket"]:
        look_at_bucket(given)
    if given["running"] and any(store["revision"] != store["head"] and not store["empty"] for store in stores.values()):
        return {"stop": True, "did": []}
    return {"stop": False, "did": bring_up_to_date(given, stores) + settle_admin(given)}


def main():
    given = json.load(sys.stdin)
    os.umask(0o077)
    said = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer = work(given)
        except Problem as problem:
            answer = {"problem": {"about": problem.args[0], "text": problem.args[1]}}
    said.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
