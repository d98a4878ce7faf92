#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_credential_helpers
short_description: Let users' container clients log in to registries by a helper, without a password on disk
version_added: 0.4.0
description:
  - Merges C(credHelpers) into C(.docker/config.json) of users' homes. Docker's client reads it, and so do podman, buildah, skopeo and
    nerdctl. What else stands there stays.
  - A helper asks for a password when one is needed. C(ecr-login) of Amazon's amazon-ecr-credential-helper does so with the role of the
    EC2 instance.
  - Reads and writes with the rights of each user, so a link that a user made leads to nothing that is not the user's own.
  - Refuses a file that is not JSON, with line and column, and one that its user may not read or write, before anything is written.
author:
  - mlinfra.hosts contributors (@mlinfra)
seealso:
  - name: Credential helpers
    description: How Docker uses them.
    link: https://docs.docker.com/reference/cli/docker/login/#credential-helpers
extends_documentation_fragment:
  - mlinfra.hosts.attributes
attributes:
  check_mode:
    support: full
    details:
      - A user that is not there yet is taken to be made by then.
  diff_mode:
    support: partial
    details:
      - Shows C(credHelpers) alone, since the rest of the file may hold passwords.
  idempotent:
    support: full
options:
  users:
    description: Names of the users.
    type: list
    elements: str
    default: [root]
  helpers:
    description: Name of the helper, without C(docker-credential-), by registry.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Pull from ECR with the instance's role
  mlinfra.hosts.container_credential_helpers:
    users: [root, admin]
    helpers:
      123456789012.dkr.ecr.us-east-1.amazonaws.com: ecr-login
  become: true
"""

RETURN = r"""
changed_files:
  description: Paths of the files that changed, or would.
  returned: success
  type: list
  elements: str
  sample: [/etc/skel/.docker/config.json]
"""

import json
import os
import pwd

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.container import json_settings, settings
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.settings_file import SettingsFile
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import paths
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.rights import rights_of

ARGUMENTS = {
    "users": {"type": "list", "elements": "str", "default": ["root"]},
    "helpers": {"type": "dict", "required": True},
}
KEY = "credHelpers"


def account(module, name):
    """The user's entry; None in check mode for one that is not there. Raises SettingsError."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        if module.check_mode:
            return None
        raise settings.SettingsError("users has %s: there is no such user on this host. Make it first, or leave it out." % name) from None


def planned(module):
    """[(user, SettingsFile, text to come, helpers before, helpers after)] of files that must change. Raises SettingsError."""
    found = []
    for user in filter(None, [account(module, name) for name in dict.fromkeys(module.params["users"])]):
        with rights_of(user):
            file = read(user)
            before = json_settings.parse(file.path, file.text)
            after = settings.merged(before, {KEY: module.params["helpers"]})
            if after != before:
                check_writable(user, file)
                found.append((user, file, json_settings.render(after, file.text), before.get(KEY, {}), after[KEY]))
    return found


def path_of(user):
    return os.path.join(user.pw_dir, ".docker", "config.json")


def refusal(user, file, why):
    """file: where the user's links lead to."""
    path = path_of(user)
    led = "" if file == path else ", which leads to %s," % file
    return settings.SettingsError(
        "users has %s: %s%s cannot be used with the rights of %s: %s. Nothing was changed. Remove the link if it is one, or give the "
        "folder and the file to the user (chown -R -h %s %s), or leave the user out."
        % (user.pw_name, path, led, user.pw_name, why, user.pw_name, os.path.dirname(path))
    )


def read(user):
    """The SettingsFile. Raises SettingsError, also where a link leads to what the user may not read."""
    try:
        return SettingsFile(path_of(user))
    except OSError as error:
        raise refusal(user, os.path.realpath(path_of(user)), error.strerror) from error


def check_writable(user, file):
    """Raises SettingsError where write() would not be allowed to: what is read as not there may be out of sight only."""
    if file.exists:
        there = os.stat(file.path)
        if there.st_uid != os.geteuid() and os.geteuid() != 0:
            raise refusal(user, file.path, "it belongs to %s" % paths.owner(there))
    folder = os.path.dirname(file.path)
    there = folder if os.path.lexists(folder) else os.path.dirname(folder)
    if not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        raise refusal(user, file.path, "nothing can be written in %s" % there)


def write(user, file, text):
    """The folder and the file are the user's, and nobody else's: such a file may hold passwords."""
    with rights_of(user):
        folder = os.path.dirname(file.path)
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
        draft = file.draft(text)
        if not file.exists:
            os.chmod(draft, 0o600)
        os.replace(draft, file.path)


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        changes = planned(module)
        for user, file, text, _before, _after in changes:
            if not module.check_mode:
                write(user, file, text)
    except settings.SettingsError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="A user's .docker/config.json cannot be read or written: %s. Is there room, and a home?" % error)
    diff = [
        {"before_header": file.path, "after_header": file.path, "before": _shown(before), "after": _shown(after)}
        for _user, file, _text, before, after in changes
    ]
    module.exit_json(changed=bool(changes), changed_files=[one["after_header"] for one in diff], diff=diff)


def _shown(helpers):
    return json.dumps({KEY: helpers}, indent=2) + "\n"


if __name__ == "__main__":
    main()
