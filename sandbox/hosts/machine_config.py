# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host must share with this machine to reach the same mirrors: proxies, certificates, pip's index."""

from __future__ import annotations

import ipaddress
import re
import subprocess
from pathlib import Path

GUEST_KEYRING = "/usr/share/keyrings/mlinfra-sandbox.gpg"
CA_FOLDER = Path("/usr/local/share/ca-certificates")
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
# Programs that bring their own certificates look at these; only a value that also exists in a host is carried over.
CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
PIP_VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "UV_INDEX_URL", "UV_DEFAULT_INDEX")


def files(keyring: Path) -> dict[str, bytes]:
    """Path in a base root → content. Nothing of the caller's environment: the same machine gets the same root."""
    found: dict[str, bytes] = {}
    if CA_FOLDER.is_dir():
        for path in sorted(CA_FOLDER.rglob("*.crt")):
            found[str(path)] = path.read_bytes()
    if keyring.is_file():
        found[GUEST_KEYRING] = keyring.read_bytes()
    for path in sorted(Path("/etc/apt/auth.conf.d").glob("*.conf")):
        found[str(path)] = path.read_bytes()
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    settings = apt_settings(dump)
    if settings:
        found["/etc/apt/apt.conf.d/90machine"] = settings.encode()
    found["/etc/apt/apt.conf.d/91sandbox"] = b'APT::Install-Recommends "false";\nAcquire::Languages "none";\n'
    hosts = named_hosts(Path("/etc/hosts").read_text(encoding="utf-8", errors="replace"))
    if hosts:
        found["/usr/lib/mlinfra/hosts"] = hosts.encode()
    pip = Path("/etc/pip.conf")
    if pip.is_file():
        found[str(pip)] = pip.read_bytes()
    return found


def apt_settings(dump: str) -> str:
    """The lines of ``apt-config dump`` that say how mirrors are reached."""
    wanted = re.compile(
        r'^Acquire::(https?|ftp)(::[^ ]*)?::(Proxy|CaInfo|Verify-Peer|Verify-Host|Timeout)(::[^ ]*)? "[^"]+";$', re.IGNORECASE
    )
    return "".join(line + "\n" for line in dump.splitlines() if wanted.match(line))


def shared_environment(environment: dict[str, str]) -> str:
    """/etc/environment of a host, written at its first boot: proxies, indexes, certificate variables whose value exists there."""
    lines = []
    for name in (*PROXY_VARIABLES, *PIP_VARIABLES):
        if environment.get(name):
            lines.append(f'{name}="{environment[name]}"')
    for name in CA_VARIABLES:
        if environment.get(name) in (CA_BUNDLE, "/etc/ssl/certs"):
            lines.append(f'{name}="{environment[name]}"')
    return "".join(line + "\n" for line in lines)


def named_hosts(text: str) -> str:
    """The lines of /etc/hosts that name other machines; loopback and link-local lines mean another machine in a host."""
    kept = []
    for line in text.splitlines():
        try:
            address = ipaddress.ip_address(line.split("#")[0].split()[0])
        except (IndexError, ValueError):
            continue
        if not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified):
            kept.append(line + "\n")
    return "".join(kept)
