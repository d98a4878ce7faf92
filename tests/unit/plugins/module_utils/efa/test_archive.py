# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive is unpacked only when it is what was signed, and only below its own folder."""

from __future__ import annotations

import base64
import io
import tarfile

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.efa import archive, kmod, signature
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import reading

AWS = "4E9091BCBB97A96B26B15E59A05480B1DD2D3CCC"
OTHER = "A" * 40


def status(*lines):
    return "".join(f"[GNUPG:] {line}\n" for line in lines)


def valid(fingerprint, primary=None):
    return f"VALIDSIG {fingerprint} 2026-01-29 1769650000 0 4 0 1 8 00 {primary or fingerprint}"


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (status("GOODSIG A05480B1DD2D3CCC Amazon EC2 EFA <x@example.org>", valid(AWS)), ""),
        (status("GOODSIG 1 subkey", valid(OTHER, AWS)), ""),
        (status("GOODSIG 1 other", valid(OTHER)), f"it is by the key {OTHER}"),
        (status("BADSIG A05480B1DD2D3CCC Amazon"), "the file is not what was signed"),
        (status("ERRSIG A05480B1DD2D3CCC 1 8 00 1769650000 9", "NO_PUBKEY A05480B1DD2D3CCC"), "the key that was given did not make it"),
        (status("EXPKEYSIG 1 Amazon", valid(AWS)), "the key has expired or was revoked"),
        (status("REVKEYSIG 1 Amazon", valid(AWS)), "the key has expired or was revoked"),
        (status("EXPSIG 1 Amazon", valid(AWS)), "the signature has expired"),
        # Two signatures, one of them by somebody else, are not what was asked for.
        (status("GOODSIG 1 a", valid(AWS), "GOODSIG 2 b", valid(OTHER)), f"it is by the key {AWS}, {OTHER}"),
        ("gpgv: GOODSIG by hand\n", "gpgv finds no signature in it"),
        (status("GOODSIG 1 without more"), "gpgv finds no signature in it"),
        ("", "gpgv finds no signature in it"),
    ],
)
def test_a_signature_is_judged(output, told):
    assert signature.judge(output, AWS) == told


def test_a_fingerprint_as_people_write_it():
    assert signature.plain("4E90 91BC BB97 A96B 26B1  5E59 A054 80B1 DD2D 3CCC") == AWS == signature.plain("0x" + AWS.lower())
    assert signature.plain("DD2D3CCC") is None and signature.plain("") is None


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_armour_is_taken_off(end):
    data = bytes(range(256))
    body = base64.b64encode(data).decode()
    lines = [
        "-----BEGIN PGP PUBLIC KEY BLOCK-----",
        "Version: 1",
        "",
        body[:64],
        body[64:],
        "=abcd",
        "-----END PGP PUBLIC KEY BLOCK-----",
        "",
    ]
    assert signature.binary(end.join(lines).encode()) == data == signature.binary(data)
    del lines[1]
    assert signature.binary(end.join(lines).encode()) == data
    with pytest.raises(ValueError, match="armour is damaged"):
        signature.binary(end.join([*lines[:2], "!!", *lines[4:]]).encode())


def write(path, **members):
    with tarfile.open(path, "w:gz") as out:
        for name, what in members.items():
            member = tarfile.TarInfo(name.replace("TOP", "aws-efa-installer"))
            if isinstance(what, tuple):
                member.type, member.linkname = what
            member.size = len(what) if isinstance(what, bytes) else 0
            out.addfile(member, io.BytesIO(what if isinstance(what, bytes) else b""))
    return path


WHOLE = {"TOP/efa_installer.sh": b"#!/bin/bash\n", "TOP/env.sh": b'# release\nexport EFA_INSTALLER_VERSION="1.47.0"\n'}


def plenty():
    return 1 << 30


def test_an_archive_says_its_release(tmp_path):
    path = write(tmp_path / "a.tar.gz", **WHOLE, **{"TOP/DEBS/link": (tarfile.SYMTYPE, "../env.sh")})
    assert archive.unpack(path, tmp_path, plenty) == "1.47.0"
    assert (tmp_path / "aws-efa-installer/efa_installer.sh").exists()


@pytest.mark.parametrize(
    ("members", "free", "told"),
    [
        ({**WHOLE, "/etc/evil": b"x"}, plenty, "/etc/evil in it"),
        ({**WHOLE, "TOP/../evil": b"x"}, plenty, "evil in it"),
        ({**WHOLE, "TOP/link": (tarfile.SYMTYPE, "/etc")}, plenty, "link in it"),
        ({**WHOLE, "TOP/link": (tarfile.SYMTYPE, "../../etc")}, plenty, "link in it"),
        ({**WHOLE, "TOP/hard": (tarfile.LNKTYPE, "etc/passwd")}, plenty, "hard in it"),
        ({**WHOLE, "TOP/null": (tarfile.CHRTYPE, "")}, plenty, "null in it"),
        ({"TOP/env.sh": b""}, plenty, "it has no aws-efa-installer/efa_installer.sh"),
        ({**WHOLE, "TOP/env.sh": b"echo\n"}, plenty, "does not say EFA_INSTALLER_VERSION"),
        (WHOLE, lambda: 10, "has 0 MiB free"),
    ],
)
def test_another_archive_is_refused(tmp_path, members, free, told):
    folder = tmp_path / "inside"
    folder.mkdir()
    with pytest.raises(archive.Unusable, match=told):
        archive.unpack(write(tmp_path / "a.tar.gz", **members), folder, free)
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("inside", "a.tar.gz")] == []


def test_half_an_archive_is_refused(tmp_path):
    path = write(tmp_path / "a.tar.gz", **{**WHOLE, "TOP/big": bytes(range(256)) * 400})
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(archive.Unusable):
        archive.unpack(path, tmp_path, plenty)


def test_the_module_of_the_running_kernel(tmp_path):
    for version, kernel in (("2.17.3", "6.1.0-1"), ("3.0.0", "6.1.0-2")):
        (tmp_path / f"var/lib/dkms/efa/{version}/{kernel}/x86_64/module").mkdir(parents=True)
    (tmp_path / "var/lib/dkms/efa/kernel-6.1.0-2-x86_64").symlink_to("3.0.0/6.1.0-2/x86_64")
    (tmp_path / "lib/modules/6.1.0-2/build").mkdir(parents=True)
    (tmp_path / "sys/module/efa").mkdir(parents=True)
    (tmp_path / "sys/module/efa/version").write_text("2.17.3g\n")
    host = reading.Host(str(tmp_path))
    there = {"registered": ["2.17.3", "3.0.0"], "loaded": "2.17.3g"}
    assert kmod.look(host, "6.1.0-2") == {**there, "installed": "3.0.0", "headers": True}
    # Built, and not installed: another version's link.
    assert kmod.look(host, "6.1.0-1") == {**there, "installed": None, "headers": False}
    assert kmod.look(reading.Host(str(tmp_path / "none")), "6.1.0-1") == {
        "registered": [],
        "installed": None,
        "loaded": None,
        "headers": False,
    }
