# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Carries out a plan for CUDA toolkits as one change: complete, or undone with the reason."""

from __future__ import annotations

import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.cuda_toolkit import plan
from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, repository, room, stage, state, transaction
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read
from ansible_collections.mlinfra.hosts.plugins.module_utils.resolve import cuda

FILES = (plan.PROFILE, plan.PREFERENCES, repository.SOURCE, repository.TOOLKIT_SOURCE)


class Refused(Exception):
    """What is wished cannot be had; nothing was changed."""


class Broken(Exception):
    """A step failed; the message says that the host is as before, or what is not."""


def look():
    """What plan.decide calls seen."""
    files = {path: read(path) for path in FILES if os.path.exists(path)}
    files.update({path: "" for path in (repository.KEYRING, repository.TOOLKIT_KEYRING) if os.path.exists(path)})
    own = (repository.SOURCE, repository.TOOLKIT_SOURCE)
    return {
        "packages": state.packages(),
        "sources": {path: read(path) for path in state.source_files() if path not in own},
        "files": files,
        "driver": state.manifest(),
        "current": os.path.realpath(plan.LINK) if os.path.lexists(plan.LINK) else None,
    }


class Change:
    """wish, seen, decided: see plan.py; program: apt.Apt; folder: an empty folder of ours."""

    def __init__(self, wish, seen, decided, program, folder):
        self.wish, self.seen, self.decided, self.program, self.folder = wish, seen, decided, program, folder
        self.picked, self.actions, self.files = {}, [], dict(decided["files"])

    def prepare(self, keyring, keyring_sha256, proxy):
        """Ask the repository, choose and simulate. :raises Refused, stage.Unusable:"""
        wanted = bool(self.decided["missing"]) or None in self.files.values()
        options = []
        if wanted:
            key = stage.fetch(keyring, proxy, self.program.run, keyring_sha256, self.folder)
            staged = stage.Stage(self.program, self.wish["repository"], key, self.folder)
            known = {plan.place(self.wish, self.seen)[1]: key, plan.PREFERENCES: plan.preferences(staged.release)}
            self.files = {path: known.get(path) if text is None else text for path, text in self.files.items()}
            self.picked, told = plan.chosen(self.wish, self.decided["missing"], staged.available)
            refuse(told)
            options = staged.options(
                plan.preferences(staged.release), add_source=not self.decided["listed"], gone=[repository.TOOLKIT_SOURCE]
            )
        names = ["%s=%s" % one for one in self.picked.items()] + ["%s-" % name for name in self.decided["remove"]]
        if names:
            try:
                self.actions = self.program.simulate(names, options)
            except apt.Failed as error:
                text = (
                    "%s cannot be installed here: %s. Nothing was changed. Choose other cuda_toolkit_versions, or mend the package source."
                )
                raise Refused(text % (", ".join(names), "; ".join(apt.reasons(error.output)))) from error
            refuse(plan.foreign(self.actions, self.seen["packages"], self.decided["remove"]))
            refuse(room.problems(self.program, names, self.actions, options))

    def carry_out(self):
        """Do it. :raises Broken: after an undo."""
        change = transaction.Transaction(self.program, transaction.lists_of(self.wish["repository"] or "none"))
        before = self.seen["current"]
        try:
            self._forward(change)
        except Exception as error:  # whatever it was, the host must not stay half changed
            said = "; ".join(apt.reasons(error.output)) if isinstance(error, apt.Failed) else str(error)
            what = " (step: %s)" % error.what if isinstance(error, apt.Failed) else ""
            done, left = change.undo()
            left += self._alternative_back(before)
            end = "The host is as it was before (%s)." % (", ".join(done) or "no package had changed")
            if left:
                end = "NOT all could be undone: %s. Mend this by hand before the next run." % "; ".join(left)
            then = apt.waiting(error.output) if isinstance(error, apt.Failed) else ""
            raise Broken(" ".join(filter(None, ["The CUDA toolkits could not be changed%s: %s.\n%s" % (what, said, end), then]))) from error

    def _forward(self, change):
        for path, data in self.files.items():
            change.write(path, data if isinstance(data, bytes) else data.encode())
        for path in self.decided["gone"]:
            change.write(path, None)
        if self.picked:
            source = self.decided["listed"][0] if self.decided["listed"] else plan.place(self.wish, self.seen)[0]
            only = ["-o", "Dir::Etc::SourceList=%s" % source, "-o", "Dir::Etc::SourceParts=/dev/null", "-o", "APT::Get::List-Cleanup=0"]
            self.program.get("lists", *only, "-q", "update")
            self.program.install("install", ["%s=%s" % one for one in self.picked.items()])
        if self.decided["remove"]:
            self.program.get("remove", "--ignore-hold", "--allow-change-held-packages", "-y", "-q", "purge", *self.decided["remove"])
        packages = state.packages()
        if self.wish["hold"]:
            mine = [name for one in plan.releases(self.wish) for name in plan.of_release(packages, one)]
            change.hold([name for name in mine if not packages[name]["held"]])
        if self.decided["default"]:
            self._alternative(plan.folder(self.decided["default"]), self.decided["default"])

    def _alternative(self, folder, release):
        """NVIDIA's packages register their folder; one that did not is registered the same way."""
        number = str(release[0] * 10 + release[1])
        tool = ["update-alternatives"]
        known = self.program.call("alternatives", [*tool, "--query", "cuda"]) if self._has_alternative() else ""
        if "Alternative: %s\n" % folder not in known:
            self.program.call("register /usr/local/cuda", [*tool, "--install", plan.LINK, "cuda", folder, number])
        self.program.call("set /usr/local/cuda", [*tool, "--set", "cuda", folder])
        if os.path.realpath(plan.LINK) != folder:
            raise Broken("%s is not %s afterwards, although update-alternatives did not fail" % (plan.LINK, folder))

    def _has_alternative(self):
        return self.program.run(["update-alternatives", "--query", "cuda"])[0] == 0

    def _alternative_back(self, before):
        if not before or os.path.realpath(plan.LINK) == before or not os.path.isdir(before) or not self._has_alternative():
            return []
        code, out, err = self.program.run(["update-alternatives", "--set", "cuda", before])
        return ["%s could not be set back to %s: %s" % (plan.LINK, before, (err or out).strip())] if code else []

    def steps(self):
        """What is or would be done, in words."""
        found = ["install %s %s" % one for one in sorted(self.picked.items())]
        found += ["remove %s" % name for name in self.decided["remove"]] + ["hold %s" % name for name in self.decided["hold"]]
        found += ["write %s" % path for path in sorted(self.files)] + ["remove %s" % path for path in self.decided["gone"]]
        return found + (["%s is CUDA %s" % (plan.LINK, cuda.text(self.decided["default"]))] if self.decided["default"] else [])


def refuse(messages):
    if messages:
        raise Refused("\n".join(messages))
