# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What playbook verify saw, as one summary and one table: pure functions.

A state is `proven`, `failed`, `not there` (nothing to prove) or `not proven` (there, and cannot be proven here; the detail says why). What
could be proven after a reboot is `not proven` and has `waits_for`, which the table shows in its place.
"""

from __future__ import annotations

PROVEN, FAILED, NOT_THERE, NOT_PROVEN = "proven", "failed", "not there", "not proven"
TRAINING = "training_proof"
# Columns of the table, in order: role → heading.
HEADINGS = {
    "host_baseline": "baseline",
    "nvidia_driver": "gpu",
    "container_runtime": "container",
    "python_env": "python",
    "mlflow_server": "mlflow",
    "node_exporter": "node_exporter",
}
# Of roles that do nothing unless a host declares what they shall make: columns only where one does.
OPTIONAL = {"instance_store": "disks", "efa": "efa", "cuda_toolkit": "cuda", "mig": "mig"}


def entry(state, detail=""):
    return {"state": state, "detail": " ".join(str(detail or "").split())}


def gpu(facts, scripted):
    """Entry of a host's GPUs, whose driver's own check has passed: proven when nvidia-smi shows all of them.

    facts: mlinfra_gpu; scripted: the container proof's GPUs or None.
    """
    count, smi = facts.get("count", 0), facts.get("smi") or {}
    what = "%d x %s" % (count, "/".join(facts.get("models") or ["NVIDIA GPU"]).upper())
    state = facts.get("driver_state")
    version = ((facts.get("driver") or {}).get("installed") or {}).get("version")
    driver = "driver %s" % version if version else "no driver"
    if state != "coherent":
        reasons = "; ".join(facts.get("driver_reasons") or [])
        word = str(state).replace("_", " ")
        told = entry(NOT_PROVEN, "%s, %s: %s%s" % (what, driver, word, " (%s)" % reasons if reasons else ""))
        return dict(told, waits_for=word) if state == "reboot_pending" else told
    answering = len(smi.get("gpus") or [])
    if smi.get("problem") or not answering:
        return entry(NOT_PROVEN, "%s, %s: %s" % (what, driver, smi.get("error") or "nvidia-smi shows no GPU"))
    if answering < count:
        return entry(FAILED, "%s, %s: nvidia-smi shows %d of them. Look at journalctl -k for NVRM." % (what, driver, answering))
    broken = [one for one in facts.get("gpus") or [] if one["health"]["state"] == "failed"]
    if broken:
        told = "; ".join("%s: %s" % (one["address"], ", ".join(one["health"]["reasons"])) for one in broken)
        return entry(FAILED, "%s, %s: %s. Take the host out of work, and reset or replace it." % (what, driver, told))
    return entry(PROVEN, "%s, %s%s" % (what, driver, ", seen in a container" if scripted else ""))


def checked(role, seen):
    """Entry of one role on one host. seen: {there: [role], problems: {role: message}, details: {role: text}, gpu: mlinfra_gpu or None}."""
    if role in seen["problems"]:
        return entry(FAILED, seen["problems"][role])
    if role not in seen["there"]:
        return entry(NOT_THERE)
    if role == "nvidia_driver":
        facts = seen.get("gpu") or {}
        return (
            gpu(facts, (seen.get("details") or {}).get("container_gpus")) if facts.get("present") else entry(NOT_THERE, "no NVIDIA device")
        )
    return entry(PROVEN, (seen.get("details") or {}).get(role))


def roles_of(seen):
    """Roles that a host is told of."""
    return list(HEADINGS) + [role for role in OPTIONAL if role in seen["there"]]


def training(hosts, asked):
    """Entry of the training proof, with what it made. hosts: {name: seen}; asked: why it was not run, or "" when it was."""
    if asked:
        return entry(NOT_THERE, asked)
    problems = [
        "%s: %s" % (name, seen["problems"][TRAINING]) for name, seen in sorted(hosts.items()) if seen and TRAINING in seen["problems"]
    ]
    reports = [dict(seen["training"], host=name) for name, seen in sorted(hosts.items()) if seen and seen.get("training")]
    trained = next((dict(report["trained"], host=report["host"]) for report in reports if report.get("trained")), {})
    predicted = next((report for report in reports if report.get("predicted")), None)
    kept = {key: trained[key] for key in ("model", "version", "run_id", "metrics", "artifacts") if key in trained}
    if trained:
        kept["train_host"] = trained["host"]
    if problems:
        return dict(entry(FAILED, " ".join(problems)), **kept)
    if not trained or not predicted:
        return dict(entry(FAILED, "no host was left to %s" % ("predict" if trained else "train")), **kept)
    apart = predicted["host"] != trained["host"]
    where = "%s, loaded on %s" % (trained["host"], predicted["host"] if apart else "the same host, in another process")
    detail = "trained on %s; same %d predictions; version %s of %s, accuracy %.3f; artifacts in %s" % (
        where,
        len(trained["classes"]),
        trained["version"],
        trained["model"],
        trained["metrics"]["accuracy"],
        trained["artifacts"],
    )
    seconds = {"train": trained.get("seconds"), "predict": predicted["predicted"].get("seconds")}
    return dict(entry(PROVEN, detail), predict_host=predicted["host"], separate_hosts=apart, seconds=seconds, **kept)


def summary(hosts, asked):
    """The summary. hosts: {name: seen, or None for a host that did not answer}; asked: see training.

    {proven: bool, hosts: {name: {role: {state, detail}}}, training: {state, detail, …}, problems: [sentence], not_proven: [sentence]}
    """
    silent = entry(FAILED, "does not answer any more; see what ansible said of it above")
    found = {
        name: {role: checked(role, seen) for role in roles_of(seen)} if seen else dict.fromkeys(HEADINGS, silent)
        for name, seen in hosts.items()
    }
    problems = []
    for name in found:
        if not hosts[name]:
            problems.append("%s %s." % (name, silent["detail"]))
            continue
        problems += ["%s, %s: %s" % (name, role, state["detail"]) for role, state in found[name].items() if state["state"] == FAILED]
    trained = training(hosts, asked)
    if trained["state"] == FAILED:
        problems.append("%s: %s" % (TRAINING, trained["detail"]))
    return {
        "proven": bool(hosts) and not problems,
        "not_proven": ["%s, %s: %s" % (name, role, state["detail"]) for name, role, state in unproven(found)],
        "hosts": found,
        "training": trained,
        "problems": problems,
    }


def unproven(hosts):
    """(host, role, entry) of what is there and cannot be proven here."""
    return [(name, role, state) for name, roles in sorted(hosts.items()) for role, state in roles.items() if state["state"] == NOT_PROVEN]


def table(told):
    """Lines for people out of a summary."""
    shown = dict(HEADINGS, **{role: word for role, word in OPTIONAL.items() if any(role in roles for roles in told["hosts"].values())})
    absent = entry(NOT_THERE)
    rows = [["host"] + list(shown.values())]
    rows += [
        [name] + [roles.get(role, absent).get("waits_for") or roles.get(role, absent)["state"] for role in shown]
        for name, roles in sorted(told["hosts"].items())
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    notes = ["%s, %s: %s" % (name, shown[role], state["detail"]) for name, role, state in unproven(told["hosts"])]
    count = len(told["hosts"])
    whole = "%d host%s: " % (count, "" if count == 1 else "s")
    if told["problems"]:
        whole += "%d problem%s" % (len(told["problems"]), "" if len(told["problems"]) == 1 else "s")
    else:
        waiting = sum(any("waits_for" in state for state in roles.values()) for roles in told["hosts"].values())
        whole += "all that is there is proven" if not notes else "all that can be proven %s is proven" % ("now" if waiting else "here")
        rest = len(notes) - waiting
        if rest > 0:
            whole += "; %d thing%s not (see below)" % (rest, " is" if rest == 1 else "s are")
        whole += "; %d %s for a reboot" % (waiting, "waits" if waiting == 1 else "wait") if waiting else ""
    trained = told["training"]
    # what failed is told once, with the other problems
    last = "training: %s%s" % (trained["state"], "" if trained["state"] == FAILED else " (%s)" % trained["detail"])
    return [whole] + lines + [last] + notes
