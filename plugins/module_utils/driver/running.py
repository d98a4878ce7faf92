# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A driver that is installed is brought to work: its modules are loaded, and its persistence daemon runs."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import persistence
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.loaded import loaded
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.reading import Host

MODULES = ("nvidia", "nvidia-uvm")


def load(run, companions):
    """Load the modules. Returns why it failed, empty when it did not."""
    for name in (("ib_umad",) if "nvlsm" in companions else ()) + MODULES:
        code, out, err = run(["modprobe", name])
        if code:
            return "modprobe %s: %s" % (name, (err or out).strip().replace("\n", "; "))
    return ""


def daemon(run, wish):
    """As persistence.look(); where nobody wishes it, as of a host without one."""
    return persistence.look(run) if wish["persistence"] else persistence.parse("", None)


def persistence_due(seen, driver):
    """Steps of persistence.due. seen: see daemon(); driver: version of the one that is installed, or None."""
    return persistence.due(seen, driver is not None and loaded(Host())["version"] == driver)
