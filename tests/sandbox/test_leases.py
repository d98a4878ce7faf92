# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real hosts whose leases end: their own timers power them off, with nobody else there to do it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws import timer
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.duration import moment
from tests.sandbox.lab import Lab, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="systemd hosts need root")
THEIRS = "#!/bin/sh\necho their own > /root/theirs\n"
#: A GPU that does nothing. A host without GPUs looks at its load, which here is the machine's.
IDLE_GPU = "#!/bin/sh\nprintf '#!/bin/sh\\necho 0\\n' > /usr/local/bin/nvidia-smi\nchmod 755 /usr/local/bin/nvidia-smi\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    found = Lab("lease-test", tmp_path_factory.mktemp("lab"), "10.97.0.0/16")
    found.cli("down")
    found.cli("up")
    try:
        found.furnish()
        yield found
    finally:
        found.cli("down")


def launch(lab: Lab, behaviour: str, theirs: str, **tags: str) -> str:
    """What aws/terms.py makes of a pool with a lease, on one host."""
    named = {f"mlinfra:{key}": value for key, value in {"timer": behaviour, **tags}.items()}
    (it,) = lab.launch(tags=named, UserData=timer.user_data(theirs), InstanceInitiatedShutdownBehavior=behaviour)
    return it


def test_hosts_end_themselves_and_only_when_it_is_time(lab: Lab):
    short = launch(lab, "terminate", THEIRS, expires=moment(int(time.time()) + 150))
    long = launch(lab, "terminate", THEIRS, expires=moment(int(time.time()) + 120))
    idle = launch(lab, "stop", IDLE_GPU, idle="60")
    lab.client("ec2").create_tags(Resources=[long], Tags=[{"Key": "mlinfra:expires", "Value": moment(int(time.time()) + 7200)}])
    wait_for("its user data has run", lambda: lab.ssh(short, "sudo test -s /root/theirs").returncode == 0)
    assert lab.said(short, "sudo cat /root/theirs; systemctl is-active mlinfra-lease.timer").split() == ["their", "own", "active"]
    wait_for("the one whose lease is over has ended", lambda: lab.state_of(short) == "terminated", 240)
    reason = lab.instance(short)["StateReason"]["Code"]
    assert reason == "Client.InstanceInitiatedShutdown", "nobody called TerminateInstances"
    wait_for("the idle one has stopped", lambda: lab.state_of(idle) == "stopped", 240)
    assert lab.state_of(long) == "running", "its lease was renewed by its tag alone"
    assert "mlinfra: this host" not in lab.said(long, "sudo journalctl -u mlinfra-lease.service --no-pager")
    lab.client("ec2").create_tags(Resources=[long], Tags=[{"Key": "mlinfra:expires", "Value": moment(int(time.time()) - 1)}])
    wait_for("the other one too", lambda: lab.state_of(long) == "terminated", 240)
