# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles nvidia_driver and cuda_toolkit on one host: whichever comes first, a second run of both changes nothing."""

from __future__ import annotations

import itertools
import re

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.cuda_toolkit import plan as toolkits
from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import install, plan, prepare, repository, state

OTHER = "http://other.example/debian12/x86_64/"
URL = "http://mirror.example/debian12/x86_64/"
DRIVER = {
    "source": "nvidia", "repository": URL, "keyring": "k", "local_repository": "/srv/nvidia", "local_keyring": None, "pins": None,
    "version": "580.95.05", "branch": None, "flavor": "open", "architectures": [], "packages": ["nvidia-driver-cuda"], "companions": [],
    "packages_absent": [], "kernel_modules": False, "kernels": [], "headers": "linux-headers-KERNEL", "hold": True, "take_over": False,
}  # fmt: skip
TOOLKIT = {
    "versions": ["12.8"], "default": None, "profile": "full", "pinned": {}, "driver": "580.95.05", "mode": "compatible",
    "architectures": [], "remove_others": False, "hold": True, "repository": URL,
}  # fmt: skip
NAMES = ("nvidia-driver-cuda", "cuda-toolkit-12-8")
PACKAGES = {
    name: {"version": version, "status": "installed", "held": True, "broken": False}
    for name, version in zip(NAMES, ("580.95.05-1", "12.8.1-1"), strict=True)
}


class Host:
    """Files of both roles, {path: text}, and the driver's manifest. The packages are there: files are what they share."""

    def __init__(self):
        self.files, self.manifest = {}, {}

    def digests(self):
        return {path: plan.sha256(self.files[path]) if path in self.files else None for path in state.FILES}

    def driver(self, source, url=None):
        """Whether a run of nvidia_driver changes anything."""
        place = {"local_repository" if source == "local" else "repository": url} if url else {}
        wish = prepare.wish_of(dict(DRIVER, source=source, **place))
        seen = {
            "packages": PACKAGES, "files": self.digests(), "manifest": self.manifest, "sources": {}, "keyrings": {}, "lists": True,
            "toolkit": repository.TOOLKIT_PREFERENCES in self.files, "running": "6.1", "installed_kernels": [], "header_kernels": [],
        }  # fmt: skip
        decided = plan.decide(wish, seen)
        assert decided["settled"] and not decided["problems"]
        job = install.Install(wish, seen, decided, None)
        job.key, job.preferences = b"the key", "pins of the driver"
        for path, data in job.texts().items():
            if path in decided["files_due"]:
                self.files.pop(path, None)
                self.files.update({path: data.decode()} if data is not None else {})
        before, self.manifest = self.manifest, plan.manifest(wish, PACKAGES, "580.95.05", {}, self.digests(), [])
        return bool(decided["files_due"]) or self.manifest != before

    def toolkit(self, _source, url=URL):
        """Whether a run of cuda_toolkit changes anything."""
        others = {path: text for path, text in self.files.items() if path == repository.LOCAL_SOURCE}
        seen = {"packages": PACKAGES, "sources": others, "files": self.files, "current": "/usr/local/cuda-12.8", "driver": self.manifest}
        decided = toolkits.decide(dict(TOOLKIT, repository=url), seen)
        known = {repository.KEYRING: "the key", repository.TOOLKIT_KEYRING: "the key", toolkits.PREFERENCES: "the toolkits' preferences"}
        self.files.update({path: known.get(path) if text is None else text for path, text in decided["files"].items()})
        for path in decided["gone"]:
            del self.files[path]
        return any(decided[one] for one in ("missing", "remove", "hold", "default", "files", "gone"))

    def addresses(self):
        """{source file: address}."""
        told = {path: re.search("URIs: (.*)", text) for path, text in self.files.items() if path.endswith(".sources")}
        return {path: found.group(1) for path, found in told.items()}


@pytest.mark.parametrize("source", ["nvidia", "distribution", "local"])
@pytest.mark.parametrize("order", [("driver", "toolkit"), ("toolkit", "driver")])
def test_either_order_settles(order, source):
    host = Host()
    assert [getattr(host, role)(source) for role in order] == [True, True]
    assert [getattr(host, role)(source) for role in order] == [False, False]
    assert repository.SOURCE in host.files and repository.KEYRING in host.files


def test_a_source_that_no_toolkit_wants_goes():
    host = Host()
    host.driver("nvidia")
    assert host.driver("distribution") and repository.SOURCE not in host.files
    assert not host.driver("distribution")


@pytest.mark.parametrize("source", ["distribution", "local"])
def test_another_source_leaves_the_toolkits_theirs(source):
    host = Host()
    assert host.driver("nvidia") and host.toolkit("nvidia") and host.driver(source)
    assert not host.toolkit(source) and not host.driver(source)
    assert repository.SOURCE in host.files


# (what the driver's packages come from, where, where the toolkits' do)
SETTINGS = [
    ("nvidia", URL, URL), ("nvidia", URL, OTHER), ("nvidia", OTHER, URL), ("distribution", URL, OTHER), ("local", "/srv/nvidia", OTHER),
    ("local", OTHER, OTHER),
]  # fmt: skip


@pytest.mark.parametrize("steps", list(itertools.product(SETTINGS, repeat=2)), ids=str)
def test_addresses_of_both_roles(steps):
    """Whatever the settings were before, one run of both roles settles, each has its address, and no address has two sources."""
    host = Host()
    for source, url, other in steps:
        host.driver(source, url)
        host.toolkit(source, other)
        assert (host.driver(source, url), host.toolkit(source, other)) == (False, False), (source, url, other)
        there = list(host.addresses().values())
        assert len(there) == len(set(there)) and other in there
        assert source == "distribution" or (url if source != "local" or url == OTHER else "file:///srv/nvidia/") in there


def test_own_source_has_its_own_key():
    host = Host()
    host.driver("nvidia", URL)
    assert host.toolkit("nvidia", OTHER)
    assert host.addresses() == {repository.SOURCE: URL, repository.TOOLKIT_SOURCE: OTHER}
    assert f"Signed-By: {repository.TOOLKIT_KEYRING}" in host.files[repository.TOOLKIT_SOURCE] and repository.TOOLKIT_KEYRING in host.files
    # The driver comes to the same address: apt would refuse one repository with two keys.
    assert host.driver("nvidia", OTHER) and host.addresses() == {repository.SOURCE: OTHER}
    assert host.toolkit("nvidia", OTHER) and repository.TOOLKIT_KEYRING not in host.files and not host.toolkit("nvidia", OTHER)
