# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What ssh must be told to reach an instance, through a bastion or not.

Host keys are kept under the instance id (HostKeyAlias): a new instance at an old address is then a new host, never a
warning about a changed key, and the first key that an instance shows is the one it must keep.
"""

from __future__ import annotations

import shlex
from typing import NamedTuple, Optional

# A driver's build says nothing for minutes, and NAT gateways forget a connection that was idle for 350 seconds ("NAT gateway basics" of the
# VPC user guide). A host that does not answer for five minutes is given up. Ansible gives ssh_args first, where the first word counts.
ALIVE = ("-o", "ServerAliveInterval=30", "-o", "ServerAliveCountMax=10")


class SshOptions(NamedTuple):
    """The user's choices, the same for every host. None leaves ssh's own default."""

    known_hosts_file: Optional[str] = None
    private_key_file: Optional[str] = None
    connect_timeout: int = 10  # seconds, for the way to the bastion


class Hop(NamedTuple):
    """The host that another one is reached through. ``alias`` None: known by its address."""

    address: str
    user: Optional[str] = None
    port: Optional[int] = None
    alias: Optional[str] = None

    def __str__(self) -> str:
        return (f"{self.user}@" if self.user else "") + self.address + (f":{self.port}" if self.port else "")


def parse_hop(text: str) -> Hop:
    """``user@address`` or ``address``, each with ``:port`` or not. Raises ValueError."""
    user, dummy, address = text.rpartition("@")
    host, colon, port = address.rpartition(":")
    if not colon:
        host, port = address, ""
    elif not port.isdigit():
        raise ValueError(f"{text!r} is no [user@]address[:port]")
    # a leading dash would be read by ssh as one more option
    if not host or host.startswith("-") or user.startswith("-") or any(character.isspace() for character in text):
        raise ValueError(f"{text!r} is no [user@]address[:port]")
    return Hop(host, user or None, int(port) if port else None)


def common_args(instance_id: str, options: SshOptions, hop: Optional[Hop] = None) -> str:
    """Value of ``ansible_ssh_common_args``; Ansible splits it as a shell would."""
    words = _host_key_words(instance_id, options) + list(ALIVE)
    if hop:
        words += ["-o", f"ProxyCommand={_proxy_command(hop, options)}"]
    return shlex.join(words)


def refusing_args(message: str) -> str:
    """``ansible_ssh_common_args`` of a host that cannot be reached: ssh ends at once and says why."""
    script = f"echo {shlex.quote(message)} >&2; exit 1"
    return shlex.join(["-o", f"ProxyCommand={_doubled(shlex.join(['sh', '-c', script]))}"])


def _host_key_words(alias: Optional[str], options: SshOptions) -> list[str]:
    words = ["-o", "StrictHostKeyChecking=accept-new"]
    if alias:
        words = ["-o", f"HostKeyAlias={alias}", *words]
    if options.known_hosts_file:
        words += ["-o", f"UserKnownHostsFile={_path(options.known_hosts_file, several=True)}"]
    return words


def _proxy_command(hop: Hop, options: SshOptions) -> str:
    words = ["ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={options.connect_timeout}"]
    words += _host_key_words(hop.alias, options)
    if options.private_key_file:
        words += ["-o", "IdentitiesOnly=yes", "-i", _path(options.private_key_file)]
    if hop.port:
        words += ["-p", str(hop.port)]
    words.append(f"{hop.user}@{hop.address}" if hop.user else hop.address)
    # %h and %p are the target's: the outer ssh puts them in, and halves every other percent sign
    return f"{_doubled(shlex.join(words))} -W '[%h]:%p'"


def _path(path: str, several: bool = False) -> str:
    """A path for an ssh option; ``several``: one that takes a list of them, so that a blank needs quotes."""
    quoted = f'"{path}"' if several and " " in path else path
    return _doubled(quoted)


def _doubled(text: str) -> str:
    """Percent signs start tokens in ssh's options."""
    return text.replace("%", "%%")
