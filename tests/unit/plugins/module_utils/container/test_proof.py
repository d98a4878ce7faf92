# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of the proof, and the engines' command lines."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.container import engines, processes, proof_image

LDD = """\
\tlinux-vdso.so.1 (0x00007ffd)
\tlibcrypto.so.3 => /lib/x86_64-linux-gnu/libcrypto.so.3 (0x00007f)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f)
"""


def test_libraries():
    assert proof_image.libraries(LDD) == [
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib/x86_64-linux-gnu/libcrypto.so.3",
        "/lib64/ld-linux-x86-64.so.2",
    ]
    with pytest.raises(ValueError, match=r"libx\.so\.1 not found"):
        proof_image.libraries("\tlibx.so.1 => not found\n")


def contents(archive):
    """{name: (mode, bytes, or None for a folder)} of a tar file."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {entry.name: (entry.mode, tar.extractfile(entry).read() if entry.isreg() else None) for entry in tar}


def test_image_is_whole(tmp_path):
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    (tmp_path / "link").symlink_to(program)
    layer = proof_image.layer([str(tmp_path / "link")], {"/token": b"abc"})
    image = contents(proof_image.archive("localhost/x:1", layer, ["/x", "/token"], "x86_64"))
    (manifest,) = json.loads(image["manifest.json"][1])
    assert manifest["RepoTags"] == ["localhost/x:1"]
    config = image[manifest["Config"]][1]
    assert manifest["Config"] == hashlib.sha256(config).hexdigest() + ".json"
    (layer_name,) = manifest["Layers"]
    assert json.loads(config)["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(image[layer_name][1]).hexdigest()]
    assert (json.loads(config)["architecture"], json.loads(config)["config"]["Cmd"]) == ("amd64", ["/x", "/token"])
    files = contents(image[layer_name][1])
    assert files[str(tmp_path / "link").lstrip("/")] == (0o755, b"\x7fELF")
    assert files["token"][1] == b"abc"
    assert files["proc"][1] is None and files[str(tmp_path).lstrip("/")][1] is None, "a folder"


def test_a_container_has_no_network_and_no_rights():
    run = engines.Docker("i:1", "n").run()
    assert run[run.index("--network") + 1] == "none" and run[run.index("--pull") + 1] == "never"
    assert {"--read-only", "--rm", "ALL", "no-new-privileges"} <= set(run)
    assert "--net-host" not in engines.Containerd("i:1", "n").run()


def test_gpus_by_each_way():
    assert "nvidia.com/gpu=all" in engines.Docker("i:1", "n").run_gpu("cdi")
    assert "--gpus" in engines.Docker("i:1", "n").run_gpu("runtime")
    assert "nvidia-container-runtime" in engines.Containerd("i:1", "n").run_gpu("cdi")


def test_nothing_is_left():
    for engine in (engines.Docker("i:1", "n"), engines.Containerd("i:1", "n")):
        cleaning = [word for command in engine.clean() for word in command]
        assert "i:1" in cleaning and "n" in cleaning


def test_version_of_ctr():
    text = "Client:\n  Version:  1.7.24~ds1\n\nServer:\n  Version:  1.6.20~ds1\n  UUID: x\n"
    assert engines.version_of("containerd", text) == "1.6.20~ds1"
    assert engines.version_of("docker", "26.1.5+dfsg1\n") == "26.1.5+dfsg1"


def test_running_containers_are_counted(tmp_path):
    shim = b"/usr/bin/containerd-shim-runc-v2\0-namespace\0%s\0-id\0abc\0"
    for pid, line in {"7": shim % b"moby", "8": shim % b"k8s.io", "9": b"grep\0moby\0", "self": b""}.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_bytes(line)
    (tmp_path / "10").mkdir()
    assert processes.shims("moby", str(tmp_path)) == 1


def process(proc, pid, parent, line, mounts=()):
    (proc / pid).mkdir()
    (proc / pid / "cmdline").write_bytes(line)
    (proc / pid / "stat").write_text(f"{pid} (a ) b) S {parent} 1 1\n")
    (proc / pid / "mountinfo").write_text("".join(f"9 8 0:1 / {point} rw - tmpfs tmpfs rw\n" for point in mounts))


def test_containers_with_gpus_are_counted(tmp_path):
    shim = b"/usr/bin/containerd-shim-runc-v2\0-namespace\0%s\0-id\0abc\0"
    process(tmp_path, "2", 1, shim % b"moby")
    process(tmp_path, "3", 1, shim % b"k8s.io")
    process(tmp_path, "20", 2, b"train\0", ["/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05"])
    process(tmp_path, "21", 20, b"worker\0", ["/usr/bin/nvidia-smi"])
    process(tmp_path, "22", 2, b"web\0", ["/etc/hosts"])
    process(tmp_path, "30", 3, b"infer\0", ["/dev/nvidia0"])
    process(tmp_path, "40", 1, b"nvidia-persistenced\0", ["/dev/nvidia0"])
    assert processes.gpu_containers("moby", str(tmp_path)) == 1, "a container's first process counts for all of it"
    assert processes.gpu_containers(None, str(tmp_path)) == 2
    told = processes.gpu_problem("docker.service", 1, "data-root")
    assert "must be restarted for data-root, and 1 running container has GPUs" in told and "container_runtime_interrupt" in told
    assert processes.gpu_problem("docker.service", 0, "x") is None


def test_podman_is_asked_as_docker_is():
    engine = engines.Podman("i:1", "n")
    assert {command[0] for command in [engine.load("x"), engine.run(), engine.version, *engine.clean()]} == {"podman"}
    assert "nvidia.com/gpu=all" in engine.run_gpu("runtime"), "it knows no other way"
