#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_driver
short_description: Install NVIDIA's driver packages as one change that is undone when it fails
version_added: 0.2.0
description:
  - Installs a driver from NVIDIA's repository or from the distribution, pinned and held, with its kernel modules built for the wished
    kernels, or its user space alone. Role P(mlinfra.hosts.nvidia_driver#role) calls it.
  - A repository is read into a folder of its own, and the installation is simulated, before anything is changed.
  - What has to be of the driver's version and is no part of it (C(nvidia-imex), C(libnvidia-nscq), C(libnvsdm)) moves with the driver where
    it is installed, by the name that it has for the driver's branch, and is held with it. It comes to no host by itself. Where no source
    has it for that driver, the change is refused.
  - When a step fails, as when DKMS cannot build the modules, every package and file that this change brought is removed again, versions,
    holds and sources are set back, and the module fails with the reason.
  - Wants root; and apt and dpkg, or dnf 4 and rpm. It runs their programs, so their Python bindings are not wanted.
author:
  - mlinfra.hosts contributors (@mlinfra)
extends_documentation_fragment: [mlinfra.hosts.attributes, mlinfra.hosts.driver_running, mlinfra.hosts.local_repository]
attributes:
  check_mode:
    support: full
    details: >-
      Reads the repository, but writes nothing outside of a temporary folder. dnf keeps its own cache and log of the host's other
      sources, as with each query.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  source:
    description: Where the packages come from. V(local) is NVIDIA's packages in O(local_repository).
    type: str
    choices: [nvidia, distribution, local]
    default: nvidia
  repository:
    description: URL of NVIDIA's repository for this distribution and architecture, flat for apt. Wanted with O(source=nvidia).
    type: str
  keyring:
    description:
      - URL of the package C(cuda-keyring), which holds the key that the repository is signed with; for dnf URL of the key itself, armored.
        Wanted with O(source=nvidia).
    type: str
  keyring_sha256:
    description: SHA-256 of the file with the key. Without it the key is trusted as it comes.
    type: str
  branch:
    description: Driver branch, as in V(580). The newest of it is installed once, and then stays.
    type: int
  version:
    description: Exact driver version, as in V(580.95.05).
    type: str
  flavor:
    description:
      - Which kernel modules. A driver whose modules of this flavor are known not to build for a kernel of O(kernels) is refused before
        anything is changed, as Debian 13's open ones for its kernels from 6.12.117 on; its proprietary ones build.
    type: str
    choices: [open, proprietary]
    default: open
  architectures:
    description: Architectures of the host's GPUs, as in V(ampere), that O(flavor) and O(branch) are checked against. Unknown names pass.
    type: list
    elements: str
    default: []
  packages:
    description: Packages that make up the driver. All of them must be of one driver version.
    type: list
    elements: str
    required: true
  companions:
    description:
      - Packages that go along and have versions of their own, as V(nvlsm). Without O(pins) the newest of the source is installed once.
    type: list
    elements: str
    default: []
    version_added: 0.5.0
  pins:
    description:
      - Pins, as module M(mlinfra.hosts.gpu_resolve) returns them. O(packages), O(companions), kernels and headers get exactly the versions
        that are pinned, up or down; pins that do not hold for this host, or a version that no source offers any more, are refused before
        anything is changed.
      - O(source), O(version), O(flavor), O(kernel_modules) and O(kernels) follow from them. With O(source=local), pins of NVIDIA's packages
        are taken from there.
    type: dict
    version_added: 0.5.0
  pins_called: {description: Option that messages about O(pins) name., type: str, default: nvidia_driver_pins, version_added: 0.7.0}
  gpu:
    description:
      - The GPUs that O(pins) have to hold for, C(models), C(architectures) and C(nvswitch_count) as in the fact C(mlinfra_gpu), where an
        image is made on a host without them. Otherwise those on the PCI bus count.
    type: dict
    version_added: 0.5.0
  take_over:
    description:
      - Replace a driver that no earlier run of this module installed. One of NVIDIA's installer is removed by its own
        C(nvidia-uninstall), and its files are put back when the change fails.
    type: bool
    default: false
    version_added: 0.5.0
  packages_absent:
    description: Packages that must not be there beside them, as those of the other flavor.
    type: list
    elements: str
    default: []
  kernel_modules:
    description: Whether kernel modules belong to it. Without them nouveau is not blocked and no headers are wanted.
    type: bool
    default: true
  kernels:
    description:
      - Kernels to build for. Releases, and the words V(running), V(newest-installed) and V(installed-headers), which stands for all
        kernels whose headers are here.
    type: list
    elements: str
    default: [running, newest-installed]
  kernel_upgrade:
    description:
      - What becomes of a host whose running or newest kernel has no headers, here or in the sources. V(never) refuses it.
      - V(if_required) installs the newest kernel of the same kind that is offered with its headers, before the driver, and builds for that
        one. Kernels of the running one's series come first. Not with O(pins), and not for a kernel that O(kernels) names besides.
    type: str
    choices: [never, if_required]
    default: never
    version_added: 0.7.0
  headers:
    description:
      - Name of the package with a kernel's headers, where V(KERNEL) stands for the kernel's release. V(kernel-devel-KERNEL) for dnf, which
        takes whatever package provides C(kernel-devel-uname-r) of that release.
    type: str
    default: linux-headers-KERNEL
  hold:
    description:
      - Hold the packages, so that no upgrade moves them. With dnf that is its plugin versionlock, which is installed for it, and whose list
        keeps the lines of others.
    type: bool
    default: true
  proxy:
    description: HTTP proxy for downloads, as a URL.
    type: str
  lock_timeout:
    description: Seconds to wait for another apt, dpkg or dnf.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Install the user space of Debian's driver
  mlinfra.hosts.nvidia_driver:
    source: distribution
    packages: [nvidia-smi, libcuda1, libnvidia-ml1]
    kernel_modules: false
  become: true
"""

RETURN = r"""
wanted:
  description: Whether something had to be changed; the same as C(changed), for tasks that say themselves what counts as a change.
  returned: success
  type: bool
exchanged:
  description: Whether that was more than RV(persistence), which no restart is for.
  returned: success
  type: bool
wished:
  description: The packages of the wish that had to be installed, as C(name=version) where the version is known. Empty when none had to.
  returned: success
  type: list
  elements: str
driver:
  description: Version of the driver; in check mode, of the one that would be there. Null when no package list tells it yet.
  returned: success
  type: str
  sample: 580.95.05
kernels:
  description: Kernels that the modules are wished for.
  returned: success
  type: list
  elements: str
replaced:
  description: Kernels without headers, in whose place a newer one is among RV(kernels). The host has to be restarted into that one.
  returned: success
  type: list
  elements: str
headers:
  description: Packages of kernels and of their headers that had to be installed first, as C(name=version) with O(pins).
  returned: success
  type: list
  elements: str
install:
  description: Packages that had to be installed or moved, with what they depend on, as C(name=version) where that is known.
  returned: success
  type: list
  elements: str
remove:
  description: Packages that had to go.
  returned: success
  type: list
  elements: str
files:
  description: Files that had to be written or removed.
  returned: success
  type: list
  elements: str
sources_off:
  description: >-
    Files with a package source of somebody else for the same repository and with another key, which had to be switched off, since apt
    does nothing at all while there are both. All else in these files stays.
  returned: success
  type: list
  elements: str
notices:
  description: What to know of the pins, as that a fabric manager in them is not for this host, and of kernels that later upgrades bring.
  returned: success
  type: list
  elements: str
recorded:
  description:
    - What C(/var/lib/mlinfra/nvidia_driver/pins.json) says now, C(current), pins of the driver that is here, and C(previous), pins of the
      one before the last change, or null. Either can be given as O(pins). In check mode of a change it is as it was.
  returned: success
  type: dict
manifest:
  description: What C(/var/lib/mlinfra/nvidia_driver.json) says now.
  returned: success
  type: dict
load_problem:
  description: Why the modules could not be loaded; empty when they could, or were not to be.
  returned: success
  type: str
persistence:
  description: What had to be done for O(persistence), of C(drop_in), C(enable), C(want), C(start), C(restart). Empty when nothing had to.
  returned: success
  type: list
  elements: str
persistence_problem:
  description: Why that could not be done; empty when it could. A unit that is masked is refused before anything is changed.
  returned: success
  type: str
"""

import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import (
    apt,
    backends,
    dkms,
    install,
    persistence,
    pinned,
    plan,
    predicted,
    prepare,
    record,
    running,
    stage,
    state,
    versions,
)
from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu.reading import Host
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import platform
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import reading as reading_of_host
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import host as hosts
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import reading

ARGUMENTS = {
    "source": {"type": "str", "choices": ["nvidia", "distribution", "local"], "default": "nvidia"},
    "repository": {"type": "str"},
    "keyring": {"type": "str", "no_log": False},
    "local_repository": {"type": "str"},
    "local_keyring": {"type": "str", "no_log": False},
    "keyring_sha256": {"type": "str", "no_log": False},
    "branch": {"type": "int"},
    "version": {"type": "str"},
    "flavor": {"type": "str", "choices": ["open", "proprietary"], "default": "open"},
    "architectures": {"type": "list", "elements": "str", "default": []},
    "packages": {"type": "list", "elements": "str", "required": True},
    "packages_absent": {"type": "list", "elements": "str", "default": []},
    "companions": {"type": "list", "elements": "str", "default": []},
    "pins": {"type": "dict"},
    "pins_called": {"type": "str", "default": "nvidia_driver_pins"},
    "gpu": {"type": "dict"},
    "take_over": {"type": "bool", "default": False},
    "kernel_modules": {"type": "bool", "default": True},
    "kernels": {"type": "list", "elements": "str", "default": ["running", "newest-installed"]},
    "kernel_upgrade": {"type": "str", "choices": ["never", "if_required"], "default": "never"},
    "headers": {"type": "str", "default": "linux-headers-KERNEL"},
    "hold": {"type": "bool", "default": True},
    "load": {"type": "bool", "default": False},
    "persistence": {"type": "bool", "default": False},
    "proxy": {"type": "str", "no_log": True},
    "lock_timeout": {"type": "int", "default": 300},
}


def run(module, backend, folder):
    wish = prepare.wish_of(module.params)
    seen = backend.look(module.run_command)
    seen["container"] = platform.is_container(reading_of_host.ask_virtualization(module))
    decided = plan.decide(wish, seen, backend.files_due)
    prepare.refuse(decided["problems"])
    program = backend.program(module.run_command, wish["proxy"], wish["lock_timeout"])
    job = backend.install(wish, seen, decided, program)
    job.gpu, job.platform = {**reading.gpu(Host()), "container": seen["container"], **(wish["gpu"] or {})}, platform.look()
    job.host = hosts.of(job.gpu, job.platform)
    made = dkms.built(decided["driver"]) if decided["driver"] and wish["kernel_modules"] else {}
    was = record.snapshot(seen["packages"], job.host, sorted(made, key=versions.kernel_key), seen["manifest"].get("source"))
    job.was = record.before(record.parse(seen["pins"]), seen["packages"], was)
    prepare.check_existing(job, module.run_command)
    daemon = running.daemon(module.run_command, wish)
    prepare.refuse(persistence.refusals(daemon))
    changed = plan.changes(wish, seen, decided, made)
    if wish["pins"] and decided["settled"] and not decided["kernel_packages"]:
        # All of it is installed: only what keeps the pins from being this host's can be wrong.
        prepare.judge_pins(job, {})
    job.actions = actions = backend.prepare(job, folder) if changed else []
    changed = changed and (not decided["replaced"] or plan.changes(wish, seen, decided, made))
    known = decided["driver"] or next((versions.upstream(one) for one in job.picked.values()), None)
    manifest = seen["manifest"]
    loads = plan.load_due(wish, seen, decided, made)
    if decided["settled"] and not changed:
        manifest = plan.manifest(wish, seen["packages"], known, job.kernels(known), seen["files"], seen["manifest"].get("brought") or [])
        recorded = job.recorded(seen["packages"], known)
        changed = manifest != seen["manifest"] or record.text(recorded) != seen["pins"]
    before = state.driver_packages(seen["packages"], decided["driver"] or seen["manifest"].get("driver") or "")
    before.update({name: seen["packages"][name]["version"] for name in job.besides if state.installed(seen["packages"], name)})
    after = predicted.after(before, wish, actions, decided)
    if actions is None:
        module.warn(predicted.UNKNOWN % ", ".join(decided["kernels"]))
    persists, problem, kept_off, gone = running.persistence_due(daemon, known), "", "", job.files_going()
    if changed and not module.check_mode:
        manifest = job.carry_out()
        known, after = manifest["driver"], manifest["packages"]
        loads = plan.load_due(wish, seen, decided, manifest["kernels"])
    if loads and not module.check_mode:
        problem = running.load(module.run_command, wish["companions"])
    if (changed or loads or persists) and not module.check_mode:
        # The driver has brought its unit by now, and may be loaded.
        again = running.persistence_due(running.daemon(module.run_command, wish), known)
        persists, kept_off = persists or again, persistence.carry_out(module.run_command, again)
    wanted = bool(changed or loads or persists)
    return {
        "changed": wanted,
        "wanted": wanted,
        "exchanged": bool(changed or loads),
        "wished": pinned.wished(job),
        "driver": known,
        "kernels": decided["kernels"],
        "replaced": decided["replaced"],
        "headers": decided["kernel_packages"],
        "install": predicted.installs(wish, actions, decided),
        "remove": sorted(predicted.removed(actions) | set(decided["remove"])),
        "files": decided["files_due"],
        "sources_off": sorted(decided["off"]),
        "notices": job.notices,
        "recorded": record.parse(read(state.PINS)),
        "manifest": manifest,
        "load_problem": problem,
        "persistence": persists,
        "persistence_problem": kept_off,
        "diff": predicted.diff((before, after), decided["files_due"], gone, persists),
    }


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[("source", "nvidia", ("repository", "keyring"))],
        supports_check_mode=True,
    )
    backend = backends.of_host()
    if backend is None:
        module.fail_json(msg="This host has neither dpkg nor dnf: drivers are installed with these only. Leave it out of the play.")
    folder = tempfile.mkdtemp(prefix="mlinfra-nvidia-")
    try:
        result = run(module, backend, folder)
    except (prepare.Refused, stage.Unusable, install.Broken) as error:
        result = {"failed": True, "msg": str(error)}
    except apt.Failed as error:
        told = "%s fails: %s. Nothing was changed. Repair the host's package sources, then run this again."
        result = {"failed": True, "msg": told % (error.what, "; ".join(backend.reasons(error.output)))}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if result.get("failed"):
        module.fail_json(msg=result["msg"].replace("nvidia_driver_pins", module.params["pins_called"]))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
