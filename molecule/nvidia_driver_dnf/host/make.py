#!/usr/bin/python3
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds rpm packages below /srv/www and serves them on port 8080: baseos/ and NVIDIA's repositories on two days, before/ and after/.

usage: make.py   (root; once)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rpms
from index import Key

ROOT = Path("/srv/www")
CUDA = Path("compute/cuda/repos")
DAYS = {"before": ("580.95.05",), "after": rpms.VERSIONS}
PUBLIC = "D42D0685.pub"


def build(spec: rpms.Spec, top: Path) -> list[Path]:
    """The spec's packages."""
    tree = top / "tree"
    for path, (data, mode) in spec.tree.items():
        target = tree / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(mode)
    text = spec.text + f"%install\nmkdir -p %{{buildroot}}\n[ ! -d {tree} ] || cp -a {tree}/. %{{buildroot}}/\n"
    (top / "one.spec").write_text(text)
    command = ["rpmbuild", "--quiet", "--nodeps", "--target", "x86_64", "-D", f"_topdir {top}", "-D", "__os_install_post %{nil}", "-bb"]
    subprocess.run([*command, str(top / "one.spec")], check=True)
    return sorted((top / "RPMS").rglob("*.rpm"))


def repository(folder: Path, packages: list[Path]) -> None:
    folder.mkdir(parents=True)
    for path in packages:
        os.link(path, folder / path.name)
    subprocess.run(["createrepo_c", "--quiet", "--compatibility", str(folder)], check=True)


def main() -> None:
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir="/srv") as name:
        work = Path(name)
        key = Key(work / "key", "cudatools <nobody@example.org>")
        specs = [(version, spec) for version in rpms.VERSIONS for spec in rpms.driver(version)]
        specs += [("distribution", spec) for spec in rpms.distribution()]
        tops = [work / str(number) for number in range(len(specs))]
        for top in tops:
            top.mkdir()
        with ThreadPoolExecutor(2) as pool:
            built = list(pool.map(lambda pair: build(*pair), [(spec, top) for (_, spec), top in zip(specs, tops)]))
        signed = [str(path) for (of, _), paths in zip(specs, built) for path in paths if of != "distribution"]
        sign = ["rpmsign", "-D", "__gpg /usr/bin/gpg", "-D", f"_gpg_path {work / 'key'}", "-D", "_gpg_name cudatools", "--addsign", *signed]
        subprocess.run(sign, check=True, capture_output=True)
        found: dict[str, list[Path]] = {}
        for (of, _), paths in zip(specs, built):
            found.setdefault(of, []).extend(paths)
        repository(ROOT / "baseos", found["distribution"])
        for day, versions in DAYS.items():
            for distribution in ("rhel9", "amzn2023"):
                folder = ROOT / day / CUDA / distribution / "x86_64"
                repository(folder, [path for version in versions for path in found[version]])
                (folder / PUBLIC).write_bytes(key.armored())
    (ROOT / "moving").symlink_to("before")
    serve = ["systemd-run", "--quiet", "--unit=rpm-repository", "--property=Restart=on-failure"]
    subprocess.run([*serve, "python3", "-m", "http.server", "--directory", str(ROOT), "8080"], check=True)


if __name__ == "__main__":
    main()
