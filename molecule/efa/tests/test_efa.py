# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""EFA software as it shall be, then other wishes, and what must not be installed. Run in this order."""

from __future__ import annotations

import json
from pathlib import Path

import plays
import pytest
import testinfra

SCENARIO = Path(__file__).resolve().parents[1]
HOST = "fabric-0"


def as_root(command):
    host = testinfra.get_host(f"ansible://{HOST}?ansible_inventory={SCENARIO / 'inventory'}")
    with host.sudo():
        return host.check_output(command)


def converge(*options, **variables):
    """(output, message of the failure) of the scenario's play on the host."""
    done = plays.play(SCENARIO, "--limit", HOST, "-e", json.dumps(variables), *options, SCENARIO / "converge.yml")
    return done.stdout + done.stderr, plays.failures(done.stdout).get(HOST, "")


def packages():
    """{package: version} of what the archives bring."""
    form = r"${db:Status-Abbrev} ${Package} ${Version}\n"
    lines = as_root(f"dpkg-query -W -f '{form}' 'efa*' 'libfabric*' 'openmpi*' rdma-core; true").splitlines()
    return {words[1]: words[2] for words in map(str.split, lines) if words[0] == "ii"}


def everything():
    """What of the host a refusal must leave as it is."""
    return as_root("dpkg-query -W; cat /opt/amazon/efa_installed_packages; ls -A /var/cache /opt/amazon; find /var/lib/dkms")


def test_it_is_installed_where_the_devices_are(host):
    if host.backend.get_hostname() != HOST:
        assert not host.file("/opt/amazon").exists and not host.file("/var/cache/mlinfra-efa").exists
        return
    found = packages()
    assert found["efa"] == "3.0.0-1" and found["libfabric-aws-bin"] == "1.47.0-1" and "openmpi40-aws" in found
    assert "openmpi50-aws" not in found, "only the Open MPI that was wished"
    assert "# EFA installer version: 1.47.0" in as_root("cat /opt/amazon/efa_installed_packages")
    assert not host.file("/var/cache/mlinfra-efa").exists


@pytest.mark.parametrize(("release", "told"), [("1.47.1", "the file is not what was signed"), ("1.47.2", "it is by the key")])
def test_what_is_not_proven_is_not_installed(release, told):
    before = everything()
    output, said = converge(efa_version=release)
    assert told in said, output
    assert everything() == before


def test_devices_that_do_not_answer_are_told():
    as_root("touch /run/efa-is-dead")
    output, said = converge()
    as_root("rm /run/efa-is-dead")
    assert "fi_info -p efa shows 0 of 4 devices: fi_getinfo: -61" in said, output


def test_back_and_forth_and_after_a_failure():
    output, said = converge(efa_version="1.46.0", efa_limits=False)
    assert not said, output
    found = packages()
    assert found["efa"] == "2.17.3-1" and found["rdma-core"] == "1.46.0-1" and "efa-config" not in found
    assert as_root("ls /var/lib/dkms/efa").split()[0] == "2.17.3"

    as_root("touch /run/efa-fails")
    output, said = converge()
    as_root("rm /run/efa-fails")
    assert "E: Unable to fetch some archives | Error: failed to install EFA packages, exiting" in said, output
    assert "list of EFA software names 1.46.0" in said and packages()["efa"] == "3.0.0-1", "half of it is there"

    output, said = converge()
    assert not said, output
    assert {"rdma-core": "1.47.0-1", "efa-config": "1.47.0-1"}.items() <= packages().items()
