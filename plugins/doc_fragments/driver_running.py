# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a module that has a driver run once it is installed."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  load:
    description: Load the modules when none is loaded and those of the running kernel are there. Not where nouveau has the GPUs.
    type: bool
    default: false
  persistence:
    description:
      - Keep GPUs initialised while no program uses them. Enables C(nvidia-persistenced.service) where the driver's packages have it, starts
        it where the driver that is loaded is the installed one, and has it switch persistence mode on where its unit says otherwise.
      - Without it the unit stays as it is.
    type: bool
    default: false
    version_added: 0.7.0
"""
