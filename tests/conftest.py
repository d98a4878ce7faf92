# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make this checkout importable as ansible_collections.mlinfra.hosts, the way Ansible itself does it.

Property tests take the same examples each time, so that a run says something of the change; ``make fuzz`` takes others.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from hypothesis import settings

CHECKOUT = Path(__file__).resolve().parent.parent


def _collections_path() -> Path:
    """A folder in which this checkout stands as ansible_collections/mlinfra/hosts."""
    if CHECKOUT.parts[-3:] == ("ansible_collections", "mlinfra", "hosts"):
        return CHECKOUT.parents[2]
    link = CHECKOUT / ".build" / "collections" / "ansible_collections" / "mlinfra" / "hosts"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(CHECKOUT)
    return link.parents[2]


if not any(isinstance(finder, _AnsibleCollectionFinder) for finder in sys.meta_path):
    _AnsibleCollectionFinder(paths=[str(_collections_path())])._install()

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("fuzz", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("MLINFRA_PROPERTIES", "repeatable"))
