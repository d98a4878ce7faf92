# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages for what uv 0.13 and pip print; the outputs are real ones."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import failures

ZERO, REAL = "0" * 64, "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274"
INDEX = "http://***@127.0.0.1:9/simple"
CASES = {
    "hash by uv": (
        f"""Resolved 1 package in 480ms
error: Failed to download `six==1.17.0`
  cause: Hash mismatch for `six==1.17.0`

         Expected:
           sha256:{ZERO}

         Computed:
           sha256:{REAL}
""",
        f"six==1.17.0 from {INDEX} is not the file that was pinned (it has SHA-256 {REAL})",
    ),
    "hash by pip": (
        f"""ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the
    six==1.17.0 from http://127.0.0.1/six.whl (from -r r.txt (line 1)):
        Expected sha256 {ZERO}
             Got        {REAL}
""",
        f"is not the file that was pinned (it has SHA-256 {REAL})",
    ),
    "version": (
        "  cause: Because there is no version of six==1.99.0 and you require six==1.99.0, we",
        f"{INDEX} has no six==1.99.0: check the list",
    ),
    "package": (
        "  cause: Because sixx was not found in the package registry and you require sixx==1.99.0, we can conclude that",
        f"{INDEX} has no package sixx: check its name",
    ),
    "wheel": (
        "  cause: Because numpy==1.21.0 has no usable wheels and you require numpy==1.21.0, we can conclude that",
        "numpy==1.21.0 has no wheel for Python 3.11.2 on this machine: pin a version that has one",
    ),
    "unpinned": (
        "error: Hash-checking is required, but no trusted hash was provided for: `numpy`",
        "numpy is needed by a package of the list and is not in it",
    ),
    "refused connection": (
        """error: Failed to fetch: http://joe:geheim@127.0.0.1:9/simple/six/
  cause: error sending request for url (http://joe:geheim@127.0.0.1:9/simple/six/)
  cause: client error (Connect)
  cause: tcp connect error
  cause: Connection refused (os error 111)
""",
        f"{INDEX} does not answer (http://***@127.0.0.1:9/simple/six/: ",
    ),
    "name": (
        "error: Failed to fetch: http://nowhere.invalid/simple/six/\n"
        "  cause: dns error\n  cause: failed to lookup address information: unknown",
        f"{INDEX} does not answer (http://nowhere.invalid/simple/six/: failed to lookup address information",
    ),
    "password": (
        "hint: An index URL (http://127.0.0.1/auth) could "
        "not be queried due to a lack of valid authentication credentials (401 Unauthorized)",
        f"{INDEX} wants a user and password (401 Unauthorized)",
    ),
    "certificate": (
        "error: Failed to fetch: https://i/six/\n  cause: client error (Connect)\n  cause: invalid peer certificate: UnknownIssuer",
        f"the certificate of {INDEX} is not trusted (invalid peer certificate: UnknownIssuer)",
    ),
    "disk": (
        "  cause: failed to write to file `/c/simple-v28`: No space left on device (os error 28)",
        "the disk is full. Free space",
    ),
    "pip without an index": (
        "WARNING: Retrying after connection broken by 'NewConnectionError: [Errno 111] Connection refused'\n"
        "ERROR: No matching distribution found for uv==0.13.9",
        f"{INDEX} does not answer (",
    ),
    "pip without the version": ("ERROR: No matching distribution found for uv==0.13.9", f"{INDEX} has no uv==0.13.9"),
    "anything else": (
        "thread main panicked at http://joe:geheim@127.0.0.1\n",
        "the installer failed:\nthread main panicked at http://***@",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_explained(case):
    output, message = CASES[case]
    told = failures.explain(output, "3.11.2", INDEX)
    assert message in told
    assert "geheim" not in told
