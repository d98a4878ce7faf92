# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ec2_gpu on thousands of instances: a stub that replays DescribeInstances, a thousand a page.

The emulator takes many seconds for a thousand instances; what is asked here is what the plugin does with the answers.
"""

from __future__ import annotations

import gc
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

INSTANCE = """<item><reservationId>r-{number}</reservationId><instancesSet><item><instanceId>i-{number:017x}</instanceId>
<imageId>ami-1</imageId><instanceState><code>16</code><name>running</name></instanceState><amiLaunchIndex>{index}</amiLaunchIndex>
<instanceType>g5.xlarge</instanceType><launchTime>2026-05-08T16:46:19.000Z</launchTime>
<placement><availabilityZone>us-east-1{zone}</availabilityZone></placement><privateIpAddress>10.0.{high}.{low}</privateIpAddress>
<tagSet><item><key>mlinfra:kind</key><value>instance</value></item><item><key>mlinfra:stack</key><value>vision</value></item>
<item><key>mlinfra:environment</key><value>dev</value></item><item><key>mlinfra:pool</key><value>pool{pool}</value></item>
<item><key>mlinfra:slots</key><value>0-99</value></item></tagSet></item></instancesSet></item>"""


class Replay:
    """``count`` instances in pools of a hundred; ``asked`` has the parameters of each request."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.count = 0
        self.asked: list[dict[str, str]] = []

    def page(self, asked: dict[str, str]) -> bytes:
        first = int(asked.get("NextToken", 0))
        last = min(first + int(asked["MaxResults"]), self.count)
        items = "".join(self.instance(number) for number in range(first, last))
        token = f"<nextToken>{last}</nextToken>" if last < self.count else ""
        inside = f"<reservationSet>{items}</reservationSet>{token}"
        return f'<DescribeInstancesResponse xmlns="urn:ec2">{inside}</DescribeInstancesResponse>'.encode()

    @staticmethod
    def instance(number: int) -> str:
        known = {"index": number % 100, "pool": number // 100, "zone": "abc"[number % 3], "high": number // 250, "low": number % 250}
        return INSTANCE.format(number=number, **known)


@pytest.fixture
def replay() -> Iterator[Replay]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            known.asked.append(dict(urllib.parse.parse_qsl(body)))
            answer = known.page(known.asked[-1])
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_unused) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        known = Replay(server)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield known
        server.shutdown()
        thread.join()


@pytest.fixture
def listed(replay, tmp_path, monkeypatch):
    """``listed(count)``: the inventory of so many instances, made in this process."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"AWS_ACCESS_KEY_ID": "AKIAFAKE", "AWS_SECRET_ACCESS_KEY": "fake", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    path = tmp_path / "ec2_gpu.yml"

    def inventory(count: int, options: str = "") -> InventoryManager:
        replay.count = count
        path.write_text(f"plugin: mlinfra.hosts.ec2_gpu\nendpoint_url: {replay.url}\nstack: vision\nenvironment: dev\n{options}")
        return InventoryManager(loader=DataLoader(), sources=[str(path)])

    return inventory


def test_all_pages_are_read_a_thousand_at_a_time(replay, listed):
    inventory = listed(2500)

    assert len(inventory.groups["mlinfra_hosts"].get_hosts()) == 2500
    assert len(inventory.groups["mlinfra_pool_pool24"].get_hosts()) == 100
    assert inventory.get_host("pool24-99").vars["ansible_host"] == "10.0.9.249"
    assert [(one["MaxResults"], one.get("NextToken")) for one in replay.asked] == [("1000", None), ("1000", "1000"), ("1000", "2000")]


def test_aws_is_asked_for_no_more_than_is_wanted(replay, listed):
    listed(1)
    asked = replay.asked[0]
    filters = {asked[f"Filter.{number}.Name"]: asked[f"Filter.{number}.Value.1"] for number in range(1, 5)}

    assert filters == {
        "tag:mlinfra:kind": "instance",
        "instance-state-name": "running",
        "tag:mlinfra:stack": "vision",
        "tag:mlinfra:environment": "dev",
    }


def calls(work) -> int:
    """Function calls, those into C too, that ``work`` makes in this thread."""
    counted = 0

    def count(_frame, event, _argument) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    gc.disable()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return counted


@pytest.mark.parametrize("options", ["", "keyed_groups: [{key: mlinfra_pool, prefix: mine}]\n"])
def test_twice_the_hosts_are_twice_the_work(listed, options):
    listed(10, options)  # what is loaded once
    few, many = calls(lambda: listed(500, options)), calls(lambda: listed(1000, options))

    assert many < 2.2 * few
