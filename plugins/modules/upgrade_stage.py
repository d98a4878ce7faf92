#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_stage
short_description: Read, or write down, how far the upgrade of a host's driver has come
version_added: 0.5.0
description:
  - Keeps a small record on the host, from which playbook C(mlinfra.hosts.upgrade) goes on after it was stopped anywhere.
  - The file is replaced in one step and is on the disk when the module ends, so that a host that loses its power has one or the other.
  - Wants root to write.
author:
  - mlinfra.hosts contributors (@mlinfra)
extends_documentation_fragment: [mlinfra.hosts.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  stage:
    description:
      - The stage that begins, or that was reached. Without it nothing is written.
      - V(drain) begins an upgrade, unless one to the same pins is between V(drain) and V(verify) already, which then keeps its beginning.
        All others want one that was begun.
      - V(rollback) is the way back, V(rolled_back) its end; V(stranded) says that it failed.
    type: str
    choices: [drain, install, reboot, verify, undrain, done, rollback, rolled_back, stranded]
  from:
    description: Pins to return to, as M(mlinfra.hosts.gpu_resolve) returns them. Wanted with V(drain).
    type: dict
  to:
    description: Pins to upgrade to. Wanted with V(drain); with another stage they have to be those of the upgrade that was begun.
    type: dict
  toolkit:
    description: Version of the container toolkit to return to, for V(drain). Without one it stays where it is.
    type: str
  gpus:
    description: Health of each GPU before, by its address, in the words of M(mlinfra.hosts.gpu_facts).
    type: dict
  why:
    description: What went wrong, for V(rollback) and V(stranded).
    type: str
  path:
    description: The file. Its folder is made.
    type: path
    default: /var/lib/mlinfra/upgrade.json
"""

EXAMPLES = r"""
- name: Read how far the last upgrade came
  mlinfra.hosts.upgrade_stage:
  register: upgrade

- name: Say that the new driver is being installed
  mlinfra.hosts.upgrade_stage:
    stage: install
  become: true
"""

RETURN = r"""
record:
  description:
    - What is written down; null where there is nothing, or no record. In check mode, what would be.
    - C(schema), V(1); C(stage); pins C(from) and C(to); C(toolkit), or null; C(touched), whether the driver may have been exchanged;
      C(gpus); C(boot), id of the boot in which C(drain) or C(rollback) began; C(failed), the stage that C(rollback) came from, and C(why),
      or null; C(began) and C(at) (the last step) in UTC.
  returned: success, and failure
  type: dict
  sample: {schema: 1, stage: install, from: {}, to: {}, toolkit: 1.18.1, touched: true, gpus: {}, boot: 5f0c, failed: null, why: null}
boot:
  description: Id of the boot that runs.
  returned: success
  type: str
seconds:
  description: Seconds from the beginning of the upgrade to the last step; null without a record.
  returned: success
  type: int
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read
from ansible_collections.mlinfra.hosts.plugins.module_utils.upgrade import record

ARGUMENTS = {
    "stage": {"type": "str", "choices": list(record.STAGES)},
    "from": {"type": "dict"},
    "to": {"type": "dict"},
    "toolkit": {"type": "str"},
    "gpus": {"type": "dict"},
    "why": {"type": "str"},
    "path": {"type": "path", "default": "/var/lib/mlinfra/upgrade.json"},
}
BOOT = "/proc/sys/kernel/random/boot_id"


def write(path, text):
    """One step, and on the disk: a reboot follows. :raises OSError:"""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    draft = path + ".new"
    with open(draft, "w", encoding="utf-8") as file:
        os.chmod(draft, 0o644)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def lines(found):
    """The record without its pins, as a diff shows it."""
    if found is None:
        return ""
    versions = {key: found[key]["driver"]["version"] for key in ("from", "to")}
    return record.text(dict({key: found[key] for key in ("stage", "toolkit", "failed", "why")}, **versions))


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given, path = module.params, module.params["path"]
    old, boot = record.parse(read(path)), read(BOOT).strip()
    new = old
    if given["stage"]:
        told = record.problems(old, given)
        if told:
            module.fail_json(msg="\n".join(told), record=old)
        wish = {key: given[key] for key in ("stage", "from", "to", "toolkit", "gpus", "why")}
        new = record.following(old, wish, time.strftime(record.CLOCK, time.gmtime()), boot)
    if new != old and not module.check_mode:
        try:
            write(path, record.text(new))
        except OSError as error:
            module.fail_json(
                msg="%s cannot be written: %s. Is there room, and is the task run with become: true?" % (path, error.strerror), record=old
            )
    diff = {"before": lines(old), "after": lines(new), "before_header": path, "after_header": path}
    module.exit_json(changed=new != old, record=new, boot=boot, seconds=record.took(new) if new else None, diff=diff)


if __name__ == "__main__":
    main()
