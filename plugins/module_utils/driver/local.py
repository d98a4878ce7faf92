# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A repository that lies in a folder of the host, or that the user serves: what was wished, and which files make it known. Pure.

NVIDIA's packages nvidia-driver-local-repo-* bring one with its key in it, /var/nvidia-driver-local-repo-<distribution>-<version>.
Source: NVIDIA, driver installation guide, "Local Repository Installation". Forms of a source: sources.list(5), dnf.conf(5).
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import repository

SETTING, KEYRING = "nvidia_driver_local_repository", "nvidia_driver_local_keyring"
EXPECTED = (
    "expected a folder of the host (/srv/nvidia) or a file://, http:// or https:// URL of a flat repository, or URL, suite and components "
    "as in a sources.list (http://mirror.example.org/nvidia bookworm main)"
)
# No blanks and nothing that apt or dnf would read as something else.
URL = re.compile(r"(https?://[^\s/$\[\]%]+(?:/[\w.+:@~=/-]*)?|(?:file:(?://)?)?/(?!/)[\w.+:@~=/-]*)\Z", re.ASCII)
SUITE = re.compile(r"[\w.+:~/-]+\Z", re.ASCII)
# Names of keys beside packages, the likeliest first: NVIDIA's folders have the first form, mirrors of its repositories the others.
KEYS = {"apt": ("*keyring*.gpg", "*.pub", "*.asc"), "dnf": ("*.pub", "*.asc", "RPM-GPG-KEY*")}
INDEXES = ("Packages", "Packages.gz", "Packages.xz", "Packages.bz2", "Packages.lzma", "Packages.zst", "Packages.lz4")
NEXT = "Nothing was changed. Check %s (or use another nvidia_driver_source)." % SETTING


def parse(text):
    """({repository: URL that ends with a slash, suites: [suite, component...]}, [messages]) of nvidia_driver_local_repository."""
    words = (text or "").split()
    if not words:
        return {}, ["%s is empty: %s." % (SETTING, EXPECTED)]
    place, suites = words[0], words[1:] or ["/"]
    if not (URL.match(place) and all(map(SUITE.match, suites))):
        return {}, ["%s is %s: %s." % (SETTING, text, EXPECTED)]
    if is_flat(suites) == bool(suites[1:]):
        told = "%s is %s: a suite wants components behind it, and a flat repository (/) has none; %s."
        return {}, [told % (SETTING, text, EXPECTED)]
    place = place.rstrip("/") + "/"
    return {"repository": place if place.startswith("http") else "file://" + re.sub("^file:(//)?", "", place), "suites": suites}, []


def is_flat(suites):
    return suites[0].endswith("/")


def folder_of(url):
    """The folder that a file:// URL names; None for others."""
    return (url[len("file://") :].rstrip("/") or "/") if url.startswith("file://") else None


def index_problems(url, suites, names, manager):
    """Messages about what a repository of this host lacks. names: of what is in its folder, or the suite's; None: there is no such one."""
    where = folder_of(url)
    if names is None:
        what = "suite %s" % suites[0] if not is_flat(suites) else "folder"
        told = "%s is %s: there is no such %s on this host. Nothing was changed. Copy the repository there, as NVIDIA's package "
        return [(told + "nvidia-driver-local-repo-* does, or correct the path.") % (SETTING, where, what)]
    if manager == "dnf":
        missing = [] if "repodata/repomd.xml" in names else ["index (repodata/repomd.xml); createrepo_c makes one"]
    else:
        missing = [] if not is_flat(suites) or set(INDEXES) & set(names) else ["Packages index; apt-ftparchive packages makes one"]
        if "InRelease" not in names and not {"Release", "Release.gpg"} <= set(names):
            missing.append("signature (InRelease, or Release and Release.gpg), and apt is never told to trust it without one")
    return [
        "%s is %s: the folder has no %s. Nothing was changed. Copy the whole repository there." % (SETTING, where, one) for one in missing
    ]


def closed_problems(path, user):
    """Message about a folder that apt's own user cannot read. path: the first part that is closed, or None."""
    if path is None:
        return []
    told = "%s: %s is closed to user %s, who reads it for apt. Nothing was changed. Open it (chmod a+rX)."
    return [told % (SETTING, path, user)]


def no_key(url):
    """The message when nobody says where the key is."""
    where = folder_of(url)
    if where is None:
        told = "%s is empty: the key that signs %s is not looked for over the network. Set it to a file of the host, or to a URL. %s"
        return told % (KEYRING, url, NEXT)
    told = "%s is empty, and %s has no key (looked for: %s). Nothing was changed. Set it to the file that has the key."
    return told % (KEYRING, where, ", ".join(dict.fromkeys(KEYS["apt"] + KEYS["dnf"])))


def several_keys(paths):
    return "%s is empty, and there are several keys: %s. Nothing was changed. Set it to the one that signs the repository." % (
        KEYRING, ", ".join(sorted(paths)),
    )  # fmt: skip


def is_key(data, manager):
    """Whether it is a public key as apt's binary keyrings have it (RFC 9580: a packet of tag 6 first), or an armored one for dnf."""
    if manager == "dnf":
        return b"BEGIN PGP PUBLIC KEY BLOCK" in data
    return data[:1] in (b"\x98", b"\x99", b"\xc6")


def files_due(wish, seen, listed, off, digest):
    """Paths of apt's sources and keys that are not as wished. seen, listed, off: as in plan.files_due; digest: SHA-256 of a text."""
    files, due = seen["files"], sorted(off)
    own = repository.source_text(wish["repository"], repository.LOCAL_KEYRING, wish["suites"])
    if listed and files[repository.LOCAL_SOURCE] or not listed and files[repository.LOCAL_SOURCE] != digest(own):
        due.append(repository.LOCAL_SOURCE)
    if not listed and not files[repository.LOCAL_KEYRING]:
        due.append(repository.LOCAL_KEYRING)
    # NVIDIA's repository goes, unless role cuda_toolkit has it, too; of one address there is one source.
    same = files[repository.SOURCE] == digest(repository.source_text(wish["repository"]))
    if files[repository.SOURCE] and (same or not seen.get("toolkit")):
        due.append(repository.SOURCE)
    return due
