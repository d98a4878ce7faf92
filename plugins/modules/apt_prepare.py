#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apt_prepare
short_description: Make sure that an installation with apt will work, before it begins
version_added: 0.2.0
description:
  - Waits for apt's lock, finishes packages that were left half configured, fetches the package lists when that is due, and then asks apt
    what installing the wished packages would do. It installs none of them; M(ansible.builtin.apt) does that afterwards.
  - Fails in plain words, before anything is installed, when another process keeps the lock, a package cannot be finished, a source does
    not answer, a package is in no source, packages do not fit together, or the disk is too small.
  - Wants root, and a host with apt.
author:
  - mlinfra.hosts contributors (@mlinfra)
attributes:
  check_mode:
    support: full
    description: Only reads. The lists are not fetched, so what they do not have is returned in RV(unknown) and is no failure.
  diff_mode:
    support: none
    description: Names what it repairs in RV(repaired).
options:
  packages:
    description:
      - Packages that are to be installed, as C(name) or C(name=version). The version may have C(*) and C(?) in it.
      - C(name<version) is the newest before that version. RV(candidates) has it, for M(ansible.builtin.apt) knows no such wish.
    type: list
    elements: str
    default: []
  lock_timeout:
    description: Seconds to wait for the locks of apt and dpkg.
    type: int
    default: 300
  update:
    description:
      - Whether to fetch the package lists.
      - V(auto) fetches them when there are none, when they are older than a day, when a source was changed since, or when one of
        O(packages) is not in them.
    type: str
    choices: ["true", "false", auto]
    default: auto
  proxy:
    description:
      - URL of an HTTP proxy for apt.
      - It may hold a password, so it is kept in a file in C(/run) that root alone reads; RV(environment) lets apt use it.
    type: str
  install_recommends:
    description: Whether the packages will be installed with what they recommend.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Be sure that nginx can be installed
  mlinfra.hosts.apt_prepare:
    packages: [nginx]
    proxy: "{{ mlinfra_proxy | default(omit) }}"
  become: true
  register: prepared

- name: Install it
  ansible.builtin.apt:
    name: nginx={{ prepared.candidates.nginx }}
    install_recommends: false
    lock_timeout: 300
  environment: "{{ prepared.environment }}"
  become: true
  when: not ansible_check_mode
"""

RETURN = r"""
environment:
  description: Environment in which apt goes through O(proxy); empty without one, and in check mode.
  returned: success
  type: dict
  sample: {APT_CONFIG: /run/mlinfra-apt-proxy.conf}
candidates:
  description: Version that would be installed of each of O(packages), by name.
  returned: success
  type: dict
  sample: {nginx: 1.22.1-9}
unknown:
  description: Those of O(packages) without a candidate. Never any outside check mode, where that is a failure.
  returned: success
  type: list
  elements: str
repaired:
  description: Packages that dpkg had not finished with, and that were finished. In check mode those that it would try.
  returned: success
  type: list
  elements: str
  sample: [postgresql-15]
refreshed:
  description: Why the package lists were fetched, or would be in check mode; null when they were not.
  returned: success
  type: str
  sample: they are older than a day
would_install:
  description: All packages that installing O(packages) would install or upgrade, dependencies too.
  returned: success
  type: list
  elements: str
  sample: [nginx-common, nginx]
would_remove:
  description: Packages that it would remove.
  returned: success
  type: list
  elements: str
download_mib:
  description: MiB that it would fetch.
  returned: success
  type: int
installed_mib:
  description: MiB by which the installed packages would grow.
  returned: success
  type: int
about:
  description:
    - What is in the way. V(lock) is another process at work with apt, V(dpkg) a package that cannot be finished, V(room) too small a disk,
      V(source) sources that do not answer or do not have what is wished in a form that can be installed here.
  returned: failure
  type: str
  sample: lock
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.apt import candidates, lists, proxy, room, simulation, words
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import dpkg, locks

LISTS = "/var/lib/apt/lists"
SOURCES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d")
# A source that is silent costs 20 s, three times; every failure counts, not only those that apt calls errors.
UPDATE = (
    "apt-get -q -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 -o Acquire::Retries=2 -o APT::Update::Error-Mode=any update"
).split()
# Which asks nothing, but would not say either what a package costs that is held or goes back, and that the caller may be allowed to move.
SIZES = (
    "apt-get", "-qq", "--print-uris", "-y", "--allow-change-held-packages", "--allow-downgrades", "-o", "Debug::NoLocking=true",
)  # fmt: skip
KEEP_SETTINGS = ("--force-confdef", "--force-confold")

ARGUMENTS = {
    "packages": {"type": "list", "elements": "str", "default": []},
    "lock_timeout": {"type": "int", "default": 300},
    "update": {"type": "str", "choices": ["true", "false", "auto"], "default": "auto"},
    "proxy": {"type": "str", "no_log": True},
    "install_recommends": {"type": "bool", "default": False},
}


class Refused(Exception):
    """The installation would not work; the message says why and what to do. about: what is in the way, as RETURN has it."""

    def __init__(self, message, about="source"):
        super().__init__(message)
        self.about = about


class Apt:
    """apt of this host. Methods that read work without its locks; those that change wait for them."""

    def __init__(self, module):
        self.module = module
        self.deadline = time.monotonic() + module.params["lock_timeout"]
        self.proxy = {} if module.check_mode else proxy.environment(module.params["proxy"])
        self.environment = dict(self.proxy, LC_ALL="C", LANGUAGE="C", DEBIAN_FRONTEND="noninteractive")

    def run(self, command):
        """(code, stdout and stderr)."""
        code, out, err = self.module.run_command(list(command), environ_update=self.environment, data="")
        return code, out + err

    def wait(self):
        """Return when nobody holds a lock of apt. Raises Refused when that takes too long."""
        while True:
            holder = locks.apt_lock()
            if not holder["held"]:
                return
            if time.monotonic() >= self.deadline:
                raise Refused(words.locked(holder, self.module.params["lock_timeout"]), "lock")
            time.sleep(1)

    def change(self, command):
        """run() when the locks are free, and again when another process took them first."""
        while True:
            self.wait()
            code, output = self.run(command)
            if not code or not words.is_locked(output):
                return code, output
            if time.monotonic() >= self.deadline:
                raise Refused(words.locked(locks.apt_lock(), self.module.params["lock_timeout"]), "lock")
            time.sleep(1)

    def configure(self):
        """Finish what dpkg was doing. Returns its output; whether that was enough is seen in dpkg's status."""
        return self.change(("dpkg",) + KEEP_SETTINGS + ("--configure", "-a"))[1]

    def fix(self, broken, said):
        """apt-get -f install, when it costs no package. Returns what it installed. Raises Refused."""
        code, output = self.simulate("-f", "install")
        plan = simulation.parse(output)
        if plan["remove"]:
            raise Refused(words.would_remove(plan["remove"], broken), "dpkg")
        if code:
            raise Refused(words.cannot_finish(broken, said + output), "dpkg")
        options = [part for option in KEEP_SETTINGS for part in ("-o", "Dpkg::Options::=%s" % option)]
        code, output = self.change(["apt-get", "-q", "-y", "--no-remove"] + options + ["-f", "install"])
        left = dpkg.broken(dpkg.read_status())
        if code or left:
            raise Refused(words.cannot_finish(left or broken, said + output), "dpkg")
        return list(plan["install"])

    def simulate(self, *arguments):
        """(code, output) of apt-get with these arguments, without doing or locking anything."""
        return self.run(("apt-get", "-s", "-q", "-o", "Debug::NoLocking=true") + arguments)

    def is_unfit(self):
        """Whether packages that are installed lack what they depend on, which apt wants to be repaired before anything else."""
        code, output = self.simulate("install")
        return bool(code) and "--fix-broken" in output

    def stale(self):
        """Why the lists should be fetched; None when they need not be."""
        files = os.listdir(LISTS) if os.path.isdir(LISTS) else []
        refreshed = os.stat(LISTS).st_mtime if files else 0
        return lists.stale(files, time.time(), max(lists.newest(path) for path in SOURCES), refreshed)

    def refresh(self):
        """apt-get update. Raises Refused naming each source that did not answer."""
        code, output = self.change(UPDATE)
        # stale() and ansible.builtin.apt go by the folder's time. apt leaves it alone when no list was new, and renews it when some failed.
        os.utime(LISTS, (0, 0) if code else None)
        if code:
            raise Refused(lists.problem(output))

    def choose(self, wishes):
        """See candidates.choose."""
        if not wishes:
            return {}, {}
        names = [candidates.split(wish)[0] for wish in wishes]
        return candidates.choose(candidates.parse_policy(self.run(["apt-cache", "policy"] + names)[1]), wishes)

    def plan(self, wishes, recommends):
        """(simulation of the install, bytes to fetch, bytes to grow). Raises Refused when apt would not do it."""
        install = ("--install-recommends" if recommends else "--no-install-recommends", "install")
        code, output = self.simulate(*install + tuple(wishes))
        if code:
            reason = simulation.reason(output)
            raise Refused(
                "apt cannot install %s: %s. Make them fit (another version, or without a hold); apt-get -s install on the host shows it."
                % (", ".join(wishes), reason)
            )
        found = simulation.parse(output)
        if not found["install"]:
            return found, 0, 0
        unused, uris = self.run(SIZES + install + tuple(wishes))
        exact = ["%s=%s" % pair for pair in found["install"].items()]
        shown = self.run(["apt-cache", "show", "--no-all-versions"] + exact)[1]
        return (found,) + room.sizes(uris, shown, found["upgraded"])


def repair(apt, check_mode):
    """Packages that were (check mode: would be) finished, and what dpkg said meanwhile where that was not enough."""
    broken = dpkg.broken(dpkg.read_status())
    if check_mode or not (broken or dpkg.interrupted()):
        return broken, None
    said = apt.configure()
    left = dpkg.broken(dpkg.read_status())
    return broken, said if left else None


def prepare(apt, wish, check_mode):
    """What the module returns. Raises Refused."""
    if not check_mode:
        apt.wait()
    repaired, said = repair(apt, check_mode)
    chosen, missing = apt.choose(wish["packages"])
    refreshed = {"true": "update is true", "false": None}.get(wish["update"], apt.stale())
    if refreshed is None and wish["update"] == "auto" and missing:
        refreshed = "%s is not in them" % ", ".join(missing)
    if refreshed and not check_mode:
        apt.refresh()
        chosen, missing = apt.choose(wish["packages"])
    if not check_mode and (said is not None or apt.is_unfit()):
        repaired = sorted(set(repaired) | set(apt.fix(repaired, said or "")))
    result = {"candidates": chosen, "unknown": list(missing), "repaired": repaired, "refreshed": refreshed, "changed": bool(repaired)}
    if missing and not check_mode:
        raise Refused("\n".join(candidates.problems(missing, apt.run(["apt-cache", "pkgnames"])[1].split())))
    found, download, grown = {"install": {}, "remove": []}, 0, 0
    can_be_told = not (check_mode and (missing or repaired or refreshed))
    if wish["packages"] and can_be_told:
        found, download, grown = apt.plan(candidates.exact(wish["packages"], chosen), wish["install_recommends"])
        problems = room.problems(list(found["install"]), download, grown) if found["install"] else []
        if problems:
            raise Refused("\n".join(problems), "room")
    result.update(
        environment=apt.proxy,
        would_install=list(found["install"]) if can_be_told else [candidates.split(one)[0] for one in wish["packages"]],
        would_remove=found["remove"],
        download_mib=-(-download // simulation.MIB),
        installed_mib=-(-grown // simulation.MIB),
    )
    return result


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    wrong = [one for one in module.params["packages"] if not one or one.startswith(("-", "/", ".")) or " " in one]
    if wrong:
        module.fail_json(msg="packages has %s: expected names of packages, or name=version." % ", ".join(repr(one) for one in wrong))
    if not module.get_bin_path("apt-get"):
        module.fail_json(msg="This host has no apt-get: apt_prepare is for Debian and its family. Leave it out on this host.")
    try:
        module.exit_json(**prepare(Apt(module), module.params, module.check_mode))
    except Refused as refused:
        module.fail_json(msg=str(refused), about=refused.about)
    except OSError as error:
        where = error.filename or "A file of apt"
        module.fail_json(msg="%s: %s. Is there room, and is the task run with become: true?" % (where, error.strerror))


if __name__ == "__main__":
    main()
