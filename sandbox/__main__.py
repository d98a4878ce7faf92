# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m sandbox``."""

from __future__ import annotations

import sys

from sandbox.cli import main

sys.exit(main())
