# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every host of the stack: it is what was declared, and node_exporter answers."""

from __future__ import annotations

import pytest

SUITES = {"train": "bookworm", "cpu": "trixie"}


@pytest.fixture
def declared(host):
    return host.ansible.get_variables()


def test_suite_is_the_pools_image(host, declared):
    assert host.system_info.codename == SUITES[declared["mlinfra_pool"]]


def test_gpus_are_on_the_bus(host, declared):
    vendors = host.check_output("cat /sys/bus/pci/devices/*/vendor 2>/dev/null || true").split()
    assert vendors.count("0x10de") == declared["mlinfra_gpu_count"]
    assert declared["mlinfra_gpu_count"] == {"train": 4, "cpu": 0}[declared["mlinfra_pool"]]


def test_node_exporter_runs_and_starts_with_the_host(host):
    service = host.service("prometheus-node-exporter")
    assert service.is_running and service.is_enabled


def test_it_answers_at_the_hosts_private_address(host, declared):
    page = host.check_output("curl -fsS http://%s:9100/metrics", declared["mlinfra_private_ip"])
    assert "node_exporter_build_info{" in page


def test_the_instances_role_gives_credentials_to_the_host(host):
    token = host.check_output("curl -fsS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token")
    role = host.check_output(
        "curl -fsS -H 'X-aws-ec2-metadata-token: %s' http://169.254.169.254/latest/meta-data/iam/security-credentials/", token
    )
    assert role == "path-test-hosts"
