# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Reads NVIDIA's repository into a folder of its own, so that it is known to be good before anything on the host is touched."""

from __future__ import annotations

import glob
import hashlib
import io
import os
import shutil
import tarfile

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, repository, state, transaction
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read


class Unusable(Exception):
    """The repository cannot be used; the message says why and what to do."""


MAIN = "/etc/apt/sources.list"
NEXT = "Nothing was changed. Check nvidia_driver_repository (mlinfra_mirrors.nvidia and mlinfra_proxy change where it is looked for)."


def download(url, proxy, expected_sha256):
    """Bytes of the file that holds the key which signs the repository. :raises Unusable:"""
    # Here, since it is half of what a module loads, and a host where nothing is to be done fetches nothing.
    from ansible.module_utils.urls import open_url

    # open_url asks the environment for a proxy, and apt is told the same.
    for name in ("http_proxy", "https_proxy"):
        if proxy:
            os.environ[name] = proxy
    try:
        data = open_url(url, timeout=30).read()
    except Exception as error:  # urllib raises a dozen kinds; all of them mean the same here
        raise Unusable("%s cannot be fetched: %s. %s" % (url, str(error).rstrip("."), NEXT)) from error
    return judged(data, url, expected_sha256)


def judged(data, where, expected_sha256):
    """The same bytes. :raises Unusable: they are not those that were expected, if any"""
    found = hashlib.sha256(data).hexdigest()
    if expected_sha256 and found != expected_sha256.lower():
        raise Unusable(
            "%s has the SHA-256 %s: expected nvidia_driver_keyring_sha256 %s. Nothing was changed. "
            "Do not trust this repository before you know why." % (where, found, expected_sha256)
        )
    return data


def fetch(url, proxy, run, keyring_sha256, folder):
    """Bytes of the key that signs the repository, out of its package cuda-keyring. :raises Unusable:"""
    return unpacked(download(url, proxy, keyring_sha256), url, run, folder)


def unpacked(data, url, run, folder):
    """Bytes of the key out of those of a package. :raises Unusable:"""
    path = os.path.join(folder, "cuda-keyring.deb")
    with open(path, "wb") as file:
        file.write(data)
    code, out, err = run(["dpkg-deb", "--fsys-tarfile", path], encoding=None)
    try:
        with tarfile.open(fileobj=io.BytesIO(out)) as tree:
            keys = [member for member in tree.getmembers() if "/keyrings/" in member.name and member.name.endswith(".gpg")]
            return tree.extractfile(keys[0]).read()
    except (tarfile.TarError, IndexError) as error:
        why = err.decode(errors="replace").strip() or "it has no keyrings/*.gpg"
        raise Unusable("%s holds no key: %s. %s" % (url, why, NEXT)) from error


class Stage:
    """The repository at ``url`` as apt sees it. folder: an empty folder of ours; key: bytes of the signing key; suites: see local.parse."""

    def __init__(self, program, url, key, folder, suites=("/",)):
        self.program, self.url, self.key, self.folder = program, url, key, folder
        for name in ("parts", "lists", "lists/partial"):
            os.makedirs(os.path.join(folder, name))
        keyring = os.path.join(folder, "key.gpg")
        write(keyring, key)
        self.source = repository.source_text(url, keyring, suites)
        write(os.path.join(folder, "parts", "staged.sources"), self.source.encode())
        self.refresh()
        self.available = repository.offered("\n".join(read(path) for path in glob.glob(os.path.join(folder, "lists", "*_Packages"))))
        releases = glob.glob(os.path.join(folder, "lists", "*Release"))
        self.release = repository.release_of(read(releases[0]) if releases else "")

    def refresh(self):
        options = {
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": os.path.join(self.folder, "parts"),
            "Dir::State::Lists": os.path.join(self.folder, "lists"),
            "APT::Sandbox::User": "root",
            "Acquire::GzipIndexes": "false",
            "Acquire::Languages": "none",
        }
        try:
            text = self.program.get("update", *flags(options), *self.no_caches(), "-q", "update")
        except apt.Failed as error:
            raise Unusable("%s cannot be read: %s. %s" % (self.url, "; ".join(apt.reasons(error.output)), NEXT)) from error
        if "Err:" in text or not glob.glob(os.path.join(self.folder, "lists", "*_Packages")):
            raise Unusable("%s cannot be read: %s. %s" % (self.url, "; ".join(apt.reasons(text)), NEXT))

    def no_caches(self):
        return flags({"Dir::Cache::PkgCache": "", "Dir::Cache::SrcPkgCache": ""})

    def options(self, preferences, add_source=True, replaced=None, gone=()):
        """apt's options for a host that had this repository, and these preferences, besides what it has.

        replaced: {path: text} of source files that would have another text; gone: sources and preferences that would not be there.
        """
        replaced = replaced or {}
        together = {name: os.path.join(self.folder, "all", name) for name in ("parts", "lists", "preferences")}
        shutil.rmtree(os.path.join(self.folder, "all"), ignore_errors=True)
        for path in together.values():
            os.makedirs(path)
        os.makedirs(os.path.join(together["lists"], "partial"))
        for path, text in replaced.items():
            write(os.path.join(together["parts"], os.path.basename(path)), text.encode())
        parts = [path for path in glob.glob("/etc/apt/sources.list.d/*") if path not in gone]
        link(parts, together["parts"], but=repository.SOURCE)
        # What the host has read of this repository earlier says nothing of what is in it now.
        old = transaction.lists_of(self.url)
        known = [path for path in glob.glob(os.path.join(state.LISTS, "*")) if not os.path.basename(path).startswith(old)]
        link([path for path in known if os.path.isfile(path)], together["lists"])
        preferred = [path for path in glob.glob("/etc/apt/preferences.d/*") if path not in gone]
        link(preferred, together["preferences"], but=repository.PREFERENCES)
        if add_source:
            link(glob.glob(os.path.join(self.folder, "parts", "*")), together["parts"])
        link([path for path in glob.glob(os.path.join(self.folder, "lists", "*")) if os.path.isfile(path)], together["lists"])
        write(os.path.join(together["preferences"], "staged"), preferences.encode())
        named = {
            "Dir::Etc::SourceParts": together["parts"],
            "Dir::State::Lists": together["lists"],
            "Dir::Etc::PreferencesParts": together["preferences"],
        }
        if MAIN in replaced:
            # It has been written to the other ones, where apt reads it by its ending.
            named["Dir::Etc::SourceList"] = "/dev/null"
        return flags(named) + self.no_caches()


OURS = (repository.SOURCE, repository.LOCAL_SOURCE, repository.PREFERENCES)


def without_ours(folder):
    """apt's options for a host without the source and the preferences that an earlier run of ours wrote. folder: ours, and empty."""
    parts = {name: os.path.join(folder, "others", name) for name in ("sources.list.d", "preferences.d")}
    for name, path in parts.items():
        os.makedirs(path)
        link([one for one in glob.glob("/etc/apt/%s/*" % name) if one not in OURS], path)
    named = {"Dir::Etc::SourceParts": parts["sources.list.d"], "Dir::Etc::PreferencesParts": parts["preferences.d"]}
    return flags(named) + flags({"Dir::Cache::PkgCache": "", "Dir::Cache::SrcPkgCache": ""})


def flags(options):
    return [part for name, value in options.items() for part in ("-o", "%s=%s" % (name, value))]


def link(paths, folder, but=None):
    for path in paths:
        target = os.path.join(folder, os.path.basename(path))
        if path != but and not os.path.lexists(target):
            os.symlink(path, target)


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)
