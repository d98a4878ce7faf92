# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a .deb (deb(5)): an ar archive of the format's version, the control files and the tree. A hundred take a second."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """One binary package. ``files``: path on the host → text, or bytes; ``programs``: those that are executable;
    ``conffiles``: those that dpkg keeps when the user changed them. ``fields``: Depends, Provides … as in a control file."""

    name: str
    version: str
    description: str
    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, str | bytes] = field(default_factory=dict)
    programs: tuple[str, ...] = ()
    conffiles: tuple[str, ...] = ()
    scripts: dict[str, str] = field(default_factory=dict)
    architecture: str = "amd64"

    @property
    def file_name(self) -> str:
        return f"{self.name}_{self.version}_{self.architecture}.deb"

    def control(self) -> str:
        lines = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": self.architecture,
            "Maintainer": "mlinfra.hosts tests <nobody@example.org>",
            "Section": "non-free/libs",
            "Priority": "optional",
            "Installed-Size": "1",
            **self.fields,
            "Description": f"{self.description} (stand-in for tests)",
        }
        return "".join(f"{key}: {value}\n" for key, value in lines.items() if value)


def write(package: Package, folder: Path) -> Path:
    """The package's file below ``folder``."""
    control = {"control": (package.control(), 0o644)}
    control |= {name: (text, 0o755) for name, text in package.scripts.items()}
    if package.conffiles:
        control["conffiles"] = ("".join(f"{path}\n" for path in package.conffiles), 0o644)
    tree = {path.lstrip("/"): (text, 0o755 if path in package.programs else 0o644) for path, text in package.files.items()}
    members = {"debian-binary": b"2.0\n", "control.tar.gz": _tar(control), "data.tar.gz": _tar(tree)}
    target = folder / package.file_name
    with target.open("wb") as out:
        out.write(b"!<arch>\n")
        for name, data in members.items():
            out.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode())
            out.write(data + b"\n" * (len(data) % 2))
    return target


def _tar(files: dict[str, tuple[str | bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1, format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(_member("./", 0o755, tarfile.DIRTYPE))
        parents = {str(parent) for path in files for parent in Path(path).parents if str(parent) != "."}
        for parent in sorted(parents):
            archive.addfile(_member(f"./{parent}/", 0o755, tarfile.DIRTYPE))
        for path, (text, mode) in files.items():
            data = text if isinstance(text, bytes) else text.encode()
            member = _member(f"./{path}", mode, tarfile.REGTYPE)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _member(name: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode, member.type, member.uname, member.gname, member.mtime = mode, kind, "root", "root", 1700000000
    return member
