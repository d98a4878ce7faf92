# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A package index of tiny wheels on the disk, and the real uv that takes from it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest

ENV = Path(__file__).resolve().parents[4] / "scripts" / "env"


def uv_folder() -> str:
    """Folder of the project's uv."""
    if not ENV.exists():
        pytest.skip("the project's environment, which has uv, is not here")
    done = subprocess.run([sys.executable, ENV, "--uv"], capture_output=True, text=True, check=True)
    return str(Path(done.stdout.strip()).parents[1])


class Index:
    """A simple index on the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def add(self, name: str, version: str, code: str = "", requires: tuple[str, ...] = ()) -> str:
        """Publishes a wheel with one module, and returns its line of a list."""
        stem, packages = f"{name}-{version}", self.folder / name.replace("_", "-")
        packages.mkdir(exist_ok=True)
        wheel = packages / f"{stem}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as packed:
            packed.writestr(f"{name}.py", f"version = {version!r}\n{code}")
            packed.writestr(
                f"{stem}.dist-info/METADATA",
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(f"Requires-Dist: {each}\n" for each in requires),
            )
            packed.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            packed.writestr(f"{stem}.dist-info/RECORD", "")
        links = [f'<a href="{quote(each.name)}">{each.name}</a>' for each in sorted(packages.glob("*.whl"))]
        (packages / "index.html").write_text("<!DOCTYPE html><html><body>" + "\n".join(links) + "</body></html>")
        return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
