# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of hosts of dnf whose pins change, in the order of a driver's life: each test begins where the one before ended."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from plays import changes, failures, on_hosts, play
from untidy import found, lost

SCENARIO = Path(__file__).resolve().parents[1]
PINS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "pins"
HOSTS = ("rocky-0", "amazon-0")
FIRST, LATER, BROKEN_SCRIPT, POISONED, NO_FABRIC = "580.95.05", "595.58.03", "595.99.02", "595.99.03", "590.44.01"
KERNEL = "5.14.0-503.11.1.el9_5.x86_64"
# Nothing of it may be out of a lock: an upgrade finds nothing to do.
LOOK = r"""
rpm -qa --queryformat 'rpm %{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\n' | grep -E 'nvidia' || true
dnf -q check-update '*nvidia*' >/dev/null && echo quiet
modinfo -F version /lib/modules/KERNEL/extra/nvidia.ko
cat /var/lib/mlinfra/nvidia_driver/pins.json
""".replace("KERNEL", KERNEL)


def pins(host, driver):
    return json.loads((PINS / f"{host}-{driver}.json").read_text())


class Hosts:
    """The scenario's hosts, as the tests move and look at them."""

    def __init__(self, folder):
        self.folder = folder

    def move(self, driver, *names, code=0, **more):
        """The output of the role with a driver's pins."""
        wishes = {name: {"nvidia_driver_pins": str(PINS / f"{name}-{driver}.json"), **more} for name in names}
        inventory = self.folder / "wishes.yml"
        inventory.write_text(json.dumps({"all": {"hosts": wishes}}))
        done = play(SCENARIO, "-i", inventory, "--limit", ",".join(wishes), SCENARIO / "converge.yml")
        assert done.returncode == code, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout

    def run(self, script, *names):
        """{host: what a shell script prints there}."""
        path = self.folder / "script.sh"
        path.write_text(f"#!/bin/sh\n{script}\n")
        told = on_hosts(SCENARIO, names, {"cmd": str(path)}, self.folder)
        return {name: text.replace("\r", "").strip() for name, text in told.items()}

    def snapshots(self, *names):
        told = on_hosts(SCENARIO, names, {"cmd": str(SCENARIO / "snapshot.sh")}, self.folder)
        return {name: set(text.splitlines()) for name, text in told.items()}

    def differences(self, before):
        """{host: lines that came or went since snapshots()} of the hosts that differ."""
        after = self.snapshots(*before)
        return {name: sorted(after[name] ^ lines) for name, lines in before.items() if after[name] != lines}


@pytest.fixture
def hosts(tmp_path):
    return Hosts(tmp_path)


def is_driver(hosts, driver, previous=None):
    """Whether exactly what is pinned is on these hosts, all of one driver, and dnf would move none of it."""
    for name, text in hosts.run(LOOK, *HOSTS).items():
        lines = text.splitlines()
        family = dict(line.split()[1:] for line in lines if line.startswith("rpm "))
        assert {one.partition(":")[2].rpartition("-")[0] for one in family.values()} == {driver}, (name, family)
        wanted = {one: version for one, version in pins(name, driver)["packages"].items() if "nvidia" in one}
        if name != "rocky-0":
            wanted.pop("nvidia-fabricmanager", None)
        assert {one: family.get(one, "").removeprefix("0:") for one in wanted} == wanted
        assert ("nvidia-fabricmanager" in family) is (name == "rocky-0")
        rest = [line for line in lines if not line.startswith("rpm ")]
        assert rest[:2] == ["quiet", driver], rest[:4]
        record = json.loads("\n".join(rest[2:]))
        assert record == {"schema": 1, "current": pins(name, driver), "previous": pins(name, previous) if previous else None}


def test_installed_as_pinned(hosts, host):
    if host.backend.get_hostname() != "rocky-0":
        pytest.skip("once, for all hosts")
    is_driver(hosts, FIRST)


def test_newer_branches_change_nothing(hosts):
    hosts.run("ln -sfn after /srv/www/moving; dnf -q clean all", "rocky-0")
    assert changes(hosts.move(FIRST, *HOSTS)) == dict.fromkeys(HOSTS, 0)
    hosts.run("dnf -q -y upgrade", *HOSTS)
    is_driver(hosts, FIRST)


def test_what_cannot_be_had_is_refused_and_changes_nothing(hosts):
    before = hosts.snapshots(*HOSTS)
    (told,) = failures(hosts.move(NO_FABRIC, "rocky-0", code=2)).values()
    assert "nvidia_driver_pins.packages.nvidia-fabricmanager is 590.44.01-1: no source of this host offers it any more" in told
    (told,) = failures(hosts.move(FIRST, "amazon-0", code=2, nvidia_driver_pins=None, nvidia_driver_source="distribution")).values()
    assert told == "nvidia_driver_source is distribution: Amazon 2023 has no packages of NVIDIA's driver. Set it to nvidia."
    assert hosts.differences(before) == {}


def test_what_fails_is_undone(hosts):
    """A package's script that fails, which dnf takes for success, and modules of another driver."""
    before = hosts.snapshots(*HOSTS)
    (told,) = failures(hosts.move(BROKEN_SCRIPT, "amazon-0", code=2)).values()
    assert told.startswith("Driver 595.99.02 could not be installed (step: driver):\n  Error in POSTIN scriptlet in rpm package nvidia-")
    assert "The host is as it was before (7 packages set back to their version)." in told
    (told,) = failures(hosts.move(POISONED, "rocky-0", code=2)).values()
    assert re.search(
        r"^Driver 595\.99\.03 could not be set up:\n  driver 595\.99\.03 does not verify: kernel 5\.14\.\S+ would load module \S+ of "
        r"driver 595\.58\.03, and the packages are 595\.99\.03\nThe host is as it was before \(8 packages set back to their version\)\.",
        told,
    ), told
    assert hosts.differences(before) == {}


def test_lock_of_somebody_else_is_named(hosts):
    path = "/etc/dnf/plugins/versionlock.list"
    hosts.run(f"sed -i '/^nvidia-driver-cuda-3/d' {path}; echo 'nvidia-driver-cuda-3:580.*' >>{path}", "amazon-0")
    (told,) = failures(hosts.move(LATER, "amazon-0", code=2)).values()
    assert told.startswith(
        f"nvidia-driver-cuda is locked by nvidia-driver-cuda-3:580.* in {path}, and the driver would move it to 3:595.58.03-1.el9. "
        "Nothing was changed. Release it (dnf versionlock delete 'nvidia-driver-cuda-3:580.*')"
    )
    hosts.run(f"sed -i '/580[.][*]/d' {path}", "amazon-0")
    assert changes(hosts.move(FIRST, "amazon-0")) == {"amazon-0": 1}


def test_upgrade_across_branches_and_back(hosts):
    """What has to be of the driver's version goes along where it is: all that is of NVIDIA is of one version."""
    hosts.run(f"dnf -q -y install nvidia-imex-{FIRST}", "rocky-0")
    assert all(changes(hosts.move(LATER, *HOSTS)).values())
    is_driver(hosts, LATER, previous=FIRST)
    assert all(changes(hosts.move(FIRST, *HOSTS)).values())
    is_driver(hosts, FIRST, previous=LATER)
    assert hosts.run("rpm -qa --queryformat '%{NAME} %{VERSION}' nvidia-imex", *HOSTS) == {
        "rocky-0": f"nvidia-imex {FIRST}",
        "amazon-0": "",
    }


# From the first package that is taken off on, this host reaches no mirror any more.
UNPLUG = r"""
address=$(sed -n 's#^baseurl=http://\([0-9.]*\):.*#\1#p' /etc/yum.repos.d/mlinfra-nvidia.repo)
cat >/usr/local/sbin/rpm <<END
#!/bin/sh
[ "\$1" != -e ] || { ip route replace blackhole $address/32; touch /run/unplugged; }
exec /usr/bin/rpm "\$@"
END
chmod 755 /usr/local/sbin/rpm
"""
PLUG = "rm /usr/local/sbin/rpm /run/unplugged; ip route del $(ip route show type blackhole)"
FLAVORS = "rpm -qa --queryformat '%{NAME} %{VERSION}\\n' 'kmod-nvidia-*'"
FOLDER = "/srv/www/before/compute/cuda/repos/amzn2023/x86_64"


def test_flavor_moves_with_a_mirror_lost_in_the_middle(hosts):
    """It is needed only until all is fetched; before that nothing has changed."""
    hosts.run("ln -sfn before /srv/www/moving", "rocky-0")
    hosts.run("dnf -q clean all", "amazon-0")
    before = hosts.snapshots("amazon-0")
    other = {
        "nvidia_driver_pins": None,
        "nvidia_driver_version": FIRST,
        "nvidia_driver_flavor": "proprietary",
        "nvidia_driver_kernels": [KERNEL],
    }
    hosts.run(lost(FOLDER, "kmod-nvidia-latest-dkms-*"), "rocky-0")
    try:
        (told,) = failures(hosts.move(FIRST, "amazon-0", code=2, **other)).values()
    finally:
        hosts.run(found(FOLDER), "rocky-0")
    assert re.search(
        r"(?s)^Driver 580\.95\.05 could not be installed \(step: download\):.*kmod-nvidia-latest-dkms.*\n"
        r"The host is as it was before \(no package had changed\)\. The package source is not what it was",
        told,
    ), told
    assert hosts.differences(before) == {}
    hosts.run(UNPLUG, "amazon-0")
    try:
        hosts.move(FIRST, "amazon-0", **other)
    finally:
        assert hosts.run("ls /run/unplugged; " + PLUG, "amazon-0") == {"amazon-0": "/run/unplugged"}
    assert hosts.run(FLAVORS, "amazon-0") == {"amazon-0": f"kmod-nvidia-latest-dkms {FIRST}"}
    assert hosts.run("ls /var/cache/dnf/*/packages/*.rpm 2>/dev/null || true", "amazon-0") == {"amazon-0": ""}
    hosts.move(FIRST, "amazon-0")
    assert hosts.run(FLAVORS, "amazon-0") == {"amazon-0": f"kmod-nvidia-open-dkms {FIRST}"}
