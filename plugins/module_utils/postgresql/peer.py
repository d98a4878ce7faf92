# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A PostgreSQL role that logs in by its system user's name, and a database of its own: what is there, what is wished, in SQL. Pure.

Source: https://www.postgresql.org/docs/15/auth-peer.html, catalogs pg_roles and pg_database.
"""

from __future__ import annotations

import json
import re

# No quoting anywhere: such a name means the same in SQL, in a URL and to the system.
NAME = re.compile(r"^[a-z][a-z0-9_]{0,30}$")
LOOK = """SELECT json_build_object(
  'role', (SELECT json_build_object('login', rolcanlogin, 'superuser', rolsuper) FROM pg_roles WHERE rolname = '{role}'),
  'database', (SELECT json_build_object('owner', pg_get_userbyid(datdba), 'encoding', pg_encoding_to_char(encoding))
               FROM pg_database WHERE datname = '{database}'),
  'version', current_setting('server_version'));"""


def problem_of(option, name):
    """What is wrong with the name; empty when nothing is."""
    if NAME.match(name):
        return ""
    return "%s is %r: expected a letter, then letters, digits and _, all small, 31 at most." % (option, name)


def look(role, database):
    """SQL that answers with one line of JSON, {"role", "database", "version"}; null for what is not there."""
    return LOOK.format(role=role, database=database)


def parse(text):
    """What `look` answered. :raises ValueError: it is no such answer."""
    return json.loads(text)


def refusal(seen, role, database):
    """Why this must not be changed; empty when it may."""
    if seen["role"] and seen["role"]["superuser"]:
        return "PostgreSQL role %s is a superuser: a service must not be one. Choose another, or take that away (ALTER ROLE)." % role
    there = seen["database"]
    if there and there["encoding"] != "UTF8":
        return "PostgreSQL database %s has encoding %s: expected UTF8. Choose another database; an encoding cannot be changed." % (
            database,
            there["encoding"],
        )
    if there and there["owner"] != role:
        return "PostgreSQL database %s belongs to %s: expected %s. Choose another, or give it away (ALTER DATABASE ... OWNER TO)." % (
            database,
            there["owner"],
            role,
        )
    return ""


def statements(seen, role, database):
    """SQL that makes what is missing, one statement each: CREATE DATABASE stands alone."""
    found = []
    if not seen["role"]:
        found.append("CREATE ROLE %s LOGIN;" % role)
    elif not seen["role"]["login"]:
        found.append("ALTER ROLE %s LOGIN;" % role)
    if not seen["database"]:
        # From template0, because a cluster of a system without locales has another encoding than UTF8.
        found.append("CREATE DATABASE %s OWNER %s ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;" % (database, role))
        found.append("REVOKE ALL ON DATABASE %s FROM PUBLIC;" % database)
    return found
