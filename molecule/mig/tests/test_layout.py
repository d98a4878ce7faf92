# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout on the host, after a reboot, and what is refused. Run in this order."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import testinfra

SCENARIO = Path(__file__).resolve().parents[1]
INVENTORY = SCENARIO / "inventory"
HOST = "a100-0"
WISHED = {0: None, 1: ["1g.5gb"] * 7, **{index: ["3g.20gb"] * 2 for index in range(2, 8)}}


def as_root(command, *arguments):
    host = testinfra.get_host(f"ansible://{HOST}?ansible_inventory={INVENTORY}")
    with host.sudo():
        return host.check_output(command, *arguments)


def run(playbook, *options, **variables):
    """(output, message of the failure) of a playbook on the host."""
    command = ["ansible-playbook", "-i", INVENTORY, "--limit", HOST, "-e", json.dumps(variables), *options, playbook]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    found = re.search(rf"^fatal: \[{HOST}\]: FAILED! => ", done.stdout, re.MULTILINE)
    return done.stdout + done.stderr, json.JSONDecoder().raw_decode(done.stdout[found.end() :])[0]["msg"] if found else ""


def converge(*options, **variables):
    return run(SCENARIO / "converge.yml", *options, **variables)


def layout():
    """{GPU: profiles or None} as the stand-in remembers."""
    as_root("nvidia-smi -q -x > /dev/null")
    gpus = json.loads(as_root("cat /var/lib/stub-mig/state.json"))["gpus"]
    return {index: [one["name"] for one in gpu["made"]] if gpu["mode"] else None for index, gpu in enumerate(gpus)}


def restart(tmp_path):
    playbook = tmp_path / "restart.yml"
    play = {"hosts": HOST, "gather_facts": False, "become": True, "tasks": [{"ansible.builtin.reboot": {"reboot_timeout": 120}}]}
    playbook.write_text(json.dumps([play]))
    output, told = run(playbook)
    assert not told, output


def test_the_layout_is_made_and_cdi_knows_it(host):
    if host.backend.get_hostname() != HOST:
        assert not host.file("/etc/mlinfra/mig_layout.json").exists
        return
    assert layout() == WISHED
    wished = ["0", *[f"1:{number}" for number in range(7)], *[f"{gpu}:{part}" for gpu in range(2, 8) for part in (0, 1)], "all"]
    for folder in ("/etc/cdi", "/var/run/cdi"):
        assert re.findall(r'name: "(.*)"', as_root(f"cat {folder}/nvidia.yaml")) == wished, folder


def test_a_reboot_loses_it_and_the_unit_makes_it_again(tmp_path):
    restart(tmp_path)
    as_root("systemctl start mlinfra-mig.service")
    assert layout() == WISHED
    assert "docker.service" in as_root("systemctl show -p Before mlinfra-mig.service")
    output, _told = converge()
    assert re.search(rf"{HOST} .*changed=0 ", output), output


def test_a_gpu_in_use_is_not_changed_and_the_process_is_named():
    as_root("""echo '[[3, 4242, "/usr/bin/python3 train.py"]]' > /var/lib/stub-mig/processes""")
    other = [{"gpus": [2, 3], "profiles": ["7g.40gb"]}]
    output, told = converge(mig_layout=other)
    assert "GPU 3 (NVIDIA A100-SXM4-40GB) is in use by pid 4242 (python3): its layout is not changed under them." in told, output
    assert layout() == WISHED, "a GPU that is free was changed although another one is in use"
    output, told = converge()
    assert not told and re.search(rf"{HOST} .*changed=0 ", output), "what is as wished does not mind processes"
    as_root("rm /var/lib/stub-mig/processes")


def test_profiles_that_the_gpu_does_not_have():
    output, told = converge(mig_layout=[{"profiles": ["3g.40gb"]}, {"gpus": [0], "profiles": ["4g.20gb", "4g.20gb"]}])
    assert "GPU 1 (NVIDIA A100-SXM4-40GB) has no profile 3g.40gb: expected some of 7g.40gb, 4g.20gb, 3g.20gb" in told, output
    assert "GPU 0 (NVIDIA A100-SXM4-40GB) has room for 1 of 4g.20gb: 2 are declared" in told
    assert layout() == WISHED


def test_a_mode_that_waits_for_a_reboot_is_said_and_done_by_it():
    as_root("touch /var/lib/stub-mig/pending")
    wish = [{"gpus": [0], "config": "all-balanced"}]
    output, told = converge(mig_layout=wish)
    assert "MIG's mode of GPU 0 on a100-0 changes with the next reboot only" in output, output
    # Not while a job is on another GPU, which the reboot would end.
    as_root("""echo '[[3, 4242, "/usr/bin/python3 train.py"]]' > /var/lib/stub-mig/processes""")
    boot = as_root("cat /proc/sys/kernel/random/boot_id")
    output, told = converge(mig_layout=wish, mig_reboot="if_required")
    expected = "a100-0 was not rebooted, as 1 process uses its GPUs (python3 pid 4242). Drain it, then run this again."
    assert expected in output and "are not partitioned as declared" in told, output
    assert as_root("cat /proc/sys/kernel/random/boot_id") == boot and layout() == WISHED
    as_root("rm /var/lib/stub-mig/processes")
    output, told = converge(mig_layout=wish, mig_reboot="if_required")
    assert not told and layout()[0] == ["3g.20gb", "2g.10gb", "1g.5gb", "1g.5gb"], output


def test_a_gpu_that_fails_leaves_no_old_cdi_devices_of_those_before_it():
    as_root("rm /var/lib/stub-mig/pending; echo 3 > /var/lib/stub-mig/broken")
    output, told = converge(mig_layout=[{"gpus": [2, 3], "profiles": ["7g.40gb"]}])
    assert "Cannot give GPU 3 7g.40gb" in told and "Done after it: write the CDI specification /etc/cdi/nvidia.yaml" in told, output
    assert (layout()[2], layout()[3]) == (["7g.40gb"], []) and 'name: "2:0"' in as_root("cat /etc/cdi/nvidia.yaml")
