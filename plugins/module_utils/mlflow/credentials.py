# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Files that hold the name and password of one MLflow account, and keeping such values out of what people see.

Format: MLflow's own ~/.mlflow/credentials (https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/), an INI file.
"""

from __future__ import annotations

import configparser
import io
import re
import secrets
from urllib.parse import quote, quote_plus, unquote, urlsplit

SECTION = "mlflow"
USERNAME, PASSWORD = "mlflow_tracking_username", "mlflow_tracking_password"
# MLflow refuses shorter ones (mlflow.utils.validation._validate_password of 3.17).
SHORTEST = 12
#: What a password replaced by this was shows neither its length nor its letters.
HIDDEN = "********"


class CredentialsError(Exception):
    """A file that holds no account, in words for the user; never with its content."""


def generate():
    """A password of 32 letters, digits, - and _ (192 random bits)."""
    return secrets.token_urlsafe(24)


def render(name, password):
    """Text of the file."""
    return "[%s]\n%s = %s\n%s = %s\n" % (SECTION, USERNAME, name, PASSWORD, password)


def parse(text, path="the file"):
    """(name, password) of a file that `render` or a person wrote.

    :raises CredentialsError: one of the two is not in it.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_file(io.StringIO(text))
        return parser[SECTION][USERNAME], parser[SECTION][PASSWORD]
    except (configparser.Error, KeyError):
        # The parser's own message would show the line.
        raise CredentialsError(
            "%s holds no MLflow account: expected [%s] with %s and %s. Remove the file, and run the role again."
            % (path, SECTION, USERNAME, PASSWORD)
        ) from None


def problem_of(password):
    """What keeps this from being a password, in words without it; empty when nothing does."""
    if len(password) < SHORTEST:
        return "has %d characters: MLflow wants at least %d" % (len(password), SHORTEST)
    if re.search(r"[\x00-\x1f\x7f]", password) or password != password.strip():
        return "begins or ends with a space, or has a control character: neither survives the file that it is kept in"
    return ""


def of_url(url):
    """The password in a database URL as it is written there and as it is meant; empty strings without one."""
    try:
        parts = urlsplit(url)
        # libpq takes it among the parameters, too
        named = re.search(r"(?:^|&)password=([^&]*)", parts.query)
        written = parts.password or (named.group(1) if named else "")
    except ValueError:
        written = ""
    return written, unquote(written)


def without(text, hidden):
    """The text with each of these values replaced, as such and as a URL would carry it."""
    forms = {form for value in hidden if value for form in (value, quote(value, safe=""), quote_plus(value))}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return re.sub(r"(?<=://)([^\s:/@]*):[^\s@/]+@", r"\1:%s@" % HIDDEN, text)
