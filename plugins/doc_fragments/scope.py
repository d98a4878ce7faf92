# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which stack is meant: the options that aws_stack and aws_stack_info share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  name:
    description:
      - Name of the stack, usually the project.
      - Up to 32 lowercase letters, digits and single hyphens.
    type: str
    required: true
  environment:
    description:
      - Environment of the stack, for example V(dev) or V(prod).
      - Up to 16 lowercase letters, digits and single hyphens.
    type: str
    required: true
  account_id:
    description:
      - The AWS account that the stack lives in, 12 digits. Quote it.
      - It is compared with the account of the credentials before any other call.
    type: str
    required: true
"""
