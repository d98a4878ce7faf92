# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether the instances of a pool run: started or stopped where the declaration says so."""

from __future__ import annotations

from typing import Any

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, code_of, message_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Reader
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.listing import ENDED, read_instances
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.starting import Start
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity import type_facts
from ansible_collections.mlinfra.hosts.plugins.module_utils.capacity.ruling import decided, ruling
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Observed
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Pool


def state(pool: Pool) -> dict[str, str]:
    return {} if pool.power == "unmanaged" else {"power": pool.power}


def found_state(status: str) -> dict[str, str]:
    """Where it is on its way to."""
    return {"power": "stopped" if status in ("stopping", "stopped") else "running"}


def _stops(pool: Pool) -> bool:
    """Whether its instances are stopped, by a run or by themselves."""
    return pool.power == "stopped" or (pool.lease is not None and pool.lease.idle is not None and pool.lease.on_idle == "stop")


def look(reader: Reader, seen: Observed, launching: list[Pool]) -> None:
    """Read of the types that will be stopped whether that loses data. No request where nothing is going to be stopped.

    :raises StackError: a pool is to be launched whose hosts would stop themselves and lose data that nobody has given up.
    """
    wary = [pool for pool in reader.stack.pools or () if _stops(pool) and pool.data_loss != "accepted"]
    types = {name for pool in wary if pool in launching for name in pool.instance_types}
    stopping = {pool.name for pool in wary if pool.power == "stopped"}
    types |= {
        found.state["instance_type"]
        for found in seen.of("instance")
        if found.owned and found.facts["pool"] in stopping and found.state["power"] == "running"
    }
    unknown = types - set(seen.type_facts)
    if unknown:
        seen.type_facts.update(type_facts.read(reader.client("ec2"), unknown))
    for pool in (one for one in wary if one in launching):
        for name in pool.instance_types:
            if name in seen.type_facts and seen.type_facts[name].instance_store:
                raise StackError(
                    f"pools.{pool.name}.lease.on_idle is stop: {name} has instance store, and a stop loses what is on it",
                    "Use on_idle: terminate, or data_loss: accepted if nothing there is worth keeping",
                    path=f"pools.{pool.name}.lease.on_idle",
                )


def refused(change: Change, seen: Observed) -> str:
    """Why an instance must not be stopped, or nothing. Pure."""
    if "power" not in change.fields or change.wish.state["power"] != "stopped":
        return ""
    pool, name = change.wish.make["pool"], change.found.state["instance_type"]
    if change.found.facts.get("market") == "spot":
        return f"pools.{pool.name}.power is stopped, and EC2 stops no one-time spot instance: end it, or use power: unmanaged"
    facts = seen.type_facts.get(name)
    if pool.data_loss != "accepted" and (facts is None or facts.instance_store):
        what = f"{name} has {facts.instance_store_gib} GiB of instance store" if facts else f"nothing is known of the disks of {name}"
        return f"{what}, and a stop loses what is on it: set pools.{pool.name}.data_loss: accepted if nothing there is worth keeping"
    return ""


def switch(act: Any, change: Change) -> None:
    """Start or stop one instance, and return when it is there.

    :raises StackError: EC2 has no capacity to start it.
    """
    if change.wish.state["power"] == "stopped":
        act.call("ec2", "stop_instances", InstanceIds=[change.id])
        act.wait(f"stopping {change.name} ({change.id})", lambda: _status(act, change)["State"]["Name"] in ("stopped", *ENDED))
        return
    if change.found.facts["status"] == "stopping":  # EC2 starts only what has stopped
        act.wait(f"stopping {change.name} ({change.id})", lambda: _status(act, change)["State"]["Name"] != "stopping")
    try:
        act.call("ec2", "start_instances", InstanceIds=[change.id])
    except Exception as error:
        if decided(code_of(error)):
            raise _stays_stopped(change, code_of(error), message_of(error)) from error
        raise
    start = Start()
    act.wait(f"starting {change.name} ({change.id})", lambda: _runs(act, change, start))


def _runs(act: Any, change: Change, start: Start) -> bool:
    raw = _status(act, change)
    reason = start.refused(raw)
    if reason is not None:
        raise _stays_stopped(change, reason["Code"], reason.get("Message", ""))
    return raw["State"]["Name"] in ("running", *ENDED)


def _status(act: Any, change: Change) -> dict[str, Any]:
    raws = read_instances(act.reader, [change.id])
    return raws[0] if raws else {"State": {"Name": "unknown"}}


def _stays_stopped(change: Change, code: str, message: str) -> StackError:
    found, pool = change.found, change.wish.make["pool"]
    what = f"{change.name} ({change.id}, {found.state['instance_type']} in {found.state['zone']}) cannot be started"
    why, hint = ruling(code).why, f"terminate {change.id}, which loses its disk, and run again: its slot is then filled"
    if decided(code):
        hint = f"Run again later; or {hint} where there is capacity"
    else:
        why, hint = "it began and stopped again", f"Mend that, or look at its system log, and run again; or {hint} anew"
    return StackError(
        f"{what}: {why} ({code}: {message})",
        hint,
        code=code,
        path=f"pools.{pool.name}.power",
        instance_id=change.id,
    )
