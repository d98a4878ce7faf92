# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""One answer of EC2 DescribeInstances, read straight from its XML.

botocore's own parser walks the whole shape of an instance, of which an inventory needs a dozen fields; reading only
those is several times faster. The answer's form: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
"""

from __future__ import annotations

from typing import Optional
from xml.etree import ElementTree

# Element of the answer: key of the record.
_PLAIN = {
    "instanceId": "id",
    "instanceType": "type",
    "imageId": "image",
    "privateIpAddress": "private_ip",
    "ipAddress": "public_ip",
    "instanceLifecycle": "lifecycle",
    "capacityReservationId": "reservation",
    "amiLaunchIndex": "launch_index",
    "launchTime": "launched",
}
_INSIDE = {"instanceState": ("name", "state"), "placement": ("availabilityZone", "zone")}
_EMPTY = dict.fromkeys([*_PLAIN.values(), *(key for dummy, key in _INSIDE.values())], None)


class NotAnAnswer(ValueError):
    """The text is not the answer of DescribeInstances."""


def read_page(body: bytes) -> tuple[list[dict], Optional[str]]:
    """Records of all instances in ``body`` and the token of the next page, None at the end.

    A record is JSON-able: id, type, image, private_ip, public_ip, lifecycle, reservation, launched, state, zone are
    str or None, launch_index an int, tags a dict. Raises NotAnAnswer.
    """
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise NotAnAnswer(f"not XML: {error}") from error
    namespace, dummy, name = root.tag.rpartition("}")
    if name != "DescribeInstancesResponse":
        raise NotAnAnswer(f"the answer is a {name}")
    namespace = namespace + "}" if namespace else ""
    records = [
        _record(instance, len(namespace))
        for reservation in root.iterfind(f"{namespace}reservationSet/{namespace}item")
        for instance in reservation.iterfind(f"{namespace}instancesSet/{namespace}item")
    ]
    return records, root.findtext(f"{namespace}nextToken") or None


def _record(instance: ElementTree.Element, prefix: int) -> dict:
    """``prefix`` is the length of ``{namespace}`` in front of each element's name."""
    record = dict(_EMPTY, tags={})
    for child in instance:
        name = child.tag[prefix:]
        if name in _PLAIN:
            record[_PLAIN[name]] = child.text or None
        elif name in _INSIDE:
            inner, key = _INSIDE[name]
            record[key] = _text(child, inner, prefix)
        elif name == "tagSet":
            record["tags"] = {_text(tag, "key", prefix): _text(tag, "value", prefix) or "" for tag in child}
    record["launch_index"] = int(record["launch_index"] or 0)
    return record


def _text(element: ElementTree.Element, name: str, prefix: int) -> Optional[str]:
    for child in element:
        if child.tag[prefix:] == name:
            return child.text
    return None
