# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which paths of a machine are to go, in which order, and what is left after a failure."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.seal import act, places, plan

PASSWD = """you:x:1001:1001::/srv/you:/bin/bash
sys:x:3:3:sys:/dev:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
me:x:1000:1000::/home/me:/bin/bash
broken line
"""
WISH = {"authorized_keys": False, "cloud_init": False}
HOMES = ["/srv/you", "/home/me"]
MACHINE = {
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "/var/lib/dbus/machine-id": "fedcba98765432100123456789abcdef\n",
    "/etc/ssh/ssh_host_ed25519_key": "key",
    "/etc/ssh/ssh_host_ed25519_key.pub": "key",
    "/etc/ssh/sshd_config": "",
    "/var/lib/apt/lists/lock": "",
    "/var/lib/apt/lists/mirror_Packages": "x",
    "/var/lib/apt/lists/partial/half": "x",
    "/var/cache/apt/pkgcache.bin": "x",
    "/var/log/journal/0123/system.journal": "x",
    "/var/log/auth.log": "x",
    "/var/log/auth.log.1": "x",
    "/var/log/apt/term.log": "x",
    "/var/log/wtmp": "",
    "/srv/you/.bash_history": "x",
    "/home/me/.bash_history": "x",
    "/home/me/.ssh/authorized_keys": "x",
    "/home/me/.bashrc": "x",
    "/etc/udev/rules.d/70-persistent-net.rules": "x",
    "/var/lib/systemd/random-seed": "x",
    "/var/lib/docker/engine-id": "x",
    "/var/lib/mlinfra/nvidia_driver.json": "{}",
    "/var/lib/mlinfra/container-docker-image.json": "{}",
    "/var/lib/cloud/instance/boot-finished": "x",
}
GONE = {
    "/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_ed25519_key.pub", "/var/lib/apt/lists/mirror_Packages",
    "/var/lib/apt/lists/partial/half", "/var/cache/apt/pkgcache.bin", "/var/log/journal/0123/system.journal", "/var/log/auth.log.1",
    "/srv/you/.bash_history", "/home/me/.bash_history", "/etc/udev/rules.d/70-persistent-net.rules", "/var/lib/systemd/random-seed",
    "/var/lib/docker/engine-id",
}  # fmt: skip
EMPTIED = {"/etc/machine-id", "/var/log/auth.log", "/var/log/apt/term.log"}


@pytest.fixture
def root(tmp_path):
    """A machine's files below a folder."""
    for path, text in MACHINE.items():
        file = tmp_path / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def no_program(command):
    raise AssertionError(command)


def seal(root, run=no_program, **wish):
    steps = plan.look(HOMES, {**WISH, **wish}, str(root))
    return steps, act.carry_out(steps, run, str(root))


def test_homes():
    assert plan.homes(PASSWD) == ["/home/me", "/srv/you"]


def test_what_goes_and_what_stays(root):
    _steps, problems = seal(root)
    assert problems == []
    for path, text in MACHINE.items():
        if path in GONE:
            assert not os.path.lexists(f"{root}{path}"), path
        elif path == places.BUS_ID:
            assert os.readlink(f"{root}{path}") == places.MACHINE_ID
        else:
            assert (root / path[1:]).read_text() == ("" if path in EMPTIED else text), path
    assert seal(root) == ([], []), "a second run has nothing to do"


def test_looking_changes_nothing_and_says_all(root):
    shown = plan.diff(plan.look(HOMES, WISH, str(root)))
    assert all((root / path[1:]).exists() for path in MACHINE)
    assert "/etc/machine-id (machine id)\n" in shown["before"] and "/etc/machine-id (empty)\n" in shown["after"]
    assert "/etc/ssh/ssh_host_ed25519_key (host key)\n" in shown["before"] and "ssh_host" not in shown["after"]


def test_identity_is_last_and_the_machine_id_the_very_last(root):
    kinds = [step["what"] for step in plan.look(HOMES, {**WISH, "authorized_keys": True}, str(root))]
    assert kinds[-1] == "machine id" and kinds[kinds.index("authorized keys") :] == [one for one in kinds if one in act.IDENTITY]


def test_authorized_keys_only_by_wish(root):
    seal(root, authorized_keys=True)
    assert not (root / "home/me/.ssh/authorized_keys").exists() and (root / "home/me/.bashrc").exists()


def test_a_missing_machine_id_is_made_empty(root):
    (root / "etc/machine-id").unlink()
    assert seal(root)[1] == [] and (root / "etc/machine-id").read_text() == ""


def test_cloud_init_cleans_by_itself_once(root):
    (root / "var/lib/cloud/seed").mkdir()
    asked = []

    def run(command):
        asked.append(command)
        for path in ("instance/boot-finished",):
            (root / "var/lib/cloud" / path).unlink()
        (root / "var/lib/cloud/instance").rmdir()
        (root / "var/lib/cloud/seed").rmdir()
        return 0, "", ""

    assert seal(root, run, cloud_init=True)[1] == []
    assert asked == [["cloud-init", "clean", "--logs", "--seed"]]


def test_after_a_failure_the_host_is_still_whom_it_was(root):
    _steps, problems = seal(root, lambda _command: (1, "", "no such option: --seed"), cloud_init=True, authorized_keys=True)
    assert "cloud-init clean --logs --seed ended with 1: no such option: --seed" in problems[0]
    assert any("/etc/ssh/ssh_host_ed25519_key is left as it is" in one for one in problems)
    for kept in ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key", "/home/me/.ssh/authorized_keys"):
        assert (root / kept[1:]).read_text() == MACHINE[kept]
    assert not (root / "srv/you/.bash_history").exists()


def test_links_into_other_places_are_not_followed(root):
    (root / "srv/you/.bash_history").unlink()
    (root / "srv/you/.bash_history").symlink_to(root / "home/me/.bashrc")
    (root / "var/log/elsewhere.log").symlink_to(root / "home/me/.bashrc")
    seal(root)
    assert (root / "home/me/.bashrc").read_text() == "x" and not os.path.lexists(root / "srv/you/.bash_history")


@given(
    st.sampled_from(places.PLACES), st.sampled_from(["file", "folder", "link", "other"]), st.integers(0, 9),
    st.text("ab.1gz", min_size=1, max_size=8),
)  # fmt: skip
def test_only_files_are_emptied_and_no_path_of_apt_goes(place, kind, size, name):
    done = plan.act_on(place, "/var/log/" + name, kind, size)
    if place.act == places.EMPTY:
        assert done is None or kind == "file" and (done == places.REMOVE or size)
    assert all(plan.act_on(place, kept, kind, size) is None for kept in places.KEPT)
