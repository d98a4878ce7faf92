#!/usr/bin/python3
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes both repositories below /srv/www and serves them on port 8080; /srv/apt-repository.json says what there is.

usage: make.py   (root; once: serve.yml guards it)
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import beside
import cuda as cuda_toolkit
import deb
import driver
import index
import toolkit

ROOT = Path("/srv/www")
CUDA = Path("compute/cuda/repos")
TOOLKIT = ROOT / "nvidia-container"
# Each distribution's public key has a name of its own.
KEYS = {"debian12": "3bf863cc.pub", "debian13": "8793F200.pub"}
# The same repositories on two days, {tree: driver versions}: `moving` is the first of them until a test links it to the second.
DAYS = {
    "nvidia-before": tuple(one for one in driver.VERSIONS if one in ("580.65.06", "580.95.05")),
    "nvidia-after": tuple(one for one in driver.VERSIONS if one != "580.65.06"),
}
MOVING = ROOT / "moving"
KERNEL = ROOT / "kernel"


def cuda(key: index.Key, work: Path) -> None:
    """compute/cuda/repos/<distribution>/x86_64/, a flat repository each, below nvidia/ and for each of the days."""
    built = {version: [(package, deb.write(package, work)) for package in driver.packages(version)] for version in driver.VERSIONS}
    toolkits = [(package, deb.write(package, work)) for release in cuda_toolkit.VERSIONS for package in cuda_toolkit.packages(release)]
    old = [(package, deb.write(package, work)) for package in beside.packages(beside.OLD)]
    for tree, versions in {"nvidia": driver.VERSIONS, **DAYS}.items():
        repositories(key, ROOT / tree / CUDA, [*toolkits, *old, *(pair for version in versions for pair in built[version])])


def repositories(key: index.Key, base: Path, built: list[tuple[deb.Package, Path]]) -> None:
    """One for each distribution below ``base``."""
    for distribution, public in KEYS.items():
        folder = base / distribution / "x86_64"
        folder.mkdir(parents=True)
        listed = [(package, index.link(path, folder)) for package, path in built]
        keyring = driver.keyring(distribution, key.binary())
        listed.append((keyring, deb.write(keyring, folder)))
        index.write(folder, listed, key, {"Origin": "NVIDIA", "Label": "NVIDIA CUDA", "Architecture": "x86_64"})
        (folder / public).write_bytes(key.armored())
        (folder / "cuda-archive-keyring.gpg").write_bytes(key.binary())
        (folder / f"cuda-{distribution}.pin").write_text(driver.pin_file())


def days_apart() -> None:
    """Makes the first day's indexes old, or a client that has them is told that the second day's are not newer."""
    for path in (ROOT / next(iter(DAYS))).rglob("*"):
        if path.name.startswith(("Packages", "Release", "InRelease")):
            os.utime(path, (time.time() - 86400,) * 2)


def kernel(key: index.Key) -> None:
    """A kernel as a distribution has it, in a flat repository of its own."""
    KERNEL.mkdir(parents=True)
    listed = [(package, deb.write(package, KERNEL)) for package in driver.kernel()]
    index.write(KERNEL, listed, key, {"Origin": "Debian", "Label": "Debian", "Architecture": "amd64"})


def container_toolkit(key: index.Key) -> None:
    """gpgkey, and stable/deb/amd64/, a flat repository."""
    folder = TOOLKIT / "stable/deb/amd64"
    folder.mkdir(parents=True)
    listed = [(package, deb.write(package, folder)) for version in toolkit.VERSIONS for package in toolkit.packages(version)]
    index.write(folder, listed, key, {"Origin": "NVIDIA", "Label": "libnvidia-container", "Architecture": "amd64"})
    (TOOLKIT / "gpgkey").write_bytes(key.armored())
    source = "deb https://nvidia.github.io/libnvidia-container/stable/deb/$(ARCH) /\n"
    (TOOLKIT / "stable/deb/nvidia-container-toolkit.list").write_text(source)


def main() -> None:
    ROOT.mkdir(parents=True, exist_ok=True)
    for folder in (ROOT / "nvidia", TOOLKIT, KERNEL, *(ROOT / tree for tree in DAYS)):
        shutil.rmtree(folder, ignore_errors=True)
    MOVING.unlink(missing_ok=True)
    MOVING.symlink_to(next(iter(DAYS)))
    with tempfile.TemporaryDirectory(dir="/srv") as name:
        work = Path(name)
        cuda(index.Key(work / "cuda-key", "cudatools <nobody@example.org>"), work)
        days_apart()
        kernel(index.Key(work / "kernel-key", "kernel <nobody@example.org>"))
        container_toolkit(index.Key(work / "toolkit-key", "toolkit <nobody@example.org>"))
    serve = ["systemd-run", "--quiet", "--unit=apt-repository", "--property=Restart=on-failure"]
    subprocess.run([*serve, "python3", "-m", "http.server", "--directory", str(ROOT), "8080"], check=True)
    broken = (driver.BROKEN_MODULES, driver.BROKEN_USER_SPACE, driver.OTHER_MODULES, driver.WITHOUT_FABRIC)
    good = [version for version in driver.VERSIONS if version not in broken]
    served = {
        "driver": {"good": good, "broken_modules": driver.BROKEN_MODULES, "broken_user_space": driver.BROKEN_USER_SPACE},
        "toolkit": {"good": [version for version in toolkit.VERSIONS if version != toolkit.BROKEN], "broken": toolkit.BROKEN},
    }
    Path("/srv/apt-repository.json").write_text(json.dumps(served) + "\n")


if __name__ == "__main__":
    main()
