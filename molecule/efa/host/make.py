#!/usr/bin/python3
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes archives in the layout of AWS's EFA installer below /srv/efa, signs them with a key of its own, and serves them on 127.0.0.1:8091.

/srv/efa/rdma-user_1_amd64.deb is a package of others that needs rdma-core; /srv/efa/fingerprint is written last. Releases: 1.46.0, 1.47.0;
1.47.1 was altered after it was signed; 1.47.2 is signed by another key.
usage: make.py   (root; once)
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import deb

HERE, SERVED = Path(__file__).resolve().parent, Path("/srv/efa")
KERNEL, ARCHITECTURE = os.uname().release, os.uname().machine
DRIVERS = {"1.46.0": "2.17.3", "1.47.0": "3.0.0", "1.47.1": "3.0.1", "1.47.2": "3.0.2"}

# What DKMS does with the real package, where there is a compiler: the module, and its own tree.
POSTINST = f"""#!/bin/sh
set -e
base=/var/lib/dkms/efa
mkdir -p $base/VERSION/{KERNEL}/{ARCHITECTURE}/module /lib/modules/{KERNEL}/updates/dkms
ln -sfn /usr/src/efa-VERSION $base/VERSION/source
ln -sfn VERSION/{KERNEL}/{ARCHITECTURE} $base/kernel-{KERNEL}-{ARCHITECTURE}
echo stand-in > $base/VERSION/{KERNEL}/{ARCHITECTURE}/module/efa.ko
echo stand-in > /lib/modules/{KERNEL}/updates/dkms/efa.ko
"""
PRERM = f"""#!/bin/sh
rm -rf /var/lib/dkms/efa/VERSION /var/lib/dkms/efa/kernel-{KERNEL}-{ARCHITECTURE} /lib/modules/{KERNEL}/updates/dkms/efa.ko
"""


def packages(release: str) -> list[deb.Package]:
    driver = DRIVERS[release]
    build = f"{release}-1"
    source = f"/usr/src/efa-{driver}/dkms.conf"
    fi_info = "/opt/amazon/efa/bin/fi_info"
    scripts = {"postinst": POSTINST.replace("VERSION", driver), "prerm": PRERM.replace("VERSION", driver)}
    return [
        deb.Package("efa", f"{driver}-1", "kernel module", files={source: "PACKAGE_NAME=efa\n"}, scripts=scripts),
        deb.Package("efa-config", build, "limits", files={"/etc/security/limits.d/01_efa.conf": "* soft memlock unlimited\n"}),
        deb.Package("efa-profile", build, "path", files={"/etc/profile.d/zippy_efa.sh": "PATH=/opt/amazon/efa/bin:$PATH\n"}),
        deb.Package("libfabric-aws-bin", build, "fi_info", files={fi_info: (HERE / "fi_info").read_text()}, programs=(fi_info,)),
        deb.Package("openmpi40-aws", build, "Open MPI 4"),
        deb.Package("openmpi50-aws", build, "Open MPI 5"),
        deb.Package("rdma-core", build, "verbs"),
    ]


def archive(release: str, folder: Path) -> bytes:
    """The tar.gz of one release."""
    top = folder / release / "aws-efa-installer"
    place = top / "DEBS" / "DEBIAN12" / "x86_64"
    (place / "rdma-core").mkdir(parents=True)
    for package in packages(release):
        deb.write(package, place / "rdma-core" if package.name == "rdma-core" else place)
    shutil.copy(HERE / "efa_installer.sh", top)
    (top / "env.sh").write_text(f'EFA_INSTALLER_VERSION="{release}"\n')
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as out:
        out.add(top, "aws-efa-installer")
    return buffer.getvalue()


def main() -> None:
    SERVED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = folder / "gnupg"
        home.mkdir(mode=0o700)

        def gpg(*arguments: str | Path) -> str:
            command = ["gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "", *arguments]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout

        for who in ("aws@example.org", "other@example.org"):
            gpg("--quick-generate-key", who, "ed25519", "sign", "never")
        for release in DRIVERS:
            path = SERVED / f"aws-efa-installer-{release}.tar.gz"
            path.write_bytes(archive(release, folder))
            signer = "other@example.org" if release == "1.47.2" else "aws@example.org"
            gpg("--local-user", signer, "--output", f"{path}.sig", "--detach-sign", path)
            if release == "1.47.1":
                path.write_bytes(path.read_bytes() + b"\0")
        user = deb.Package("rdma-user", "1", "a program of others", fields={"Depends": "rdma-core"})
        deb.write(user, SERVED)
        (SERVED / "aws-efa-installer.key").write_text(gpg("--armor", "--export", "aws@example.org", "other@example.org"))
        shown = gpg("--with-colons", "--fingerprint", "aws@example.org")
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
    # The kernel here is the machine's, whose headers no package has.
    Path(f"/lib/modules/{KERNEL}/build").mkdir(parents=True, exist_ok=True)
    serve = ["systemd-run", "--quiet", "--unit=efa-archives", "--property=Restart=on-failure", "python3", "-m", "http.server"]
    subprocess.run([*serve, "--bind", "127.0.0.1", "--directory", SERVED, "8091"], check=True)
    (SERVED / "fingerprint").write_text(next(line.split(":")[9] for line in shown.splitlines() if line.startswith("fpr:")))


if __name__ == "__main__":
    main()
