# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy for apt that only root gets to see."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.apt import proxy

URL = "http://me:s3cret@proxy.example:3128"


def test_written_for_root_alone_and_removed_with_the_wish(tmp_path):
    path = tmp_path / "proxy.conf"
    assert proxy.environment(URL, str(path)) == {"APT_CONFIG": str(path)}
    assert path.stat().st_mode & 0o777 == 0o600 and URL in path.read_text()
    assert proxy.environment("http://other.example:1", str(path)) and URL not in path.read_text()
    assert proxy.environment(None, str(path)) == {} and list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not shutil.which("apt-config"), reason="no apt on this machine")
def test_apt_reads_it(tmp_path):
    environment = proxy.environment(URL, str(tmp_path / "proxy.conf"))
    seen = subprocess.run(["apt-config", "dump", "Acquire::https::Proxy"], env=environment, capture_output=True, text=True, check=True)
    assert seen.stdout == f'Acquire::https::Proxy "{URL}";\n'
