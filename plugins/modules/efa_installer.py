#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: efa_installer
short_description: One release of AWS's EFA software on a host, from an archive whose signature was checked, or none
version_added: 0.6.0
description:
  - Runs C(efa_installer.sh) of AWS's archive when the host has another release, other parts of it, or packages of it that are half
    installed. What is there is read from the installer's own list, C(/opt/amazon/efa_installed_packages), from dpkg or rpm, and from DKMS.
  - The archive must be signed by the key of O(fingerprint), and have the checksum that AWS publishes where that is known. Otherwise nothing
    is changed.
  - The installer never takes a package back. To go back to an older release, or to give up a part, what is there is uninstalled first.
  - A kernel that has no module yet gets it from DKMS, without the installer.
  - An installer that fails is said with its last lines; the next run installs what is missing.
  - With O(state=absent) dpkg or rpm remove the packages of that list, and those that a failed installer has left without one. No archive is
    needed. What other packages need stays, see RV(kept), and so do kernel headers and other dependencies that the installer fetched.
    Nothing is removed while processes use EFA devices, nor uninstalled on the way to another release.
author:
  - mlinfra.hosts contributors (@mlinfra)
extends_documentation_fragment: [mlinfra.hosts.attributes]
attributes:
  check_mode:
    support: full
    details: Wants no archive. What the archive holds is not checked then. A removal is tried with C(dpkg --no-act) or C(rpm --test).
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description: V(absent) removes what is there, of whichever release, and forgets it. Only O(timeout) counts beside it.
    type: str
    choices: [present, absent]
    default: present
    version_added: 0.7.0
  version:
    description: Release of AWS's EFA installer, as V(1.47.0). Required with O(state=present).
    type: str
  archive:
    description: Path on the host of C(aws-efa-installer-VERSION.tar.gz). Needed when something has to be installed. It is unpacked beside.
    type: path
  signature:
    description: Path of its detached signature, C(aws-efa-installer-VERSION.tar.gz.sig).
    type: path
  key:
    description: Path of the public key that made it, C(aws-efa-installer.key), with ASCII armour or without.
    type: path
  fingerprint:
    description: Fingerprint of that key, 40 hexadecimal digits. Spaces are passed over.
    type: str
    default: 4E90 91BC BB97 A96B 26B1 5E59 A054 80B1 DD2D 3CCC
  sha256:
    description:
      - SHA-256 that the archive must have. Without it, and with AWS's own O(fingerprint), it is the one that AWS publishes, where this
        collection knows it (1.36.0 to 1.47.0).
    type: str
  kernel_module:
    description:
      - Whether to install AWS's kernel module, which DKMS builds. Without it the one of the distribution's kernel is used, which may know
        fewer features (C(--skip-kmod)).
    type: bool
    default: true
  profile:
    description: V(full) has libfabric and Open MPI, V(minimal) the kernel module and rdma-core (C(--minimal)).
    type: str
    choices: [full, minimal]
    default: full
  mpi:
    description: Which Open MPI of AWS to install with V(full) (C(--mpi)); V(all) for both. Releases before 1.30.0 have one.
    type: str
    choices: [openmpi4, openmpi5, all]
    default: openmpi4
  limits:
    description: Whether to raise the limits of locked memory and huge pages (package efa-config; without it C(--skip-limit-conf)).
    type: bool
    default: true
  test:
    description: Whether the installer sends packets over a device in the end; a host without one is not tested (C(--no-verify)).
    type: bool
    default: true
  image:
    description:
      - Whether an image is made of this host. Nothing is asked of a device then, nothing waits for a reboot, and the kernel module that the
        installer loads is unloaded again.
    type: bool
    default: false
    version_added: 0.7.0
  kernel:
    description: Release of the kernel that has to have the module, as the one that an image boots. The running one by default.
    type: str
    version_added: 0.7.0
  timeout:
    description: Seconds that the installer may take, or each step of a removal.
    type: int
    default: 1800
  proxy:
    description: URL of an HTTP proxy for the packages that the installer fetches. It may hold a password.
    type: str
"""

EXAMPLES = r"""
- name: Have AWS's EFA software
  mlinfra.hosts.efa_installer:
    version: 1.47.0
    archive: /var/cache/efa/aws-efa-installer-1.47.0.tar.gz
    signature: /var/cache/efa/aws-efa-installer-1.47.0.tar.gz.sig
    key: /var/cache/efa/aws-efa-installer.key
  become: true

- name: See whether it is there
  mlinfra.hosts.efa_installer:
    version: 1.47.0
  check_mode: true
  become: true
  register: efa

- name: Be rid of it
  mlinfra.hosts.efa_installer:
    state: absent
  become: true
"""

RETURN = r"""
wanted:
  description: Whether something had to be changed; the same as C(changed), for tasks that say themselves what counts as a change.
  returned: success
  type: bool
steps:
  description: What was done, or would be, in order.
  returned: success
  type: list
  elements: str
  sample: ["uninstall EFA software 1.47.0, to go back to 1.46.0", install EFA software 1.46.0]
needs_archive:
  description: Whether that takes the archive; building a kernel module does not.
  returned: success
  type: bool
installed:
  description: What is on the host now.
  returned: success
  type: dict
  contains:
    version:
      description: Release of the installer; null without one.
      type: str
      returned: success
      sample: 1.47.0
    packages:
      description: Names of the packages that it brought.
      type: list
      elements: str
      returned: success
      sample: [efa, efa-config, efa-profile, libfabric-aws-bin, rdma-core]
    module:
      description: Version of its kernel module that is installed for the running kernel; null without one.
      type: str
      returned: success
      sample: 3.0.0
devices:
  description: EFA devices on the PCI bus.
  returned: success
  type: int
  sample: 4
unmet:
  description: What a finished installation lacks, one message each. Empty while something is still to be done, or a reboot.
  returned: success
  type: list
  elements: str
  sample: ["fi_info -p efa shows 0 of 4 devices: fi_getinfo: -61 (No data available)"]
reboot_required:
  description: Whether only a reboot loads the installed kernel module.
  returned: success
  type: bool
users:
  description:
    - Where RV(reboot_required) is true, the processes that have an EFA device open, and that a reboot would end. Empty otherwise.
    - Null where it cannot be told whether there are any, as when the kernel counts the module as used and no process shows.
  returned: success
  type: list
  elements: dict
  contains:
    pid:
      description: Number of the process.
      type: int
      returned: success
      sample: 4711
    program:
      description: Its program.
      type: str
      returned: success
      sample: python3
kept:
  description:
    - With O(state=absent) packages that came with EFA software and stay, as packages that did not come with it need them.
    - Nothing names them as EFA software any more; they are packages like others.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the package.
      type: str
      returned: success
      sample: libibverbs1
    needed_by:
      description: Packages that need it.
      type: list
      elements: str
      returned: success
      sample: [libopenmpi3]
programs_missing:
  description: Programs that have to be installed first. Outside of check mode the module fails when there are any and something is due.
  returned: success
  type: list
  elements: str
  sample: [gpgv]
"""

import functools
import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.apt import proxy
from ansible_collections.mlinfra.hosts.plugins.module_utils.efa import carry, plan, releases, removal, remove, signature, users
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import facts, interconnect, reading
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import disk, platform

ARGUMENTS = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "version": {"type": "str"},
    "archive": {"type": "path"},
    "signature": {"type": "path"},
    "key": {"type": "path", "no_log": False},
    "fingerprint": {"type": "str", "default": "4E90 91BC BB97 A96B 26B1 5E59 A054 80B1 DD2D 3CCC"},
    "sha256": {"type": "str"},
    "kernel_module": {"type": "bool", "default": True},
    "profile": {"type": "str", "choices": ["full", "minimal"], "default": "full"},
    "mpi": {"type": "str", "choices": ["openmpi4", "openmpi5", "all"], "default": "openmpi4"},
    "limits": {"type": "bool", "default": True},
    "test": {"type": "bool", "default": True},
    "image": {"type": "bool", "default": False},
    "kernel": {"type": "str"},
    "timeout": {"type": "int", "default": 1800},
    "proxy": {"type": "str", "no_log": True},
}
# The archive holds the packages of every platform. Its exact size is asked before it is unpacked; this is for what comes to /opt and /usr.
PROGRAMS_MIB = 1024


def problems(wish, fingerprint, steps):
    """Messages about what cannot come true on this host, before anything is fetched."""
    found = releases.problems(wish, platform.look())
    if fingerprint is None:
        found.append("fingerprint is %r: expected the 40 hexadecimal digits of a key." % wish["fingerprint"])
    free = disk.free_mib("/opt")
    if any(step["do"] == "install" for step in steps) and free < PROGRAMS_MIB:
        found.append(
            "/opt has %d MiB free: %d MiB are needed for EFA software. Make room or enlarge its file system." % (free, PROGRAMS_MIB)
        )
    return found


def prepare(wish):
    """Give the programs that are run their proxy: this process is the only one that gets to see it."""
    os.environ.update(proxy.environment(wish["proxy"]) if os.path.isdir("/etc/apt") else {})
    if wish["proxy"]:
        os.environ.update(http_proxy=wish["proxy"], https_proxy=wish["proxy"])


def asked(host, reboot, container):
    """Who uses the devices, as it is told; nobody is asked for where no reboot waits."""
    return users.known(users.look(host), container) if reboot else []


def run_absent(module):
    host, programs = reading.Host(), facts.Programs(module)
    before = remove.look(host, programs)
    steps = removal.steps(before)
    refused = removal.refusal(users.look(host), before["container"]) if steps else ""
    if refused:
        raise carry.Refused(refused)
    seen = before
    is_due = bool(steps) and not module.check_mode
    if is_due:
        remove.act(before, module.params["timeout"], functools.partial(carry.ask, host, programs))
        seen = remove.look(host, programs)
    reboot = is_due and not module.params["image"] and removal.waits_for_reboot(before, seen)
    return {
        "changed": bool(steps),
        "wanted": bool(steps),
        "steps": [step["what"] for step in steps],
        "needs_archive": False,
        "installed": {"version": seen["version"], "packages": sorted(seen["packages"]), "module": seen["module"]["installed"]},
        "devices": len(interconnect.look(host)["efa"]["devices"]),
        "unmet": [],
        "reboot_required": reboot,
        "users": asked(host, reboot, before["container"]),
        "programs_missing": [],
        "kept": [{"name": name, "needed_by": who} for name, who in sorted(before["kept"].items())],
        "diff": removal.difference(before, bool(steps)),
    }


def run(module):
    wish = module.params
    fingerprint = signature.plain(wish["fingerprint"])
    if not releases.VERSION.match(wish["version"]):
        raise carry.Refused("\n".join(releases.problems(wish, platform.look())))
    host, programs = reading.Host(), facts.Programs(module)

    def look():
        seen = carry.look(host, programs, wish["kernel"])
        return plan.for_image(seen) if wish["image"] else seen

    seen = look()
    before = seen["version"]
    steps = plan.steps(wish, seen)
    refused = problems(wish, fingerprint, steps)
    if not refused and any(step["do"] == "uninstall" for step in steps):
        refused = [message for message in [removal.refusal(users.look(host), seen["container"])] if message]
    # On hosts of apt the role has installed them by now; check mode comes before that.
    if not refused and steps and not module.check_mode and wish["kernel"] and wish["kernel_module"] and not seen["module"]["headers"]:
        told = "Kernel %s, which the image boots, has no headers here to build module efa with. Nothing was changed. Install them."
        refused = [told % wish["kernel"]]
    if refused:
        raise carry.Refused("\n".join(refused))
    needs_archive = any(step["do"] != "build" for step in steps)
    gpgv = programs.find("gpgv")
    missing = ["gpgv"] if needs_archive and not gpgv else []
    reboot = False
    if steps and not module.check_mode:
        without = [name for name in ("archive", "signature", "key") if needs_archive and not wish[name]]
        if without or missing:
            what = "no %s was given" % ", ".join(without) if without else "this host has no gpgv to check its signature with"
            raise carry.Refused("EFA software %s is to be installed, and %s. Nothing was changed." % (wish["version"], what))
        prepare(wish)
        known = functools.partial(carry.ask, host, programs)
        reboot = carry.act(dict(wish, fingerprint=fingerprint), seen, steps, gpgv, known)
        seen = look()
        left = plan.steps(wish, seen)
        # An installer has DKMS build for the running kernel, and an image may boot another one.
        if wish["kernel"] and left and left[0]["do"] == "build" and seen["module"]["headers"]:
            carry.build(left[0], seen, wish["image"])
            seen = look()
    done = not steps or not module.check_mode
    reboot = done and plan.waits_for_reboot(wish, seen, reboot)
    fabric = None
    if done and not reboot and wish["profile"] == "full" and seen["devices"] > len(seen["unbound"]):
        fabric = carry.ask_fabric(seen, settle=bool(steps))
    unmet = plan.unmet(wish, seen, fabric) if done and not reboot else []
    left = plan.steps(wish, seen) if steps and done else []
    if left:
        raise carry.Broken(
            "AWS's EFA installer ended well, and this is still to be done: %s. Look at %s."
            % (", ".join(step["what"] for step in left), carry.LOG)
        )
    return {
        "changed": bool(steps),
        "wanted": bool(steps),
        "steps": [step["what"] for step in steps],
        "needs_archive": needs_archive,
        "installed": {"version": seen["version"], "packages": seen["packages"], "module": seen["module"]["installed"]},
        "devices": len(interconnect.look(host)["efa"]["devices"]) if wish["image"] else seen["devices"],
        "unmet": unmet,
        "reboot_required": reboot,
        "users": asked(host, reboot, seen["container"]),
        "programs_missing": missing,
        "kept": [],
        "diff": {
            "before": "EFA software %s\n" % (before or "none"),
            "after": "EFA software %s\n%s" % (wish["version"], "".join("%s\n" % step["what"] for step in steps))
            if steps
            else "EFA software %s\n" % (before or "none"),
        },
    }


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, required_if=[("state", "present", ["version"])], supports_check_mode=True)
    try:
        result = run_absent(module) if module.params["state"] == "absent" else run(module)
    except (carry.Refused, carry.Broken) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        where = error.filename or "A file"
        module.fail_json(msg="%s: %s. Is there room, and is the task run with become: true?" % (where, error.strerror))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
