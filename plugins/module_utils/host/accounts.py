# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Accounts of this host, whatever they come from (files, LDAP)."""

from __future__ import annotations

import grp
import os
import pwd

from ansible_collections.mlinfra.hosts.plugins.module_utils.host.paths import name_of

ABSENT = {"exists": False, "uid": None, "gid": None, "group": None, "groups": [], "home": None, "shell": None}


def look(name):
    """{exists, uid, gid, group, groups, home, shell}; groups are the further ones, sorted."""
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        return dict(ABSENT, groups=[])
    gids = set(os.getgrouplist(name, account.pw_gid)) - {account.pw_gid}
    return {
        "exists": True,
        "uid": account.pw_uid,
        "gid": account.pw_gid,
        "group": name_of(grp.getgrgid, account.pw_gid),
        "groups": sorted(name_of(grp.getgrgid, gid) for gid in gids),
        "home": account.pw_dir,
        "shell": account.pw_shell,
    }
