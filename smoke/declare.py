# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of one run, as a user would write it. Pure."""

from __future__ import annotations

import datetime
from typing import Any

from smoke import cost
from smoke.wish import NETWORK, TYPES, Wish

ENVIRONMENT = "proof"
ROLES = ["nvidia_driver", "container_runtime"]
MOST_ZONES = 3

# A stopped or ended host costs next to nothing. The moment is absolute, so that it outlives a reboot into the driver.
_LAST_RESORT = """\
#!/bin/sh
# Should nobody be left to end this host, it powers itself off.
cat > /etc/systemd/system/mlinfra-smoke-end.service <<'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/systemctl poweroff
UNIT
cat > /etc/systemd/system/mlinfra-smoke-end.timer <<'UNIT'
[Timer]
OnCalendar={moment}
Persistent=true
[Install]
WantedBy=timers.target
UNIT
systemctl daemon-reload
systemctl enable --now mlinfra-smoke-end.timer
"""


def zones_of(offers: list[dict[str, Any]]) -> list[str]:
    """The zones to have a network in, those of the cheapest offers first."""
    return list(dict.fromkeys(offer["zone"] for offer in offers))[:MOST_ZONES]


def variables(wish: Wish, stack: str, key: str, zones: list[str], begun: datetime.datetime) -> dict[str, Any]:
    """What is declared for localhost. :param key: path of the public key. :param begun: in UTC."""
    end = begun + datetime.timedelta(hours=cost.HOURS)
    network = {"cidr": NETWORK, "access": {"via": "direct", "cidrs": [wish.cidr]}}
    return {
        "aws_stack_name": stack,
        "aws_stack_environment": ENVIRONMENT,
        "aws_stack_account_id": wish.account,
        "aws_stack_region": wish.region,
        "aws_stack_tags": {"mlinfra-smoke": stack},
        "aws_stack_network": {**network, **({"zone_names": zones} if zones else {"zone_count": 1})},
        "aws_stack_key": {"public_key_file": key},
        "aws_stack_pools": [
            {
                "name": "gpu",
                "count": 1,
                "instance_types": list(TYPES),
                "market": list(wish.markets),
                "max_hourly_usd": wish.max_hourly_usd,
                "image": {"ssm": "/aws/service/debian/release/12/latest/amd64"},
                "disk": {"gib": cost.DISK_GIB},
                "user_data": _LAST_RESORT.format(moment=end.strftime("%Y-%m-%d %H:%M:%S UTC")),
            }
        ],
        "mlinfra_configure": ROLES,
    }


def host_variables(wish: Wish) -> dict[str, Any]:
    """What is declared for the host: all defaults on AWS. The sandbox's GPU is a PCI tree, to which no module can be loaded."""
    python = {"ansible_python_interpreter": "/usr/bin/python3"}
    if not wish.sandbox:
        return {**python, "nvidia_driver_reboot": "if_required"}
    return {
        **python,
        "nvidia_driver_source": "distribution",
        "nvidia_driver_kernel_modules": False,
        "container_runtime_nvidia": "none",
    }


def inventory(wish: Wish, stack: str, key: str, known_hosts: str) -> dict[str, Any]:
    """The file of the inventory plugin. :param key: path of the private key."""
    plugin = {"plugin": "mlinfra.hosts.ec2_gpu", "regions": [wish.region], "stack": stack, "environment": ENVIRONMENT}
    where = {"address": "private"} if wish.sandbox else {}  # public ones of the sandbox lead nowhere
    return {**plugin, **where, "private_key_file": key, "known_hosts_file": known_hosts}


def controller() -> dict[str, Any]:
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    return {"mlinfra_controller": {"hosts": {"localhost": local}}}
