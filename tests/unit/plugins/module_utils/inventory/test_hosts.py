# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records → names, variables, groups and ways in."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.inventory.hosts import Wish, group_priority, hosts_of, slot_at
from ansible_collections.mlinfra.hosts.plugins.module_utils.inventory.ssh import SshOptions

SHORT = Wish(short_names=True)


def record(number: int = 1, tags: dict | None = None, **changes) -> dict:
    """An instance of stack vision in dev; ``tags`` without their mlinfra: prefix."""
    wanted = {"stack": "vision", "environment": "dev", "kind": "instance", "pool": "train", "slots": "0-9", "access": "direct"}
    wanted.update({"ssh-user": "admin"}, **(tags or {}))
    known = {
        "id": f"i-0000000000000000{number}",
        "type": "g5.12xlarge",
        "image": "ami-1",
        "state": "running",
        "zone": "us-east-1a",
        "region": "us-east-1",
        "private_ip": f"10.42.1.{number}",
        "public_ip": f"203.0.113.{number}",
        "lifecycle": None,
        "reservation": None,
        "launch_index": number,
        "launched": "2026-05-08T16:46:19.000Z",
        "tags": {f"mlinfra:{key}": value for key, value in wanted.items() if value is not None},
    }
    return {**known, **changes}


def host_of(*records: dict, wish: Wish = SHORT):
    hosts, warnings = hosts_of(records, wish)
    assert not warnings
    return hosts[0]


@pytest.mark.parametrize(
    "slots, index, slot",
    [("0-2,5", 0, 0), ("0-2,5", 2, 2), ("0-2,5", 3, 5), ("7", 0, 7), ("3,1", 1, 1)]
    + [("0-2", 3, None), ("", 0, None), ("a-b", 0, None), ("0-", 0, None)],
)
def test_the_slot_of_a_launch_index(slots, index, slot):
    assert slot_at(slots, index) == slot


def test_hosts_are_named_by_pool_and_slot_when_there_is_one_stack():
    hosts, dummy = hosts_of([record(10, {"slots": "0-20"}), record(9, {"slots": "0-20"}), record(1, {"pool": "cpu"})], SHORT)

    assert [host.name for host in hosts] == ["cpu-1", "train-9", "train-10"]


def test_hosts_are_named_in_full_when_there_may_be_several():
    hosts, dummy = hosts_of([record(1), record(1, {"stack": "speech"}, id="i-2")], Wish())

    assert [host.name for host in hosts] == ["speech-dev-train-1", "vision-dev-train-1"]


def test_an_instance_without_slot_is_named_by_its_id():
    assert host_of(record(1, {"slots": None})).name == "i-00000000000000001"


def test_two_instances_in_one_slot_are_both_listed_and_told():
    old = record(1, {"slots": "1-9"}, launch_index=0, launched="2026-05-01T00:00:00.000Z")
    hosts, warnings = hosts_of([old, record(2, {"slots": "1-9"}, launch_index=0)], SHORT)

    assert {host.name: host.variables["mlinfra_instance_id"][-1] for host in hosts} == {"train-1": "2", "train-1-i-00000000000000001": "1"}
    assert len(warnings) == 1
    assert "train-1" in warnings[0]


def test_variables_of_a_gpu_host():
    variables = host_of(record(1, lifecycle="spot")).variables

    assert {key: value for key, value in variables.items() if key.startswith("mlinfra_")} == {
        "mlinfra_stack": "vision",
        "mlinfra_environment": "dev",
        "mlinfra_pool": "train",
        "mlinfra_slot": 1,
        "mlinfra_instance_id": "i-00000000000000001",
        "mlinfra_state": "running",
        "mlinfra_region": "us-east-1",
        "mlinfra_zone": "us-east-1a",
        "mlinfra_instance_type": "g5.12xlarge",
        "mlinfra_image_id": "ami-1",
        "mlinfra_market": "spot",
        "mlinfra_private_ip": "10.42.1.1",
        "mlinfra_public_ip": "203.0.113.1",
        "mlinfra_access": "direct",
        "mlinfra_bastion": None,
        "mlinfra_gpu_model": "a10g",
        "mlinfra_gpu_count": 4,
        "mlinfra_gpu_memory_mib": 22888,
        "mlinfra_gpu_compute_capability": "8.6",
        "mlinfra_tags": {},
    }


def test_groups_of_a_gpu_host():
    assert set(host_of(record(1)).groups) == {
        "mlinfra_gpu_hosts",
        "mlinfra_gpu_a10g",
        "mlinfra_stack_vision",
        "mlinfra_environment_dev",
        "mlinfra_pool_train",
        "mlinfra_region_us_east_1",
        "mlinfra_zone_us_east_1a",
        "mlinfra_type_g5_12xlarge",
        "mlinfra_access_direct",
    }


def test_a_host_without_gpu():
    host = host_of(record(1, type="t3.large"))

    assert "mlinfra_cpu_hosts" in host.groups
    assert not [group for group in host.groups if group.startswith("mlinfra_gpu")]
    assert (host.variables["mlinfra_gpu_model"], host.variables["mlinfra_gpu_count"]) == (None, 0)


def test_a_slice_of_a_gpu_is_a_gpu_host():
    host = host_of(record(1, type="g6f.large"))

    assert {"mlinfra_gpu_hosts", "mlinfra_gpu_l4"} <= set(host.groups)
    assert host.variables["mlinfra_gpu_count"] == 0


def test_group_names_are_identifiers():
    groups = host_of(record(1, {"pool": "träin-a.b", "environment": "dev-2"})).groups

    assert {"mlinfra_pool_tr_in_a_b", "mlinfra_environment_dev_2"} <= set(groups)
    assert all(group.isidentifier() for group in groups)


def test_group_vars_of_the_pool_win_over_all_others():
    groups = sorted(host_of(record(1)).groups, key=group_priority)

    assert (groups[0], groups[1], groups[-1]) == ("mlinfra_stack_vision", "mlinfra_environment_dev", "mlinfra_pool_train")


@pytest.mark.parametrize(
    "changes, market",
    [({}, "on_demand"), ({"lifecycle": "spot"}, "spot"), ({"lifecycle": "capacity-block"}, "capacity_block")]
    + [({"reservation": "cr-1"}, "reservation")],
)
def test_market(changes, market):
    assert host_of(record(1, **changes)).variables["mlinfra_market"] == market


def test_tags_of_the_user_are_a_variable():
    mine = record(1)
    mine["tags"].update({"team": "vision", "aws:autoscaling:groupName": "x"})

    assert host_of(mine).variables["mlinfra_tags"] == {"team": "vision"}


@pytest.mark.parametrize(
    "address, access, public, expected",
    [
        ("auto", "direct", "203.0.113.1", "203.0.113.1"),
        ("auto", "direct", None, "10.42.1.1"),
        ("private", "direct", "203.0.113.1", "10.42.1.1"),
        ("public", "direct", "203.0.113.1", "203.0.113.1"),
    ],
)
def test_address(address, access, public, expected):
    host = host_of(record(1, {"access": access}, public_ip=public), wish=Wish(address))

    assert host.variables["ansible_host"] == expected
    assert "mlinfra_access_problem" not in host.variables


def test_a_host_without_the_wanted_address_says_so():
    host = host_of(record(1, public_ip=None), wish=Wish("public"))

    assert "has no public address" in host.variables["mlinfra_access_problem"]
    assert host.variables["mlinfra_access_problem"] in host.variables["ansible_ssh_common_args"]


def test_how_to_log_in():
    variables = host_of(record(1), wish=Wish(ssh=SshOptions("/known", "/key"))).variables

    assert variables["ansible_user"] == "admin"
    assert variables["ansible_ssh_private_key_file"] == "/key"
    assert "HostKeyAlias=i-00000000000000001" in variables["ansible_ssh_common_args"]
    assert "UserKnownHostsFile=/known" in variables["ansible_ssh_common_args"]


def test_without_a_key_nor_user_ssh_decides():
    variables = host_of(record(1, {"ssh-user": None})).variables

    assert not {"ansible_user", "ansible_ssh_private_key_file"} & set(variables)


def test_connections_are_kept_open_for_one_instance_only():
    """Ansible's own name for the socket is made of the address, which the next instance may get within ControlPersist."""
    first, second = (host_of(record(1, id=id_)).variables["ansible_control_path"] for id_ in ("i-0aaaaaaaaaaaaaaa1", "i-0aaaaaaaaaaaaaaa2"))

    assert first != second
    assert first % {"directory": "/cp"} == "/cp/aaaaaaa1-%r"


INNER = {"pool": "inner", "access": "bastion", "bastion": "gate"}


def inner_host(*others: dict, tags: dict | None = None, wish: Wish = SHORT):
    hosts, dummy = hosts_of([*others, record(5, {**INNER, **(tags or {})}, public_ip=None)], wish)
    return next(host for host in hosts if host.variables["mlinfra_pool"] == "inner")


def test_a_host_behind_a_bastion_is_reached_through_the_first_one_that_runs():
    states = ((1, "stopped"), (3, "running"), (2, "running"))
    gates = [record(number, {"pool": "gate", "ssh-user": "ops"}, state=state) for number, state in states]
    variables = inner_host(*gates, wish=Wish(ssh=SshOptions("/known", "/key"))).variables

    assert variables["ansible_host"] == "10.42.1.5"
    assert "ops@203.0.113.2 -W" in variables["ansible_ssh_common_args"]
    for word in ("HostKeyAlias=i-00000000000000002", "HostKeyAlias=i-00000000000000005", "-i /key", "UserKnownHostsFile=/known"):
        assert word in variables["ansible_ssh_common_args"]


def test_the_bastion_of_another_environment_does_not_count():
    variables = inner_host(record(1, {"pool": "gate", "environment": "prod"})).variables

    assert "pool gate of vision-dev" in variables["mlinfra_access_problem"]
    assert "no running instance" in variables["mlinfra_access_problem"]


def test_a_bastion_may_be_an_address():
    variables = inner_host(tags={"bastion": "ops@bastion.example.org"}).variables

    assert "ops@bastion.example.org -W" in variables["ansible_ssh_common_args"]
    assert variables["mlinfra_bastion"] == "ops@bastion.example.org"


@pytest.mark.parametrize(
    "tags, problem",
    [
        ({"bastion": None}, "no tag mlinfra:bastion"),
        ({"bastion": "gate"}, "no running instance"),
        ({"bastion": "inner"}, "its own bastion"),
        ({"bastion": "ops@-oProxyCommand=id"}, "tag mlinfra:bastion"),
    ],
)
def test_a_missing_way_in_is_said_at_once(tags, problem):
    variables = inner_host(tags=tags).variables

    assert problem in variables["mlinfra_access_problem"]
    assert "ProxyCommand=sh" in variables["ansible_ssh_common_args"]
    assert "ControlPersist" not in variables["ansible_ssh_args"]


def test_no_instances_no_hosts():
    assert hosts_of([], SHORT) == ([], [])


def test_an_instance_with_a_slot_of_its_own():
    """A fleet launches its instances one by one, and an adopted one was never launched here: their tag says the slot."""
    assert host_of(record(1, {"slots": "0-9", "slot": "7"})).name == "train-7"
    assert host_of(record(1, {"slots": None, "slot": "3"})).name == "train-3"
    assert host_of(record(1, {"slots": "0-9", "slot": "x"}, launch_index=2)).name == "train-2"
