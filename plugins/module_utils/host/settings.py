# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What is in force on a host, out of the words of the kernel, systemd and apt-config."""

from __future__ import annotations

import re


def sysctl_path(name):
    """'net.ipv4.conf.eth0/1.forwarding' -> its file under /proc/sys; a slash in a name stands for a dot (sysctl.d(5))."""
    return "/proc/sys/" + name.translate(str.maketrans("./", "/."))


def sysctl_value(text):
    """A value with single spaces; None when there was nothing to read."""
    return " ".join(text.split()) or None


def limit_properties(names):
    """NOFILE -> the two properties that systemd's manager has for it: the hard limit, and the soft one."""
    return [prefix + name + suffix for name in names for prefix, suffix in (("DefaultLimit", ""), ("DefaultLimit", "Soft"))]


def properties(text):
    """{name: value} of lines name=value."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def limits(text, names):
    """{name: {soft, hard}} of `systemctl show`; None for what it does not say."""
    said = properties(text)
    return {name: {"soft": said.get("DefaultLimit%sSoft" % name), "hard": said.get("DefaultLimit%s" % name)} for name in names}


def apt_values(dump, names):
    """{name: [value]} of `apt-config dump`, where a list has a line 'name:: "value";' per element. Names are without regard to case."""
    found = {name: [] for name in names}
    keys = {name.lower(): name for name in names}
    for key, value in re.findall(r'^([^\s"]+) "(.*)";$', dump, re.MULTILINE):
        name = keys.get(re.sub(r"::$", "", key).lower())
        if name and value:
            found[name].append(value)
    return found
