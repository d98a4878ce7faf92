# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A driver that NVIDIA's installer left."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import installer


class Program:
    """Stands where nvidia-uninstall is run."""

    def __init__(self, *paths):
        self.paths, self.called = paths, []

    def call(self, what, command):
        self.called.append(command)
        for path in self.paths:
            path.unlink()


@pytest.fixture
def host(tmp_path, monkeypatch):
    library, log, program = tmp_path / "lib/libcuda.so.550.54.15", tmp_path / "nvidia/log", tmp_path / "bin/nvidia-uninstall"
    for path in (library, log, program):
        path.parent.mkdir()
        path.write_text(path.name)
    (library.parent / "libcuda.so.1").symlink_to(library.name)
    log.write_text(f"550.54.15\nNVIDIA driver\n1: {library}\n123\n0: {library.parent}/libcuda.so.1\n{library.name}\n")
    program.chmod(0o755)
    monkeypatch.setattr(installer, "LOG", str(log))
    monkeypatch.setattr(installer, "PROGRAMS", (str(program), str(tmp_path / "bin/nvidia-installer")))
    monkeypatch.setattr(installer, "BUILT", ())
    return tmp_path


def test_files_come_back(host):
    library, link = host / "lib/libcuda.so.550.54.15", host / "lib/libcuda.so.1"
    program = Program(library, link, host / "bin/nvidia-uninstall")
    aside = installer.Aside(program, str(host / "aside"))
    aside.take("6.1.0-1-amd64")
    assert program.called == [[str(host / "bin/nvidia-uninstall"), "--silent"]] and not library.exists()
    assert aside.back() == (["3 files of the driver that was there put back"], [])
    assert library.read_text() == library.name and link.is_symlink() and link.exists()
    assert (host / "bin/nvidia-uninstall").stat().st_mode & 0o111 and not (host / "aside").exists()


def test_what_cannot_come_back_is_kept_and_told(host):
    library = host / "lib/libcuda.so.550.54.15"
    aside = installer.Aside(Program(library), str(host / "aside"))
    aside.take("6.1.0-1-amd64")
    library.parent.rename(host / "away")
    library.parent.write_text("no folder")
    done, left = aside.back()
    assert done == [] and f"{library} of the driver that was there is still in {host}/aside only (" in "".join(left)
    assert (host / "aside" / str(library).lstrip("/")).exists()


def test_nothing_to_take(host):
    (host / "bin/nvidia-uninstall").unlink()
    aside = installer.Aside(Program(), str(host / "aside"))
    aside.take("6.1.0-1-amd64")
    assert aside.back() == ([], []) and installer.problem().startswith("The driver of this host is of no package, and ")


def test_program_that_is_called_otherwise(host):
    (host / "bin/nvidia-uninstall").rename(host / "bin/nvidia-installer")
    assert installer.uninstaller() == [str(host / "bin/nvidia-installer"), "--uninstall", "--silent"]
    assert installer.problem() == ""
