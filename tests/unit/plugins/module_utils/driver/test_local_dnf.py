# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A local repository on a host of dnf: what dnf is shown before anything is changed, and which files are due."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, dnf_install, dnf_prepare, plan, rpms, stage, state

KEY = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmA==\n-----END PGP PUBLIC KEY BLOCK-----\n"


class Program:
    """Answers a query with packages; shown: the repository file that dnf was given, as it was then."""

    run = None

    def __init__(self, fails=None):
        self.fails, self.shown = fails, {}

    def versions(self, names, options=()):
        (folder,) = [one.rpartition("=")[2] for one in options if one.startswith("--setopt=reposdir=")]
        text = (Path(folder) / "staged.repo").read_text()
        self.shown = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        if self.fails:
            raise apt.Failed("dnf repoquery", self.fails)
        return {"nvidia-driver-cuda": ["3:580.95.05-1.el9"]}

    def simulate(self, names, options=()):
        return []


@pytest.fixture
def folder(tmp_path):
    """A repository with its key, as NVIDIA's package has them."""
    (tmp_path / "repo/repodata").mkdir(parents=True)
    (tmp_path / "repo/repodata/repomd.xml").write_text("x")
    (tmp_path / "repo/ABCDEF12.pub").write_bytes(KEY)
    return tmp_path / "repo"


def job(folder, program, files=()):
    wish = {
        "source": "local", "repository": f"file://{folder}/", "suites": ["/"], "keyring": None, "keyring_sha256": None, "proxy": None,
        "pins": None, "branch": 580, "version": "", "packages": ["nvidia-driver-cuda"], "companions": [], "hold": False,
        "kernel_modules": False, "headers": "kernel-devel-KERNEL", "kernel_upgrade": "never",
    }  # fmt: skip
    seen = {
        "packages": {}, "files": dict(dict.fromkeys(rpms.FILES), **dict(files)), "manifest": {}, "lists": True, "lost": [], "sources": {},
        "keyrings": {},
    }  # fmt: skip
    decided = {"kernel_packages": [], "headers": [], "kernels": [], "settled": False, "remove": [], "off": {}, "listed": []}
    found = dnf_install.Install(wish, seen, dict(decided, files_due=rpms.files_due(wish, seen, [], (), False)), program)
    found.host = {"platform": "RedHat-family-9"}
    found.platform = {"platform_names": ["RedHat-family-9"]}
    return found


def test_dnf_is_shown_the_folder_and_its_key(folder, tmp_path):
    one = job(folder, Program())
    (tmp_path / "ours").mkdir()
    dnf_prepare.run(one, str(tmp_path / "ours"))
    assert one.program.shown["baseurl"] == f"file://{folder}/" and one.program.shown["gpgcheck"] == "1"
    assert one.picked == {"nvidia-driver-cuda": "3:580.95.05-1.el9"} and one.key == KEY
    assert one.decided["files_due"] == [rpms.SOURCE, rpms.KEY]
    assert f"baseurl=file://{folder}/\n".encode() in one.texts()[rpms.SOURCE] and one.texts()[rpms.KEY] == KEY


def test_key_of_nvidias_repository_is_replaced(folder, tmp_path):
    (tmp_path / "ours").mkdir()
    one = job(folder, Program(), {rpms.KEY: "of NVIDIA", state.NOUVEAU: None})
    assert one.decided["files_due"] == [rpms.SOURCE]
    dnf_prepare.run(one, str(tmp_path / "ours"))
    assert one.decided["files_due"] == [rpms.SOURCE, rpms.KEY]
    same = job(folder, Program(), {rpms.KEY: plan.sha256(KEY.decode())})
    assert rpms.key_due(same.seen, same.decided["files_due"], KEY) == []


def test_what_dnf_cannot_read_is_told_of_the_local_repository(folder, tmp_path):
    (tmp_path / "ours").mkdir()
    with pytest.raises(stage.Unusable, match=r"^file://\S+ cannot be read: Error: bad\. Nothing was changed\. Check nvidia_driver_loc"):
        dnf_prepare.run(job(folder, Program("Error: bad")), str(tmp_path / "ours"))
