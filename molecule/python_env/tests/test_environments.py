# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environments as each host shall have them."""

from __future__ import annotations

import json

VISION, SPEECH = "/opt/mlinfra/envs/vision", "/opt/mlinfra/envs/speech"


def pool(host):
    return host.ansible.get_variables()["mlinfra_pool"]


def installed(host, path):
    with host.sudo():
        return json.loads(host.file(f"{path}/mlinfra-environment.json").content_string)["installed"]


def test_each_project_has_what_its_list_says_for_this_python(host):
    assert installed(host, VISION) == {"idna": "3.10", "six": "1.17.0", "zipp": "3.20.2"}
    wished = {"colorama": "0.4.6", "zipp": "3.21.0"}
    if pool(host) == "bookworm":
        wished["importlib-metadata"] = "8.6.1"
    assert installed(host, SPEECH) == wished


def test_anybody_can_use_it_and_only_root_change_it(host):
    assert host.check_output(f"{VISION}/bin/python -c 'import idna, six, sys; print(idna.__version__, sys.prefix)'") == f"3.10 {VISION}"
    assert host.run(f"touch {VISION}/lib/mine").failed
    folder = host.file(host.check_output(f"readlink -f {VISION}"))
    assert (folder.user, folder.group, folder.mode) == ("root", "root", 0o755)


def test_owner_and_mode_are_as_wished(host):
    folder = host.file(host.check_output(f"readlink -f {SPEECH}"))
    assert (folder.user, folder.group, folder.mode) == ("root", "adm", 0o750)
    with host.sudo():
        assert host.check_output(f"find {folder.path} ! -group adm") == ""


def test_what_imports_load_is_compiled_for_who_may_not_write(host):
    assert host.check_output(f"find -L {VISION}/lib -path '*idna/__pycache__/core*.pyc'")


def test_uv_is_there_and_nothing_else_was_left(host):
    assert host.check_output("/opt/mlinfra/uv/bin/uv --version").startswith("uv ")
    with host.sudo():
        assert (
            host.check_output("ls -A /opt/mlinfra/envs | grep -vcE '^(vision|speech|\\.(vision|speech)-[0-9a-f]{8}-.{8})$' || true") == "0"
        )
        assert host.check_output("ls -A /opt/mlinfra/envs | wc -l") == "4"
        assert not host.run("ls ~/.cache/uv ~/.cache/pip").stdout
        assert host.check_output("find /usr/local/bin -type f -o -type l") == ""
