# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a module that restarts the daemon whose settings it has."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  restart:
    description: Restart the daemon even when the settings are the same, because something else that it reads has changed.
    type: bool
    default: false
  files:
    description:
      - Further files of this collection's own that the daemon or its unit reads when it starts, by path, with their text; empty for a file
        that shall not be there. Where one differs it is written with the settings, after all refusals, and the daemon is restarted.
      - Files that end in C(.env) are for root alone.
    type: dict
    default: {}
    version_added: 0.7.0
"""
