# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module: given facts, a host's own package manager, pins; and through Ansible, as a user runs it."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import gpu_resolve as module
from tests.unit.plugins.module_utils.resolve.shapes import KERNELS, PLATFORMS, SHAPES, TODAY, gpu, nvidia

GIVEN = {"platform": PLATFORMS["Debian-12"], "offered": nvidia(), "today": TODAY}


def run(capsys, **options):
    with patch_module_args(options), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_resolves_and_changes_nothing(capsys):
    answer = run(capsys, gpu=gpu("h100"), cuda="12.8", **GIVEN)
    assert answer["changed"] is False and answer["pins"]["driver"]["version"] == "595.112.07"
    assert answer["packages"]["nvidia-fabricmanager"] == "595.112.07-1" and answer["rejected"] and answer["notices"] == []
    assert run(capsys, gpu=gpu("h100"), cuda="12.8", _ansible_check_mode=True, **GIVEN)["pins"] == answer["pins"]


def test_every_returned_value_is_documented(capsys):
    documented = yaml.safe_load(module.RETURN)
    answer = run(capsys, gpu=gpu("h100"), **GIVEN)
    refused = run(capsys, gpu=gpu("b200"), flavor="proprietary", **GIVEN)
    told = set(answer) | set(refused)
    assert told - {"changed", "invocation", "warnings", "failed", "msg", "exception"} == set(documented)
    assert set(documented["pins"]["sample"]) == set(answer["pins"])


def test_refusal(capsys):
    answer = run(capsys, gpu=gpu("b200"), flavor="proprietary", **GIVEN)
    assert answer["failed"] and answer["msg"] == "\n".join(answer["problems"])
    assert answer["msg"] == "B200 (Blackwell) needs open kernel modules, flavor is proprietary: use flavor open or auto."


def test_end_of_life_is_a_warning(capsys):
    answer = run(capsys, gpu=gpu("t4"), branch=550, **GIVEN)
    assert "past its end of life" in answer["notices"][0]


def test_pins_hold_or_are_refused(capsys):
    made = run(capsys, gpu=gpu("h100"), **GIVEN)
    again = run(capsys, gpu=gpu("h100"), pins=made["pins"], **GIVEN)
    assert again["pins"] == made["pins"] and again["packages"] == made["packages"] and again["rejected"] == []
    other = run(capsys, gpu=gpu("h100"), pins=made["pins"], **{**GIVEN, "platform": PLATFORMS["Debian-13"]})
    assert other["msg"] == "pins.platform is Debian-12: this host is Debian-13. Resolve again for this host."
    both = run(capsys, gpu=gpu("h100"), pins=made["pins"], cuda="12.8", **GIVEN)
    assert both["msg"] == "cuda and pins are given: the wish is in the pins. Leave one of them out."


@pytest.mark.parametrize("pins", [{"kernels": 7}, {"schema": 1, "kernels": [{"release": []}]}, {}])
def test_pins_that_are_none(capsys, pins):
    assert "pins" in run(capsys, gpu=gpu("h100"), pins=pins, **GIVEN)["msg"]


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Function name, script: a program that the module finds before the machine's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name, script):
        (folder / name).write_text("#!/bin/sh\n" + script)
        (folder / name).chmod(0o755)

    monkeypatch.setattr(
        module.AnsibleModule, "get_bin_path", lambda self, name, **_: str(folder / name) if (folder / name).exists() else None
    )
    return put


def test_what_apt_offers(capsys, programs):
    names = "nvidia-smi libcuda1 libnvidia-ml1 nvidia-kernel-dkms linux-headers-6.1.0-56-amd64 bash"
    programs("apt-cache", f"""
if [ "$1" = pkgnames ]; then for name in {names}; do echo $name; done; exit; fi
shift
for name; do echo " $name | 535.309.01-1~deb12u1 | http://mirror bookworm/non-free amd64 Packages"; done
case "$*" in *bash*) exit 9;; esac
""")  # fmt: skip
    answer = run(capsys, gpu=gpu("t4"), platform=PLATFORMS["Debian-12"], source="distribution", components=[], today=TODAY)
    assert answer["pins"]["driver"]["version"] == "535.309.01" and answer["pins"]["driver"]["flavor"] == "proprietary"
    assert answer["packages"]["linux-headers-6.1.0-56-amd64"] == "535.309.01-1~deb12u1"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """The machine's own apt, with one repository of this test's making and none of the machine's."""
    tree = tmp_path / "apt"
    for folder in ("lists/partial", "cache/archives/partial", "etc/preferences.d", "etc/sources.list.d", "packages"):
        (tree / folder).mkdir(parents=True)
    stanza = "Package: {}\nVersion: {}\nArchitecture: all\nFilename: ./{}.deb\nSize: 1\nSHA256: {}\nDescription: x\n"
    packages = [(name, version) for name, there in nvidia().items() for version in there]
    text = "\n".join(stanza.format(name, version, name, "0" * 64) for name, version in packages)
    (tree / "packages" / "Packages").write_text(text)
    (tree / "etc" / "sources.list").write_text(f"deb [trusted=yes] file:{tree}/packages ./\n")
    (tree / "status").write_text("")
    config = {
        "Dir::State::Lists": tree / "lists", "Dir::State::Status": tree / "status", "Dir::Cache": tree / "cache",
        "Dir::Etc::SourceList": tree / "etc/sources.list", "Dir::Etc::SourceParts": tree / "etc/sources.list.d",
        "Dir::Etc::PreferencesParts": tree / "etc/preferences.d", "Dir::Etc::Preferences": "/dev/null", "APT::Sandbox::User": "root",
    }  # fmt: skip
    (tree / "apt.conf").write_text("".join(f'{key} "{value}";\n' for key, value in config.items()))
    monkeypatch.setenv("APT_CONFIG", str(tree / "apt.conf"))
    done = subprocess.run(["apt-get", "update", "-q"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is what is asked")
@pytest.mark.parametrize(("shape", "driver"), [("h100", "595.112.07"), ("b200", "595.112.07")])
def test_real_apt(capsys, repository, shape, driver):
    """What apt lists of a repository is what the module resolves from; the pins then hold by the same way."""
    answer = run(capsys, gpu=gpu(shape), platform=PLATFORMS["Debian-12"], cuda="12.8", today=TODAY)
    given = run(capsys, gpu=gpu(shape), cuda="12.8", **GIVEN)
    assert answer["pins"] == given["pins"] and answer["pins"]["driver"]["version"] == driver
    assert run(capsys, gpu=gpu(shape), platform=PLATFORMS["Debian-12"], pins=answer["pins"], today=TODAY)["packages"] == answer["packages"]


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is what is asked")
def test_real_apt_is_asked_for_kernels_of_the_running_ones_kind(capsys, repository):
    host = {**SHAPES["t4"], "kernel": {"running": "6.1.0-20-amd64"}}
    wish = {"gpu": host, "platform": PLATFORMS["Debian-12"], "components": [], "today": TODAY}
    assert "kernel 6.1.0-20-amd64 has no headers" in run(capsys, **wish)["msg"]
    (one,) = run(capsys, **wish, kernel_upgrade="if_required")["pins"]["kernels"]
    assert one == {"release": KERNELS["Debian-12"], **{kind: f"linux-{kind}-{KERNELS['Debian-12']}" for kind in ("headers", "image")}}


def test_what_dnf_offers(capsys, programs):
    lines = ["nvidia-driver-cuda 3:580.95.05-1.el9", "kmod-nvidia-open-dkms 3:580.95.05-1.el9", "kernel-devel 0:5.14.0-503.el9"]
    programs("dnf", "\n".join(f"echo '{line}'" for line in lines))
    host = {**SHAPES["t4"], "kernel": {"running": "5.14.0-503.el9.x86_64"}}
    system = {"platform_names": ["Rocky-9", "RedHat-family-9"], "architecture": "x86_64"}
    answer = run(capsys, gpu=host, platform=system, components=[], today=TODAY)
    assert answer["packages"] == {
        "kernel-devel": "5.14.0-503.el9", "kmod-nvidia-open-dkms": "3:580.95.05-1.el9", "nvidia-driver-cuda": "3:580.95.05-1.el9",
    }  # fmt: skip


def test_package_manager_that_fails(capsys, programs):
    assert run(capsys, gpu=gpu("t4"))["msg"].startswith("This host has neither apt nor dnf")
    programs("apt-cache", "echo 'E: The package lists could not be parsed.' >&2; exit 100\n")
    answer = run(capsys, gpu=gpu("t4"))
    assert "apt-cache pkgnames fails, and says: E: The package lists could not be parsed.. Repair" in answer["msg"] and answer["problems"]


def test_this_machine(capsys):
    """Whatever it is: a machine without a GPU, or with one and any sources, gets an answer in words."""
    answer = run(capsys)
    assert answer.get("pins") or answer["problems"]


CASES = [
    {"name": f"{shape} on {platform}", "gpu": gpu(shape, platform), "system": PLATFORMS[platform], "offered": nvidia(platform)}
    for shape in SHAPES
    for platform in PLATFORMS
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_shape_on_every_platform(capsys, case):
    answer = run(capsys, gpu=case["gpu"], platform=case["system"], offered=case["offered"], today=TODAY)
    assert answer["pins"]["driver"]["version"] == "595.112.07" and answer["pins"]["packages"] == answer["packages"]


PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Resolve
      mlinfra.hosts.gpu_resolve: {gpu: "{{ item.gpu }}", platform: "{{ item.system }}", offered: "{{ item.offered }}", today: "{{ day }}"}
      loop: "{{ cases }}"
      loop_control: {label: "{{ item.name }}"}
      register: resolved
    - name: Apply the pins of one from a file, on another day
      mlinfra.hosts.gpu_resolve:
        gpu: "{{ cases.0.gpu }}"
        platform: "{{ cases.0.system }}"
        offered: "{{ cases.0.offered }}"
        today: "2027-01-31"
        pins: "{{ resolved.results.0.pins | to_nice_yaml | from_yaml }}"
      register: again
    - name: These answers, and those of the filter, are one
      ansible.builtin.assert:
        quiet: true
        that:
          - item.pins == (item.item.gpu | mlinfra.hosts.resolve_stack(item.item.system, offered=item.item.offered, today=day)).pins
          - item.pins.driver.version == '595.112.07'
          - not item.changed
          - again.pins == resolved.results.0.pins
      loop: "{{ resolved.results }}"
      loop_control: {label: "{{ item.item.name }}"}
"""


def test_through_ansible(tmp_path):
    """Five shapes and platforms: options as Ansible passes them, pins written as YAML and read again, and the filter."""
    (play,) = yaml.safe_load(PLAY)
    play["vars"] = {"day": TODAY, "cases": CASES[::5]}
    assert len(play["vars"]["cases"]) == 5
    playbook = tmp_path / "resolve.yml"
    playbook.write_text(yaml.safe_dump([play], sort_keys=False))
    done = subprocess.run(["ansible-playbook", str(playbook)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok: [localhost]") == 5 + 1 + 5 and "changed=0" in done.stdout
