# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Makes a MIG layout so, the same for Ansible and at a boot, and lets container engines know of it."""

from __future__ import annotations

import json
import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import cdi
from ansible_collections.mlinfra.hosts.plugins.module_utils.host.files import read
from ansible_collections.mlinfra.hosts.plugins.module_utils.mig import plan, reading

WISH = "/etc/mlinfra/mig_layout.json"
# In the order in which engines look; one that is there is refreshed where it is.
SPECIFICATIONS = ("/etc/cdi/nvidia.yaml", "/var/run/cdi/nvidia.yaml")
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


def specification():
    """(path, names of its devices) of the CDI specification that is in force; names None where none is there or it cannot be read."""
    for path in SPECIFICATIONS:
        if os.path.exists(path):
            text = read(path)
            try:
                return path, (cdi.parse_json(text) if text.lstrip().startswith("{") else cdi.parse_yaml(text))["names"]
            except ValueError:
                return path, None
    return SPECIFICATIONS[-1], None


def is_stale(names, wished):
    """Whether a specification lacks devices of the layout, or has instances that are gone. One without names by index is not judged."""
    by_index = [name for name in names or [] if name.replace(":", "").isdigit()]
    return bool(by_index) and sorted(by_index) != sorted(wished)


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


def act(wish, run, gpus):
    """Carry out; returns (what was done, indexes of GPUs that wait for a reboot). :raises Refused, Broken, reading.Unreadable:"""
    done, waiting = [], []
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
    return done, waiting


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


def refresh(run, path, done):
    """Make the CDI specification anew. :raises Broken:"""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    step = {"what": "write the CDI specification %s" % path, "argv": [CTK, "cdi", "generate", "--output=%s" % path]}
    run_step(run, step, done)
