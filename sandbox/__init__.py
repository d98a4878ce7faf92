# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An emulated AWS and real systemd hosts on this machine, in place of an account (see docs)."""
