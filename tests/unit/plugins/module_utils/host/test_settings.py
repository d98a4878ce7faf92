# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in force, out of the words of the host's programs."""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import settings


def test_sysctls():
    assert settings.sysctl_path("vm.swappiness") == "/proc/sys/vm/swappiness"
    assert settings.sysctl_path("net.ipv4.conf.eth0/1.forwarding") == "/proc/sys/net/ipv4/conf/eth0.1/forwarding"
    assert settings.sysctl_value("4096\t131072\t6291456\n") == "4096 131072 6291456" and settings.sysctl_value("") is None


def test_limits():
    assert settings.limit_properties(["NOFILE"]) == ["DefaultLimitNOFILE", "DefaultLimitNOFILESoft"]
    said = "DefaultLimitNOFILE=524288\nDefaultLimitNOFILESoft=1024\n"
    assert settings.limits(said, ["NOFILE", "MEMLOCK"]) == {
        "NOFILE": {"soft": "1024", "hard": "524288"}, "MEMLOCK": {"soft": None, "hard": None},
    }  # fmt: skip


def test_apt():
    dump = 'Unattended-Upgrade "";\nUnattended-Upgrade::Package-Blacklist "";\nUnattended-Upgrade::Package-Blacklist:: "nvidia";\n'
    dump += 'Unattended-Upgrade::package-blacklist:: "cuda";\nAPT::Periodic::Unattended-Upgrade "1";\n'
    names = ["Unattended-Upgrade::Package-Blacklist", "APT::Periodic::Unattended-Upgrade", "APT::No"]
    assert settings.apt_values(dump, names) == dict(zip(names, [["nvidia", "cuda"], ["1"], []]))
