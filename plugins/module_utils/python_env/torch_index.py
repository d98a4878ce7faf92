# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""PyTorch's own index beside the default one: for torch's own packages alone, so that neither index can slip in a package of the other's.

PyTorch's index also has copies of what torch depends on. As one more index it would either hide the default one's releases (uv's
first-index), or let whoever publishes the higher version win (unsafe-best-match). So a lock is made with an explicit index, and an
environment is filled in two steps, each with one index. Pure.
"""

from __future__ import annotations

import json
import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import lock
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import torch_builds

#: Line of a list that was made with PyTorch's index: a mirror may have such versions on the default index, too.
MARK = "# Of PyTorch's own index: torch, torchaudio, torchvision\n"
_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")


def url(base, label):
    """Address of the index of one build."""
    return "%s/%s" % (base.rstrip("/"), label)


def project(requirements, python_version, address):
    """A pyproject.toml that takes torch's own packages from an address, and all else from the default index.

    https://docs.astral.sh/uv/guides/integration/pytorch/; JSON's strings are TOML's, too.
    """
    lines = ["[project]", 'name = "mlinfra-wish"', 'version = "0"', "requires-python = %s" % json.dumps(">=" + python_version)]
    lines += ["dependencies = %s" % json.dumps(requirements)]
    lines += ["[[tool.uv.index]]", 'name = "mlinfra-torch"', "url = %s" % json.dumps(address), "explicit = true", "[tool.uv.sources]"]
    return "\n".join(lines + ['%s = { index = "mlinfra-torch" }' % name for name in torch_builds.OWN]) + "\n"


def unnamed(text, requirements):
    """Those of torch's own packages in a list that are wished by no name: uv's sources hold for what is, so these are of another build."""
    named = {lock.normal_name(found.group(1)) for found in map(_NAME.match, requirements) if found}
    return sorted({one.name for one in lock.parse(text) if one.name in torch_builds.OWN} - named)


def split(text, base):
    """[(address, list)] of what a list takes from PyTorch's indexes below base; empty when it takes nothing from there.

    A line without a build's label goes with the others: of one release an index has such files for processors that have no label.
    """
    own = [one for one in lock.with_lines(text) if one[0].name in torch_builds.OWN]
    labels = sorted({torch_builds.label_of(one.version) for one, unused in own} - {None})
    if not labels:
        return []
    alone = labels[0] if len(labels) == 1 else None
    found = {}
    for one, line in own:
        found.setdefault(torch_builds.label_of(one.version) or alone, []).append(line)
    return [(url(base, label), "\n".join(found[label]) + "\n") for label in labels]
