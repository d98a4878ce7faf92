# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Another user's rights for a while: a link that it has put into a folder of its own leads to nothing that it may not reach itself."""

from __future__ import annotations

import contextlib
import os


@contextlib.contextmanager
def rights_of(account):
    """Do what is inside with the rights of a user, as root; as anybody else, with one's own. account: its entry of pwd."""
    if os.geteuid() != 0:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    os.setgroups(os.getgrouplist(account.pw_name, account.pw_gid))
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)
