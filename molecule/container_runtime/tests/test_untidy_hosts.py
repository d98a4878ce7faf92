# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts and a mirror in disorder: refused with the reason and nothing done; once the disorder is gone, the next run does it. Run last."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from plays import changes
from untidy import FULL, NOT_FULL, Untidy, found, half_configured, lock, lost, on_each, unplugged

SCENARIO = Path(__file__).resolve().parents[1]
FOLDER = "/srv/www/nvidia-container/stable/deb/amd64"
LIST = "/etc/apt/sources.list.d/nvidia-container-toolkit.list"
# No engine is there, and its source has gone when the lists have been read.
GONE = "echo 'Acquire::http::Proxy \"http://127.0.0.1:9\";' >/etc/apt/apt.conf.d/zz-gone"
TOOLKIT = {"container_runtime_nvidia_version": "1.19.0"}
WISHES = {
    "docker-bookworm-0": TOOLKIT,
    "docker-trixie-0": TOOLKIT,
    "containerd-bookworm-0": TOOLKIT,
    "podman-trixie-0": TOOLKIT,
    "mirror-0": {"container_runtime_engine": "containerd", "container_runtime_nvidia": "none"},
}
BEFORE = {
    "docker-bookworm-0": lock(600),
    "docker-trixie-0": half_configured("stubborn"),
    "containerd-bookworm-0": f"echo '# the team has the list from NVIDIA' >>{LIST}\n{FULL}",
    "mirror-0": lost(FOLDER, "*_1.19.0-*") + "\n" + GONE,
}
# The first one waits for a process that lets go by itself; the last one's mirror goes away when all has been fetched.
MENDED = {
    "docker-bookworm-0": lock(20),
    "docker-trixie-0": "touch /srv/stubborn-may",
    "containerd-bookworm-0": NOT_FULL,
    "podman-trixie-0": unplugged(LIST),
    "mirror-0": found(FOLDER) + "\nrm /etc/apt/apt.conf.d/zz-gone",
}
MESSAGES = {
    "docker-bookworm-0": r"^apt is in use: \S*python3 .*\(pid \d+\) holds /var/lib/dpkg/lock-frontend, and did not let go within 2 s"
    r".* Nothing was changed\.$",
    "docker-trixie-0": r"^dpkg cannot finish stubborn, which was half installed before\. It says: .*it must not be yet.*apt-get purge"
    r".* Nothing was changed\.$",
    "containerd-bookworm-0": r"^/var/cache/apt/archives has 0 MiB free: installing .* needs 1 MiB there\. Make room"
    r".* Nothing was changed\.$",
    "podman-trixie-0": r"^podman-trixie-0: the NVIDIA Container Toolkit 1\.19\.0-1 could not be installed: .*1\.19\.0.* 404 .* "
    r"It has 1\.18\.1-1 as before\. What had been there when this run looked has gone: mend the package source",
    "mirror-0": r"^mirror-0: containerd, amazon-ecr-credential-helper could not be installed: "
    r".*Failed to fetch .*127\.0\.0\.1.* Nothing was changed\. "
    r"What had been there when this run looked has gone: mend the package source",
}
LOOK = """#!/bin/sh
dpkg-query -W -f '${Package} ${Version} ${Status}\n'; apt-mark showhold; apt-mark showauto; dpkg --audit
ls -A /etc/apt/preferences.d /etc/apt/sources.list.d /usr/share/keyrings
cat /etc/apt/preferences.d/mlinfra-* /etc/apt/sources.list.d/*.list /etc/docker/daemon.json /etc/containerd/config.toml 2>/dev/null
ls /run/unplugged 2>/dev/null
for engine in docker containerd; do
    echo "$engine $(systemctl is-active $engine) since $(systemctl show --property ActiveEnterTimestampMonotonic --value $engine)"
done
"""
HOSTS = Untidy(SCENARIO, WISHES, "converge.yml", LOOK, group="engines")


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """({host: message}, {host: lines that came or went meanwhile})"""
    options = ("-e", "apt_lock_timeout=2", "--limit", ",".join(WISHES))
    return HOSTS.refused(BEFORE, tmp_path_factory.mktemp("untidy"), *options)


@pytest.mark.parametrize("name", sorted(WISHES))
def test_refused_by_name_and_nothing_done(refused, name):
    told, differences = refused
    assert re.search(MESSAGES[name], told[name]), told[name]
    assert differences[name] == []


def test_the_next_run_goes_through_and_needs_the_mirror_only_until_all_is_fetched(refused, tmp_path):
    on_each(SCENARIO, MENDED, tmp_path)
    changed = changes(HOSTS.converge(tmp_path, 0, "--limit", ",".join(WISHES)))
    assert all(changed[name] for name in WISHES), changed
    for name, lines in HOSTS.look(tmp_path).items():
        toolkit = {line.split(" ", 1)[1] for line in lines if re.match(r"(lib)?nvidia-container\S* \d", line)}
        assert toolkit == (set() if name == "mirror-0" else {"1.19.0-1 hold ok installed"}), (name, toolkit)
        assert ("/run/unplugged" in lines) == (name == "podman-trixie-0")
        if name == "mirror-0":
            assert any(line.startswith("containerd ") and line.endswith(" install ok installed") for line in lines)
