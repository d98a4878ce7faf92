# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which collectors a node_exporter knows, and which of the wished names it does not."""

from __future__ import annotations

import difflib
import re

# `prometheus-node-exporter --help` of Debian's 1.5.0 (bookworm) and 1.9.0 (trixie), Linux, amd64. What only the newer one has stands apart.
SINCE_1_5 = frozenset(
    """arp bcache bonding btrfs buddyinfo cgroups conntrack cpu cpufreq diskstats dmi drbd drm edac entropy ethtool fibrechannel filefd
    filesystem hwmon infiniband interrupts ipvs ksmd lnstat loadavg logind mdadm meminfo meminfo_numa mountstats netclass netdev netstat
    network_route nfs nfsd ntp nvme os perf powersupplyclass pressure processes qdisc rapl runit schedstat selinux slabinfo sockstat softnet
    stat supervisord sysctl systemd tapestats tcpstat textfile thermal_zone time timex udp_queues uname vmstat wifi xfs zfs
    zoneinfo""".split()
)
SINCE_1_9 = frozenset("cpu_vulnerabilities softirqs watchdog xfrm".split())
NEWEST_KNOWN = (1, 9)


def version_key(version):
    """'1.10.2' -> (1, 10, 2); a text that is no version -> ()."""
    return tuple(int(part) for part in re.findall(r"\d+", version or "")[:3])


def parse_help(text):
    """Output of `node_exporter --help` -> {collector: enabled by default}."""
    return {
        name: state == "enabled"
        for name, state in re.findall(r"Enable the (\S+) collector \(default: (enabled|disabled)\)", " ".join(text.split()))
    }


def parse_version(text):
    """Output of `node_exporter --version` -> '1.5.0', or None."""
    match = re.search(r"node_exporter, version (\S+)", text)
    return match.group(1) if match else None


def known(version=None):
    """Names that some release up to `version` has, or None when that release is newer than this table.

    Without a version (a distribution's package not installed yet) all that the table has.
    """
    if version is not None and version_key(version)[:2] > NEWEST_KNOWN:
        return None
    return SINCE_1_5 | SINCE_1_9


def problems(enabled, disabled, names, release):
    """Messages about the two lists.

    `names`: what the exporter knows, None when that cannot be told yet. `release`: its name in messages.
    """
    found = []
    for option, wished in (("node_exporter_collectors_enabled", enabled), ("node_exporter_collectors_disabled", disabled)):
        for index, name in enumerate(wished):
            if names is None and re.match(r"^[a-z][a-z0-9_]*$", name):
                continue
            if names is None or name not in names:
                close = difflib.get_close_matches(name, sorted(names or SINCE_1_5 | SINCE_1_9), n=1)
                hint = "Did you mean %s?" % close[0] if close else "Use names that `node_exporter --help` lists as --collector.NAME."
                found.append("%s[%d] is %s: %s has no such collector. %s" % (option, index, name, release, hint))
    both = sorted(set(enabled) & set(disabled))
    if both:
        both_options = "node_exporter_collectors_enabled and node_exporter_collectors_disabled"
        found.append("%s both name %s. Keep each in one of them." % (both_options, ", ".join(both)))
    return found
