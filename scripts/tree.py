# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this checkout consists of, found by looking: for tests that must notice a new module or role by themselves."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parent.parent
COLLECTION = "mlinfra.hosts"
# plugins/ folders whose plugins ansible-doc documents, by the type that it calls them; action plugins have their module's page.
DOCUMENTED_TYPES = {
    "modules": "module",
    "inventory": "inventory",
    "filter": "filter",
    "lookup": "lookup",
    "callback": "callback",
    "test": "test",
}
GENERATED = {".git", ".build", ".ansible", ".cache", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", "__pycache__", ".venv"}


def modules() -> list[str]:
    return _names(CHECKOUT / "plugins" / "modules")


def plugins() -> list[tuple[str, str]]:
    """(type, name) of every plugin that has a documentation page, modules among them."""
    return [(kind, name) for folder, kind in DOCUMENTED_TYPES.items() for name in _names(CHECKOUT / "plugins" / folder)]


def action_plugins() -> list[str]:
    return _names(CHECKOUT / "plugins" / "action")


def roles() -> list[str]:
    return sorted(path.name for path in (CHECKOUT / "roles").glob("*") if path.is_dir())


def playbooks() -> list[str]:
    return sorted(path.stem for path in (CHECKOUT / "playbooks").glob("*.yml"))


def scenarios() -> list[str]:
    return sorted(path.parent.name for path in (CHECKOUT / "molecule").glob("*/molecule.yml"))


def load(path: Path):
    """The YAML file's content; None when there is no such file."""
    return yaml.safe_load(path.read_text()) if path.exists() else None


def argument_specs(role: str) -> dict:
    return (load(CHECKOUT / "roles" / role / "meta" / "argument_specs.yml") or {}).get("argument_specs", {})


def defaults(role: str) -> dict:
    """A role's defaults, from defaults/main.yml or the files of defaults/main/."""
    folder = CHECKOUT / "roles" / role / "defaults"
    merged: dict = {}
    for path in [folder / "main.yml", *sorted((folder / "main").glob("*.yml"))]:
        merged.update(load(path) or {})
    return merged


def documentation(module: str) -> dict:
    """A module's DOCUMENTATION as written, its fragments not merged in."""
    return _literal(CHECKOUT / "plugins" / "modules" / f"{module}.py", "DOCUMENTATION")


def files() -> Iterator[Path]:
    """Every file of the checkout that a person wrote, relative to it."""
    for folder, below, names in os.walk(CHECKOUT):
        below[:] = [name for name in below if name not in GENERATED]
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink() and not name.endswith((".tar.gz", ".pyc")):
                yield path.relative_to(CHECKOUT)


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def _literal(path: Path, name: str) -> dict:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            return yaml.safe_load(ast.literal_eval(node.value))
    return {}
