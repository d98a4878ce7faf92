# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Looks at a local repository and takes its key, before anything is changed. What it means is decided in local.py."""

from __future__ import annotations

import glob
import hashlib
import os
import stat

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import local, sources, stage

# apt reads files as its own user (apt.conf(5), APT::Sandbox::User).
READER = "_apt"


def look(wish, manager):
    """:raises stage.Unusable: a repository of this host that is not there, is not whole, or is closed to apt"""
    folder = local.folder_of(wish["repository"])
    if folder is None:
        return
    below = folder if local.is_flat(wish["suites"]) else os.path.join(folder, "dists", wish["suites"][0])
    told = local.index_problems(wish["repository"], wish["suites"], names_in(below), manager)
    if not told and manager == "apt":
        told = local.closed_problems(first_closed(below), READER)
    if told:
        raise stage.Unusable("\n".join(told))


def names_in(folder):
    """Names in a folder, and of repodata in it; None when it is no folder."""
    try:
        names = set(os.listdir(folder))
    except OSError:
        return None
    inner = os.path.join(folder, "repodata")
    return names.union("repodata/" + name for name in os.listdir(inner)) if os.path.isdir(inner) else names


def first_closed(folder):
    """The first part of a path, or file of the index in it, that others than its owner and group cannot read; None when all can."""
    parts = folder.strip("/").split("/")
    for path in ["/" + "/".join(parts[: length + 1]) for length in range(len(parts))]:
        if not mode(path) & stat.S_IXOTH:
            return path
    indexes = [os.path.join(folder, name) for name in local.INDEXES + ("InRelease", "Release", "Release.gpg")]
    return next((path for path in indexes if os.path.exists(path) and not mode(path) & stat.S_IROTH), None)


def mode(path):
    return os.stat(path).st_mode


def key(wish, seen, run, folder, manager):
    """Bytes of the repository's key, binary for apt and armored for dnf. folder: ours. :raises stage.Unusable:"""
    look(wish, manager)
    place = wish["keyring"] or found_key(wish, seen, manager)
    if place.startswith(("http://", "https://")):
        try:
            data = stage.download(place, wish["proxy"], wish["keyring_sha256"])
        except stage.Unusable as error:
            raise stage.Unusable(str(error).replace(stage.NEXT, local.NEXT)) from error
    else:
        data = from_host(place, wish["keyring_sha256"])
    if data[:7] == b"!<arch>":
        data = stage.unpacked(data, place, run, folder)
    data = sources.dearmored(data) if manager == "apt" else data
    if not local.is_key(data, manager):
        told = "%s is no public key: expected %s, as NVIDIA's. Nothing was changed. Set %s to the file that has it."
        kind = "an armored one" if manager == "dnf" else "one of OpenPGP, or the package cuda-keyring"
        raise stage.Unusable(told % (place, kind, local.KEYRING))
    return data


def from_host(place, sha256):
    """Bytes of a file of the host. :raises stage.Unusable:"""
    path = place[len("file://") :] if place.startswith("file://") else place
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        why = error.strerror or str(error)
        told = "%s is %s: it cannot be read (%s). Nothing was changed. Copy the key to that path of the host, or correct it."
        raise stage.Unusable(told % (local.KEYRING, path, why)) from error
    return stage.judged(data, path, sha256)


def found_key(wish, seen, manager):
    """Path of the one key that lies in the repository's folder, or that a source of the host names for it. :raises stage.Unusable:"""
    folder = local.folder_of(wish["repository"])
    if folder is None:
        raise stage.Unusable(local.no_key(wish["repository"]))
    for pattern in local.KEYS[manager]:
        there = {}
        for path in sorted(glob.glob(os.path.join(glob.escape(folder), pattern))):
            with open(path, "rb") as file:
                there.setdefault(hashlib.sha256(sources.dearmored(file.read())).hexdigest(), path)
        if len(there) > 1:
            raise stage.Unusable(local.several_keys(there.values()))
        if there:
            return next(iter(there.values()))
    return named_key(wish, seen)


def named_key(wish, seen):
    """As NVIDIA's own guide has it: the key is copied to /usr/share/keyrings, and the package's source names it."""
    named = set()
    for path, text in seen["sources"].items():
        named.update(one for one in sources.keys_of(path, text or "", wish["repository"]) if one in seen["keyrings"])
    if not named:
        raise stage.Unusable(local.no_key(wish["repository"]))
    if len(named) > 1:
        raise stage.Unusable(local.several_keys(named))
    return named.pop()


def staged(program, wish, data, folder):
    """stage.Stage of a local repository. :raises stage.Unusable:"""
    try:
        return stage.Stage(program, wish["repository"], data, folder, wish["suites"])
    except stage.Unusable as error:
        raise stage.Unusable(str(error).replace(stage.NEXT, local.NEXT)) from error
