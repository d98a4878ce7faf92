# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""MLflow's REST API as far as accounts go, over ansible.module_utils.urls.

Source of the paths and bodies: mlflow/server/auth/routes.py and client.py of MLflow 3.17,
https://mlflow.org/docs/latest/api_reference/auth/rest-api.html. All bodies are JSON.

| call | sent | answer |
|---|---|---|
| GET /health | | text OK, without an account |
| GET /api/2.0/mlflow/users/current | | {"user": {"id", "username", "is_admin"}, "is_basic_auth"} |
| GET /api/2.0/mlflow/users/get | ?username | {"user": {"id", "username", "is_admin", ...}}, 404 |
| POST /api/2.0/mlflow/users/create | {"username", "password"} | {"user": ...}, 400 |
| PATCH /api/2.0/mlflow/users/update-password | {"username", "password"[, "current_password" of oneself]} | {} |
| PATCH /api/2.0/mlflow/users/update-admin | {"username", "is_admin"} | {} |
| DELETE /api/2.0/mlflow/users/delete | {"username"} | {} |
"""

from __future__ import annotations

import json
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import quote

from ansible.module_utils.urls import Request

USERS = "/api/2.0/mlflow/users/"
TIMEOUT = 30


class MlflowError(Exception):
    """An answer that is neither success nor what the caller asked about; status is its HTTP status."""

    def __init__(self, message, status=None):
        super().__init__(message)
        self.status = status


class Silence(MlflowError):
    """No answer at all."""


class MlflowClient:
    """One account's view of a server. Without a name, nobody's."""

    def __init__(self, url, name=None, password=None, request=None):
        self.url = url.rstrip("/")
        self.name = name
        self._password = password
        self._request = request or Request(use_proxy=False, timeout=TIMEOUT, http_agent="mlinfra.hosts")

    def _open(self, method, path, body=None):
        """The answer's text.

        :raises MlflowError: a status of 400 or more. :raises Silence: no answer.
        """
        options = {"headers": {"Content-Type": "application/json"}}
        if self.name is not None:
            options.update(url_username=self.name, url_password=self._password, force_basic_auth=True)
        try:
            answer = self._request.open(method, self.url + path, data=None if body is None else json.dumps(body), **options)
            return answer.read().decode("utf-8", "replace")
        except HTTPError as error:
            raise MlflowError("%s %s%s answers %d: %s" % (method, self.url, path, error.code, _reason(error)), error.code) from None
        except (OSError, HTTPException) as error:
            raise Silence("%s does not answer: %s" % (self.url, getattr(error, "reason", None) or error)) from None

    def _json(self, method, path, body=None):
        text = self._open(method, path, body)
        try:
            return json.loads(text or "{}")
        except ValueError:
            raise MlflowError("%s %s%s answers no JSON: is another service behind this address?" % (method, self.url, path)) from None

    def healthy(self):
        """Whether the server says OK.

        :raises MlflowError: it says something else.
        """
        return self._open("GET", "/health").strip() == "OK"

    def me(self):
        """{id, username, is_admin} of this account; None when the server does not know it with this password."""
        try:
            return self._json("GET", USERS + "current")["user"]
        except MlflowError as error:
            if error.status == 401:
                return None
            raise

    def find(self, name):
        """The account as a dict with username and is_admin; None when there is none."""
        try:
            return self._json("GET", USERS + "get?username=" + quote(name, safe=""))["user"]
        except MlflowError as error:
            if error.status == 404:
                return None
            raise

    def create(self, name, password):
        self._json("POST", USERS + "create", {"username": name, "password": password})

    def set_password(self, name, password, current=None):
        """Give an account a new password; of one's own account the current one is wanted, too."""
        body = {"username": name, "password": password}
        self._json("PATCH", USERS + "update-password", body if current is None else dict(body, current_password=current))

    def set_admin(self, name, is_admin):
        self._json("PATCH", USERS + "update-admin", {"username": name, "is_admin": is_admin})

    def delete(self, name):
        self._json("DELETE", USERS + "delete", {"username": name})


def _reason(error):
    """What the server says in an error: the message of its JSON, or the first 200 characters."""
    try:
        text = error.read().decode("utf-8", "replace")
    except (OSError, HTTPException):
        return error.reason
    try:
        return json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        return " ".join(text.split())[:200] or error.reason
