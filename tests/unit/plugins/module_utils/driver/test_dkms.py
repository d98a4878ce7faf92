# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What DKMS has built, and why it did not."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import dkms

OLD_LOG = "DKMS make.log for nvidia-current-535.309.01 for kernel 6.1.0-56-amd64 (x86_64)\n"
NEW_LOG = "DKMS (dkms-3.2.2) make.log for nvidia-current-open/550.163.01 for kernel 6.12.117+deb13-amd64 (x86_64)\n"


def test_log_tells_driver_and_kernel():
    assert dkms.failed(OLD_LOG, "") == {"driver": "nvidia-current 535.309.01", "kernel": "6.1.0-56-amd64"}
    assert dkms.failed(NEW_LOG, "") == {"driver": "nvidia-current-open 550.163.01", "kernel": "6.12.117+deb13-amd64"}


def test_output_tells_the_kernel_without_a_log():
    output = "Building for 6.1.0-99-amd64\nError! Bad return status for module build on kernel: 6.1.0-99-amd64 (x86_64)\n"
    assert dkms.failed("", output) == {"driver": None, "kernel": "6.1.0-99-amd64"}
    assert dkms.failed("", "E: Unable to locate package x") == {"driver": None, "kernel": None}


def test_excerpt_is_what_tells_why_and_the_end():
    log = NEW_LOG + "# command: env\n" + "".join("  CC x%d.o\n" % n for n in range(99))
    log += "nv-pci.c:237:9: error: too few arguments to function 'pci_resize_resource'\n" + "gcc -Wno-error=x " * 30 + "\n"
    log += "".join("  CC y%d.o\n" % n for n in range(9)) + "make[3]: *** [Makefile:2] Error 2\n\n# exit code: 2\n" + "-" * 64 + "\n"
    told = dkms.excerpt(log)
    assert told[0].startswith("nv-pci.c:237:9: error: ") and told[-1].startswith("make[3]: ***")
    assert len(told) <= 12 and max(map(len, told)) < 300


def test_resolve():
    known = ("6.1.0-56-amd64", ["6.1.0-56-amd64", "6.1.0-57-amd64"], ["6.1.0-1-amd64", "6.1.0-56-amd64"])
    assert dkms.resolve(["running", "newest-installed"], *known)[0] == ["6.1.0-56-amd64", "6.1.0-57-amd64"]
    assert dkms.resolve(["installed-headers", "running"], *known)[0] == ["6.1.0-1-amd64", "6.1.0-56-amd64"]
    assert dkms.resolve(["5.10.0-1-amd64"], *known) == (["5.10.0-1-amd64"], [])
    kernels, (told,) = dkms.resolve(["installed-headers"], "6.18", [], [])
    assert kernels == [] and told.startswith("nvidia_driver_kernels is installed-headers: that names no kernel of this host.")


def test_built_is_what_lies_in_both_places(tmp_path):
    tree, modules = tmp_path / "dkms", tmp_path / "modules"
    made, put = tree / "nvidia-current/535.1/6.1.0-1/x86_64/module", modules / "6.1.0-1/updates/dkms"
    made.mkdir(parents=True)
    put.mkdir(parents=True)
    for name in ("nvidia.ko", "nvidia-uvm.ko"):
        (made / name).touch()
    (put / "nvidia.ko.xz").touch()
    assert dkms.built("535.1", str(tree), str(modules)) == {}
    (put / "nvidia-uvm.ko.xz").touch()
    assert dkms.built("535.1", str(tree), str(modules)) == {"6.1.0-1": [str(put / "nvidia-uvm.ko.xz"), str(put / "nvidia.ko.xz")]}
    assert dkms.built("535.2", str(tree), str(modules)) == {}
    assert dkms.sources("535.1", str(tree)) == ["nvidia-current"]
