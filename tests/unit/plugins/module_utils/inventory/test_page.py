# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DescribeInstances XML as EC2 writes it → records."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.inventory.page import NotAnAnswer, read_page

# Shaped after the example answer in the EC2 API reference, DescribeInstances.
ANSWER = b"""<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
    <requestId>8f7724cf-496f-496e-8fe3-example</requestId>
    <reservationSet>
        <item>
            <reservationId>r-1234567890abcdef0</reservationId>
            <ownerId>123456789012</ownerId>
            <groupSet/>
            <instancesSet>
                <item>
                    <instanceId>i-1234567890abcdef0</instanceId>
                    <imageId>ami-bff32ccc</imageId>
                    <instanceState><code>16</code><name>running</name></instanceState>
                    <privateDnsName>ip-192-168-1-88.eu-west-1.compute.internal</privateDnsName>
                    <reason/>
                    <amiLaunchIndex>1</amiLaunchIndex>
                    <instanceType>g5.12xlarge</instanceType>
                    <launchTime>2026-05-08T16:46:19.000Z</launchTime>
                    <placement><availabilityZone>eu-west-1c</availabilityZone><groupName/><tenancy>default</tenancy></placement>
                    <monitoring><state>disabled</state></monitoring>
                    <subnetId>subnet-56f5f633</subnetId>
                    <privateIpAddress>192.168.1.88</privateIpAddress>
                    <ipAddress>54.194.252.215</ipAddress>
                    <tagSet>
                        <item><key>mlinfra:pool</key><value>train</value></item>
                        <item><value>R&amp;D &#8212; {{ team }}</value><key>team</key></item>
                        <item><key>empty</key><value/></item>
                    </tagSet>
                    <networkInterfaceSet>
                        <item><privateIpAddress>10.9.9.9</privateIpAddress><tagSet><item><key>no</key><value>no</value></item></tagSet></item>
                    </networkInterfaceSet>
                    <instanceLifecycle>spot</instanceLifecycle>
                </item>
                <item>
                    <instanceId>i-0598c7d356eba48d7</instanceId>
                    <instanceState><code>80</code><name>stopped</name></instanceState>
                    <capacityReservationId>cr-0a1b</capacityReservationId>
                </item>
            </instancesSet>
        </item>
        <item><instancesSet><item><instanceId>i-3</instanceId></item></instancesSet></item>
    </reservationSet>
    <nextToken>eyJ2IjoiMiJ9</nextToken>
</DescribeInstancesResponse>
"""


def test_every_instance_of_every_reservation_is_read():
    records, token = read_page(ANSWER)

    assert [record["id"] for record in records] == ["i-1234567890abcdef0", "i-0598c7d356eba48d7", "i-3"]
    assert token == "eyJ2IjoiMiJ9"


def test_a_record_has_what_the_answer_says():
    assert read_page(ANSWER)[0][0] == {
        "id": "i-1234567890abcdef0",
        "type": "g5.12xlarge",
        "image": "ami-bff32ccc",
        "state": "running",
        "zone": "eu-west-1c",
        "private_ip": "192.168.1.88",
        "public_ip": "54.194.252.215",
        "lifecycle": "spot",
        "reservation": None,
        "launch_index": 1,
        "launched": "2026-05-08T16:46:19.000Z",
        "tags": {"mlinfra:pool": "train", "team": "R&D \N{EM DASH} {{ team }}", "empty": ""},
    }


def test_what_an_instance_does_not_have_is_none():
    stopped = read_page(ANSWER)[0][1]

    assert (stopped["state"], stopped["reservation"], stopped["private_ip"], stopped["zone"]) == ("stopped", "cr-0a1b", None, None)
    assert (stopped["launch_index"], stopped["tags"]) == (0, {})


def test_records_do_not_share_their_tags():
    first, second = read_page(ANSWER)[0][1:]
    first["tags"]["mine"] = "yes"

    assert second["tags"] == {}


def test_the_last_page_has_no_token():
    last = ANSWER.replace(b"<nextToken>eyJ2IjoiMiJ9</nextToken>", b"<nextToken/>")

    assert read_page(last)[1] is None
    assert read_page(b'<DescribeInstancesResponse xmlns="urn:x"><reservationSet/></DescribeInstancesResponse>') == ([], None)


def test_an_answer_without_namespace_is_read_too():
    assert read_page(ANSWER.replace(b' xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"', b""))[0] == read_page(ANSWER)[0]


@pytest.mark.parametrize("body", [b"", b"<html><body>Bad gateway", b'{"error": 1}', b"<DescribeVpcsResponse/>"])
def test_anything_else_is_refused(body):
    with pytest.raises(NotAnAnswer):
        read_page(body)
