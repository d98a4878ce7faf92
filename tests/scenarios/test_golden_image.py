# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image is baked on a builder without a GPU, and hosts with GPUs boot from it: each is its own, and configure has nothing left to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
import pytest
import yaml
from botocore.config import Config

from scripts import tree

BOOKWORM = {"ssm": "/aws/service/debian/release/12/latest/amd64"}
STACK = {
    "aws_stack_name": "golden",
    "aws_stack_environment": "test",
    "aws_stack_account_id": "123456789012",
    "aws_stack_region": "us-east-1",
    "aws_stack_network": {"cidr": "10.70.0.0/16", "zone_count": 1, "access": {"via": "direct", "cidrs": ["10.70.0.0/16"]}},
}
BEFORE = [
    {"name": "mirror", "count": 1, "instance_types": ["t3.small"], "image": BOOKWORM},
    {"name": "builder", "count": 1, "instance_types": ["t3.large"], "image": BOOKWORM},
]
SETTINGS = {
    "mlinfra_configure": ["host_baseline", "instance_store", "nvidia_driver", "cuda_toolkit", "container_runtime"],
    "mlinfra_gpu_target": ["a10g", "h100"],
    # systemd-sysctl is off in the sandbox's hosts, where most settings are the machine's: a host that boots has none of them.
    "host_baseline_sysctl": {},
    "mlinfra_mirrors": {
        kind: "http://{{ hostvars['mirror-0'].mlinfra_private_ip }}:8080/" + path
        for kind, path in (("nvidia", "nvidia"), ("nvidia_container", "nvidia-container"))
    },
    "nvidia_driver_version": "580.95.05",
    "nvidia_driver_kernels": ["installed-headers"],
    "cuda_toolkit_versions": ["12.8"],
    "container_runtime_nvidia_version": "1.18.1",
    "instance_store_mount_point": "/data",
}
# A host must have disks where the builder has none: the builder's are no part of an image.
BUILDER = {"instance_store_required": True}
PLUGIN = {"plugin": "mlinfra.hosts.ec2_gpu", "regions": ["us-east-1"], "stack": "golden", "environment": "test", "address": "private"}
CONTROLLER = {"localhost": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}
SERVE = [
    {"name": "Serve them", "ansible.builtin.include_tasks": str(tree.CHECKOUT / "molecule" / "shared" / "apt_repository" / "serve.yml")}
]
HEADERS = [{"name": "Have headers", "ansible.builtin.file": {"path": "/lib/modules/6.1.0-99-amd64/build", "state": "directory"}}]
# What a start of a real host does, before NVIDIA's services: its driver is there once anybody can log in.
LOAD = """\
[Unit]
Before=nvidia-persistenced.service nvidia-fabricmanager.service nvidia-cdi-refresh.service ssh.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecCondition=/bin/sh -c 'cat /sys/bus/pci/devices/*/vendor | grep -q 0x10de'
ExecStart=stub-nvidia load 580.95.05 open
[Install]
WantedBy=multi-user.target
"""
# And a runtime that brings nvidia-smi into containers, which NVIDIA's stand-in does not.
AS_REAL = [
    {"name": "Load at a start", "ansible.builtin.copy": {"dest": "/etc/systemd/system/load-modules.service", "content": LOAD}},
    {"name": "Do so", "ansible.builtin.systemd_service": {"name": "load-modules.service", "enabled": True, "daemon_reload": True}},
    {
        "name": "Have a runtime that brings nvidia-smi",
        "ansible.builtin.copy": {
            "src": str(tree.CHECKOUT / "molecule" / "upgrade" / "runtime.py"),
            "dest": "/usr/local/sbin/nvidia-container-runtime",
            "mode": "0755",
        },
    },
]
# Docker of bookworm gives GPUs by a hook of its default runtime, which is runc otherwise: the stand-in would not be asked.
DAEMON = {
    "labels": ["team=vision"],
    "default-shm-size": "1G",
    "default-runtime": "nvidia",
    "runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}, "team": {"path": "/usr/bin/runc"}},
}
USERS_FILE = [
    {"name": "Have its folder", "ansible.builtin.file": {"path": "/etc/docker", "state": "directory"}},
    {"name": "Have a user's file", "ansible.builtin.copy": {"dest": "/etc/docker/daemon.json", "content": json.dumps(DAEMON)}},
]
IDENTITY = "cat /etc/machine-id; cat /etc/ssh/ssh_host_ed25519_key.pub; readlink -f /var/lib/dbus/machine-id"


class Golden:
    """The scenario's stack as its test uses it. ``run`` is run_inside of conftest.py."""

    def __init__(self, folder: Path, inside: dict[str, str], run) -> None:
        self.folder, self.inside, self.run = folder, inside, run
        self.key = inside["MLINFRA_SSH_KEY"]
        (folder / "ec2_gpu.yml").write_text(yaml.safe_dump(PLUGIN))
        (folder / "controller.yml").write_text(yaml.safe_dump({"mlinfra_controller": {"hosts": CONTROLLER}}))
        (folder / "group_vars").mkdir()
        (folder / "group_vars" / "mlinfra_pool_builder.yml").write_text(yaml.safe_dump(BUILDER))
        self.declare(BEFORE)

    def declare(self, pools: list[dict]) -> None:
        stack = {**STACK, **SETTINGS, "aws_stack_key": {"public_key_file": f"{self.key}.pub"}, "aws_stack_pools": pools}
        (self.folder / "group_vars" / "all.yml").write_text(yaml.safe_dump(stack))

    def play(self, name: str, *arguments: str, code: int = 0) -> str:
        return self.run("ansible-playbook", "-i", str(self.folder), name, *arguments, code=code)

    def tasks(self, hosts: str, tasks: list[dict]) -> None:
        book = self.folder / "prepare.yml"
        book.write_text(yaml.safe_dump([{"hosts": hosts, "gather_facts": False, "become": True, "tasks": tasks}]))
        self.play(str(book))
        book.unlink()

    def on(self, host: str, script: str) -> str:
        """What a script prints there, as root."""
        done = self.run("ansible", "-i", str(self.folder), host, "--become", "-m", "ansible.builtin.shell", "-a", script)
        return done.partition("\n")[2]

    def client(self):
        return boto3.client(
            "ec2", endpoint_url=self.inside["AWS_ENDPOINT_URL"], region_name="us-east-1", config=Config(proxies={}),
            aws_access_key_id=self.inside["AWS_ACCESS_KEY_ID"], aws_secret_access_key="none",
        )  # fmt: skip

    def instance(self, host: str) -> str:
        shown = self.run("ansible-inventory", "-i", str(self.folder), "--host", host)
        return yaml.safe_load(shown)["mlinfra_instance_id"]

    def image_of(self, host: str) -> str:
        """Stop it, make an image of it, and end it, as builders of images do."""
        ec2, instance = self.client(), self.instance(host)
        ec2.stop_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
        image = ec2.create_image(InstanceId=instance, Name="golden")["ImageId"]
        ec2.terminate_instances(InstanceIds=[instance])
        return image


@pytest.fixture
def golden(inside, run_inside):
    folder = Path(tempfile.mkdtemp(prefix="golden-"))
    made = Golden(folder, inside, run_inside)
    destroy = ("mlinfra.hosts.destroy", "-e", "aws_stack_confirm=golden-test")
    made.play(*destroy)
    try:
        yield made
    finally:
        made.play(*destroy)
        shutil.rmtree(folder, ignore_errors=True)


def changed(output: str, host: str) -> int:
    return int(re.search(rf"^{host}\s+: ok=\d+\s+changed=(\d+)", output, re.M).group(1))


def timed(act) -> tuple[float, str]:
    began = time.monotonic()
    said = act()
    return time.monotonic() - began, said


def keeps_what_its_user_wrote(golden: Golden, host: str) -> None:
    """Beside what the role adds."""
    settings = json.loads(golden.on(host, "cat /etc/docker/daemon.json"))
    assert {name: settings.get(name) for name in DAEMON} == DAEMON and settings["live-restore"] is True, settings


def bake(golden: Golden) -> str:
    """The image's id."""
    golden.play("mlinfra.hosts.provision")
    golden.play("mlinfra.hosts.reachable")
    golden.tasks("mirror-0", SERVE)
    golden.tasks("builder-0", HEADERS + AS_REAL + USERS_FILE)
    golden.on("builder-0", "echo secret >>~/.bash_history; mkdir -p ~/.aws; echo key >~/.aws/credentials; chmod 600 ~/.aws/credentials")

    bake = ("mlinfra.hosts.bake", "--limit", "builder-0")
    said = golden.play(*bake, code=2)
    assert "seal_confirm is not given: sealing takes builder-0 its" in said and changed(said, "builder-0") == 0
    said = golden.play(*bake, "-e", "seal_confirm=true", code=2)
    assert "builder-0 is not among them" in said and changed(said, "builder-0") == 0
    # Without --limit: what is not named stops it for what is, before anything is changed.
    named = ("-e", "seal_confirm=builder-0")
    said = golden.play("mlinfra.hosts.bake", *named, code=2)
    assert "seal_confirm is builder-0, and mirror-0 is not among them" in said
    assert [changed(said, host) for host in ("builder-0", "mirror-0")] == [0, 0] and "PLAY [Configure the hosts]" not in said
    confirmed = (*bake, *named, "-e", "seal_credentials=remove")
    said = golden.play(*confirmed, "--tags", "nvidia_driver", "-e", "mlinfra_gpu_target=v100,b200", code=2)
    assert "mlinfra_gpu_target is [v100, b200]: V100 (Volta) works with the proprietary kernel modules only" in said
    # The roles' own check mode on a bare host is what each scenario begins with.
    said = golden.play(*confirmed, "--tags", "seal", "--check", "--diff")
    assert changed(said, "builder-0") > 0 and "+/etc/machine-id (empty)" in said
    assert re.search(r"^-\S+/[.]bash_history \(history\)$", said, re.M) and "-/root/.aws/credentials (credential)" in said

    # The engine before the driver; plain-0 gets them the other way round.
    golden.play("mlinfra.hosts.configure", "--limit", "builder-0", "-e", "mlinfra_configure=container_runtime")
    # The engine's data is to be on the instance store: that is left to the image's hosts as well.
    said = golden.play(*confirmed, "-e", "container_runtime_data_root=/data/docker")
    assert "builder-0 has no GPU, and mlinfra_gpu_target stands in for it (a10g, h100)" in said
    return golden.image_of("builder-0")


def test_golden_image(golden, capsys):
    image = {"id": bake(golden)}
    mirror, _builder = BEFORE
    golden.declare([
        mirror,
        {"name": "plain", "count": 1, "instance_types": ["g5.xlarge"], "image": BOOKWORM},
        {"name": "baked", "count": 2, "instance_types": ["g5.xlarge"], "image": image},
        {"name": "switched", "count": 1, "instance_types": ["p5.48xlarge"], "image": image},
    ])  # fmt: skip
    launch, _said = timed(lambda: [golden.play("mlinfra.hosts.provision"), golden.play("mlinfra.hosts.reachable")])
    golden.tasks("plain-0", HEADERS + USERS_FILE)
    whole, said = timed(lambda: golden.play("mlinfra.hosts.configure", "--limit", "plain-0"))
    assert changed(said, "plain-0") > 0
    both = ("mlinfra.hosts.configure", "--limit", "plain-0", "-e", "mlinfra_configure=nvidia_driver,container_runtime")
    assert changed(golden.play(*both), "plain-0") == 0
    hosts = ("baked-0", "baked-1", "switched-0")
    rest, said = timed(lambda: golden.play("mlinfra.hosts.configure", "--limit", ":".join(hosts)))
    assert [changed(said, host) for host in hosts] == [0, 0, 0], said
    assert rest < whole, f"three baked hosts took {rest:.0f} s, one that is not {whole:.0f} s"
    assert json.loads(golden.on("baked-0", "cat /var/lib/mlinfra/container-docker.json"))["gpus"], "the GPUs were proven by that run"
    assert changed(golden.play("mlinfra.hosts.verify", "--limit", "baked-0"), "baked-0") == 0
    for host in ("plain-0", "baked-0"):
        keeps_what_its_user_wrote(golden, host)
    with capsys.disabled():
        print(
            f"\ntime to ready, launched and reached after {launch:.0f} s: unbaked {launch + whole:.0f} s, baked {launch + rest:.0f} s "
            f"({(launch + whole) / (launch + rest):.1f} times as long; configure alone {whole:.0f} s, and {rest:.0f} s for three baked)"
        )

    told = {host: golden.on(host, IDENTITY).splitlines() for host in hosts}
    for position in (0, 1):
        assert len({lines[position] for lines in told.values()}) == len(hosts), told
    assert all(re.fullmatch("[0-9a-f]{32}", lines[0]) and lines[2] == "/etc/machine-id" for lines in told.values()), told
    assert "secret" not in golden.on("baked-0", "cat ~/.bash_history 2>&1 || true")
    assert "nothing of it" in golden.on("baked-0", "ls ~/.aws/credentials 2>/dev/null || echo nothing of it")

    # One image for hosts with NVSwitches and without: the fabric manager is enabled in both, and started where there is one.
    for host, result in (("baked-0", "inactive"), ("switched-0", "active")):
        assert golden.on(host, "systemctl show -P ActiveState nvidia-fabricmanager").split() == [result]
        assert golden.on(host, "systemctl is-enabled nvidia-fabricmanager").split() == ["enabled"]

    assert "V12.8.1" in golden.on("baked-0", "/usr/local/cuda/bin/nvcc --version")
    assert "nothing of it" in golden.on("baked-0", "ls -d /data /etc/mlinfra/instance_store.json 2>/dev/null || echo nothing of it")
    reachable_without_cloud_init(golden, "baked-1")


def reachable_without_cloud_init(golden: Golden, host: str) -> None:
    """The sandbox's stand-in for cloud-init is switched off: host keys are made by the unit that seal has left."""
    address = golden.on(host, "hostname -I").split()[0]
    before = golden.on(host, "cat /proc/sys/kernel/random/boot_id").split()[0]
    away = "systemctl disable mlinfra-identity mlinfra-user-data; rm /etc/ssh/ssh_host_*; sync"
    golden.on(host, f"{away}; systemd-run --on-active=1 systemctl reboot")
    ssh = ["ssh", "-F", "none", "-i", golden.key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]
    ssh += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=3", f"admin@{address}"]
    look = "cat /proc/sys/kernel/random/boot_id; systemctl show -P Result mlinfra-host-keys; systemctl is-active mlinfra-identity"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done = subprocess.run([*ssh, look], capture_output=True, text=True, check=False)
        if done.stdout and done.stdout.split()[0] != before:
            break
        time.sleep(0.5)
    assert done.stdout.split()[1:] == ["success", "inactive"], done.stdout + done.stderr
