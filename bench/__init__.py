# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparisons with what people use today. Each ends in lines of NAME RATIO GOAL."""
