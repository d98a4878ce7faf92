# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that does not reach NVIDIA's repository takes another driver from a folder, and goes back to what it had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plays import changes, on_hosts, play

SCENARIO = Path(__file__).resolve().parents[1]
HOST = "nvidia-bookworm-0"
FOLDER = "/srv/nvidia-driver-local-repo-debian12"
FIRST, OTHER = "580.95.05", "580.126.09"
# As NVIDIA's package leaves a host: a folder with the key in it, and a source whose key nobody has copied to its place yet.
COPIED = f"""
source=/etc/apt/sources.list.d/mlinfra-nvidia.sources
url=$(sed -n 's/^URIs: //p' $source)
mkdir -p {FOLDER}
cd {FOLDER}
fetch() {{ python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(sys.argv[1], sys.argv[2])' "$url$1" "$1"; }}
for name in Packages Packages.gz InRelease cuda-archive-keyring.gpg; do fetch $name; done
for name in $(sed -n 's/^Filename: .[/]//p' Packages | grep {OTHER}); do fetch $name; done
echo 'deb [signed-by=/usr/share/keyrings/nvidia-driver-local-keyring.gpg] file:{FOLDER} /' >/etc/apt/sources.list.d/nvidia-driver-local.list
echo "$url" | cut -d / -f 3 | cut -d : -f 1 >/run/mirror
ip route replace blackhole $(cat /run/mirror)/32
"""
TIDY = f"ip route del blackhole $(cat /run/mirror)/32 || true; rm -r {FOLDER} /run/mirror /etc/apt/sources.list.d/nvidia-driver-local.list"
LOCAL = {"nvidia_driver_source": "local", "nvidia_driver_local_repository": FOLDER, "nvidia_driver_version": OTHER}
LOOK = r"""
dpkg-query -W -f 'version ${Version} ${db:Status-Want}\n' nvidia-driver-cuda libcuda1 nvidia-kernel-open-dkms
cat /etc/apt/sources.list.d/mlinfra-nvidia*.sources /etc/apt/sources.list.d/nvidia-driver-local.list 2>/dev/null || true
apt-get -q update >/dev/null && echo answers
"""


class Host:
    def __init__(self, folder):
        self.folder = folder

    def run(self, script):
        path = self.folder / "script.sh"
        path.write_text(f"#!/bin/sh\nset -eu\n{script}\n")
        return on_hosts(SCENARIO, [HOST], {"cmd": str(path)}, self.folder)[HOST].replace("\r", "").splitlines()

    def converge(self, wish, *options):
        """Number of changed tasks."""
        inventory = self.folder / "wishes.yml"
        inventory.write_text(json.dumps({"all": {"hosts": {HOST: wish}}}))
        done = play(SCENARIO, "-i", inventory, "--limit", HOST, *options, SCENARIO / "refuse.yml")
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        return changes(done.stdout)[HOST]

    def snapshot(self):
        return set(on_hosts(SCENARIO, [HOST], {"cmd": str(SCENARIO / "snapshot.sh")}, self.folder)[HOST].splitlines())


@pytest.fixture(scope="module")
def host_(tmp_path_factory):
    found = Host(tmp_path_factory.mktemp("local"))
    found.run(COPIED)
    yield found
    found.run(TIDY)


def test_installed_with_the_mirror_out_of_reach(host_):
    before = host_.snapshot()
    assert host_.converge(LOCAL, "--check") == 1
    assert host_.snapshot() == before
    assert host_.converge(LOCAL) == 1
    lines = host_.run(LOOK)
    assert [line for line in lines if line.startswith("version ")] == [f"version {OTHER}-1 hold"] * 3
    assert [line for line in lines if line.startswith("URIs: ")] == [f"URIs: file://{FOLDER}/"]
    assert "Signed-By: /etc/apt/keyrings/mlinfra-nvidia-local.gpg" in lines and "answers" in lines
    assert [line for line in lines if "nvidia-driver-local-keyring" in line][0].startswith("# Switched off by role")
    assert host_.converge(LOCAL) == 0


def test_and_back_to_nvidias_repository(host_):
    host_.run("ip route del blackhole $(cat /run/mirror)/32")
    assert host_.converge({"nvidia_driver_version": FIRST}) == 1
    lines = host_.run(LOOK)
    assert [line for line in lines if line.startswith("version ")] == [f"version {FIRST}-1 hold"] * 3
    (source,) = [line for line in lines if line.startswith("URIs: ")]
    assert source.startswith("URIs: http://") and "Signed-By: /etc/apt/keyrings/mlinfra-nvidia.gpg" in lines
    assert "answers" in lines
