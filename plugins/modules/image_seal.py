#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_seal
short_description: Take away what makes a machine this one, before an image is made of it
version_added: 0.5.0
description:
  - Empties the machine id, removes ssh host keys, random seeds, persistent device names, leases, an engine's id; what C(cloud-init) knows
    of the instance; package lists and caches, journals, the content of logs, and histories of shells.
  - The machine id's file stays, empty. Without it systemd takes the next boot for the first one and puts all units back to their presets.
  - Each host of the image makes a machine id of its own. Who makes new host keys has to be there already, as P(mlinfra.hosts.seal#role)
    or C(cloud-init) has it.
  - Credentials of users go only with O(credentials=remove), and are named by a warning otherwise. What programs and roles keep in C(/etc),
    as the password of a proxy, stays, as each host needs it.
  - Identity goes last and only when all else went well. New connections to the machine fail from then on, so make it the last task.
  - What is put down again while the machine runs, as a log, can be there again; shut it down next.
author:
  - mlinfra.hosts contributors (@mlinfra)
extends_documentation_fragment:
  - mlinfra.hosts.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Each path, and what is left of it.
  idempotent:
    support: partial
    details:
      - A second run removes only what the machine has written since.
options:
  authorized_keys:
    description:
      - Whether to remove the authorized keys of all users as well. Without them only C(cloud-init) or a console lets anybody in.
    type: bool
    default: false
  credentials:
    description:
      - What is done with credentials that users have in their homes. Private ssh keys (C(~/.ssh/id_*)), C(~/.netrc), C(~/.git-credentials),
        C(~/.pypirc), C(~/.kube/config), what the command lines of AWS, Google, Azure and Hugging Face keep, and logins to registries.
      - V(keep) leaves them, with a warning that names each, as each host of the image gets them; V(remove) removes them.
      - A registry's login beside other settings, as credential helpers, and the machine's iSCSI name are left and told in any case.
    type: str
    choices: [keep, remove]
    default: keep
    version_added: 0.7.0
"""

EXAMPLES = r"""
- name: See what would be removed
  mlinfra.hosts.image_seal:
  check_mode: true
  diff: true
  become: true

- name: Seal the builder
  mlinfra.hosts.image_seal:
    authorized_keys: true
  become: true
"""

RETURN = r"""
steps:
  description:
    - What was done, or would be, in this order. C(what) is a kind of things, as V(host key); C(path) a file, a folder or a unit; C(act) one
      of V(remove), V(empty), V(link) (to the machine id), V(stop) (a unit that would write it again) and V(clean) (by C(cloud-init)).
  returned: success
  type: list
  elements: dict
  sample:
    - {what: history, path: /home/me/.bash_history, act: remove}
    - {what: machine id, path: /etc/machine-id, act: empty}
left:
  description: What the image will have of credentials and such. RV(ignore:warnings) says so, too.
  returned: success
  type: list
  elements: str
  sample: [/srv/build/.aws/credentials]
  version_added: 0.7.0
counts:
  description: How many steps of each kind.
  returned: success
  type: dict
  sample: {history: 1, machine id: 1}
problems:
  description: What could not be done. RV(ignore:msg) has it, too.
  returned: failure
  type: list
  elements: str
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read
from ansible_collections.mlinfra.hosts.plugins.module_utils.seal import act, left, places, plan

ARGUMENTS = {
    "authorized_keys": {"type": "bool", "default": False},
    "credentials": {"type": "str", "choices": ["keep", "remove"], "default": "keep", "no_log": False},
}


def look(module):
    """(all steps that are due on this host, what of left.look() stays)"""
    wish = {
        "authorized_keys": module.params["authorized_keys"],
        "cloud_init": bool(module.get_bin_path("cloud-init")),
    }
    homes = plan.homes(read("/etc/passwd"))
    seen = left.look(homes)
    removed = left.steps(seen) if module.params["credentials"] == "remove" else []
    steps = removed + plan.look(homes, wish)
    if module.get_bin_path("systemctl") and module.run_command(["systemctl", "is-active", "--quiet", places.SEED_UNIT])[0] == 0:
        # It would write a seed when the machine goes down.
        steps.insert(0, {"what": "random seed", "path": places.SEED_UNIT, "act": places.STOP})
    gone = [step["path"] for step in removed]
    return steps, [one for one in seen if one["path"] not in gone]


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if os.geteuid():
        module.fail_json(msg="Sealing a machine takes root: run this with become.", problems=[])
    steps, kept = look(module)
    if kept:
        module.warn(left.words(kept))
    problems = [] if module.check_mode else act.carry_out(steps, module.run_command)
    if problems:
        module.fail_json(
            msg="The machine is not sealed, make no image of it: %s. Mend that, and run this again." % "; ".join(problems),
            problems=problems,
        )
    if steps and not module.check_mode:
        os.sync()
    counts = {}
    for step in steps:
        counts[step["what"]] = counts.get(step["what"], 0) + 1
    module.exit_json(changed=bool(steps), steps=steps, counts=counts, left=[one["path"] for one in kept], diff=plan.diff(steps))


if __name__ == "__main__":
    main()
