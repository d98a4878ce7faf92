# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a host of dnf and rpm has, in the same words as state.py has for one of apt and dpkg."""

from __future__ import annotations

import hashlib
import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, dkms, plan, state, versionlock, versions
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read

SOURCE = "/etc/yum.repos.d/mlinfra-nvidia.repo"
KEY = "/etc/pki/rpm-gpg/RPM-GPG-KEY-mlinfra-nvidia"
FILES = (state.NOUVEAU, state.UMAD, KEY, SOURCE)
FORMAT = "%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE} %{ARCH}\n"
SOURCE_TEXT = """\
# Written by role mlinfra.hosts.nvidia_driver.
[mlinfra-nvidia]
name=NVIDIA CUDA
baseurl=%s
enabled=1
gpgcheck=1
gpgkey=file://%s
# Its drivers are in streams of a module, one branch each, and only those of an enabled stream can be seen. Which version is installed is
# said by name here, so no stream has to be switched, and a branch needs no other (dnf.modularity(7), "Hotfix repositories").
module_hotfixes=1
"""


def source_text(url, key=KEY):
    return SOURCE_TEXT % (url, key)


def parse(text):
    """Lines 'name epoch:version-release architecture' -> {'name-epoch:version-release.architecture': (name, version)}.

    An epoch of 0 is left out of the version. Each of rpm's own keys is a package of one name: it gets its version into that.
    """
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) != 3:
            continue
        name, version, architecture = words
        bare = version[2:] if version.startswith("0:") else version
        if name == "gpg-pubkey":
            found["%s-%s" % (name, bare)] = ("%s-%s" % (name, bare), bare)
        else:
            found["%s-%s.%s" % (name, version, architecture)] = (name, bare)
    return found


def packages_of(database, locked):
    """{name: {version, status, held, broken}}; of several the newest. database: see parse; locked: text of versionlock's list."""
    newest = {}
    for name, version in database.values():
        if name not in newest or versions.compare(version, newest[name]) > 0:
            newest[name] = version
    return {
        name: {"version": version, "status": "installed", "held": versionlock.held(locked, name, version), "broken": False}
        for name, version in newest.items()
    }


def database(run):
    """What rpm has; see parse. :raises apt.Failed: rpm does not say, which must never be read as a host without packages."""
    code, out, err = run(["rpm", "-qa", "--queryformat", FORMAT], environ_update={"LC_ALL": "C"})
    found = parse(out)
    if code or not found:
        raise apt.Failed("rpm -qa", (out + "\n" + err).strip() or "rpm lists no package")
    return found


def packages(run):
    path = versionlock.here()
    return packages_of(database(run), read(path) if path else "")


def look(run):
    """As state.look(); sources of somebody else are no hindrance to dnf, so none are read."""
    return {
        "packages": packages(run),
        "files": {path: state.digest(path) for path in FILES},
        "manifest": state.manifest(),
        "pins": read(state.PINS) or "",
        "begun": os.path.exists(state.BEGUN),
        "lost": state.lost(),
        "sources": {},
        "keyrings": {},
        "lists": True,
        "running": os.uname().release,
        "installed_kernels": dkms.kernels_installed(),
        "header_kernels": dkms.kernels_with_headers(),
        "loaded": os.path.isdir("/sys/module/nvidia"),
        "nouveau": os.path.isdir("/sys/module/nouveau"),
    }


def files_due(wish, seen, listed, off, settled):
    """As plan.files_due, for dnf's files: versions are kept by versionlock, so there are no preferences."""
    due = []
    if wish["kernel_modules"] and seen["files"][state.NOUVEAU] != plan.sha256(state.NOUVEAU_TEXT):
        due.append(state.NOUVEAU)
    if "nvlsm" in wish["companions"] and seen["files"][state.UMAD] != plan.sha256(state.UMAD_TEXT):
        due.append(state.UMAD)
    if seen["files"][SOURCE] != plan.sha256(source_text(wish["repository"])):
        due.append(SOURCE)
    if not seen["files"][KEY]:
        due.append(KEY)
    return due


def key_due(seen, due, key):
    """The key's file, when it is of another repository than that which is used now."""
    return [] if KEY in due or seen["files"][KEY] == hashlib.sha256(key).hexdigest() else [KEY]
