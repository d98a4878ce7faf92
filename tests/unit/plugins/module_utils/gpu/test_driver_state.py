# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import driver_state

NEW, OLD = "580.126.09", "580.95.05"


def seen(user=None, loaded=None, modules=(), running="6.1.0-2", newest="6.1.0-2", **more):
    return {
        "user_space": user,
        "loaded": {"version": loaded, "is_loaded": loaded is not None},
        "modules": [{"kernel": kernel, "version": version} for kernel, version in modules],
        "kernel": {"running": running, "newest_installed": newest},
        "nouveau": {"loaded": False}, "smi_problem": None, "smi_error": None, "half_installed": [], "container": False,
        **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "what"),
    [
        ("absent", seen()),
        ("coherent", seen(NEW, NEW, [("6.1.0-2", NEW)])),
        ("coherent", seen(NEW, NEW)),  # in a container with the module of the machine outside
        ("coherent", seen(NEW, None, [("6.1.0-2", NEW)])),  # built, nothing has loaded it yet
        ("reboot_pending", seen(NEW, OLD, [("6.1.0-2", NEW)])),  # upgraded under a loaded module
        ("reboot_pending", seen(NEW, OLD, [("6.1.0-2", OLD), ("6.1.0-3", NEW)], newest="6.1.0-3")),
        ("reboot_pending", seen(NEW, None, [("6.1.0-3", NEW)], newest="6.1.0-3")),  # built for the kernel that starts next
        ("reboot_pending", seen(NEW, None, [("6.1.0-2", NEW)], nouveau={"loaded": True})),
        ("mismatch", seen(NEW, OLD, [("6.1.0-2", OLD)])),  # the build of the new module failed
        ("mismatch", seen(NEW, OLD)),
        ("mismatch", seen(NEW, OLD, [("6.1.0-1", NEW)])),  # built for a kernel that does not start next
        ("mismatch", seen(NEW, None, [("6.1.0-2", OLD)])),
        ("mismatch", seen(None, OLD)),
        ("mismatch", seen(None, None, [("6.1.0-2", OLD)])),
        ("mismatch", seen(NEW, NEW, smi_problem="version_mismatch")),
        ("user_space_only", seen(NEW)),
    ],
)
def test_state(state, what):
    found, reasons = driver_state.decide(what)
    assert found == state and reasons and all(reasons)


def test_the_reason_names_both_versions_and_the_kernel():
    unused, reasons = driver_state.decide(seen(NEW, OLD, [("6.1.0-2", OLD)]))
    assert reasons == [f"module {OLD} is loaded, user space is {NEW}", f"no module {NEW} is built for kernel 6.1.0-2"]


@pytest.mark.parametrize(
    ("what", "note"),
    [
        (seen(NEW, NEW, [("6.1.0-2", NEW)], newest="6.1.0-9"), "no module is built for kernel 6.1.0-9, the newest installed one"),
        (seen(NEW, half_installed=["nvidia-smi (unpacked)"]), "package nvidia-smi (unpacked) is not wholly installed"),
        (seen(NEW, OLD, container=True), "this is a container: its kernel and modules belong to the machine outside"),
        (seen(NEW, NEW, smi_problem="gpu_lost", smi_error="nvidia-smi returned 15"), "nvidia-smi: nvidia-smi returned 15"),
    ],
)  # fmt: skip
def test_notes_do_not_change_the_state(what, note):
    plain = dict(what, half_installed=[], container=False, smi_problem=None)
    assert driver_state.decide(what)[0] == driver_state.decide(plain)[0]
    assert note in driver_state.decide(what)[1]
