# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which slot each instance of a fleet has. Pure.

A fleet tags all of its instances alike, with all slots of the launch; which one is whose is said by a tag of its own after the launch.
A run that ends in between leaves instances without it: they have the slots that are left, in the order of their ids, as the launch would
have said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.listing import ENDED
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.placing import slot_of, slots_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.provenance import FLEET
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import SLOT, SLOTS, to_dict


def fleet_slots(raws: Iterable[Mapping[str, Any]]) -> dict[str, Optional[int]]:
    """Instance id → slot, for all living instances of fleets; None where a fleet has more instances than slots."""
    fleets: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for raw in raws:
        tags = to_dict(raw.get("Tags"))
        if FLEET in tags and raw["State"]["Name"] not in ENDED:
            fleets.setdefault(tags[FLEET], []).append((raw["InstanceId"], tags))
    found: dict[str, Optional[int]] = {}
    for members in fleets.values():
        told = {instance_id: slot_of({SLOT: tags[SLOT]}, 0) for instance_id, tags in members if SLOT in tags}
        slots = {slot for _id, tags in members for slot in slots_of(tags.get(SLOTS, ""))}
        free = iter(sorted(slots - set(told.values())))
        found.update(told)
        for instance_id, _tags in sorted(one for one in members if one[0] not in told):
            found[instance_id] = next(free, None)
    return found
