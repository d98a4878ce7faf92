# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own table of GPU instance types, loaded by path: the sandbox runs without ansible on the path."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).resolve().parents[2] / "plugins" / "module_utils" / "gpu" / "types.py"


@cache
def _table() -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("mlinfra_sandbox_gpu_types", TABLE)
    if spec is None or spec.loader is None:
        raise ImportError(f"{TABLE} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.GPU_TYPES


def gpu_of(instance_type: str) -> Any:
    """The table's row (model, count, memory_mib, efa, nvswitch, fractional …), None for a type without GPUs."""
    return _table().get(instance_type)
