#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mig_layout
short_description: Partition GPUs by MIG as declared, now and at each boot
version_added: 0.5.0
description:
  - Compares the declared layout with what C(nvidia-smi) says and changes only GPUs that differ. One with the declared instances is left
    alone, whatever their places are.
  - Refuses a profile that a GPU does not have, instances that have no room together, and any change of a GPU that processes use, which it
    names. Nothing is changed then. A GPU whose layout cannot be made gets its former one again.
  - Instances end with each boot, so the layout is kept in C(/etc/mlinfra/mig_layout.json) and a unit of systemd, C(mlinfra-mig.service),
    makes it again before any container engine starts, from a copy of this code below C(/usr/local/lib/mlinfra).
  - Has C(nvidia-ctk) write the CDI specification anew, when it is there, so that engines know the instances.
  - GPUs that no entry names are left as they are.
author:
  - mlinfra.hosts contributors (@mlinfra)
extends_documentation_fragment: [mlinfra.hosts.attributes]
attributes:
  check_mode:
    support: full
    details: Without a driver yet it cannot look at the GPUs, says so in a warning, and predicts a change.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  layout:
    description: What GPUs shall be like. The last entry that names a GPU counts for it.
    type: list
    elements: dict
    required: true
    suboptions:
      gpus:
        description: V(all), or a list of indexes as C(nvidia-smi) has them.
        type: raw
        default: all
      profiles:
        description: Names of the instances, as in V(3g.40gb), each as often as it is wanted. An empty list switches MIG off.
        type: list
        elements: str
      config:
        description:
          - Instead of O(layout[].profiles), a word of nvidia-mig-parted. V(all-disabled); V(all-enabled) (MIG on, no instance);
            V(all-balanced); or V(all-1g.10gb), with any profile, for as many of it as fit.
        type: str
  defer:
    description:
      - Whether a host whose driver does not answer keeps the layout for its next boot, instead of failing. For one that waits for a restart
        into its driver. Profiles are checked then only.
    type: bool
    default: false
    version_added: 0.7.0
"""

EXAMPLES = r"""
- name: Cut all GPUs in halves, but the first
  mlinfra.hosts.mig_layout:
    layout:
      - {gpus: all, profiles: [3g.40gb, 3g.40gb]}
      - {gpus: [0], config: all-disabled}
  become: true
"""

RETURN = r"""
wanted:
  description: Whether something had to be changed; the same as C(changed), for tasks that say themselves what counts as a change.
  returned: success
  type: bool
steps:
  description: What was done, or would be.
  returned: success
  type: list
  elements: str
  sample: [switch MIG on on GPU 0, "give GPU 0 3g.40gb, 3g.40gb"]
reboot_required:
  description: Indexes of GPUs whose MIG mode changes only with a reboot, since they could not be reset.
  returned: success
  type: list
  elements: int
deferred:
  description: Why the layout is made with the next boot only, by O(defer). null where it is not so.
  returned: success
  type: str
  version_added: 0.7.0
users:
  description: >-
    Processes that a reboot would end, on whichever GPU, as C(users) of M(mlinfra.hosts.gpu_facts). Read after the change where
    RV(reboot_required) has some, else before.
  returned: success
  type: list
  elements: dict
  sample: [{pid: 4711, program: python3}]
  version_added: 0.7.0
gpus:
  description: The GPUs as they were found.
  returned: success
  type: list
  elements: dict
  sample: [{index: 0, uuid: GPU-4c6a0f2d-8e90-4f1b-a3c1-86e29fc0c601, mode: enabled, instances: [3g.40gb, 3g.40gb]}]
files:
  description: Files of the unit that were written, or would be.
  returned: success
  type: list
  elements: str
cdi:
  description: >-
    The CDI specification that is in force and was written anew, or would be; null when none had to be. C(steps) has the others, too.
  returned: success
  type: str
  sample: /var/run/cdi/nvidia.yaml
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import users
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.reading import Host
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import kept_program
from ansible_collections.mlinfra.hosts.plugins.module_utils.mig import boot, carry, plan, reading

ARGUMENTS = {
    "layout": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "gpus": {"type": "raw", "default": "all"},
            "profiles": {"type": "list", "elements": "str"},
            "config": {"type": "str"},
        },
    },
    "defer": {"type": "bool", "default": False},
}
UNIT = "mlinfra-mig.service"
PROGRAM = "mig.boot"
ENGINES = "docker.service containerd.service podman.service crio.service kubelet.service nvidia-cdi-refresh.service nvidia-dcgm.service"
ORDERING = {
    "unit": ["After=nvidia-persistenced.service nvidia-fabricmanager.service systemd-modules-load.service", "Before=" + ENGINES],
    "timeout": "10min",
    "install": ["WantedBy=multi-user.target"],
}


def entries(layout):
    """The layout without what was left out, so that its parts can be told apart."""
    return [{key: value for key, value in entry.items() if value is not None} for entry in layout]


def kept_files(layout):
    """{path: text} of what the boot wants."""
    files = kept_program.copy(PROGRAM)
    files[os.path.join(kept_program.UNITS, UNIT)] = kept_program.unit("Layout of MIG on the GPUs", PROGRAM, ORDERING)
    files[carry.WISH] = json.dumps({"layout": layout}, indent=1, sort_keys=True) + "\n"
    return files


def enable(files):
    """Write the files and switch the unit on. :raises carry.Broken:"""
    kept_program.write(files)
    problem = kept_program.enable(UNIT, boot.run, start=False)
    if problem:
        raise carry.Broken(problem)


def look(module):
    """(GPUs, why they wait for the next boot); (None, None) where check mode runs before there is a driver."""
    try:
        return reading.look(boot.run), None
    except reading.Unreadable as error:
        if module.params["defer"]:
            return None, str(error)
        if not module.check_mode:
            raise
        module.warn("%s In check mode the layout is taken to change." % error)
        return None, None


def using(gpus):
    """Who uses the GPUs; None where it cannot be told. gpus: see mig.reading, or None."""
    return users.look(Host(), gpus is not None, [gpu["processes"] for gpu in gpus or []])


def run(module):
    layout = entries(module.params["layout"])
    problems = plan.input_problems(layout)
    if problems:
        raise carry.Refused("\n".join(problems))
    gpus, deferred = look(module)
    decided = plan.decide(layout, gpus) if gpus is not None else {"problems": [], "steps": [], "targets": {}}
    if decided["problems"]:
        raise carry.Refused("\n".join(decided["problems"]))
    files = kept_files(layout)
    due = kept_program.differing(files)
    enabled = kept_program.is_enabled(UNIT, "multi-user.target")
    found = carry.specifications() if module.get_bin_path(carry.CTK) else []
    stale = gpus is not None and carry.is_stale(found, plan.devices(decided["targets"], gpus))
    cdi = [path for path, _names in found] if decided["steps"] or stale else []
    changed = bool((gpus is None and not deferred) or decided["steps"] or due or cdi or not enabled)
    steps, waiting = [step["what"] for step in decided["steps"]], []
    if changed and not module.check_mode:
        # Kept first: what waits for a reboot is made by the unit then.
        enable(files)
        steps, waiting = ([], []) if deferred else carry.act(layout, boot.run, gpus, found if cdi else [])
    shown = steps + ["write %s" % one for one in due] + ([] if enabled else ["enable %s" % UNIT])
    return {
        "changed": changed,
        "wanted": changed,
        "steps": steps,
        "reboot_required": waiting,
        "deferred": deferred,
        # Looked at as late as can be: a job may have begun on another GPU meanwhile.
        "users": using(reading.look(boot.run) if waiting else gpus),
        "gpus": [{key: gpu[key] for key in ("index", "uuid", "mode", "instances")} for gpu in gpus or []],
        "files": due,
        "cdi": cdi[-1] if cdi else None,
        "diff": {"before": "", "after": "".join("%s\n" % line for line in shown)},
    }


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = run(module)
    except (carry.Refused, carry.Broken, reading.Unreadable) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
