#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: exporter_scrape_info
short_description: Scrape a Prometheus exporter from the host that runs it
version_added: 0.1.0
description:
  - Fetches the metrics as Prometheus would, waits for a service that has only just been started, and returns the named metrics.
  - Returns only what was asked for, because the whole page of an exporter easily has hundreds of kilobytes.
author:
  - mlinfra.hosts contributors (@mlinfra)
attributes:
  check_mode:
    support: full
    description: Reads only, so it does the same in check mode.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  url:
    description: Where the metrics are.
    type: str
    required: true
  metrics:
    description: Names of the metrics to return.
    type: list
    elements: str
    required: true
  cert_file:
    description:
      - The certificate on this host that the exporter is to present. With it the connection is trusted when exactly this certificate,
        or one that it signed, is served; the name in it is not compared, since the scrape goes to a local address.
    type: path
  username:
    description: User for basic authentication.
    type: str
  password:
    description: Password for basic authentication.
    type: str
  wait:
    description: Seconds to wait until the exporter answers.
    type: int
    default: 20
  unit:
    description: The exporter's systemd service, whose last log lines go into the message when it does not answer.
    type: str
"""

EXAMPLES = r"""
- name: Read what the exporter says of itself
  mlinfra.hosts.exporter_scrape_info:
    url: http://127.0.0.1:9100/metrics
    metrics: [node_exporter_build_info, node_scrape_collector_success]
  register: scrape

- name: Want the CPU collector to work
  ansible.builtin.assert:
    that: "{'name': 'node_scrape_collector_success', 'labels': {'collector': 'cpu'}, 'value': 1.0} in scrape.samples"
"""

RETURN = r"""
samples:
  description: The samples of the named metrics, in the exporter's order. A value that JSON has no number for is text (V(NaN), V(+Inf)).
  returned: success
  type: list
  elements: dict
  sample: [{name: node_scrape_collector_success, labels: {collector: cpu}, value: 1.0}]
size:
  description: Bytes of the whole page.
  returned: success
  type: int
  sample: 91234
"""

import time
from urllib.error import HTTPError

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_native

from ansible_collections.mlinfra.hosts.plugins.module_utils.exporter import exposition, scrape
from ansible_collections.mlinfra.hosts.plugins.module_utils.host import units

ARGUMENTS = {
    "url": {"type": "str", "required": True},
    "metrics": {"type": "list", "elements": "str", "required": True},
    "cert_file": {"type": "path"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "wait": {"type": "int", "default": 20},
    "unit": {"type": "str"},
}
PAUSE = 0.25


def patiently(params, absent=lambda: False, clock=time.monotonic, sleep=time.sleep):
    """scrape.fetch, again and again until it works or the time is over. An answer with a status is final: the service is there.

    absent: whether it cannot come, asked once and only when there is no answer.
    """
    end = clock() + params["wait"]
    hopeless = None
    while True:
        try:
            return scrape.fetch(params["url"], params["cert_file"], params["username"], params["password"])
        except HTTPError:
            raise
        except OSError:
            hopeless = absent() if hopeless is None else hopeless
            if hopeless or clock() >= end:
                raise
            sleep(PAUSE)


def is_absent(module):
    """Whether a unit is named that this host does not have."""
    unit = module.params["unit"]
    return bool(unit) and not units.parse(module.run_command(units.question([unit]))[1], [unit])[unit]["exists"]


def last_words(module):
    """The last lines that the unit logged, or that it is not there, as a sentence; empty without a unit."""
    if not module.params["unit"]:
        return ""
    if is_absent(module):
        return " This host has no %s: run role mlinfra.hosts.node_exporter on it first." % module.params["unit"]
    unused, out, err = module.run_command(["journalctl", "--unit", module.params["unit"], "--lines", "5", "--no-pager", "--output", "cat"])
    return " Last lines of its log (journalctl -u %s):\n%s" % (module.params["unit"], (out or err).strip())


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True, required_together=[("username", "password")])
    url = module.params["url"]
    try:
        told = scrape.told(patiently(module.params, lambda: is_absent(module)), module.params["metrics"])
    except HTTPError as error:
        module.fail_json(msg="%s answers %d %s: expected 200.%s" % (url, error.code, error.reason, last_words(module)))
    except OSError as error:
        reason = to_native(getattr(error, "reason", None) or error)
        within = "" if is_absent(module) else " within %d s" % module.params["wait"]
        module.fail_json(msg="%s does not answer%s: %s.%s" % (url, within, reason, last_words(module)))
    except exposition.ExpositionError as error:
        module.fail_json(msg="%s is no metrics page: %s. Is another service behind this port?" % (url, error))
    module.exit_json(changed=False, **told)


if __name__ == "__main__":
    main()
