# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Makes a MIG layout so, the same for Ansible and at a boot, and lets container engines know of it."""

from __future__ import annotations

import json
import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import cdi
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read, text
from ansible_collections.mlinfra.hosts.plugins.module_utils.mig import plan, reading

WISH = "/etc/mlinfra/mig_layout.json"
NAMES = ("nvidia.yaml", "nvidia.json")
KIND = "nvidia.com/gpu"
CTK = "nvidia-ctk"


class Refused(Exception):
    """The wish cannot be had here; nothing was changed."""


class Broken(Exception):
    """A step failed; the message says what was done before and how the GPUs are now."""


def stored():
    """The layout that was carried out last; None when there is none that can be read."""
    try:
        return json.loads(read(WISH))["layout"]
    except (ValueError, KeyError, TypeError):
        return None


def specifications(folders=cdi.FOLDERS):
    """[(path, names of its devices)] of the GPUs' CDI specifications that nvidia-ctk has written, the one in force last.

    Engines take a device from the last folder that has it, and from the others those that it lacks: none may be left old. The names are
    None where the file cannot be read. Where there is none yet, it is the one in force that could be.
    """
    found = []
    for path in [os.path.join(folder, name) for folder in folders for name in listed(folder)]:
        said = text(path) or ""
        try:
            told = cdi.parse_json(said) if said.lstrip().startswith("{") else cdi.parse_yaml(said)
        except (ValueError, RecursionError):
            told = {"kind": None, "names": None}
        # What others write by hand for the same kind is theirs; nvidia-ctk always has a device for all GPUs.
        named = os.path.basename(path) in NAMES and told["kind"] in (None, KIND)
        if named or (told["kind"] == KIND and "all" in told["names"]):
            found.append((path, told["names"]))
    return found or [(os.path.join(folders[-1], NAMES[0]), None)]


def listed(folder):
    """Names of the specifications in a folder; none where it is missing or may not be read."""
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith((".json", ".yaml")))
    except OSError:
        return []


def is_stale(found, wished):
    """Whether a specification lacks devices of the layout, or has instances that are gone. One without names by index is not judged."""
    by_index = [[name for name in names or [] if name.replace(":", "").isdigit()] for _path, names in found]
    return any(names and sorted(names) != sorted(wished) for names in by_index)


def run_step(run, step, done):
    code, out, err = run(step["argv"])
    if code and not (step.get("none_is_fine") and code == reading.NOT_FOUND):
        said = (out.strip() + "; " + err.strip()).strip("; ").replace("\n", "; ") or "exit code %d" % code
        raise Broken("\n".join(["Cannot %s: %s says %s." % (step["what"], " ".join(step["argv"]), said), *told(done)]))
    done.append(step["what"])


def told(done):
    return ["Done before: %s." % ", ".join(done)] if done else []


def waits(run, step, done):
    """Whether a mode that was switched is only pending. A GPU that nothing uses is reset for it; where that cannot be, a reboot does it."""
    gpu = next(one for one in reading.look(run) if one["index"] == step["gpu"])
    if gpu["mode"] == step["mode"]:
        return False
    code, unused_out, unused_err = run([reading.SMI, "--gpu-reset", "-i", str(step["gpu"])])
    if not code:
        done.append("reset GPU %d" % step["gpu"])
    gpu = next(one for one in reading.look(run) if one["index"] == step["gpu"])
    return gpu["mode"] != step["mode"]


def act(wish, run, gpus, found=()):
    """Carry out, then make these CDI specifications anew, also for GPUs that were changed before another one failed.

    found: as specifications() has them, () for none. Returns (what was done, indexes of GPUs that wait for a reboot).
    :raises Refused, Broken, reading.Unreadable:
    """
    done = []
    try:
        waiting = each_gpu(wish, run, gpus, done)
    except (Broken, reading.Unreadable) as error:
        if done and found:
            raise Broken("%s\n%s" % (error, told_to_engines(run, found))) from error
        raise
    refresh(run, found, done)
    return done, waiting


def each_gpu(wish, run, gpus, done):
    """Carry out, and add to done what was done; returns the indexes of GPUs that wait for a reboot."""
    waiting = []
    decided = plan.decide(wish, gpus)
    if decided["problems"]:
        raise Refused("\n".join(decided["problems"]))
    for index in decided["targets"]:
        before = next(one for one in gpus if one["index"] == index)
        if plan.is_as_wished(before, decided["targets"][index]):
            continue
        try:
            if not one_gpu(run, before, decided["targets"][index], done):
                waiting.append(index)
        except Broken as error:
            raise Broken("%s\n%s" % (error, put_back(run, before))) from error
    return waiting


def one_gpu(run, gpu, wished, done):
    """Make one GPU so; False when it waits for a reboot. Where MIG is on, what it offers is known at last. :raises Broken:"""
    for step in plan.steps_for(gpu, wished):
        if step["argv"][1:3] == ["mig", "-cgi"]:
            now = next(one for one in reading.look(run) if one["index"] == gpu["index"])
            why = plan.unfit(now, wished)
            if why:
                raise Broken("\n".join([why, *told(done)]))
        run_step(run, step, done)
        if "mode" in step and waits(run, step, done):
            return False
    return True


def put_back(run, before):
    """Give a GPU its former layout after a failure; returns how it is now, in words."""
    try:
        now = next(one for one in reading.look(run) if one["index"] == before["index"])
        wished = before["instances"] if before["mode"] == "enabled" else None
        if not plan.is_as_wished(now, wished) and not one_gpu(run, now, wished, []):
            return "%s gets its former layout with a reboot." % plan.label(before)
    except (Broken, reading.Unreadable) as error:
        return "%s has NOT its former layout (%s): %s" % (plan.label(before), ", ".join(before["instances"]) or "none", error)
    return "%s has its former layout again." % plan.label(before)


def refresh(run, found, done):
    """Make the CDI specifications anew, the one in force first; found: as specifications() has them. :raises Broken:"""
    for path, _names in reversed(found):
        step = {"what": "write the CDI specification %s" % path, "argv": [CTK, "cdi", "generate", "--output=%s" % path]}
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        except OSError as error:
            raise Broken("\n".join(["Cannot %s: %s." % (step["what"], error.strerror), *told(done)])) from error
        run_step(run, step, done)


def told_to_engines(run, found):
    """Tell container engines of the GPUs as they are after a failure; returns how that went, in words."""
    done = []
    try:
        refresh(run, found, done)
    except Broken as error:
        return "Containers may be given GPUs as they were before: %s" % error
    return "Done after it: %s." % ", ".join(done)
