# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof with an engine of the test's own: what it makes of good and bad output, and that it cleans up."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.modules import container_proof as module

# Keeps the image that was loaded; `run` takes the token out of it, as the program in the container would.
DOCKER = """\
#!/bin/sh
cd "{home}"
echo "$1" >>told
case "$1" in
    version) echo 26.1.5 ;;
    load) cp "$4" image.tar ;;
    run) case "$*" in
        *nvidia-smi*) cat gpus 2>/dev/null || {{ echo "could not select device driver" >&2; exit 125; }} ;;
        *) [ -e broken ] || tar -xOf image.tar --wildcards '*/layer.tar' | tar -xO mlinfra-token | sha256sum ;;
    esac ;;
esac
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"docker": DOCKER.format(home=tmp_path), "nvidia-smi": "#!/bin/sh\n"}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    def answer(check=False, **options):
        arguments = {"record": str(tmp_path / "var" / "proof.json"), **options, "_ansible_check_mode": check}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return answer


def test_proof(run, tmp_path):
    answer = run(subject="GPUs by cdi")
    assert answer["ok"] is True and answer["version"] == "26.1.5" and answer["seconds"] > 0 and answer["gpus"] is None
    assert (tmp_path / "told").read_text().split() == ["version", "load", "run", "rm", "rmi"]
    kept = {"engine": "docker", "version": "26.1.5", "gpus": None, "subject": "GPUs by cdi"}
    assert json.loads((tmp_path / "var" / "proof.json").read_text()) == kept
    assert not answer["changed"] and not run()["changed"], "a check changes nothing, and its record is a note of it"


def test_another_output_is_no_proof(run, tmp_path):
    run()
    (tmp_path / "broken").touch()
    answer = run()
    assert answer["failed"] and "The container printed ''" in answer["msg"] and "journalctl -u docker" in answer["msg"]
    assert not (tmp_path / "var" / "proof.json").exists(), "so the next run proves again"
    assert (tmp_path / "told").read_text().split()[-2:] == ["rm", "rmi"]


def test_gpus(run, tmp_path):
    answer = run(gpu=True)
    assert answer["failed"] and "Running nvidia-smi in a container failed with status 125: could not select device driver" in answer["msg"]
    (tmp_path / "gpus").write_text("GPU 0: NVIDIA A10G (UUID: GPU-1)\n")
    assert run(gpu=True)["gpus"] == ["GPU 0: NVIDIA A10G (UUID: GPU-1)"]
    (tmp_path / "gpus").write_text("No devices found.\n")
    assert "lists no GPU" in run(gpu=True)["msg"]


def test_check_mode_runs_nothing(run, tmp_path):
    assert run(check=True)["ok"] is None and not (tmp_path / "told").exists()


def test_no_engine(run, tmp_path, monkeypatch):
    (tmp_path / "bin" / "docker").unlink()
    answer = run(engine="containerd")
    assert answer["failed"] and "This host has no ctr" in answer["msg"]


def test_an_image_that_cannot_be_made_leaves_no_file(run, tmp_path, monkeypatch):
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(module, "PROGRAM", "no-such-program")
    answer = run()
    assert answer["failed"] and "This host has no no-such-program" in answer["msg"]
    assert not list((tmp_path / "tmp").glob("*.tar"))
