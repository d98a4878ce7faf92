# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The one word for how a host's NVIDIA driver is, and why.

* ``absent``: neither user space nor kernel module, on disk or loaded.
* ``coherent``: user space and the module have one version; the module is loaded, or built for the running kernel.
* ``reboot_pending``: not so now, but what is on disk is of one piece: a restart, or loading the module anew, makes it coherent.
* ``mismatch``: versions differ, and a restart does not help: something must be installed or built first.
* ``user_space_only``: a user space and no module anywhere, as in a container or where modules come from elsewhere.
"""

from __future__ import annotations

ABSENT, COHERENT, REBOOT_PENDING, MISMATCH, USER_SPACE_ONLY = "absent", "coherent", "reboot_pending", "mismatch", "user_space_only"


def module_for(modules, kernel):
    """The module that was built for a kernel, None without one."""
    return next((module for module in modules if module["kernel"] == kernel), None)


def version_of(module):
    return module["version"] or "of an unknown version"


def decide(seen):
    """(state, [reason]).

    seen: user_space (version or None), loaded {version, is_loaded}, modules [{kernel, version}], kernel {running, newest_installed},
    nouveau {loaded}, smi_problem (see smi.py), half_installed [package], container.
    """
    state, reasons = by_versions(seen)
    if state == COHERENT and not seen["loaded"]["is_loaded"] and seen["nouveau"]["loaded"]:
        state = REBOOT_PENDING
        reasons.append("nouveau is loaded and holds the GPUs until the host restarts")
    if seen["smi_problem"] == "version_mismatch" and state in (COHERENT, USER_SPACE_ONLY):
        state = MISMATCH
        reasons.append("nvidia-smi says that library and loaded module are of different versions")
    reasons += notes(seen, state)
    return state, reasons


def by_versions(seen):
    """(state, [reason]) by which versions are where."""
    user, loaded, running, newest = seen["user_space"], seen["loaded"], seen["kernel"]["running"], seen["kernel"]["newest_installed"]
    if user is None:
        return without_user_space(seen)
    if not loaded["is_loaded"]:
        return not_loaded(seen)
    if loaded["version"] is None:
        return COHERENT, ["a module is loaded whose version cannot be read; user space is %s" % user]
    if loaded["version"] == user:
        return COHERENT, ["module %s is loaded, user space is %s" % (loaded["version"], user)]
    reasons = ["module %s is loaded, user space is %s" % (loaded["version"], user)]
    fitting = kernels_with(seen, user)
    if running in fitting:
        return REBOOT_PENDING, reasons + ["module %s is built for the running kernel and not loaded yet" % user]
    if newest in fitting:
        return REBOOT_PENDING, reasons + ["module %s is built for kernel %s, which starts next" % (user, newest)]
    return MISMATCH, reasons + ["no module %s is built for kernel %s" % (user, running)]


def without_user_space(seen):
    """(state, [reason]) where there is no library."""
    if seen["loaded"]["is_loaded"]:
        return MISMATCH, ["module %s is loaded, no user space is installed" % version_of(seen["loaded"])]
    if seen["modules"]:
        built = ", ".join("%s for kernel %s" % (version_of(module), module["kernel"]) for module in seen["modules"])
        return MISMATCH, ["module %s is installed, no user space is" % built]
    return ABSENT, ["no NVIDIA driver is installed or loaded"]


def not_loaded(seen):
    """(state, [reason]) of a user space without a loaded module."""
    user, running = seen["user_space"], seen["kernel"]["running"]
    if not seen["modules"]:
        return USER_SPACE_ONLY, ["user space %s is installed, no kernel module is built or loaded" % user]
    own = module_for(seen["modules"], running)
    if own is not None and own["version"] in (user, None):
        return COHERENT, ["module %s is built for the running kernel %s and not loaded" % (version_of(own), running)]
    fitting = kernels_with(seen, user)
    if fitting:
        return REBOOT_PENDING, ["module %s is built for kernel %s, not for the running %s" % (user, ", ".join(fitting), running)]
    built = ", ".join("%s for kernel %s" % (version_of(module), module["kernel"]) for module in seen["modules"])
    return MISMATCH, ["user space is %s, and the modules are %s" % (user, built)]


def kernels_with(seen, version):
    """Kernels that a module of this version is built for."""
    return [module["kernel"] for module in seen["modules"] if module["version"] == version]


def notes(seen, state):
    """What else a reader should know; it does not change the state."""
    found = ["package %s is not wholly installed" % name for name in seen["half_installed"]]
    newest = seen["kernel"]["newest_installed"]
    uncovered = newest not in (None, seen["kernel"]["running"]) and module_for(seen["modules"], newest) is None
    if uncovered and seen["modules"] and state in (COHERENT, REBOOT_PENDING):
        found.append("no module is built for kernel %s, the newest installed one" % newest)
    if seen["container"] and state in (REBOOT_PENDING, MISMATCH):
        found.append("this is a container: its kernel and modules belong to the machine outside")
    if seen["smi_problem"] not in (None, "version_mismatch", "not_run"):
        found.append("nvidia-smi: " + (seen["smi_error"] or seen["smi_problem"]))
    return found
