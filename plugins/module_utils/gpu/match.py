# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Finds the EC2 instance types that offer the GPUs of a wish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.types import GPU_TYPES, NOMINAL_MEMORY_GIB, GpuType

# Models of Arm machines: they need images of their own, so a wish that names no model does not mean them.
_ARM_MODELS = frozenset({"t4g"})


def models(types: Mapping[str, GpuType] = GPU_TYPES) -> list[str]:
    """Models that whole GPUs are offered of, sorted."""
    return sorted({gpu.model for gpu in types.values() if not gpu.fractional})


def nominal(gpu: GpuType) -> tuple[int, ...]:
    """The sizes in GiB that people call this GPU's memory by."""
    return NOMINAL_MEMORY_GIB.get(gpu.memory_mib, (round(gpu.memory_mib / 1024),))


def offered(wished: Iterable[str] = (), types: Mapping[str, GpuType] = GPU_TYPES) -> dict[str, dict[int, list[int]]]:
    """What there is of each wished model: count → nominal sizes, both ascending. No wish: of every model for x86 machines."""
    wished = set(wished)
    table: dict[str, dict[int, set[int]]] = {}
    for gpu in types.values():
        if _meant(gpu, wished):
            table.setdefault(gpu.model, {}).setdefault(gpu.count, set()).update(nominal(gpu))
    return {model: {count: sorted(sizes) for count, sizes in sorted(counts.items())} for model, counts in sorted(table.items())}


def instance_types(
    wished: Iterable[str], count: int, memory_gib: int | None = None, types: Mapping[str, GpuType] = GPU_TYPES
) -> tuple[str, ...]:
    """Types with exactly ``count`` whole GPUs of one of these models, cheapest first, without a known price last; perhaps none."""
    wished = set(wished)
    fitting = [
        (gpu.usd_per_hour is None, gpu.usd_per_hour or 0.0, name)
        for name, gpu in types.items()
        if _meant(gpu, wished) and gpu.count == count and (memory_gib is None or memory_gib in nominal(gpu))
    ]
    return tuple(name for unpriced, price, name in sorted(fitting))


def _meant(gpu: GpuType, wished: set[str]) -> bool:
    """Slices of a GPU are never meant: they cannot be counted, and need a driver of their own."""
    return not gpu.fractional and (gpu.model in wished if wished else gpu.model not in _ARM_MODELS)
