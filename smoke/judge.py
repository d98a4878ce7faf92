# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host's own words prove. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

PROVEN, FAILED, NOT_HERE, NOT_RUN = "proven", "failed", "not provable here", "not run"
DRIVER, SMI, CONTAINER, SMI_IN_CONTAINER = "driver", "nvidia-smi on the host", "container", "nvidia-smi in a container"
LAST_RESORT = "the host would end itself"
SIMULATED = "the GPU is simulated"


class Proof(NamedTuple):
    name: str
    state: str
    detail: str = ""


def proofs(host: Mapping[str, Any] | None, sandbox: bool) -> list[Proof]:
    """One entry for each of the five things that a host must show.

    :param host: what playbook look-at-host wrote; None when it was not run.
    :param sandbox: whether its GPU is simulated, so that no driver can answer.
    """
    if host is None:
        return [Proof(name, NOT_RUN) for name in (DRIVER, SMI, CONTAINER, SMI_IN_CONTAINER, LAST_RESORT)]
    found = [_driver(host["gpu"]), _smi(host["smi"], host["gpu"]), _container(host["container"]), _smi_in_container(host["container"])]
    found.append(_last_resort(host["last_resort"]))
    if not sandbox:
        return found
    hardware = (DRIVER, SMI, SMI_IN_CONTAINER)
    return [Proof(one.name, NOT_HERE, f"{SIMULATED}: {one.detail}") if one.name in hardware else one for one in found]


def driver_version(host: Mapping[str, Any]) -> str | None:
    return ((host["gpu"].get("driver") or {}).get("installed") or {}).get("version")


def _driver(gpu: Mapping[str, Any]) -> Proof:
    version = ((gpu.get("driver") or {}).get("installed") or {}).get("version")
    state = str(gpu.get("driver_state"))
    told = f"{version or 'no driver'}, {state.replace('_', ' ')}"
    reasons = "; ".join(gpu.get("driver_reasons") or [])
    if state == "coherent" and version:
        return Proof(DRIVER, PROVEN, told)
    return Proof(DRIVER, FAILED, f"{told} ({reasons})" if reasons else told)


def _smi(smi: Mapping[str, Any], gpu: Mapping[str, Any]) -> Proof:
    text = " ".join(str(smi.get("text", "")).split())
    if smi.get("code") != 0:
        return Proof(SMI, FAILED, f"exit code {smi.get('code')}: {text[:200]}")
    seen, there = len((gpu.get("smi") or {}).get("gpus") or []), gpu.get("count", 0)
    if not there or seen < there:
        return Proof(SMI, FAILED, f"it shows {seen} of {there} GPUs")
    return Proof(SMI, PROVEN, f"{seen} x {'/'.join(gpu.get('models') or ['GPU']).upper()}")


def _container(container: Mapping[str, Any]) -> Proof:
    if container.get("problem") or not container.get("version"):
        return Proof(CONTAINER, FAILED, " ".join(str(container.get("problem") or "no engine answered").split()))
    return Proof(CONTAINER, PROVEN, f"{container['engine']} {container['version']}")


def _last_resort(timer: str) -> Proof:
    """:param timer: what systemctl says of the timer that first boot made."""
    return Proof(LAST_RESORT, PROVEN if timer == "active" else FAILED, f"its timer is {timer or 'not there'}")


def _smi_in_container(container: Mapping[str, Any]) -> Proof:
    gpus = container.get("gpus") or []
    if not gpus:
        return Proof(SMI_IN_CONTAINER, FAILED, "no container saw a GPU")
    return Proof(SMI_IN_CONTAINER, PROVEN, "; ".join(gpus))
