# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages and files of a host of rpm, put back; a Program with a database of its own stands where dnf and rpm are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, dnf_transaction, rpms, versionlock

OLD, NEW = "3:580.95.05-1.el9", "3:595.58.03-1.el9"


class Program:
    """there: {(name, version)}. offers: versions that can be installed; alone: names whose versions replace each other."""

    def __init__(self, there, offers=(OLD, NEW, "1-1")):
        self.there, self.offers, self.answers, self.order = set(there), offers, True, []

    def run(self, command, **more):
        lines = ["%s %s x86_64" % (name, version if ":" in version else "0:" + version) for name, version in sorted(self.there)]
        return (0, "\n".join(lines), "") if self.answers else (1, "", "error: cannot open Packages database")

    def install(self, what, names):
        self.order.append(what)
        for name, version in (one.split("=", 1) for one in names):
            if version not in self.offers:
                raise apt.Failed(what, "Error: Unable to find a match: %s" % name)
            self.there = {one for one in self.there if one[0] != name} | {(name, version)}

    def remove(self, what, names):
        self.order.append(what)
        gone = {whole for whole, pair in rpms.parse(self.run([])[1]).items() if whole in names}
        self.there -= {pair for whole, pair in rpms.parse(self.run([])[1]).items() if whole in gone}


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Function (program) -> a transaction on it, which has no folder of the machine's own."""
    monkeypatch.setattr(dnf_transaction, "GROWING", [])
    monkeypatch.setattr(dnf_transaction, "CACHES", str(tmp_path / "cache*"))
    monkeypatch.setattr(dnf_transaction.transaction, "WANTED", str(tmp_path / "*.wants/*"))
    (tmp_path / "versionlock.list").write_text("theirs-0:1-1.*\n")
    monkeypatch.setattr(versionlock, "here", lambda: str(tmp_path / "versionlock.list"))
    return dnf_transaction.Transaction


BEFORE = {("theirs", "1-1"), ("nvidia-driver-cuda", OLD), ("kmod-nvidia-latest-dkms", OLD), ("kernel-devel", "1-1")}


def test_undone_is_as_before(begin, tmp_path):
    program = Program(BEFORE)
    change = begin(program)
    change.lock({}, {"nvidia-driver-cuda": NEW})
    change.write(str(tmp_path / "new.repo"), b"x")
    program.there = {("theirs", "1-1"), ("nvidia-driver-cuda", NEW), ("kmod-nvidia-open-dkms", NEW), ("kernel-devel", "1-1")}
    program.there.add(("kernel-devel", "2-1"))
    done, left = change.undo()
    assert (done, left) == (["2 packages set back to their version", "2 packages removed"], [])
    assert program.there == BEFORE and program.order == ["remove", "restore", "remove"]
    assert (tmp_path / "versionlock.list").read_text() == "theirs-0:1-1.*\n" and not (tmp_path / "new.repo").exists()


def test_what_cannot_return_is_told_and_its_successor_stays(begin):
    program = Program(BEFORE, offers=(NEW,))
    change = begin(program)
    program.install("driver", ["nvidia-driver-cuda=" + NEW])
    done, left = change.undo()
    assert done == [] and left[1:] == [f"nvidia-driver-cuda is not {OLD} any more"]
    assert left[0].startswith(f"nvidia-driver-cuda={OLD} could not be set back: Error: Unable to find a match")
    assert ("nvidia-driver-cuda", NEW) in program.there


def test_rpm_that_does_not_answer_is_no_host_without_packages(begin):
    program = Program(BEFORE)
    change = begin(program)
    program.answers = False
    assert change.undo() == ([], ["what packages are there is not known (rpm -qa): error: cannot open Packages database"])
    assert program.there == BEFORE and program.order == []
    with pytest.raises(apt.Failed):
        begin(program)


NAMES = st.sampled_from(["nvidia-driver-cuda", "kmod-nvidia-open-dkms", "kmod-nvidia-latest-dkms", "dkms", "theirs"])
HOSTS = st.dictionaries(NAMES, st.sampled_from([OLD, NEW, "1-1"]), min_size=1).map(lambda found: set(found.items()))


@given(before=HOSTS, after=HOSTS)
def test_any_change_is_undone_as_long_as_the_versions_are_offered(before, after):
    program = Program(before)
    known = rpms.database(program.run)
    program.there = set(after)
    found = dnf_transaction.difference(known, rpms.database(program.run))
    program.remove("remove", found["added"])
    program.install("restore", ["%s=%s" % pair for pair in found["back"]])
    assert program.there == before and found["beside"] == []
