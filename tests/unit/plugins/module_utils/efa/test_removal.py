# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of EFA software is removed, what stays as others need it, and when nothing is touched."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.efa import removal, users
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import reading


def there(version, status="installed"):
    return {"version": version, "status": status}


DPKG = {
    "efa": there("3.0.0-1"),
    "efa:amd64": there("3.0.0-1"),
    "libibverbs1": there("1:58.amzn0-1"),
    "efa-config": there(None, "config-files"),
    "rdma-core": there(None, "config-files"),
}


def test_what_the_list_names_and_is_there():
    listed = ["efa_3.0.0-1_amd64", "libibverbs1_58.amzn0-1_amd64", "efa-config_1.18_all", "rdma-core_58.amzn0-1_amd64", "ibacm_58_amd64"]
    found = removal.brought(listed, [], DPKG)
    assert found == {"efa": "efa:amd64", "libibverbs1": "libibverbs1", "efa-config": "efa-config"}
    assert removal.brought(["efa_2.17.3-1_amd64"], [], DPKG) == {"efa": "efa:amd64"}, "a newer installer has failed half-way"


def test_what_an_unfinished_run_brought_counts_in_its_version_alone():
    begun = ["efa_3.0.0-1_amd64", "libibverbs1_58.amzn0-1_amd64", "rdma-core_58.amzn0-1_amd64"]
    assert removal.brought([], begun, DPKG) == {"efa": "efa:amd64", "libibverbs1": "libibverbs1"}
    assert removal.brought([], begun, {**DPKG, "libibverbs1": there("44.0-2")}) == {"efa": "efa:amd64"}


def test_rpm_is_told_an_architecture():
    known = {"libfabric-aws": there("2.1.0amzn3.0-1.el9"), "dkms": there("3.1-1.el9")}
    listed = ["libfabric-aws-2.1.0amzn3.0-1.el9.x86_64", "dkms-3.0-1.el9.noarch", "efa-3.0.0-1.el9.x86_64"]
    assert removal.brought(listed, [], known) == {"libfabric-aws": "libfabric-aws.x86_64", "dkms": "dkms.noarch"}


SAID_BY_DPKG = """dpkg: dependency problems prevent removal of libibverbs1:amd64:
 libucx0:amd64 depends on libibverbs1 (>= 34).
 libopenmpi3:amd64 depends on libibverbs1 (>= 17); however:
  Package libibverbs1 is to be removed.

dpkg: error processing package libibverbs1:amd64 (--remove):
 dependency problems - not removing
dpkg: dependency problems prevent removal of rdma-core:
 rdma-tool pre-depends on rdma-core.
"""
SAID_BY_RPM = """error: Failed dependencies:
\tlibibverbs.so.1()(64bit) is needed by (installed) openmpi-2:4.1.1-7.el9.x86_64
\tdkms >= 3 is needed by (installed) kmod-nvidia-open-dkms-3:580.95.05-1.el9.noarch
"""


def test_who_needs_them():
    assert removal.needed(SAID_BY_DPKG) == {"libibverbs1": ["libucx0", "libopenmpi3"], "rdma-core": ["rdma-tool"]}
    assert removal.needed(SAID_BY_RPM) == {
        "libibverbs.so.1()(64bit)": ["openmpi-2:4.1.1-7.el9.x86_64"],
        "dkms": ["kmod-nvidia-open-dkms-3:580.95.05-1.el9.noarch"],
    }
    assert removal.needed("dpkg: error: dpkg frontend lock was locked") == {}


OURS, OTHERS = "abcdefg", "xyz"


@given(st.dictionaries(st.sampled_from(OURS + OTHERS), st.frozensets(st.sampled_from(OURS)), max_size=10))
def test_what_goes_breaks_nothing_and_nothing_stays_without_reason(needs):
    there = set(OURS) | set(needs)

    def ask(names):
        left = there - set(names)
        return {
            name: sorted(one for one in left if name in needs.get(one, ())) for name in names if any(name in needs.get(x, ()) for x in left)
        }

    kept = removal.kept(OURS, ask)
    gone = set(OURS) - set(kept)
    assert ask(sorted(gone)) == {}, "what is left needs something that went"
    reachable, before = set(OTHERS) & there, set()
    while reachable != before:
        before = set(reachable)
        reachable |= {name for one in before for name in needs.get(one, ())}
    assert set(kept) == reachable & set(OURS)
    assert all(who for who in kept.values())


def seen(**other):
    return {"version": "1.47.0", "packages": {"efa": "efa", "rdma-core": "rdma-core"}, "kept": {}, "is_recorded": True, **other}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({}, ["remove EFA software 1.47.0: efa, rdma-core"]),
        ({"kept": {"rdma-core": ["x"]}}, ["remove EFA software 1.47.0: efa"]),
        ({"version": None}, ["remove EFA software of an unfinished installation: efa, rdma-core"]),
        ({"packages": {}}, ["forget EFA software 1.47.0, of which nothing is left to remove"]),
        ({"packages": {"efa": "efa"}, "kept": {"efa": ["x"]}}, ["forget EFA software 1.47.0, of which nothing is left to remove"]),
        ({"version": None, "packages": {}, "is_recorded": False}, []),
    ],
)
def test_steps(host, expected):
    assert [step["what"] for step in removal.steps(seen(**host))] == expected


def test_the_difference_says_what_stays():
    told = removal.difference(seen(kept={"rdma-core": ["x", "y"]}), True)
    assert told == {"before": "EFA software 1.47.0\nefa\nrdma-core\n", "after": "EFA software none\nrdma-core stays, as x, y needs it\n"}
    bare = removal.difference(seen(version=None, packages={}), False)
    assert bare["before"] == bare["after"] == "EFA software none\n"


def using(*names, references=0):
    return {"processes": [{"pid": 40 + i, "program": name} for i, name in enumerate(names)], "references": references}


def test_when_it_is_in_use():
    assert removal.refusal(using(), False) == ""
    assert "and python3 (pid 40) uses EFA devices. Nothing was changed." in removal.refusal(using("python3", references=1), False)
    assert "a (pid 40), a (pid 41), a (pid 42), a (pid 43), a (pid 44) and 2 more use EFA" in removal.refusal(using(*"aaaaaaa"), False)
    assert "is used 3 times" in removal.refusal(using(references=3), False)
    assert removal.refusal(using(references=3), True) == "", "a container's module is the machine's outside"


@pytest.mark.parametrize(
    ("packages", "container", "loaded", "expected"),
    [(["efa"], False, "3.0.0g", True), (["efa"], False, None, False), (["efa"], True, "3.0.0g", False), (["rdma-core"], False, "", False)],
)
def test_a_module_that_could_not_be_unloaded_waits_for_a_reboot(packages, container, loaded, expected):
    before = {"packages": dict.fromkeys(packages, ""), "kept": {}, "container": container}
    assert removal.waits_for_reboot(before, {"module": {"loaded": loaded}}) is expected


def test_who_has_a_device_open(tmp_path):
    def link(path, target):
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, place)

    for number, driver in enumerate(["efa", "mlx5_core", None]):
        place = tmp_path / f"sys/class/infiniband_verbs/uverbs{number}/device"
        place.mkdir(parents=True)
        if driver:
            (place / "driver").symlink_to(f"../../bus/pci/drivers/{driver}")
    for pid, target in {
        7: "/dev/null",
        31: "/dev/infiniband/uverbs0",
        32: "/dev/infiniband/uverbs1",
        210: "/dev/infiniband/uverbs2",
    }.items():
        link(f"proc/{pid}/fd/0", "/dev/pts/1")
        link(f"proc/{pid}/fd/3", target)
        (tmp_path / f"proc/{pid}/comm").write_text("python3\n")
    link("proc/self/fd/3", "/dev/infiniband/uverbs0")
    (tmp_path / "sys/module/efa").mkdir(parents=True)
    (tmp_path / "sys/module/efa/refcnt").write_text("2\n")
    found = users.look(reading.Host(str(tmp_path)))
    assert found == {"processes": [{"pid": 31, "program": "python3"}, {"pid": 210, "program": "python3"}], "hidden": 0, "references": 2}
    assert users.look(reading.Host(str(tmp_path / "nowhere"))) == {"processes": [], "hidden": 0, "references": 0}


JOB = [{"pid": 31, "program": "python3"}]


@pytest.mark.parametrize(
    ("processes", "hidden", "references", "container", "told"),
    [
        ([], 0, 0, False, []),
        (JOB, 0, 1, False, JOB),
        (JOB, 3, 2, False, JOB),
        ([], 0, 2, False, None),
        ([], 0, 2, True, []),
        ([], 3, 0, True, None),
    ],
)
def test_nobody_is_said_only_when_all_was_looked_at(processes, hidden, references, container, told):
    assert users.known({"processes": processes, "hidden": hidden, "references": references}, container) == told
