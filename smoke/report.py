# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run, as JSON and as Markdown to attach to an issue: who it was for cannot be told from it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from smoke.judge import FAILED, NOT_HERE


def scrubbed(value: Any, secrets: Mapping[str, str]) -> Any:
    """The same with each secret text replaced, wherever it is. :param secrets: text → what stands for it."""
    if isinstance(value, str):
        for secret in sorted(secrets, key=len, reverse=True):
            if secret:
                value = value.replace(secret, secrets[secret])
        return value
    if isinstance(value, Mapping):
        return {scrubbed(key, secrets): scrubbed(item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrubbed(item, secrets) for item in value]
    return value


def shortened(account: str) -> str:
    return f"…{account[-4:]}"


def verdict(told: Mapping[str, Any]) -> str:
    """The whole in one sentence."""
    if told["left"] is None:
        return "NOT KNOWN whether anything is left: the account could not be read"
    if told["left"]:
        return f"SOMETHING IS LEFT: {len(told['left'])} things of this run are still in the account"
    if told["stopped"]:
        return f"stopped by {told['stopped']}. Nothing is left in the account"
    if told["refused"]:
        return "not run: nobody agreed to the cost"
    failed = [one["name"] for one in [*told["steps"], *told["proofs"]] if one["state"] == FAILED]
    if failed:
        return f"failed: {', '.join(failed)}. Nothing is left in the account"
    rest = [one["name"] for one in told["proofs"] if one["state"] == NOT_HERE]
    return "proven" + (f", but for what cannot be proven here: {', '.join(rest)}" if rest else ", and nothing is left in the account")


def code(told: Mapping[str, Any]) -> int:
    """Exit code: 0 all is proven that can be, 1 something failed or it was stopped, 3 something is left or that is not known."""
    if told["left"] is None or told["left"]:
        return 3
    return int(told["refused"] or bool(told["stopped"]) or any(one["state"] == FAILED for one in [*told["steps"], *told["proofs"]]))


def as_json(told: Mapping[str, Any]) -> str:
    return json.dumps({"verdict": verdict(told), **told}, indent=2, ensure_ascii=False) + "\n"


def as_markdown(told: Mapping[str, Any]) -> str:
    where = "the sandbox's emulated AWS" if told["sandbox"] else f"AWS, account {told['account']}"
    lines = [f"# Smoke test of mlinfra.hosts: {verdict(told)}", "", f"In {where}, region {told['region']}, {told['begun']}.", ""]
    lines += _table(("step", "state", "seconds", "what it said"), [
        (one["name"], one["state"], f"{one['seconds']:.1f}", one["detail"]) for one in told["steps"]
    ])  # fmt: skip
    lines += _table(("proof", "state", "what was seen"), [(one["name"], one["state"], one["detail"]) for one in told["proofs"]])
    host, cost = told["host"], told["cost"]
    if host:
        lines += _table(("host", ""), [(name.replace("_", " "), value) for name, value in host.items() if name != "nvidia_smi"])
        lines += [
            "`nvidia-smi` on the host:",
            "",
            *(f"    {line}".rstrip() for line in host["nvidia_smi"].splitlines() or ["(nothing)"]),
            "",
        ]
    if told["tried"]:
        rows = [
            (one["instance_type"], one["zone"], one["market"], _usd(one["usd_per_hour"]), one["code"] or "taken") for one in told["tried"]
        ]
        lines += _table(("offer tried", "zone", "market", "USD an hour", "answer"), rows)
    rows = [("bound", _usd(cost["bound"])), ("worst case with that bound", _usd(cost["worst"])), ("estimate", _usd(cost["estimate"]))]
    lines += _table(("cost of the run", "USD"), rows)
    lines += ["## Left in the account", "", *_left(told), ""]
    lines += _table(("version of", ""), list(told["versions"].items()))
    return "\n".join(lines).rstrip() + "\n"


def _left(told: Mapping[str, Any]) -> list[str]:
    if told["left"] is None:
        return [f"Not known: {told['left_problem']}", "", *told["advice"]]
    if not told["left"]:
        return ["Nothing: looked for with boto3 alone, at each kind's own service and through the Resource Groups Tagging API."]
    return [*(f"- {one}" for one in told["left"]), "", *told["advice"]]


def _usd(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4f}"


def _table(heads: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[str]:
    if not rows:
        return []
    cells = [[" ".join(str(cell).split()).replace("|", "\\|") for cell in row] for row in rows]
    return ["| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *cells]] + [""]
