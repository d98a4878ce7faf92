# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name resolution of hosts: the machine's name servers, or a relay where those listen on the machine's loopback only.

Loopback name servers are what systemd-resolved, dnsmasq and Docker's networks give a machine; no host can reach them.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading
from pathlib import Path

RESOLVED = Path("/run/systemd/resolve/resolv.conf")  # systemd-resolved's own upstream servers
PORT, LONGEST, PATIENCE = 53, 65535, 5.0


def servers(text: str) -> list[str]:
    """The IPv4 and IPv6 addresses of ``nameserver`` lines (resolv.conf(5))."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            with contextlib.suppress(ValueError):
                found.append(str(ipaddress.ip_address(words[1].split("%")[0])))
    return found


def for_hosts(text: str, gateway: str) -> tuple[str, list[str]]:
    """resolv.conf of a host, and the loopback servers that are to be relayed to from ``gateway`` (none: no relay)."""
    local = [server for server in servers(text) if ipaddress.ip_address(server).is_loopback]
    if not local or len(local) < len(servers(text)):
        kept = [line for line in text.splitlines() if line.split()[:1] != ["nameserver"] or line.split()[1] not in local]
        return "".join(line + "\n" for line in kept), []
    kept = [line for line in text.splitlines() if line.split()[:1] in (["search"], ["options"])]
    return "".join(line + "\n" for line in [f"nameserver {gateway}", *kept]), local


def machine_text() -> str:
    source = RESOLVED if RESOLVED.is_file() else Path("/etc/resolv.conf")
    return source.read_text(encoding="utf-8", errors="replace") if source.is_file() else ""


class Relay:
    """Passes questions that arrive on ``address`` to ``server``, over UDP and TCP, unread."""

    def __init__(self, address: str, server: str, port: int = PORT, server_port: int = PORT) -> None:
        self._server = (server, server_port)
        family = socket.AF_INET
        self._udp = socket.socket(family, socket.SOCK_DGRAM)
        self._udp.bind((address, port))
        self.port = self._udp.getsockname()[1]
        self._tcp = socket.socket(family, socket.SOCK_STREAM)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._tcp.bind((address, self.port))
        self._tcp.listen(32)
        for work in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=work, name="dns", daemon=True).start()

    def close(self) -> None:
        for listener in (self._udp, self._tcp):
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits on it
            listener.close()

    def _serve_udp(self) -> None:
        while True:
            try:
                question, peer = self._udp.recvfrom(LONGEST)
            except OSError:
                return
            if not question:
                return
            threading.Thread(target=self._pass_udp, args=(question, peer), name="dns-udp", daemon=True).start()

    def _pass_udp(self, question: bytes, peer: tuple[str, int]) -> None:
        with contextlib.suppress(OSError), socket.socket(self._family(), socket.SOCK_DGRAM) as upstream:
            upstream.settimeout(PATIENCE)
            upstream.connect(self._server)
            upstream.send(question)
            self._udp.sendto(upstream.recv(LONGEST), peer)

    def _serve_tcp(self) -> None:
        while True:
            try:
                client, _peer = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_tcp, args=(client,), name="dns-tcp", daemon=True).start()

    def _pass_tcp(self, client: socket.socket) -> None:
        """One question and its answer, each with two bytes of length before it (RFC 1035, 4.2.2)."""
        with contextlib.suppress(OSError, EOFError), client, socket.create_connection(self._server, PATIENCE) as upstream:
            client.settimeout(PATIENCE)
            for source, sink in ((client, upstream), (upstream, client)):
                size = _exactly(source, 2)
                sink.sendall(size + _exactly(source, struct.unpack(">H", size)[0]))

    def _family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self._server[0] else socket.AF_INET


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = source.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data
