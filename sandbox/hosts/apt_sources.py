# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine's own apt sources, read so that the hosts use the same mirrors.

Both formats of sources.list(5) are understood: one line each, and deb822 as Debian 13 writes it.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

COMPONENTS = "main contrib non-free non-free-firmware"
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class Source:
    """One (URI, suite) pair of the machine's sources, with the options that decide whom apt trusts."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str | None = None
    trusted: bool = False


@dataclass(frozen=True)
class Mirrors:
    """Where a Debian release and its security updates come from on this machine."""

    main: Source
    security: Source | None

    def lines(self, suite: str, keyring: str = str(DEBIAN_KEYRING)) -> list[str]:
        """sources.list lines for ``suite``; security is left out when the machine has no source for it."""
        wanted = [(self.main, suite), (self.main, f"{suite}-updates")]
        if self.security:
            wanted.append((self.security, f"{suite}-security"))
        return [f"deb [{_options(source, keyring)}] {source.uri} {name} {COMPONENTS}" for source, name in wanted]


def _options(source: Source, keyring: str) -> str:
    return "trusted=yes" if source.trusted else f"signed-by={keyring}"


def parse_one_line(text: str) -> list[Source]:
    """``deb [options] URI suite component…`` lines; deb-src and comments are skipped."""
    found = []
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].strip()
        match = re.match(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)", line)
        if not match:
            continue
        options = dict(part.split("=", 1) for part in shlex.split(match[1] or "") if "=" in part)
        found.append(Source(match[2], match[3], tuple(match[4].split()), options.get("signed-by"), options.get("trusted") == "yes"))
    return found


def parse_deb822(text: str) -> list[Source]:
    """Stanzas of Types/URIs/Suites/Components; a disabled stanza and one without deb are skipped."""
    found = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").strip().lower() in ("no", "false"):
            continue
        signed_by = fields.get("signed-by", "").strip()
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                trusted = fields.get("trusted", "").strip() == "yes"
                components = tuple(fields.get("components", "").split())
                found.append(Source(uri, suite, components, signed_by if signed_by.startswith("/") else None, trusted))
    return found


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    last = ""
    for line in stanza.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0].isspace() and last:
            fields[last] += "\n" + line.strip()
        elif ":" in line:
            last, value = line.split(":", 1)
            last = last.strip().lower()
            fields[last] = value.strip()
    return fields


def choose(sources: list[Source], codename: str) -> Mirrors | None:
    """The Debian mirror among ``sources`` of a machine that runs ``codename``; None when it has none."""
    names = (codename, "stable", "oldstable", "testing")
    main = next((s for name in names for s in sources if s.suite == name and "main" in s.components), None)
    if main is None:
        return None
    secure = [f"{name}-security" for name in names] + [f"{name}/updates" for name in names]
    return Mirrors(main, next((s for name in secure for s in sources if s.suite == name and "main" in s.components), None))


def read(etc_apt: Path = Path("/etc/apt")) -> list[Source]:
    """All enabled binary sources of the machine, in apt's own order of files."""
    found = []
    plain = etc_apt / "sources.list"
    if plain.is_file():
        found += parse_one_line(plain.read_text(encoding="utf-8", errors="replace"))
    for path in sorted((etc_apt / "sources.list.d").glob("*")):
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        if path.suffix == ".list":
            found += parse_one_line(text)
        elif path.suffix == ".sources":
            found += parse_deb822(text)
    return found


def machine_codename(os_release: Path = Path("/etc/os-release")) -> str:
    """``bookworm`` on Debian 12; empty when the file does not say."""
    match = re.search(r"^VERSION_CODENAME=\"?([a-z]+)", os_release.read_text(encoding="utf-8"), re.MULTILINE)
    return match[1] if match else ""


def trusted_keyring(mirrors: Mirrors) -> Path:
    """The key file that the machine's own source names, else Debian's."""
    return Path(mirrors.main.signed_by) if mirrors.main.signed_by else DEBIAN_KEYRING
