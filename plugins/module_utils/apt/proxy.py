# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A proxy for apt in a file that root alone reads: in a command's environment, ps and Ansible's -vvv would show its password."""

from __future__ import annotations

import os

#: On a file system that ends with the boot. apt reads it when APT_CONFIG names it (apt.conf(5)).
FILE = "/run/mlinfra-apt-proxy.conf"


def text(url):
    """apt's settings for the proxy."""
    return 'Acquire::http::Proxy "%s";\nAcquire::https::Proxy "%s";\n' % (url, url)


def environment(url, path=FILE):
    """Write the file, or remove it when there is no proxy; returns the environment in which apt uses it."""
    if not url:
        if os.path.exists(path):
            os.unlink(path)
        return {}
    draft = "%s.%d" % (path, os.getpid())
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text(url))
    os.replace(draft, path)
    return {"APT_CONFIG": path}
