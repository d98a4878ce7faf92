# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a module that takes NVIDIA's packages from a repository of the user's own."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  local_repository:
    description:
      - With O(source=local), a folder of this host, or a C(file://), C(http://) or C(https://) URL of it, that is a repository of apt or
        dnf. For one of apt that is not flat, suite and components stand behind it, as in V(http://mirror.example.org/nvidia bookworm main).
      - A repository of apt has to be signed.
    type: str
    version_added: 0.7.0
  local_keyring:
    description:
      - With O(source=local), path on this host, or URL, of the key that signs that repository, or of the package C(cuda-keyring).
      - Without it the one key that lies in the folder (C(*keyring*.gpg), C(*.pub), C(*.asc), C(RPM-GPG-KEY*)) is taken, or the one that
        a source of the host names for the same repository, as NVIDIA's packages C(nvidia-driver-local-repo-*) bring them. Wanted for a
        repository that is served.
    type: str
    version_added: 0.7.0
"""
