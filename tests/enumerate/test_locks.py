# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of requirements that roles bring: pinned with hashes for every Python that hosts have, and fitting each other."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import lock, markers
from scripts import tree

LISTS = sorted(path.relative_to(tree.CHECKOUT).as_posix() for path in tree.CHECKOUT.glob("roles/*/files/*.txt"))
PYTHONS = ["3.11.2", "3.12.3", "3.13.5"]
TRAINING, MLFLOW = "roles/python_env/files/training.txt", "roles/mlflow_server/files/mlflow.txt"


def expected(path, python, machine="x86_64"):
    environment = {
        **dict.fromkeys(markers.VARIABLES, ""),
        "implementation_name": "cpython",
        "implementation_version": python,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "6.1",
        "platform_system": "Linux",
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "sys_platform": "linux",
    }
    return lock.expected(lock.parse((tree.CHECKOUT / path).read_text()), environment)


def test_the_lists_are_there():
    assert {TRAINING, MLFLOW, "roles/python_env/files/uv.txt"} <= set(LISTS)


@pytest.mark.parametrize("path", LISTS)
def test_pinned_with_hashes_and_the_same_for_each_python(path):
    # One version of each package on all hosts is what keeps a model readable from one host to the next.
    assert len({str(sorted(expected(path, python, machine).items())) for python in PYTHONS for machine in ("x86_64", "aarch64")}) == 1


@pytest.mark.parametrize("python", PYTHONS)
def test_client_and_server_have_common_packages_in_one_version(python):
    client, server = expected(TRAINING, python), expected(MLFLOW, python)
    assert {name: client[name] for name in client if name in server} == {name: server[name] for name in server if name in client}
    assert {"mlflow-skinny", "scikit-learn", "skops", "pandas"} <= set(client) and "mlflow" not in client
    assert {"mlflow", "flask-wtf", "boto3", "psycopg2-binary", "uvicorn"} <= set(server)


def test_hosts_get_the_uv_that_this_project_uses():
    assert (tree.CHECKOUT / "requirements" / "uv.txt").read_text() == (tree.CHECKOUT / "roles/python_env/files/uv.txt").read_text()
