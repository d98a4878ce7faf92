# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts and a mirror in disorder: refused with the reason and nothing done; once the disorder is gone, the next run does it. Run last."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from plays import changes
from untidy import FULL, NOT_FULL, Untidy, found, half_configured, lock, lost, on_each

SCENARIO = Path(__file__).resolve().parents[1]
FOLDER = "/srv/www/nvidia/compute/cuda/repos/debian13/x86_64"
# gpu-0 begins with 13.0, builder-0 with 12.8.0 and the runtime of 12.4.
WISHES = {
    "gpu-0": {"cuda_toolkit_versions": ["12.4"], "cuda_toolkit_default": ""},
    "builder-0": {"cuda_toolkit_versions": ["13.0"], "cuda_toolkit_pins": {}},
}
BEFORE = {"builder-0": FULL, "mirror-0": lost(FOLDER, "cuda-nvcc-12-4*")}
MENDED = {"gpu-0": lock(20), "builder-0": NOT_FULL + "\n" + half_configured("flaky") + "touch /srv/flaky-may", "mirror-0": found(FOLDER)}
MESSAGES = {
    "gpu-0": r"(?s)^The CUDA toolkits could not be changed \(step: install\): .*404 .*\nThe host is as it was before \(no package had",
    "builder-0": r"^/var/cache/apt/archives has 0 MiB free: installing .* needs 1 MiB there\. Make room .*Nothing was changed\.$",
}
LOOK = """#!/bin/sh
dpkg-query -W; apt-mark showhold; apt-mark showauto; readlink -f /usr/local/cuda; ls -A /etc/apt/preferences.d /etc/apt/sources.list.d
dpkg --audit
"""
HOSTS = Untidy(SCENARIO, WISHES, "converge.yml", LOOK)


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """({host: message}, {host: lines that came or went meanwhile})"""
    return HOSTS.refused(BEFORE, tmp_path_factory.mktemp("untidy"))


@pytest.mark.parametrize("name", sorted(WISHES))
def test_refused_by_name_and_nothing_done(refused, name):
    told, differences = refused
    assert re.search(MESSAGES[name], told[name]), told[name]
    assert differences[name] == []


def test_the_next_run_goes_through(refused, tmp_path):
    on_each(SCENARIO, MENDED, tmp_path)
    changed = changes(HOSTS.converge(tmp_path, 0))
    assert all(changed[name] for name in WISHES), changed
    there = HOSTS.look(tmp_path)
    assert "cuda-toolkit-12-4\t12.4.1-1" in there["gpu-0"] and "cuda-toolkit-13-0\t13.0.2-1" in there["builder-0"]
