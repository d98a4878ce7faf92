# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated AWS of the sandbox: moto's server with patches where it is unfaithful, seeds and fault injection."""
