# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a local repository is called, what it must have, and which files of apt make it known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import local, plan, prepare, repository, sources, state

FOLDER = "/var/nvidia-driver-local-repo-debian12-580.95.05"
URL = f"file://{FOLDER}/"
NVIDIA = "https://example.org/debian12/x86_64/"
PARAMS = {
    "source": "local", "repository": NVIDIA, "keyring": "k", "local_repository": FOLDER, "local_keyring": None, "pins": None,
    "version": "580.95.05", "branch": None, "flavor": "open", "architectures": [], "packages": ["nvidia-driver-cuda"], "companions": [],
    "packages_absent": [], "kernel_modules": False, "kernels": [], "headers": "linux-headers-KERNEL", "hold": True,
}  # fmt: skip
PINS = {
    "schema": 1, "platform": "Debian-12", "machine": "x86_64", "source": "nvidia", "wish": {}, "cuda": None, "nvlsm": None,
    "fabric_manager": None, "driver": {"version": "580.95.05", "branch": 580, "flavor": None, "dkms": None}, "kernels": [],
    "packages": {"nvidia-driver-cuda": "580.95.05-1"},
}  # fmt: skip
INSTALLED = {"nvidia-driver-cuda": {"version": "580.95.05-1", "status": "installed", "held": True, "broken": False}}
OWN = plan.sha256(repository.source_text(URL, repository.LOCAL_KEYRING))


@pytest.mark.parametrize(
    ("text", "url", "suites"),
    [
        (FOLDER, URL, ["/"]),
        (FOLDER + "/", URL, ["/"]),
        (f"file:{FOLDER}", URL, ["/"]),
        (f"file://{FOLDER} ./", URL, ["./"]),
        ("/", "file:///", ["/"]),
        ("http://mirror:8080/nvidia bookworm main contrib", "http://mirror:8080/nvidia/", ["bookworm", "main", "contrib"]),
        ("https://mirror.example.org", "https://mirror.example.org/", ["/"]),
    ],
)
def test_place(text, url, suites):
    assert local.parse(text) == ({"repository": url, "suites": suites}, [])


@pytest.mark.parametrize(
    "text",
    ["", "nvidia", "srv/nvidia", "ftp://mirror/x", "file://host/x", "/srv/a%20b", "/srv [trusted=yes]", "[trusted=yes] /srv /",
     "/srv [trusted=yes] /", "http://", "/srv bookworm", "/srv / main"],
)  # fmt: skip
def test_what_is_no_place_is_refused_with_what_is_expected(text):
    place, (told,) = local.parse(text)
    assert place == {} and told.startswith("nvidia_driver_local_repository is ") and local.EXPECTED in told


@given(st.text(max_size=40))
def test_nothing_but_an_address_gets_into_a_source(text):
    place, told = local.parse(text)
    if not told:
        lines = repository.source_text(place["repository"], "/k.gpg", place["suites"]).splitlines()
        assert [line.split(":")[0] for line in lines[1:] if not line.startswith("Components")] == ["Types", "URIs", "Suites", "Signed-By"]
        assert "[" not in place["repository"] and sources.fields("\n".join(lines))["signed-by"] == "/k.gpg"


@pytest.mark.parametrize(
    ("names", "suites", "manager", "told"),
    [
        (None, ["/"], "apt", f"is {FOLDER}: there is no such folder on this host. Nothing was changed. Copy the repository there"),
        (None, ["bookworm", "main"], "apt", f"is {FOLDER}: there is no such suite bookworm on this host"),
        ({"InRelease", "a.deb"}, ["/"], "apt", "the folder has no Packages index"),
        (
            {"Packages", "Release"},
            ["/"],
            "apt",
            "the folder has no signature (InRelease, or Release and Release.gpg), and apt is never told",
        ),
        ({"Release", "main"}, ["bookworm", "main"], "apt", "the folder has no signature"),
        ({"Packages", "InRelease"}, ["/"], "dnf", "the folder has no index (repodata/repomd.xml)"),
    ],
)
def test_what_a_folder_lacks(names, suites, manager, told):
    assert told in local.index_problems(URL, suites, names, manager)[0]


@pytest.mark.parametrize(
    ("names", "suites", "manager"),
    [
        ({"Packages.gz", "Release", "Release.gpg"}, ["/"], "apt"),
        ({"InRelease"}, ["bookworm", "main"], "apt"),
        ({"repodata", "repodata/repomd.xml"}, ["/"], "dnf"),
    ],
)
def test_whole_folder(names, suites, manager):
    assert local.index_problems(URL, suites, names, manager) == []


def test_wish_is_local_whatever_the_pins_are_of_but_a_distributions():
    assert prepare.wish_of(PARAMS)["source"] == "local"
    wish = prepare.wish_of(dict(PARAMS, pins=PINS))
    assert (wish["source"], wish["repository"], wish["suites"], wish["keyring"]) == ("local", URL, ["/"], None)
    assert prepare.wish_of(dict(PARAMS, source="nvidia", pins=dict(PINS, source="local")))["repository"] == URL
    assert prepare.wish_of(dict(PARAMS, pins=dict(PINS, source="distribution")))["source"] == "distribution"
    assert prepare.wish_of(dict(PARAMS, source="nvidia", pins=PINS))["repository"] == NVIDIA
    with pytest.raises(prepare.Refused, match="nvidia_driver_local_repository is empty: expected a folder of the host"):
        prepare.wish_of(dict(PARAMS, local_repository=None))


def decided(files, wished="local", **more):
    wish = prepare.wish_of(dict(PARAMS, source=wished))
    seen = {
        "packages": INSTALLED, "files": dict(dict.fromkeys(state.FILES), **files), "manifest": {"files": {repository.PREFERENCES: "p"}},
        "sources": {}, "keyrings": {}, "lists": True, "running": "6.1", "installed_kernels": [], "header_kernels": [], **more,
    }  # fmt: skip
    found = plan.decide(wish, seen)
    assert found["settled"] and found["problems"] == []
    return found, plan.key_due(wish, seen, found, b"the key")


AS_WRITTEN = {repository.LOCAL_SOURCE: OWN, repository.LOCAL_KEYRING: plan.sha256("the key"), repository.PREFERENCES: "p"}
OF_NVIDIA = {
    repository.SOURCE: plan.sha256(repository.source_text(NVIDIA)), repository.KEYRING: plan.sha256("the key"), repository.PREFERENCES: "p",
}  # fmt: skip


def test_as_written_nothing_is_due():
    found, key = decided(AS_WRITTEN)
    assert found["files_due"] == [] and key == []


def test_from_nvidia_and_back_one_source_is_left():
    found, _key = decided(OF_NVIDIA)
    assert found["files_due"] == [repository.LOCAL_SOURCE, repository.LOCAL_KEYRING, repository.SOURCE]
    found, _key = decided(AS_WRITTEN, "nvidia")
    assert found["files_due"] == [repository.LOCAL_SOURCE, repository.SOURCE, repository.KEYRING]
    found, _key = decided(OF_NVIDIA, "nvidia")
    assert found["files_due"] == []


def test_source_that_role_cuda_toolkit_has_too_stays_unless_it_is_the_same_address():
    found, _key = decided(dict(AS_WRITTEN, **OF_NVIDIA), toolkit=True)
    assert found["files_due"] == []
    same = {repository.SOURCE: plan.sha256(repository.source_text(URL))}
    found, _key = decided(dict(AS_WRITTEN, **same), toolkit=True)
    assert found["files_due"] == [repository.SOURCE]


def test_another_key_is_written():
    found, key = decided(dict(AS_WRITTEN, **{repository.LOCAL_KEYRING: "of another folder"}))
    assert found["files_due"] == [] and key == [repository.LOCAL_KEYRING]
    found, key = decided(dict(OF_NVIDIA, **{repository.KEYRING: "of another mirror"}), "nvidia")
    assert key == [repository.KEYRING]


def test_source_of_nvidias_own_package():
    """Used when its key is there, switched off when it is not: apt would do nothing at all with both."""
    path, signed = "/etc/apt/sources.list.d/nvidia-driver-local.list", "/usr/share/keyrings/nvidia-driver-local-AB-keyring.gpg"
    text = f"deb [signed-by={signed}] file:{FOLDER} /\n"
    found, _key = decided({repository.PREFERENCES: "p"}, sources={path: text}, keyrings={signed: b"\x98key"})
    assert found["listed"] == [path] and found["files_due"] == []
    found, _key = decided(AS_WRITTEN, sources={path: text})
    assert found["listed"] == [] and found["files_due"] == [path] and "Switched off by role" in found["off"][path]


def test_another_suite_of_the_same_address_is_another_repository():
    text = "deb [signed-by=/a.gpg] http://mirror/nvidia trixie main\n"
    wish = prepare.wish_of(dict(PARAMS, local_repository="http://mirror/nvidia bookworm main"))
    seen = {"sources": {"/x.list": text}, "keyrings": {"/a.gpg": b"\x98"}}
    assert plan.other_sources(wish, seen, None) == ([], {})
    seen["sources"]["/x.list"] = text.replace("trixie", "bookworm")
    assert plan.other_sources(wish, seen, None) == (["/x.list"], {})
    stanza = "Types: deb\nURIs: http://mirror/nvidia\nSuites: trixie bookworm\nComponents: main\n"
    assert sources.keys_of("/x.sources", stanza, "http://mirror/nvidia/", "bookworm") == [""]
    assert sources.keys_of("/x.sources", stanza, "http://mirror/nvidia/", "sid") == []
