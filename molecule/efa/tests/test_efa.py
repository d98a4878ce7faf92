# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""EFA software as it shall be, then other wishes, what must not be installed, none at all, and an image. Run in this order."""

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


def settled(**variables):
    """How many tasks changed something on the host; none may fail."""
    output, said = converge(**variables)
    assert not said, output
    return plays.changes(output)[HOST]


def test_it_is_not_removed_under_jobs():
    before = everything()
    as_root("mkdir -p /dev/infiniband && : > /dev/infiniband/uverbs0")
    as_root("systemd-run --quiet --unit=efa-job sh -c 'exec sleep 3600 </dev/infiniband/uverbs0'")
    output, said = converge("--check", efa_state="absent")
    as_root("systemctl stop efa-job; rm -r /dev/infiniband")
    assert "and sleep (pid " in said and "uses EFA devices. Nothing was changed" in said, output
    assert everything() == before


def test_it_goes_without_an_archive_and_what_others_need_stays(tmp_path):
    as_root("dpkg -i /srv/efa/rdma-user_1_amd64.deb")
    before, wish = everything(), {"efa_state": "absent", "efa_repository": "http://127.0.0.1:9"}  # where nothing answers
    output, said = converge("--check", "--diff", **wish)
    assert not said and "+rdma-core stays, as rdma-user needs it" in output and everything() == before, output
    output, said = converge(**wish)
    assert not said and "rdma-core (for rdma-user)" in output, output
    assert packages() == {"rdma-core": "1.47.0-1"}
    left = "/opt/amazon /etc/security/limits.d/01_efa.conf /var/lib/dkms/efa /var/log/mlinfra-efa-installer.log"
    assert as_root(f"ls -d {left} 2>/dev/null; ls -A /var/lib/dkms/efa 2>/dev/null; true").split() in ([], ["/var/lib/dkms/efa"])
    report = tmp_path / "verified.json"
    options = ("--limit", HOST, "-e", json.dumps({"mlinfra_configure": "efa", "mlinfra_verify_report": str(report), **wish}))
    done = plays.play(SCENARIO, *options, "mlinfra.hosts.configure", "mlinfra.hosts.verify")
    assert done.returncode == 0 and plays.changes(done.stdout)[HOST] == 0, done.stdout + done.stderr
    assert json.loads(report.read_text())["hosts"][HOST]["efa"] == {"state": "proven", "detail": "absent, as declared"}
    as_root("dpkg --purge rdma-user rdma-core")


def test_what_a_failed_first_installation_left_goes_too():
    as_root("touch /run/efa-fails")
    said = converge()[1]
    as_root("rm /run/efa-fails")
    assert "list of EFA software is not there" in said and "efa" in packages()
    assert settled(efa_state="absent") > 0
    assert packages() == {} and as_root("ls -A /var/lib/mlinfra 2>/dev/null; true") == ""


HIDE = """
cp -a /sys/bus/pci /srv/pci
grep -lixE '0x10de|0xefa[0-3]' /srv/pci/devices/*/vendor /srv/pci/devices/*/device | xargs -n 1 dirname | xargs rm -r
mount --bind /srv/pci /sys/bus/pci
"""


def test_an_image_has_it_and_its_hosts_have_nothing_left_to_do():
    as_root(HIDE)  # now it is a builder: neither GPUs nor EFA devices
    output, said = converge(mlinfra_gpu_target=["a100"])
    as_root("umount /sys/bus/pci")  # and now a host from its image
    assert not said and "nothing was loaded or rebooted" in output, output
    assert packages()["efa"] == "3.0.0-1"
    assert settled(mlinfra_gpu_target=["a100"]) == 0
