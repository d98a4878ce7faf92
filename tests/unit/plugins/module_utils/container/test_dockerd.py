# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dockerd said (20.10.24 and 26.1.5 of Debian), and what a change of its settings asks for."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.container import dockerd

EXEC_START = (
    "{ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS ; "
    "ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }"
)


def test_flags_of_the_unit():
    variables = dockerd.environment_of('# comment\n#DOCKER_OPTS="--no"\nDOCKER_OPTS="--dns 8.8.8.8 --label \'a b\'"\n')
    assert dockerd.flags(EXEC_START, variables) == [
        "-H", "fd://", "--containerd=/run/containerd/containerd.sock", "--dns", "8.8.8.8", "--label", "a b",
    ]  # fmt: skip
    assert dockerd.flags(EXEC_START, {})[-1] == "--containerd=/run/containerd/containerd.sock"
    assert dockerd.flags("", {}) == []


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("configuration OK", None),
        ('time="2026" level=info msg="Starting up"\ndockerd needs to be started with root privileges. To run dockerd …', None),
        ("unable to configure the Docker daemon with file /tmp/x: the following directives don't match any configuration option: nonsense",
         "/d.json would not be taken by dockerd: the following directives don't match any configuration option: nonsense. Nothing"),
        ("unable to configure the Docker daemon with file /tmp/x: the following directives are specified both as a flag and in the "
         "configuration file: hosts: (from flag: [fd://], from file: [unix:///x])", "take the flags away with a drop-in of docker.service"),
        ("unable to parse logging level: loud", "unable to parse logging level: loud"),
        ("", "would not be taken by dockerd: nothing"),
    ],
)  # fmt: skip
def test_refusal(output, message):
    found = dockerd.refusal("/d.json", output)
    assert found is None if message is None else message in found


@pytest.mark.parametrize(
    ("keys", "running", "action"),
    [
        ([], True, "none"),
        ([], False, "start"),
        (["labels", "live-restore"], True, "reload"),
        (["labels", "data-root"], True, "restart"),
        (["features"], True, "restart"),
        (["labels"], False, "start"),
    ],
)
def test_action(keys, running, action):
    assert dockerd.action(keys, running) == action


def test_running_containers_are_not_stopped_without_a_word():
    assert dockerd.interruption(["log-opts"], 2, True, "docker.service") is None
    assert dockerd.interruption(["data-root"], 0, False, "docker.service") is None
    off = dockerd.interruption(["log-opts"], 2, False, "docker.service")
    assert "for log-opts, which would stop 2 running containers, as live-restore is off" in off and "container_runtime_interrupt" in off
    moved = dockerd.interruption(["data-root", "log-opts"], 1, True, "docker.service")
    assert "stop 1 running container, as data-root changes" in moved


MOUNTS = """\
overlay / overlay rw 0 0
/dev/vda /var/lib/docker ext4 rw 0 0
server:/x /mnt/my\\040data nfs4 rw 0 0
/dev/vdb /data ext4 rw 0 0
/dev/vdc /data xfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"), [("/", "overlay"), ("/srv", "overlay"), ("/var/lib/docker", "ext4"), ("/var/lib/dockers", "overlay"),
                       ("/mnt/my data/x", "nfs4"), ("/data/docker", "xfs")],
)  # fmt: skip
def test_file_system(path, kind):
    assert dockerd.file_system(path, MOUNTS) == kind


def test_a_data_root_that_overlay2_cannot_use():
    found = dockerd.file_system_problem({"data-root": "/mnt/my data"}, "/mnt/my data", MOUNTS)
    assert found.startswith("data-root is /mnt/my data, on a file system of type nfs4") and "container_runtime_data_root" in found
    assert dockerd.file_system_problem({"data-root": "/srv/x", "storage-driver": "vfs"}, "/srv", MOUNTS) is None
    assert dockerd.file_system_problem({}, "/var/lib/docker", MOUNTS) is None


def test_flags_with_an_open_quote_are_words():
    start = "{ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS ; ignore_errors=no ; }"
    assert dockerd.flags(start, {"DOCKER_OPTS": "--label a='b --debug"}) == ["-H", "fd://", "--label", "a='b", "--debug"]
