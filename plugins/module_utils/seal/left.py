# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What users have in their homes that lets its holder in somewhere: each host of an image would have it.

Somebody may want just that, as for a package index, so it goes only by wish and is told otherwise.
"""

from __future__ import annotations

import glob
import json
import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.host import files
from ansible_collections.mlinfra.hosts.plugins.module_utils.seal import places

WHAT = "credential"
# Below a home. Sources: ssh-keygen(1); netrc(5); the manuals of the command lines of AWS, Google and Azure, of git, kubectl, twine and
# Hugging Face.
PATTERNS = (
    ".ssh/id_*", ".netrc", ".git-credentials", ".pypirc", ".kube/config", ".aws/credentials", ".aws/sso/cache/*", ".aws/cli/cache/*",
    ".config/gcloud/credentials.db", ".config/gcloud/application_default_credentials.json", ".azure/msal_token_cache.*",
    ".cache/huggingface/token", ".huggingface/token",
)  # fmt: skip
# Logins to registries, beside settings that are no secret, as role container_runtime's credential helpers.
LOGINS = (".docker/config.json", ".config/containers/auth.json")
# Of the machine, not of a user, and open-iscsi does not start without its file: told alone.
INITIATOR = "/etc/iscsi/initiatorname.iscsi"
NAMED = 8


def look(folders, root=""):
    """[{what, path, removable}] of what is there below homes. What a link shows is of another place, and not looked for."""
    found = []
    for home in folders:
        for pattern in PATTERNS + LOGINS:
            for path in sorted(glob.glob(root + home + "/" + pattern)):
                if path.endswith(".pub") or not own(root + home, path):
                    continue
                has, alone = logins(files.text(path)) if pattern in LOGINS else (True, True)
                found += [{"what": WHAT, "path": path[len(root) :], "removable": alone}] if has else []
    if any(line.startswith("InitiatorName=") for line in files.read(root + INITIATOR).splitlines()):
        found.append({"what": "iSCSI name", "path": INITIATOR, "removable": False})
    return found


def own(home, path):
    """Whether a path is a file in a home, and not reached by a link."""
    folder = os.path.realpath(os.path.dirname(path)) + "/"
    return os.path.isfile(path) and not os.path.islink(path) and folder.startswith(os.path.realpath(home) + "/")


def logins(text):
    """(whether a file of Docker's or podman's has logins, whether nothing else is in it). None, of a file that cannot be read, has them."""
    try:
        settings = json.loads(text or "")
        entries = settings.get("auths") or {}
        has = any(any(entry.values()) for entry in entries.values() if isinstance(entry, dict))
        return has, has and set(settings) == {"auths"}
    except (ValueError, AttributeError):
        return text is None or text.strip() != "", False


def steps(seen):
    """What to do with what may be removed."""
    return [{"what": one["what"], "path": one["path"], "act": places.REMOVE} for one in seen if one["removable"]]


def words(kept):
    """A warning about what stays in the image; None for nothing."""
    if not kept:
        return None
    paths = ", ".join(one["path"] for one in kept[:NAMED]) + (" and %d more" % (len(kept) - NAMED) if len(kept) > NAMED else "")
    advice = " credentials: remove (seal_credentials of role seal) does so for users' own." if any(one["removable"] for one in kept) else ""
    return "Each host of the image will have %s. Where that is not meant, remove it and make the image anew.%s" % (paths, advice)
