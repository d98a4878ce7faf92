# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of a local repository, and folders that cannot be used: real folders."""

from __future__ import annotations

import base64
import hashlib

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import local_reading, stage

KEY = b"\x98binary key"
ARMORED = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n%s\n-----END PGP PUBLIC KEY BLOCK-----\n"


def armored(data=KEY):
    return ARMORED % base64.b64encode(data)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A repository of both kinds without a key."""
    # What is above belongs to the test's user alone.
    monkeypatch.setattr(local_reading, "first_closed", lambda path: None)
    for name in ("Packages", "InRelease", "repodata/repomd.xml"):
        path = tmp_path / "repo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return tmp_path / "repo"


def taken(folder, manager="apt", keyring=None, sha256=None, **seen):
    wish = {"repository": f"file://{folder}/", "suites": ["/"], "keyring": keyring, "keyring_sha256": sha256, "proxy": None}
    return local_reading.key(wish, {"sources": {}, "keyrings": {}, **seen}, None, "/nowhere", manager)


def test_key_in_the_folder(folder):
    (folder / "nvidia-driver-local-ABCDEF12-keyring.gpg").write_bytes(KEY)
    (folder / "ABCDEF12.pub").write_bytes(armored())
    assert taken(folder) == KEY
    assert taken(folder, "dnf") == armored()


def test_armored_key_is_made_binary_for_apt(folder):
    (folder / "ABCDEF12.pub").write_bytes(armored())
    assert taken(folder) == KEY


def test_two_keys_are_refused_by_name_and_two_copies_of_one_are_not(folder):
    (folder / "a.pub").write_bytes(armored())
    (folder / "b.pub").write_bytes(KEY)
    assert taken(folder) == KEY
    (folder / "b.pub").write_bytes(armored(b"\x98other"))
    with pytest.raises(stage.Unusable, match=r"nvidia_driver_local_keyring is empty, and there are several keys: \S+/a\.pub, \S+/b\.pub\."):
        taken(folder)


def test_key_that_the_source_of_nvidias_package_names(folder):
    text = f"deb [signed-by=/usr/share/keyrings/x.gpg] file:{folder} /\n"
    seen = {"sources": {"/x.list": text}, "keyrings": {"/usr/share/keyrings/x.gpg": KEY}}
    assert local_reading.found_key({"repository": f"file://{folder}/"}, seen, "apt") == "/usr/share/keyrings/x.gpg"


def test_without_a_key_it_is_refused(folder):
    with pytest.raises(stage.Unusable, match=r"local_keyring is empty, and \S+repo has no key \(looked for: \*keyring\*\.gpg"):
        taken(folder)
    wish = {"repository": "http://mirror/x/", "suites": ["/"], "keyring": None}
    with pytest.raises(stage.Unusable, match="the key that signs http://mirror/x/ is not looked for over the network"):
        local_reading.key(wish, {"sources": {}, "keyrings": {}}, None, "/nowhere", "apt")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (None, r"nvidia_driver_local_keyring is \S+given\.gpg: it cannot be read \(No such file or directory\)\. Nothing was changed\."),
        (b"<html>", r"given\.gpg is no public key: expected one of OpenPGP, or the package cuda-keyring, as NVIDIA's\. Nothing"),
    ],
)
def test_given_key_that_is_none(folder, tmp_path, data, told):
    path = tmp_path / "given.gpg"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(stage.Unusable, match=told):
        taken(folder, keyring=str(path))


def test_given_key_is_compared_with_its_digest(folder, tmp_path):
    path = tmp_path / "given.gpg"
    path.write_bytes(KEY)
    assert taken(folder, keyring=f"file://{path}", sha256=hashlib.sha256(KEY).hexdigest()) == KEY
    with pytest.raises(stage.Unusable, match="expected nvidia_driver_keyring_sha256 0000"):
        taken(folder, keyring=str(path), sha256="0" * 64)


def test_binary_key_is_none_for_dnf(folder, tmp_path):
    path = tmp_path / "given.gpg"
    path.write_bytes(KEY)
    with pytest.raises(stage.Unusable, match="is no public key: expected an armored one"):
        taken(folder, "dnf", keyring=str(path))


def test_folder_is_looked_at_before_its_key(folder):
    (folder / "Packages").unlink()
    with pytest.raises(stage.Unusable, match="the folder has no Packages index"):
        taken(folder)
    with pytest.raises(stage.Unusable, match="there is no such folder on this host"):
        taken(folder / "nowhere")
    (folder / "repodata/repomd.xml").unlink()
    with pytest.raises(stage.Unusable, match=r"no index \(repodata/repomd\.xml\)"):
        taken(folder, "dnf")


def test_what_is_closed_to_apt(tmp_path, monkeypatch):
    path = tmp_path / "closed" / "repo"
    path.mkdir(parents=True)
    index = path / "Packages"
    index.write_text("x")
    # What is above tmp_path is pytest's, and closed.
    modes = {str(path): 0o755, str(path.parent): 0o755, str(index): 0o640}
    monkeypatch.setattr(local_reading, "mode", lambda one: modes.get(one, 0o755))
    assert local_reading.first_closed(str(path)) == str(index)
    modes[str(index)] = 0o644
    assert local_reading.first_closed(str(path)) is None
    modes[str(path.parent)] = 0o750
    assert local_reading.first_closed(str(path)) == str(path.parent)
