# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Carries out a plan for NVIDIA's driver as one change: complete, or undone with the reason."""

from __future__ import annotations

import glob
import json
import os
import shutil
import time

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import (
    apt,
    dkms,
    going_along,
    installer,
    pinned,
    plan,
    record,
    repository,
    state,
    transaction,
    verified,
    versions,
)


class Broken(Exception):
    """What went wrong after the change had begun, as the user reads it."""


class Install:
    """wish: the module's options; seen: state.look(); decided: plan.decide(); picked: {name: version}; stage: stage.Stage or None."""

    # What the package manager itself calls wrong in its output.
    reasons = staticmethod(apt.reasons)

    def __init__(self, wish, seen, decided, program):
        self.wish, self.seen, self.decided, self.program = wish, seen, decided, program
        self.began = time.time()
        self.picked, self.pinning, self.preferences, self.key = {}, None, None, None
        # {name: what it is called for the new driver} of packages that go along with it, see going_along.chosen.
        self.besides = {}
        # {name: version} of the rest of a distribution's driver, see plan.family.
        self.family = {}
        # As apt.simulate says them; None while no package list tells them.
        self.actions = None
        self.made_initrd = False
        # host: see resolve.host.of; was: pins of what is there now, or None (record.py).
        self.host, self.was = None, None
        self.notices = []

    def carry_out(self):
        """{driver, manifest, brought}. :raises Broken: with a message; the host is as before, or the message says what is not."""
        before = set(glob.glob("/boot/initrd.img-*")) | set(glob.glob("/boot/initramfs-*.img"))
        change = self.transaction()
        aside = installer.Aside(self.program, state.ASIDE)
        try:
            driver = self._forward(change, before, aside)
        except Exception as error:  # whatever it was, the host must not stay half changed
            why = self._why(error)
            done, left = change.undo()
            back, missing = aside.back()
            # The last: they may need any of it.
            done, left = done + back, left + missing + self._initramfs_back(before)
            started, stopped = change.start_again()
            done, left = done + started, left + stopped
            raise Broken(message(why, done, left)) from error
        return driver

    def _forward(self, change, images, aside):
        change.write(state.BEGUN, "".join("%s\n" % name for name in sorted(set(self.besides.values()))).encode())
        if self.wish["take_over"]:
            aside.take(self.seen["running"])
        for path, data in self.texts().items():
            if path in self.decided["files_due"]:
                change.write(path, data, late=path in self.decided["off"])
        packages = self._install(change)
        driver = versions.upstream(state.installed(packages, self.wish["packages"][0]))
        mixed = plan.mixed(packages, driver)
        if mixed:
            raise Broken("the packages do not belong together: %s" % "; ".join(mixed))
        self._build(driver)
        wrong = verified.problems(self.wish, driver, self.decided["kernels"], verified.look(self.program.run))
        if wrong:
            raise Broken("driver %s does not verify: %s" % (driver, "; ".join(wrong)))
        self._keep(change, packages, driver)
        if images and plan.initramfs_due(self.wish, self.seen, self.decided):
            self.made_initrd = True
            self._initramfs(images)
        written = plan.manifest(
            self.wish, self.packages(), driver, self.kernels(driver), {path: state.digest(path) for path in self.files()},
            set(self.seen["manifest"].get("brought") or []) | set(change.brought()),
        )  # fmt: skip
        change.write(state.MANIFEST, manifest_text(written))
        change.write(state.PINS, record.text(self.recorded(self.packages(), driver)).encode())
        aside.forget()
        change.drop_downloads()
        change.write(state.BEGUN, None)
        return written

    def recorded(self, packages, driver):
        """What pins.json is to say now."""
        found = record.snapshot(packages, self.host, list(self.kernels(driver)), self.wish["source"])
        same = record.parse(self.seen["pins"])["current"]
        kept = same if same and record.holds(same, packages) else self.was
        return record.after(record.parse(self.seen["pins"]), self.was, record.now(self.wish["pins"], kept, found))

    # What follows, down to _without_old_pinning, is apt's; dnf_install.py has dnf's.

    def transaction(self):
        return transaction.Transaction(self.program, transaction.lists_of(self.wish["repository"] or "none"))

    def packages(self):
        return state.packages()

    def files(self):
        """Paths whose digests the manifest has."""
        return state.FILES

    def _install(self, change):
        """Packages of headers and driver. Returns what is installed then, as packages()."""
        from_repository = self.wish["source"] != "distribution" and not self.decided["settled"]
        if from_repository or repository.own_files(self.wish)[0] in self.decided["files_due"]:
            self._refresh()
        self._fetch()
        if self.decided["kernel_packages"]:
            self.program.install("headers", self.decided["kernel_packages"])
        if not self.decided["settled"]:
            self._without_old_pinning()
            if self.pinning:
                self.program.install("pinning", [self.pinning])
            wished = self.wish["packages"] + self.wish["companions"] + sorted(set(self.besides.values()))
            names = ["%s=%s" % (name, self.picked[name]) if self.picked.get(name) else name for name in wished]
            names += [pinned.spec(name, self.family) for name in self.family]
            change.keep_settings(going_along.old_names(self.besides))
            # Named to apt it would count as what somebody asked for, and stay when the driver goes.
            came_along = self.program.call("marks", ["apt-mark", "showauto", *self.family]).split() if self.family else []
            # apt takes off what has to go first: of two names of one thing, both have its files.
            self.program.install("driver", names + ["%s-" % name for name in self.leaving()])
            if came_along:
                self.program.call("marks", ["apt-mark", "auto", *came_along])
        return self._without_old_driver()

    def leaving(self):
        """What goes with the change: the other flavor, and what is called otherwise for the new driver."""
        return self.decided["remove"] + going_along.old_names(self.besides)

    def _fetch(self):
        """All packages, before the first is changed: a source that goes away in the middle would leave neither driver whole."""
        exact = ["%s=%s" % (one["name"], one["new"]) for one in self.actions or [] if one["action"] == "install"]
        if exact:
            self.program.fetch("download", exact + ["%s-" % one["name"] for one in self.actions if one["action"] == "remove"])

    def _keep(self, change, packages, driver):
        """So that no upgrade moves them."""
        if self.wish["pins"] and self.wish["source"] == "distribution":
            text = repository.preferences_text({}, plan.owned(self.wish, packages, driver))
            change.write(repository.PREFERENCES, text.encode())
        change.hold(plan.holds_due(self.wish, packages, driver))

    def _purge(self, what, names):
        self.program.get(what, "--ignore-hold", "--allow-change-held-packages", "-y", "-q", "purge", *names)

    def _without_old_pinning(self):
        """Purges the pinning package of an earlier run: its file would stay as it is under the name of the next one's."""
        ours = self.seen["manifest"].get("brought") or []
        old = [name for name in ours if name.startswith("nvidia-driver-pinning-") and name != self.pinning]
        old = [name for name in old if (self.seen["packages"].get(name) or {}).get("version")]
        if old:
            self.program.get("remove the old pinning", "-y", "-q", "purge", *old)

    def _without_old_driver(self):
        """What is installed now, after what an earlier run brought and no package of the new driver has replaced is gone."""
        packages = self.packages()
        driver = versions.upstream(state.installed(packages, self.wish["packages"][0]))
        old, ours = self.seen["manifest"].get("driver"), self.seen["manifest"].get("brought") or []
        if self.wish["take_over"] and self.was:
            old, ours = self.was["driver"]["version"], list(self.seen["packages"])
        stale = [name for name in state.driver_packages(packages, old) if name in ours] if old and old != driver else []
        if stale:
            self._purge("remove the old driver", stale)
        return self.packages() if stale else packages

    def kernels(self, driver):
        made = dkms.built(driver) if self.wish["kernel_modules"] else {}
        return {kernel: made[kernel] for kernel in sorted(made, key=versions.kernel_key)}

    def texts(self):
        """{path: bytes} of the files of this wish."""
        found = {state.NOUVEAU: state.NOUVEAU_TEXT.encode(), state.UMAD: state.UMAD_TEXT.encode()}
        found.update({path: text.encode() for path, text in self.decided["off"].items()})
        found.update(dict.fromkeys(state.OWN_SOURCES))
        if self.wish["source"] != "distribution":
            source, keyring = repository.own_files(self.wish)
            own = repository.source_text(self.wish["repository"], keyring, self.wish.get("suites") or ["/"]).encode()
            found[source] = None if self.decided["listed"] else own
            found[keyring] = self.key
            found[repository.PREFERENCES] = (self.preferences or "").encode()
        else:
            # Ours of an earlier driver would keep the distribution's packages away; what pins want is written when they are installed.
            found[repository.PREFERENCES] = None
        return found

    def files_going(self):
        """Those of the files due that are here and go; what pins of a distribution want in their place is written again."""
        again = {repository.PREFERENCES} if self.wish["pins"] and self.wish["source"] == "distribution" else set()
        gone = {path for path, data in self.texts().items() if data is None and self.seen["files"].get(path)} - again
        return [path for path in self.decided["files_due"] if path in gone]

    def _refresh(self):
        """The lists of the one new source; those of the others stay as they are."""
        path = self.decided["listed"][0] if self.decided["listed"] else repository.own_files(self.wish)[0]
        options = ["-o", "Dir::Etc::SourceList=%s" % path, "-o", "Dir::Etc::SourceParts=/dev/null", "-o", "APT::Get::List-Cleanup=0"]
        self.program.get("lists", *options, "-q", "update")

    def _build(self, driver):
        for kernel in plan.builds_due(self.decided, driver, dkms.built(driver) if self.wish["kernel_modules"] else {}):
            for name in dkms.sources(driver):
                self.program.call("build", ["dkms", "install", "-m", name, "-v", driver, "-k", kernel])
            if kernel not in dkms.built(driver):
                raise Broken("DKMS has nothing of driver %s for kernel %s, although it did not fail (see `dkms status`)" % (driver, kernel))

    def _initramfs(self, images):
        """Made anew where there is one, so that nouveau is not loaded from it."""
        if shutil.which("update-initramfs", path="/usr/sbin:/sbin:/usr/bin:/bin"):
            for image in sorted(images):
                if os.path.exists(image):
                    self.program.call("update-initramfs", ["update-initramfs", "-u", "-k", os.path.basename(image)[len("initrd.img-") :]])
        elif shutil.which("dracut", path="/usr/sbin:/sbin:/usr/bin:/bin"):
            self.program.call("dracut", ["dracut", "--regenerate-all", "--force"])

    def _initramfs_back(self, images):
        """Made anew once more after an undo. Returns what could not be, in words."""
        try:
            if self.made_initrd:
                self._initramfs(images)
        except apt.Failed as error:
            return ["the initramfs could not be made again (%s): %s" % (error.what, "; ".join(self.reasons(error.output)))]
        return []

    def _why(self, error):
        """Which driver, which kernel, and the lines that tell why."""
        output = error.output if isinstance(error, apt.Failed) else str(error)
        log = dkms.newest_log(self.began - 1)
        known = dkms.failed(log, output)
        picked = {versions.upstream(self.picked[name]) for name in self.wish["packages"] if self.picked.get(name)}
        wished = known["driver"] or ", ".join(sorted(picked)) or "of this source"
        if log or known["kernel"]:
            return {
                "what": "The kernel modules of driver %s do not build for kernel %s" % (wished, known["kernel"] or "(not told)"),
                "lines": dkms.excerpt(log or output),
                "next": "Choose another nvidia_driver_version, nvidia_driver_branch, nvidia_driver_flavor or nvidia_driver_source, or "
                "boot a kernel that it builds for (nvidia_driver_kernels).",
            }
        if isinstance(error, apt.Failed):
            what = "Driver %s could not be installed (step: %s)" % (wished, error.what)
            then = "Choose another nvidia_driver_version, or mend the package source."
            if error.what in ("lists", "download"):
                then = "The package source is not what it was when this run chose from it, or has gone: mend it, then run this again."
            then = apt.waiting(output) or then
            return {"what": what, "lines": self.reasons(output), "next": then}
        return {"what": "Driver %s could not be set up" % wished, "lines": [str(error)], "next": "Mend that, then run this again."}


def message(why, done, left):
    """The failure as the user reads it."""
    state_now = "The host is as it was before (%s)." % (", ".join(done) or "no package had changed")
    if left:
        state_now = "NOT all could be undone: %s. Mend this by hand before the next run." % "; ".join(left)
    return "%s:\n%s\n%s %s" % (why["what"], "\n".join("  " + line for line in why["lines"]), state_now, why["next"])


def manifest_text(written):
    return (json.dumps(written, indent=2, sort_keys=True) + "\n").encode()
