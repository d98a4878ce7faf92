#!/bin/sh
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# What a start of a real host does: it loads the modules that are on the disk. Those of 610.43.02 do not know its GPUs.
set -eu
version=$(modinfo -F version /lib/modules/6.1.0-98-amd64/updates/dkms/nvidia.ko)
[ "$version" != 610.43.02 ] || exit 1
exec stub-nvidia load "$version"
