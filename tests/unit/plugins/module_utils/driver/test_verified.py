# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the disk after an installation."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import verified

DRIVER, KERNEL = "580.95.05", "6.1.0-56-amd64"
WISH = {"kernel_modules": True, "flavor": "open"}


def module(**other):
    return {"kernel": KERNEL, "version": DRIVER, "flavor": "open", "path": "/m/nvidia.ko", **other}


@pytest.mark.parametrize(
    ("wish", "libraries", "modules", "told"),
    [
        (WISH, [DRIVER], [module()], None),
        (WISH, [], [], None),
        (WISH, [DRIVER], [module(version=None, flavor=None)], None),
        (WISH, ["550.1.1", DRIVER], [module()], "programs load the libraries of driver 550.1.1, and the packages are 580.95.05"),
        (WISH, [DRIVER], [module(version="1.2")], f"kernel {KERNEL} would load module /m/nvidia.ko of driver 1.2"),
        (WISH, [DRIVER], [module(flavor="proprietary")], f"kernel {KERNEL} would load /m/nvidia.ko, whose flavor is proprietary"),
        (WISH, [DRIVER], [module(kernel="6.1.0-1-amd64", version="1.2")], None),
        ({**WISH, "kernel_modules": False}, [DRIVER], [module(version="1.2")], None),
    ],
)
def test_problems(wish, libraries, modules, told):
    found = verified.problems(wish, DRIVER, [KERNEL], {"libraries": libraries, "modules": modules})
    assert len(found) == (told is not None) and (not told or found[0].startswith(told))
