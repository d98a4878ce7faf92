# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What the ec2_gpu inventory plugin is made of: ask, read a page, make hosts. Nothing here imports Ansible's inventory."""
