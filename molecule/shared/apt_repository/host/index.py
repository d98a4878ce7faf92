# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a folder of .debs a signed flat repository (https://wiki.debian.org/DebianRepository/Format), as NVIDIA's are."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
from collections.abc import Iterable
from email.utils import formatdate
from pathlib import Path

from deb import Package


class Key:
    """A throw-away signing key in a home of its own."""

    def __init__(self, home: Path, user: str) -> None:
        home.mkdir(mode=0o700, parents=True)
        self._gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""]
        self._run("--quick-generate-key", user, "ed25519", "sign", "never")

    def _run(self, *arguments: str) -> bytes:
        return subprocess.run([*self._gpg, *arguments], check=True, stdout=subprocess.PIPE).stdout

    def armored(self) -> bytes:
        return self._run("--armor", "--export")

    def binary(self) -> bytes:
        return self._run("--export")

    def sign(self, release: Path) -> None:
        """InRelease and Release.gpg beside it."""
        self._run("--yes", "--clearsign", "--digest-algo", "SHA512", "-o", str(release.with_name("InRelease")), str(release))
        self._run("--yes", "--armor", "--detach-sign", "--digest-algo", "SHA512", "-o", str(release.with_name("Release.gpg")), str(release))


def write(folder: Path, packages: Iterable[tuple[Package, Path]], key: Key, release_fields: dict[str, str]) -> None:
    """Packages, Packages.gz, Release, InRelease and Release.gpg of ``folder``, where the files of the packages lie."""
    stanzas = []
    for package, path in packages:
        data = path.read_bytes()
        stanzas.append(
            package.control() + f"Filename: ./{path.name}\nSize: {len(data)}\nMD5sum: {hashlib.md5(data).hexdigest()}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
        )
    text = "\n".join(stanzas).encode()
    contents = {"Packages": text, "Packages.gz": gzip.compress(text, 1)}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    lines = [f"{name}: {value}" for name, value in {**release_fields, "Date": formatdate(usegmt=True)}.items()]
    lines += ["SHA256:"] + [f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}" for name, data in contents.items()]
    release = folder / "Release"
    release.write_text("\n".join(lines) + "\n")
    key.sign(release)


def link(source: Path, folder: Path) -> Path:
    """The same file in another folder."""
    target = folder / source.name
    os.link(source, target)
    return target
