# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine with its data on the instance store is tied to it, and no other one is."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mlinfra.hosts.plugins.filter.container_instance_store import container_instance_store
from ansible_collections.mlinfra.hosts.plugins.module_utils.container import store

WISH = json.dumps({"mount_point": "/data", "filesystem": "xfs"})
ACTIVE = {"exists": True, "active": "active"}
NOTHING = {"drop_in": "", "problem": ""}


@pytest.mark.parametrize("root", ["/data", "/data/", "/data/docker", "/data//a/../docker"])
@pytest.mark.parametrize("state", ["active", "inactive", "activating"])
def test_below_the_mount_point(root, state):
    tied = store.tie(root, WISH, {"exists": True, "active": state})
    assert tied["problem"] == ""
    assert tied["drop_in"].splitlines()[1:] == [
        "[Unit]",
        "Requires=mlinfra-instance-store.service",
        "After=mlinfra-instance-store.service",
        "AssertPathIsMountPoint=/data",
    ]


@pytest.mark.parametrize("root", ["/var/lib/docker", "/", "/database/docker", "/data/../srv"])
def test_elsewhere(root):
    assert store.tie(root, WISH, {"exists": True, "active": "failed"}) == NOTHING


@pytest.mark.parametrize("wish", [None, "", "{", "[]", "{}", '{"mount_point": null}'])
def test_a_host_without_an_instance_store(wish):
    assert store.tie("/data/docker", wish, ACTIVE) == NOTHING


@pytest.mark.parametrize("unit", [{}, {"exists": False, "active": "inactive"}])
def test_a_unit_that_is_gone_is_required_by_nobody(unit):
    assert store.tie("/data/docker", WISH, unit) == NOTHING


def test_a_unit_that_failed():
    tied = store.tie("/data/docker", WISH, {"exists": True, "active": "failed"})
    assert "data root /data/docker is on the instance store" in tied["problem"] and "mounts that at /data, has failed" in tied["problem"]
    assert "Nothing was changed." in tied["problem"] and tied["drop_in"]


def test_as_a_template_has_it():
    assert container_instance_store("/data/docker", wish=WISH, unit=ACTIVE) == store.tie("/data/docker", WISH, ACTIVE)
    assert container_instance_store("/data/docker") == NOTHING
