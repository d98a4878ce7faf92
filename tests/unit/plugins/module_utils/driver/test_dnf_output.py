# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dnf 4.14 and rpm 4.18 say (recorded from Debian's packages of them), read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, dnf

INSTALL = """\
Last metadata expiration check: 0:00:21 ago on Fri Nov 27 08:05:17 2026.
Dependencies resolved.
================================================================================
 Package                  Arch    Version                 Repository       Size
================================================================================
Installing:
 kernel-devel             x86_64  5.14.0-503.11.1.el9_5   baseos          6.2 k
 nvidia-driver-cuda       x86_64  3:580.95.05-1.el9       mlinfra-nvidia  7.5 k
Installing dependencies:
 libnvidia-ml             x86_64  3:580.95.05-1.el9       mlinfra-nvidia  6.1 k

Transaction Summary
================================================================================
Install  3 Packages

Total download size: 57 k
Installed size: 4.0 k
Operation aborted.
"""
# A row that is too long for 80 columns goes on below; what weighs nothing has no unit.
MOVE = """\
Dependencies resolved.
================================================================================
 Package                 Arch   Version           Repository               Size
================================================================================
Upgrading:
 kmod-nvidia-latest-dkms x86_64 3:595.58.03-1.el9 mlinfra-nvidia          7.5 k
     replacing  kmod-nvidia-old.x86_64 3:580.95.05-1.el9
Downgrading:
 a-package-with-a-very-long-name-that-needs-a-line-of-its-own
                         noarch 1.0-1             baseos                   11 M
Removing:
 kmod-nvidia-open-dkms   x86_64 3:580.95.05-1.el9 @mlinfra-nvidia           0
Removing dependent packages:
 theirs                  x86_64 1-1               @baseos                 3.0 k
Skipping packages with conflicts:
(add '--best --allowerasing' to command line to force their upgrade):
 libnvidia-ml            x86_64 3:595.99.03-1.el9 mlinfra-nvidia          6.1 k

Transaction Summary
================================================================================
Upgrade    1 Package
"""


def program(*answers):
    """A Dnf over given (exit code, stdout, stderr), and the commands that it ran."""
    told, ran = list(answers), []

    def run(command, **more):
        ran.append(command)
        return told.pop(0)

    return dnf.Dnf(run), ran


def test_table_of_an_installation():
    assert dnf.planned(INSTALL) == [
        {"action": "install", "name": "kernel-devel", "old": None, "new": "5.14.0-503.11.1.el9_5"},
        {"action": "install", "name": "libnvidia-ml", "old": None, "new": "3:580.95.05-1.el9"},
        {"action": "install", "name": "nvidia-driver-cuda", "old": None, "new": "3:580.95.05-1.el9"},
    ]


def test_table_of_a_move_with_what_goes_and_without_what_is_skipped():
    found = {(one["action"], one["name"]): one["new"] or one["old"] for one in dnf.planned(MOVE)}
    assert found == {
        ("install", "kmod-nvidia-latest-dkms"): "3:595.58.03-1.el9",
        ("remove", "kmod-nvidia-old"): "3:580.95.05-1.el9",
        ("install", "a-package-with-a-very-long-name-that-needs-a-line-of-its-own"): "1.0-1",
        ("remove", "kmod-nvidia-open-dkms"): "3:580.95.05-1.el9",
        ("remove", "theirs"): "1-1",
    }


NAMES = st.from_regex(r"\A[a-z][a-z0-9]{2,8}(-[a-z0-9]{1,12}){0,4}\Z")
ROWS = st.lists(st.tuples(NAMES, st.integers(0, 9), st.sampled_from(["0", "7.1 k", "12 M", "1.2 G"])), unique_by=lambda row: row[0])


@given(installed=ROWS, removed=ROWS, width=st.integers(1, 30))
def test_any_table_is_read_back_whatever_its_columns(installed, removed, width):
    def lines(rows, repository):
        for name, number, size in rows:
            rest = f"x86_64 {number}:1.0-1 {repository} {size}"
            # As dnf: a name that does not fit has the rest of its row below.
            yield f" {name} {rest}" if len(name) <= width else f" {name}\n{' ' * width} {rest}"

    text = "\n".join(
        ["Installing:", *lines(installed, "cuda"), "Removing:", *lines(removed, "@cuda"), "", "Transaction Summary", "Total 1 k"]
    )
    found = dnf.planned(text)
    assert sorted((one["name"], one["new"]) for one in found if one["action"] == "install") == sorted(
        (n, f"{e}:1.0-1") for n, e, _arch in installed
    )
    assert sorted((one["name"], one["old"]) for one in found if one["action"] == "remove") == sorted(
        (n, f"{e}:1.0-1") for n, e, _arch in removed
    )


@given(st.text())
def test_no_text_breaks_the_readers(text):
    dnf.planned(text)
    dnf.planned("Installing:\n " + text)
    assert len(dnf.reasons(text)) <= 6


def test_what_dnf_is_told():
    assert dnf.spec("nvidia-driver-cuda=3:580.95.05-1.el9") == "nvidia-driver-cuda-3:580.95.05-1.el9"
    assert dnf.spec("kernel-devel-6.12.40-64.114.amzn2023.x86_64") == "kernel-devel-uname-r = 6.12.40-64.114.amzn2023.x86_64"
    assert dnf.spec("kernel-5.14.0-503.11.1.el9_5.x86_64") == "kernel-5.14.0-503.11.1.el9_5.x86_64"


def test_simulation_ends_well_when_dnf_was_told_to_do_nothing():
    there, _calls = program((1, INSTALL, ""))
    assert len(there.simulate(["nvidia-driver-cuda"])) == 3
    there, _calls = program((0, "Nothing to do.\n", ""))
    assert there.simulate(["nvidia-driver-cuda"]) == []
    there, _calls = program((1, "", "Error: Unable to find a match: x-1\n"))
    with pytest.raises(apt.Failed):
        there.simulate(["x=1"])


@pytest.mark.parametrize(
    "said",
    [
        "Error in POSTIN scriptlet in rpm package nvidia-driver-cuda\n\nUpgraded:\n  nvidia-driver-cuda-3:595.99.02-1.el9.x86_64\n",
        "warning: %post(nvidia-driver-cuda-3:595.99.02-1.el9.x86_64) scriptlet failed, exit status 1\n",
    ],
)
def test_script_that_fails_fails_the_installation_although_dnf_does_not(said):
    there, _calls = program((0, "", said))
    with pytest.raises(apt.Failed) as told:
        there.install("driver", ["nvidia-driver-cuda"])
    assert dnf.reasons(told.value.output)[0] == said.splitlines()[0]


def test_another_dnf_is_waited_for_and_not_for_ever(monkeypatch):
    monkeypatch.setattr(dnf.time, "sleep", lambda seconds: None)
    there, ran = program((200, "", "locked"), (200, "", "locked"), (0, "done", ""))
    assert there.get("driver", "install", "x") == "done\n" and len(ran) == 3
    there, ran = program((200, "", "Failed to obtain the transaction lock"))
    there.lock_timeout = -1
    with pytest.raises(apt.Failed):
        there.get("driver", "install", "x")


def test_offered_versions_and_headers():
    listed = "kernel-devel 0:5.14.0-503.11.1.el9_5\n\nnvidia-driver-cuda 3:580.126.09-1.el9\n\nnvidia-driver-cuda 3:580.95.05-1.el9\n\n"
    there, _calls = program((0, listed, ""))
    assert there.versions(["*"]) == {
        "kernel-devel": ["5.14.0-503.11.1.el9_5"],
        "nvidia-driver-cuda": ["3:580.126.09-1.el9", "3:580.95.05-1.el9"],
    }
    there, ran = program((0, "kernel6.12-devel 0:6.12.40-64.114.amzn2023\n", ""), (0, "\n", ""))
    names = ["kernel-devel-6.12.40-64.114.amzn2023.x86_64", "kernel-devel-6.1.0-1.amzn2023.x86_64"]
    assert there.candidates(names) == dict(zip(names, ["6.12.40-64.114.amzn2023", None]))
    assert ran[0][-1] == "kernel-devel-uname-r = 6.12.40-64.114.amzn2023.x86_64"


def test_reasons():
    text = (
        "Last metadata expiration check: 0:00:08 ago on Fri Nov 27 08:08:18 2026.\n"
        "All matches were filtered out by exclude filtering for argument: nvidia-driver-cuda-3:595.58.03-1.el9\n"
        "Error: Unable to find a match: nvidia-driver-cuda-3:595.58.03-1.el9\n"
    )
    assert dnf.reasons(text) == text.splitlines()[1:]
    problem = (
        "Error: \n Problem: conflicting requests\n  - nothing provides dkms needed by kmod-nvidia-open-dkms-3:580.95.05-1.el9.x86_64\n"
    )
    assert dnf.reasons(problem) == ["nothing provides dkms needed by kmod-nvidia-open-dkms-3:580.95.05-1.el9.x86_64"]
    assert dnf.reasons("only\nthis\n") == ["only", "this"]
