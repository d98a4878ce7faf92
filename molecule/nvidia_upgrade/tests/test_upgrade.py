# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of hosts whose pins change, in the order of a driver's life: each test begins where the one before ended."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from plays import changes, failures, on_hosts, play

SCENARIO = Path(__file__).resolve().parents[1]
SNAPSHOT = SCENARIO.parent / "nvidia_driver" / "snapshot.sh"
PINS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "pins"
PINNED = ("bookworm-0", "trixie-0", "switched-0")
FIRST, LATER, POISONED, NO_FABRIC, GONE = "580.95.05", "595.58.03", "595.99.03", "590.44.01", "580.65.06"
FOREIGN = "/etc/apt/sources.list.d/cuda.list"
# Hosts that have what goes along with a driver, and what is in its names there.
BESIDE = {"switched-0": "", "bookworm-0": "-570"}
# No driver is loaded here, and without one it would fail.
WITHOUT_DRIVER = (
    "mkdir -p /etc/systemd/system/nvidia-imex.service.d; "
    "printf '[Service]\\nExecStart=\\nExecStart=/bin/sleep infinity\\n' >/etc/systemd/system/nvidia-imex.service.d/test.conf; "
    "systemctl daemon-reload"
)
NODES, LIBRARY = "/etc/nvidia-imex/nodes_config.cfg", "/usr/lib/x86_64-linux-gnu/libnvsdm.so.1"
MANIFEST = "/var/lib/mlinfra/nvidia_driver.json"
RECORD = "/var/lib/mlinfra/nvidia_driver/pins.json"


def pins(host, driver):
    return json.loads((PINS / f"{host}-{driver}.json").read_text())


class Hosts:
    """The scenario's hosts, as the tests move and look at them."""

    def __init__(self, folder):
        self.folder = folder

    def converge(self, wishes, code=0, playbook="converge.yml", options=()):
        """The output of the role with other variables for some hosts, on these alone. wishes: {host: {variable: value}}."""
        inventory = self.folder / "wishes.yml"
        inventory.write_text(json.dumps({"all": {"hosts": wishes}}))
        done = play(SCENARIO, "-i", inventory, "--limit", ",".join(wishes), *options, SCENARIO / playbook)
        assert done.returncode == code, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout

    def move(self, driver, *names, code=0, options=()):
        return self.converge({name: {"nvidia_driver_pins": str(PINS / f"{name}-{driver}.json")} for name in names}, code, options=options)

    def run(self, script, *names):
        """{host: what a shell script prints there}."""
        path = self.folder / "script.sh"
        path.write_text(f"#!/bin/sh\nset -eu\n{script}\n")
        told = on_hosts(SCENARIO, names, {"cmd": str(path)}, self.folder)
        return {name: text.replace("\r", "").strip() for name, text in told.items()}

    def snapshots(self, *names):
        told = on_hosts(SCENARIO, names, {"cmd": str(SNAPSHOT)}, self.folder)
        return {name: set(text.splitlines()) for name, text in told.items()}

    def differences(self, before):
        """{host: lines that came or went since snapshots()} of the hosts that differ."""
        after = self.snapshots(*before)
        return {name: sorted(after[name] ^ lines) for name, lines in before.items() if after[name] != lines}

    def recorded(self, *names):
        return {name: json.loads(text) for name, text in self.run(f"cat {RECORD}", *names).items()}

    def installed(self, *names):
        """{host: {package: (version, want)}} of what is installed."""
        told = self.run("dpkg-query -W -f '${Package} ${Version} ${db:Status-Want} ${db:Status-Status}\\n'", *names)
        lines = {name: [line.split() for line in text.splitlines()] for name, text in told.items()}
        return {name: {one[0]: (one[1], one[2]) for one in parts if one[3] == "installed"} for name, parts in lines.items()}


@pytest.fixture
def hosts(tmp_path):
    return Hosts(tmp_path)


def is_driver(hosts, driver, *names):
    """Whether exactly what is pinned is on these hosts, all of one driver, held and kept by apt's preferences."""
    for name, packages in hosts.installed(*names).items():
        wanted = dict(pins(name, driver)["packages"])
        if name != "switched-0":
            wanted.pop("nvidia-fabricmanager", None)
        assert {one: packages.get(one, (None,))[0] for one in wanted} == wanted, name
        family = {one: about for one, about in packages.items() if "nvidia" in one or "cuda" in one or "nvsdm" in one}
        assert {version for version, _ in family.values()} == {f"{driver}-1"}, (name, family)
        assert {want for _, want in family.values()} == {"hold"}, (name, family)
        assert ("nvidia-fabricmanager" in family) is (name == "switched-0")
    told = hosts.run(
        "apt-get -qq update >/dev/null 2>&1; apt-get -s --ignore-hold dist-upgrade | grep -c '^Inst .*nvidia' || true; dpkg --audit", *names
    )
    assert set(told.values()) == {"0"}, told


def test_installed_as_pinned_with_the_kernel(hosts, host):
    if host.backend.get_hostname() != "bookworm-0":
        pytest.skip("once, for all hosts")
    is_driver(hosts, FIRST, *PINNED)
    for name, record in hosts.recorded(*PINNED).items():
        assert record == {"schema": 1, "current": pins(name, FIRST), "previous": None}
    told = hosts.run("modinfo -F version /lib/modules/6.1.0-98-amd64/updates/dkms/nvidia.ko; ls /boot/vmlinuz-6.1.0-98-amd64", *PINNED)
    assert set(told.values()) == {f"{FIRST}\n/boot/vmlinuz-6.1.0-98-amd64"}


def test_newer_branches_change_nothing(hosts):
    hosts.run("ln -sfn nvidia-after /srv/www/moving", "mirror-0")
    assert changes(hosts.move(FIRST, *PINNED)) == dict.fromkeys(PINNED, 0)
    is_driver(hosts, FIRST, *PINNED)


def test_missing_fabric_manager_is_refused_where_it_is_needed(hosts):
    before = hosts.snapshots(*PINNED)
    (told,) = failures(hosts.move(NO_FABRIC, "switched-0", code=2)).values()
    assert "nvidia_driver_pins.packages.nvidia-fabricmanager is 590.44.01-1: no source of this host offers it any more" in told
    assert "Use a mirror that keeps it, or resolve again" in told
    assert hosts.differences(before) == {}


def test_version_that_is_gone_is_refused(hosts):
    before = hosts.snapshots("trixie-0")
    (told,) = failures(hosts.move(GONE, "trixie-0", code=2)).values()
    assert "nvidia_driver_pins.packages.nvidia-driver-cuda is 580.65.06-1: no source of this host offers it any more (offered: " in told
    assert hosts.differences(before) == {}


def went_along(hosts, driver):
    """Whether what these hosts have besides their driver is of its version alone, with what somebody set."""
    script = "dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\\n' 'nvidia-imex*' 'libnvsdm*' | grep ' installed$'\n"
    script += f"cat {LIBRARY}; tail -n 1 {NODES}; systemctl is-enabled nvidia-imex"
    expected = [f"libnvsdm {driver}-1 installed", f"nvidia-imex {driver}-1 installed", f"libnvsdm {driver}", "10.87.0.9", "enabled"]
    return hosts.run(script, *BESIDE) == dict.fromkeys(BESIDE, "\n".join(expected))


def test_what_is_besides_the_driver_is_seen_before_anything_is_changed(hosts):
    """One host has it of its driver, the other one by the names of a driver before, which nobody moved."""
    for name, suffix in BESIDE.items():
        hosts.run(f"apt-get -qq -y install nvidia-imex{suffix} libnvsdm{suffix} >/dev/null 2>&1", name)
    hosts.run(f"echo 10.87.0.9 >>{NODES}; {WITHOUT_DRIVER}; systemctl -q enable --now nvidia-imex", *BESIDE)
    assert hosts.run(f"cat {LIBRARY}", *BESIDE) == {"switched-0": f"libnvsdm {FIRST}", "bookworm-0": "libnvsdm 570.172.08"}
    before = hosts.snapshots(*BESIDE)
    (told,) = failures(hosts.move(NO_FABRIC, "bookworm-0", code=2)).values()
    for one in ("libnvsdm", "nvidia-imex"):
        assert (
            f"{one}-570 570.172.08-1 is on this host and has to be of the driver's version: NVIDIA's repository has no {one} {NO_FABRIC} "
            f"(there is: 580.95.05, 580.126.09, 590.48.01, "
        ) in told, told
        assert f"Nothing was changed. Remove it (apt-get remove {one}-570), use a mirror that has it, or choose another driver." in told
    output = hosts.move(LATER, *BESIDE, options=("--check", "--diff"))
    assert all(changes(output).values())
    assert output.count(f"+nvidia-imex {LATER}-1") == 2 and output.count(f"+libnvsdm {LATER}-1") == 2, output
    assert hosts.differences(before) == {}


def test_poisoned_branch_is_undone(hosts):
    before, record = hosts.snapshots(*PINNED), hosts.recorded(*PINNED)
    told = failures(hosts.move(POISONED, *PINNED, code=2))
    assert sorted(told) == sorted(PINNED)
    for message in told.values():
        assert re.search(
            r"^Driver 595\.99\.03 could not be set up:\n  driver 595\.99\.03 does not verify: kernel 6\.1\.0-98-amd64 would load module "
            r"\S+ of driver 595\.58\.03, and the packages are 595\.99\.03\nThe host is as it was before \(.*set back to their version[,)]",
            message,
        ), message
    assert hosts.differences(before) == {} and hosts.recorded(*PINNED) == record
    # What came in its place had stopped it.
    assert hosts.run("systemctl is-active nvidia-imex", *BESIDE) == dict.fromkeys(BESIDE, "active")
    assert "nvidia-imex.service started again" in told["bookworm-0"], told["bookworm-0"]


def test_upgrade_across_branches_and_nothing_the_second_time(hosts):
    assert all(changes(hosts.move(LATER, *PINNED)).values())
    is_driver(hosts, LATER, *PINNED)
    assert went_along(hosts, LATER)
    for name, record in hosts.recorded(*PINNED).items():
        assert record == {"schema": 1, "current": pins(name, LATER), "previous": pins(name, FIRST)}
    assert changes(hosts.move(LATER, *PINNED)) == dict.fromkeys(PINNED, 0)


def test_back_to_what_facts_say_was_before(hosts):
    wish = {"nvidia_driver_pins": "{{ ansible_facts['mlinfra_gpu'].pins.previous }}"}
    assert all(changes(hosts.converge(dict.fromkeys(PINNED, wish), playbook="back.yml")).values())
    is_driver(hosts, FIRST, *PINNED)
    assert went_along(hosts, FIRST)
    for name, record in hosts.recorded(*PINNED).items():
        assert record == {"schema": 1, "current": pins(name, FIRST), "previous": pins(name, LATER)}
    assert changes(hosts.move(FIRST, *PINNED)) == dict.fromkeys(PINNED, 0)


def test_source_of_somebody_else_with_another_key_is_switched_off(hosts):
    """apt refuses all work while two sources of one repository name different keys."""
    hosts.run(
        "cp /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/other.gpg\n"
        "url=$(sed -n 's/^URIs: //p' /etc/apt/sources.list.d/mlinfra-nvidia.sources)\n"
        f"printf 'deb http://127.0.0.1:9/kept /\\ndeb [signed-by=/usr/share/keyrings/other.gpg] %s /\\n' \"$url\" >{FOREIGN}",
        "trixie-0",
    )
    assert "Conflicting values set for option Signed-By" in hosts.run("apt-get -s install bash 2>&1 || true", "trixie-0")["trixie-0"]
    assert changes(hosts.move(FIRST, "trixie-0"))["trixie-0"] > 0
    text = hosts.run(f"cat {FOREIGN}; apt-get -s install bash >/dev/null && echo fine", "trixie-0")["trixie-0"].splitlines()
    assert text[0] == "deb http://127.0.0.1:9/kept /" and text[1].startswith("# Switched off by role") and text[-1] == "fine"
    assert changes(hosts.move(FIRST, "trixie-0")) == {"trixie-0": 0}
    hosts.run(f"rm {FOREIGN}", "trixie-0")


def test_package_that_somebody_holds_is_named(hosts):
    # As if the role had not held it: somebody else did.
    hosts.run(f'sed -i \'/^  "held": /,/]/s/ *"libcuda1",//\' {MANIFEST}', "bookworm-0")
    (told,) = failures(hosts.move(LATER, "bookworm-0", code=2)).values()
    assert told.startswith(
        "libcuda1 is held at 580.95.05-1, and the driver would move it. Nothing was changed. Release it (apt-mark unhold"
    )
    hosts.run("apt-mark unhold libcuda1", "bookworm-0")
    hosts.move(LATER, "bookworm-0")
    is_driver(hosts, LATER, "bookworm-0")


def test_driver_of_the_image_is_left_alone(hosts):
    before = hosts.snapshots("image-0")
    output = hosts.converge({"image-0": {}})
    assert changes(output) == {"image-0": 0} and "from no package, as NVIDIA's installer leaves it" in output
    assert hosts.differences(before) == {}
    (told,) = failures(hosts.move(FIRST, "image-0", code=2)).values()
    assert "nvidia_driver_pins are of 580.95.05, and nvidia_driver_existing is keep. Set it to take_over" in told
    (told,) = failures(hosts.converge({"image-0": {"nvidia_driver_existing": "refuse"}}, code=2)).values()
    assert "image-0 has NVIDIA's driver 550.54.15 from no package" in told


def test_driver_of_the_image_is_taken_over_or_put_back(hosts):
    def wish(driver):
        return {"image-0": {"nvidia_driver_existing": "take_over", "nvidia_driver_pins": str(PINS / f"image-0-{driver}.json")}}

    before = hosts.snapshots("image-0")
    (told,) = failures(hosts.converge(wish(POISONED), code=2)).values()
    assert "does not verify" in told and "files of the driver that was there put back" in told
    assert hosts.differences(before) == {}
    assert changes(hosts.converge(wish(FIRST)))["image-0"] > 0
    is_driver(hosts, FIRST, "image-0")
    left = hosts.run("ls /usr/lib/x86_64-linux-gnu/*.550.54.15 /usr/bin/nvidia-uninstall /var/lib/nvidia 2>/dev/null || true", "image-0")
    assert left == {"image-0": ""}
    assert changes(hosts.converge(wish(FIRST))) == {"image-0": 0}
