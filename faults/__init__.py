# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which one call can go wrong, at every writing call of a stack's life: ``python -m faults``.

A worker keeps accounts of the emulated AWS at the beginning of each scenario (empty, or with the whole stack in it). For each case it
forks the account and runs the engine against it in a process of its own, so that a run can really be killed, and so that no case has to
build up again what another one began with.
"""
