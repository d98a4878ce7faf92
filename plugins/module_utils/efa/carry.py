# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Looks at a host's EFA software, and runs AWS's installer from a verified archive. What is decided is in plan.py."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time

from ansible_collections.mlinfra.hosts.plugins.module_utils.efa import archive, installed, kmod, plan, releases, signature, unfinished
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import interconnect, packages, running
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import dpkg
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

LOG = "/var/log/mlinfra-efa-installer.log"
FI_INFO = "/opt/amazon/efa/bin/fi_info"
# Runs in the folder of the archive, as the script wants, by bash, for /var may be mounted noexec; all that it says goes to the log, which
# outlives a killed run.
SCRIPT = 'cd "$1" && log=$2 && shift 2 && exec bash ./efa_installer.sh "$@" >>"$log" 2>&1'
REBOOT = re.compile(r"please reboot|reboot is needed", re.IGNORECASE)
# Right after its module was loaded a device is renamed, and fi_info may not see it yet: the installer itself waits this long.
SETTLE_SECONDS, TRY_SECONDS = 15, 3


class Refused(Exception):
    """Nothing was changed; its text says why, and what to do."""


class Broken(Exception):
    """Something was changed, and it is not as wished; its text says what to do."""


def ask(host, programs, names):
    """What dpkg or rpm know of these packages, and dpkg of the others: {name: {version, status}}. programs: gpu.facts.Programs."""
    status = host.text(packages.DPKG, 64 << 20) if names else ""
    return dpkg.parse_status(status) if status else packages.parse_rpm(programs.rpm(names)) if names else {}


def look(host, programs, kernel=None):
    """What plan.py decides by. kernel: the one that has to have the module, the running one by default."""
    kernel = kernel or os.uname().release
    listed = installed.parse(host.text(installed.FILE))
    known = ask(host, programs, listed["packages"])
    devices = interconnect.look(host)["efa"]["devices"]
    return {
        "version": listed["version"],
        "packages": listed["packages"],
        "parts": installed.parts(listed["packages"]),
        "not_whole": installed.not_whole(listed["packages"], known),
        "kernel": kernel,
        "module": kmod.look(host, kernel),
        "devices": len(devices),
        "unbound": [device["address"] for device in devices if device["kernel_driver"] is None],
        "container": programs.container(),
    }


def ask_fabric(seen, settle):
    """plan.fabric of this host, again for a while when ``settle``."""
    end = time.monotonic() + (SETTLE_SECONDS if settle else 0)
    while True:
        done = running.run([FI_INFO, "-p", "efa", "-t", "FI_EP_RDM"], 30)
        found = plan.fabric(done.code, done.problem or done.out or done.err)
        if found["domains"] >= seen["devices"] or time.monotonic() + TRY_SECONDS > end:
            return found
        time.sleep(TRY_SECONDS)


def sha256(path):
    """:raises Refused: for a file that cannot be read."""
    found = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for chunk in iter(lambda: file.read(1 << 20), b""):
                found.update(chunk)
    except OSError as error:
        raise Refused("%s cannot be read: %s. Nothing was changed. Put the installer's archive there." % (path, error.strerror)) from error
    return found.hexdigest()


def check_checksum(wish):
    """:raises Refused: when the archive is not the one that was named, or that AWS published."""
    expected, source = (wish["sha256"] or "").lower(), "sha256"
    if not expected and wish["fingerprint"] == releases.FINGERPRINT:
        expected, source = releases.SHA256.get(wish["version"], ""), "AWS's own list for %s" % wish["version"]
    found = sha256(wish["archive"])
    if expected and found != expected:
        raise Refused(
            "%s has the SHA-256 %s: expected %s, by %s. Nothing was changed. Fetch it again; do not install it before you know why."
            % (wish["archive"], found, expected, source)
        )


def check_signature(wish, gpgv):
    """:raises Refused: unless the archive is signed by the key of the wished fingerprint."""
    advice = "Nothing was changed. Fetch all three again from AWS; do not install it before you know why."
    with tempfile.TemporaryDirectory(prefix="mlinfra-efa-") as folder:
        keyring = os.path.join(folder, "key.gpg")
        try:
            with open(wish["key"], "rb") as file:
                data = signature.binary(file.read())
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise Refused("%s is no key: %s. Nothing was changed. Fetch aws-efa-installer.key again." % (wish["key"], why)) from error
        with open(keyring, "wb") as file:
            file.write(data)
        done = running.run(signature.command(gpgv, keyring, wish["signature"], wish["archive"]), 300)
    problem = done.problem or signature.judge(done.out, wish["fingerprint"])
    if problem:
        raise Refused(
            "%s is not proven to be AWS's by %s and key %s: %s. %s"
            % (wish["archive"], os.path.basename(wish["signature"]), wish["fingerprint"], problem, advice)
        )


def tail(path, most=8):
    """The last lines of a log that say something."""
    lines = [line.rstrip() for line in read(path).splitlines() if line.strip(" =\t")]
    return " | ".join(line.strip()[:200] for line in lines[-most:]) or "nothing"


def run_installer(folder, options, timeout):
    """:raises Broken: when it fails or does not end."""
    command = ["/bin/sh", "-c", SCRIPT, "sh", os.path.join(folder, archive.TOP), LOG]
    done = running.run(command + options, timeout)
    if done.code == 0:
        return
    how = done.problem and "did not end within %d s" % timeout or "failed with code %d" % done.code
    there = installed.parse(read(installed.FILE))["version"]
    raise Broken(
        "AWS's EFA installer (efa_installer.sh %s) %s. It says: %s. All of it is in %s. The host's list of EFA software %s. "
        "Mend what it says and run this again: it then installs what is missing."
        % (" ".join(options), how, tail(LOG), LOG, "names %s" % there if there else "is not there")
    )


def build(step, seen, image=False):
    """Have DKMS build and install the module, and load it, which no image's builder does. :raises Refused, Broken:"""
    version = seen["module"]["registered"][-1]
    if not seen["module"]["headers"]:
        raise Refused(
            "Kernel %s has no module efa, and its headers are not here to build it with. Nothing was changed. Install the headers of this "
            "kernel, or reboot into a kernel that has the module." % seen["kernel"]
        )
    done = running.run(["dkms", "install", "-m", kmod.NAME, "-v", version, "-k", seen["kernel"]], 900)
    if done.code != 0:
        said = " | ".join((done.out + done.err).strip().splitlines()[-6:]) or done.problem
        raise Broken("%s failed. DKMS says: %s. Mend that and run this again." % (step["what"], said))
    if not image:
        running.run(["modprobe", kmod.NAME], 60)


def act(wish, seen, steps, gpgv, known):
    """Do the steps; returns whether the installer asks for a reboot. known(names): see ask(). :raises Refused, Broken:"""
    if steps[0]["do"] == "build":
        build(steps[0], seen, wish["image"])
        return False
    check_checksum(wish)
    check_signature(wish, gpgv)
    folder = tempfile.mkdtemp(prefix="unpacked-", dir=os.path.dirname(wish["archive"]))
    try:
        try:
            version = archive.unpack(wish["archive"], folder, lambda: shutil.disk_usage(folder).free)
        except archive.Unusable as error:
            advice = "Nothing was changed. Make room, or fetch the archive again."
            raise Refused("%s cannot be unpacked: %s. %s" % (wish["archive"], error, advice)) from error
        if version != wish["version"]:
            raise Refused(
                "%s is EFA software %s: expected %s. Nothing was changed. Fetch %s, or change version."
                % (wish["archive"], version, wish["version"], releases.name(wish["version"]))
            )
        # 0640: what packages' scripts print is not everybody's.
        os.close(os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640))
        for step in steps:
            if step["do"] == "uninstall":
                run_installer(folder, ["-y", "--uninstall"], wish["timeout"])
                continue
            unfinished.begin(unfinished.packages_of(folder), known)  # behind an uninstallation, which has deleted AWS's list
            run_installer(folder, plan.installer_options(wish, seen["devices"] > 0), wish["timeout"])
        unfinished.end(known)
        # The installer loads its module whatever it is told: on the builder of an image nothing is to be loaded that was not before.
        if wish["image"] and seen["module"]["loaded"] is None:
            running.run(["modprobe", "-r", kmod.NAME], 60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return bool(REBOOT.search(read(LOG)))
