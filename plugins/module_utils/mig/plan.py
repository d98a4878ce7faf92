# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What has to be done for a declared MIG layout: pure.

wish: [{gpus: all or [index], profiles: [name]} or {gpus, config: word}], the last one that names a GPU counts; gpus as in reading.py.
Words are those of nvidia-mig-parted's configuration file: all-disabled, all-enabled, all-balanced, all-PROFILE.
Sources: NVIDIA MIG User Guide, "Supported MIG Profiles" (names and slices) and "Enable MIG Mode"; https://github.com/NVIDIA/mig-parted,
examples/config.yaml (words).
"""

from __future__ import annotations

import re

from ansible_collections.mlinfra.hosts.plugins.module_utils.gpu import mig_profiles
from ansible_collections.mlinfra.hosts.plugins.module_utils.mig.reading import SMI

PROFILE = re.compile(r"^(?P<slices>[1-7])g\.(?P<gb>\d{1,3})gb(?P<attributes>(?:[+-][a-z.]+)*)$")
WORD = re.compile(r"^all-(?P<what>disabled|enabled|balanced|[1-7]g\.\d{1,3}gb(?:[+-][a-z.]+)*)$")
MOST_SLICES, EIGHTHS = 7, 8
# Eighths of the memory that an instance of so many slices takes at least.
MEMORY = {1: 1, 2: 2, 3: 4, 4: 4, 7: 8}
# nvidia-mig-parted's "balanced" layout, by slices.
BALANCED = (3, 2, 1, 1)
A30 = {"1g.6gb": 4, "2g.12gb": 2, "4g.24gb": 1}


def input_problems(wish):
    """Messages about values that no host could make true."""
    found = []
    for number, entry in enumerate(wish):
        where = "mig_layout[%d]" % number
        if ("profiles" in entry) == ("config" in entry):
            found.append("%s has %s: expected profiles or config. Give one of them." % (where, "both" if "config" in entry else "neither"))
            continue
        who = entry.get("gpus", "all")
        if who != "all" and not (isinstance(who, list) and who and all(isinstance(one, int) and one >= 0 for one in who)):
            found.append("%s.gpus is %r: expected all, or a list of indexes as in [0, 1]." % (where, who))
        if "config" in entry and not WORD.match(str(entry["config"])):
            expected = "expected all-disabled, all-enabled, all-balanced or all-PROFILE, as in all-1g.10gb."
            found.append("%s.config is %r: %s" % (where, entry["config"], expected))
        for name in entry.get("profiles") or []:
            if not PROFILE.match(str(name)):
                found.append("%s.profiles has %r: expected names as in 3g.40gb or 1g.10gb+me (nvidia-smi mig -lgip)." % (where, name))
    return found


def offered(gpu):
    """{profile: how many fit} of a GPU: what nvidia-smi lists, else by the table of its memory; None where neither tells."""
    if gpu["profiles"]:
        return gpu["profiles"]
    if gpu["model"] == "a30":
        return dict(A30, **{"1g.6gb+me": 1, "2g.12gb+me": 1})
    sizes = next(
        (names for size, names in mig_profiles.SIZES.items() if abs((gpu["memory_mib"] or 0) - size) <= mig_profiles.NEAR_GPU * size), None
    )
    if sizes is None or gpu["model"] not in mig_profiles.SLICES and gpu["model"] not in ("b200", "b300"):
        return None
    eighth, quarter, half, whole = sizes
    names = {(1, eighth): 7, (1, quarter): 4, (2, quarter): 3, (3, half): 2, (4, half): 1, (7, whole): 1}
    found = {"%dg.%dgb" % pair: count for pair, count in names.items()}
    found["1g.%dgb+me" % eighth] = 1
    return found


def parsed(name):
    """(slices, gigabytes) of a profile's name."""
    match = PROFILE.match(name)
    return int(match.group("slices")), int(match.group("gb"))


def order(name):
    """Sorts large instances first: they have the fewest places, and MIG gives places in the order of creation."""
    slices, size = parsed(name)
    return (-size, -slices, name)


def profiles_of(entry, gpu):
    """The profiles that an entry means for a GPU, largest first; None: MIG off. A word that cannot be told gives its own name."""
    if "profiles" in entry:
        return sorted(entry["profiles"] or [], key=order) if entry["profiles"] else None
    what = WORD.match(entry["config"]).group("what")
    there = offered(gpu) or {}
    if what == "disabled":
        return None
    if what == "enabled":
        return []
    if what == "balanced":
        plain = {}
        for name in sorted((one for one in there if PROFILE.match(one) and not PROFILE.match(one).group("attributes")), key=order):
            plain[parsed(name)[0]] = name  # the smallest of so many slices comes last
        return [plain[slices] for slices in BALANCED if slices in plain]
    return [what] * there.get(what, 1)


def targets(wish, gpus):
    """({index: [profile] or None}, [messages]) of the GPUs that the wish names."""
    found, problems = {}, []
    known = {gpu["index"]: gpu for gpu in gpus}
    for number, entry in enumerate(wish):
        who = entry.get("gpus", "all")
        absent = [] if who == "all" else [one for one in who if one not in known]
        if absent:
            problems.append(
                "mig_layout[%d].gpus has %s: this host has %s. Correct the indexes."
                % (number, ", ".join(map(str, absent)), ", ".join(map(str, sorted(known))) or "no GPU")
            )
        for index in known if who == "all" else who:
            if index in known:
                found[index] = profiles_of(entry, known[index])
    return found, problems


def unfit(gpu, wished):
    """Why a GPU cannot have these profiles; None when nothing speaks against it."""
    who = label(gpu)
    if gpu["mode"] is None:
        return "%s cannot be partitioned: nvidia-smi says that it has no MIG. Name the GPUs that have, in gpus." % who
    there = offered(gpu)
    if there is None:
        return None
    missing = sorted({name for name in wished if name not in there})
    if missing:
        listed = ", ".join(sorted(there, key=order))
        return "%s has no profile %s: expected some of %s." % (who, ", ".join(missing), listed)
    for name in sorted(set(wished)):
        if wished.count(name) > there[name]:
            return "%s has room for %d of %s: %d are declared." % (who, there[name], name, wished.count(name))
    least = min(parsed(name)[1] for name in there)
    whole = 4 if gpu["model"] == "a30" else EIGHTHS
    slices = sum(parsed(name)[0] for name in wished)
    memory = sum(max(MEMORY[parsed(name)[0]] if whole == EIGHTHS else 1, round(parsed(name)[1] / least)) for name in wished)
    if slices > (4 if whole == 4 else MOST_SLICES) or memory > whole:
        return "%s has no room for %s together: they take %d slices and %d of %d parts of the memory." % (
            who, ", ".join(wished), slices, memory, whole,
        )  # fmt: skip
    return None


def label(gpu):
    return "GPU %d (%s)" % (gpu["index"], gpu["name"] or gpu["uuid"] or "nvidia-smi does not name it")


def is_as_wished(gpu, wished):
    if wished is None:
        return gpu["mode"] != "enabled" and gpu["pending"] != "enabled"
    return gpu["mode"] == "enabled" == gpu["pending"] and gpu["whole"] and sorted(gpu["instances"]) == sorted(wished)


def busy(gpu):
    """Message about processes on a GPU that has to change; None without any."""
    if gpu["processes"] is None:
        return "%s: nvidia-smi does not say which processes use it. Run as root." % label(gpu)
    who = ", ".join("pid %d%s" % (one["pid"], " (%s)" % one["program"] if one["program"] else "") for one in gpu["processes"])
    return "%s is in use by %s: its layout is not changed under them. Stop them, then run this again." % (label(gpu), who) if who else None


def step(what, *argv):
    return {"what": what, "argv": [SMI, *argv]}


def steps_for(gpu, wished):
    """[{what, argv}] that make a GPU as wished."""
    index, who = str(gpu["index"]), "GPU %d" % gpu["index"]
    found = []
    if gpu["instances"]:
        found.append(dict(step("remove the compute instances of %s" % who, "mig", "-dci", "-i", index), none_is_fine=True))
        found.append(step("remove the GPU instances of %s" % who, "mig", "-dgi", "-i", index))
    if wished is None:
        return found + [switch(gpu, False)]
    if gpu["mode"] != "enabled" or gpu["pending"] != "enabled":
        found.append(switch(gpu, True))
    if wished:
        found.append(step("give %s %s" % (who, ", ".join(wished)), "mig", "-cgi", ",".join(wished), "-C", "-i", index))
    return found


def switch(gpu, on):
    """The step that changes the mode. It takes effect at once, with a reset, or only after a reboot: who carries it out looks again."""
    what = "switch MIG %s on GPU %d" % ("on" if on else "off", gpu["index"])
    return dict(step(what, "-i", str(gpu["index"]), "-mig", "1" if on else "0"), mode="enabled" if on else "disabled", gpu=gpu["index"])


def decide(wish, gpus):
    """{problems, steps, targets}. Nothing is done when anything cannot be."""
    problems = input_problems(wish)
    if problems:
        return {"problems": problems, "steps": [], "targets": {}}
    wished, problems = targets(wish, gpus)
    changing = [gpu for gpu in gpus if gpu["index"] in wished and not is_as_wished(gpu, wished[gpu["index"]])]
    for gpu in changing:
        asked = wished[gpu["index"]]
        why = unfit(gpu, asked) if asked is not None else None
        problems += [why] if why else []
        using = busy(gpu)
        problems += [using] if using else []
    steps = [] if problems else [one for gpu in changing for one in steps_for(gpu, wished[gpu["index"]])]
    return {"problems": problems, "steps": steps, "targets": wished}


def devices(wished, gpus):
    """Names that a CDI specification by index has for this layout: 0 for a whole GPU, 0:1 for an instance of one."""
    found = []
    for gpu in gpus:
        made = wished.get(gpu["index"]) if gpu["index"] in wished else (gpu["instances"] if gpu["mode"] == "enabled" else None)
        found += [str(gpu["index"])] if made is None else ["%d:%d" % (gpu["index"], number) for number in range(len(made))]
    return found
