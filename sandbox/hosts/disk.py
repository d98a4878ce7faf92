# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's disk: an overlay of the base root that lives from the first boot to termination, and images that are made of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from sandbox.command import run

# Container engines inside need a real file system here: overlay on overlay is refused by the kernel.
VOLUMES = ("/var/lib/docker", "/var/lib/containers", "/var/lib/containerd")


def _mounted(path: Path) -> bool:
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    return any(line.split()[4] == str(path) for line in text.splitlines())


def attach(folder: Path, base: Path, images: list[Path]) -> Path:
    """Mount the disk of the host whose state is in ``folder`` and return its root; made on first use.

    ``images``: folders of ``save``, each made of a host of the next one.
    """
    if images and not (folder / "volumes").exists():
        _copy(images[0] / "volumes", folder / "volumes")
    upper, work, merged = folder / "upper", folder / "work", folder / "root"
    for path in (upper, work, merged, *(folder / "volumes" / Path(volume).name for volume in VOLUMES)):
        path.mkdir(parents=True, exist_ok=True)
    if not _mounted(merged):
        lower = ":".join([*(str(image / "upper") for image in images), str(base)])
        run(["mount", "-t", "overlay", "mlinfra", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", str(merged)])
    return merged


def save(folder: Path, image: Path) -> None:
    """Make an image: what this host has beside those that it stands on. Only a rename shows it."""
    partial = image.with_name(f".partial-{image.name}")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    for name in ("upper", "volumes"):
        _copy(folder / name, partial / name)
    partial.rename(image)


def _copy(source: Path, target: Path) -> None:
    """With all that an overlay keeps in files: whiteouts are devices, opaque folders have an attribute."""
    partial = target.with_name(f".copy-{target.name}")
    if partial.exists():
        shutil.rmtree(partial)
    run(["cp", "--archive", "--reflink=auto", str(source), str(partial)])
    partial.rename(target)


def detach(folder: Path) -> None:
    """Unmount; the content stays."""
    if _mounted(folder / "root"):
        subprocess.run(["umount", str(folder / "root")], check=False, capture_output=True)
        if _mounted(folder / "root"):
            run(["umount", "--lazy", str(folder / "root")])


def delete(folder: Path) -> None:
    """Unmount and forget everything."""
    detach(folder)
    if folder.exists():
        shutil.rmtree(folder)
