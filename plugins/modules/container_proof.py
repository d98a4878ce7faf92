#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_proof
short_description: Run a container on a host, from an image made there
version_added: 0.2.0
description:
  - Makes an image of one program of the host and its libraries, loads it into the engine, runs it without a network and with a read-only
    root, compares what it printed with what only that image could have printed, and removes container and image.
  - No registry is asked for anything. The host needs no build tool.
  - With O(gpu), a second container runs C(nvidia-smi -L), which the NVIDIA Container Toolkit must bring into it.
author:
  - mlinfra.hosts contributors (@mlinfra)
extends_documentation_fragment:
  - mlinfra.hosts.attributes
attributes:
  check_mode:
    support: full
    details:
      - Runs nothing; RV(ok) is null then.
  diff_mode:
    support: N/A
    details:
      - Leaves nothing behind but O(record), which is a note of what was seen and no change of the host.
  idempotent:
    support: full
options:
  engine:
    description: The engine to prove.
    type: str
    choices: [docker, containerd, podman]
    default: docker
  gpu:
    description: Whether a container must see the host's NVIDIA GPUs, too.
    type: bool
    default: false
  gpu_mode:
    description: How a container gets the GPUs.
    type: str
    choices: [cdi, runtime]
    default: cdi
  record:
    description:
      - File in which a proof that was given is written down, and which a proof that fails removes. Its folder is made.
      - A play can look for it, so that a host is proven again after a failure.
      - Writing it does not count as a change, no more than in check mode; the host does what it did before.
    type: path
  subject:
    description:
      - What the proof is of besides the engine, in words, as the versions of driver and toolkit. Written into O(record), so that a play can
        tell a proof of something else.
    type: str
    version_added: 0.7.0
  timeout:
    description: Seconds that one step of it may take.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: See a container run
  mlinfra.hosts.container_proof:
    engine: docker
  become: true
  register: proof

- name: Say so
  ansible.builtin.debug:
    msg: "{{ proof.engine }} {{ proof.version }} ran a container in {{ proof.seconds }} s"
"""

RETURN = r"""
engine:
  description: The engine.
  returned: success
  type: str
  sample: docker
version:
  description: Version of its daemon; null in check mode.
  returned: success
  type: str
  sample: 26.1.5+dfsg1
ok:
  description: V(true) when the container printed what was expected. The module fails otherwise; null in check mode.
  returned: success
  type: bool
seconds:
  description: How long all of it took.
  returned: success
  type: float
  sample: 0.9
gpus:
  description: What C(nvidia-smi -L) printed in a container, one line for each GPU (and MIG device); null without O(gpu).
  returned: success
  type: list
  elements: str
  sample: ["GPU 0: NVIDIA A10G (UUID: GPU-00000000-0000-0000-0000-000000000000)"]
"""

import hashlib
import json
import os
import secrets
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.container import engines, proof_image

ARGUMENTS = {
    "engine": {"type": "str", "choices": ["docker", "containerd", "podman"], "default": "docker"},
    "gpu": {"type": "bool", "default": False},
    "gpu_mode": {"type": "str", "choices": ["cdi", "runtime"], "default": "cdi"},
    "record": {"type": "path"},
    "subject": {"type": "str"},
    "timeout": {"type": "int", "default": 120},
}
# Prints something that is not in the image: the digest of a file that is.
PROGRAM = "sha256sum"
TOKEN = "/mlinfra-token"


class ProofError(Exception):
    """The proof was not given; the message is for the user."""


class Prover:
    """One proof with one engine. Commands are argv lists."""

    def __init__(self, module):
        self.module, self.params = module, module.params
        self.token = secrets.token_hex(16)
        name = "mlinfra-proof-" + self.token[:12]
        self.engine = engines.ENGINES[self.params["engine"]]("localhost/mlinfra-proof:" + self.token[:12], name)

    def call(self, command, doing):
        """stdout of a command that must succeed."""
        limit = ["timeout", "--kill-after", "5", str(self.params["timeout"])]
        rc, out, err = self.module.run_command([*limit, *command])
        if rc == 124:
            raise ProofError("%s took longer than %d s (%s)." % (doing, self.params["timeout"], " ".join(command)))
        if rc:
            said = " ".join((err.strip() or out.strip() or "nothing").splitlines()[-3:])
            raise ProofError("%s failed with status %d: %s (%s)." % (doing, rc, said, " ".join(command)))
        return out

    def program(self, name, hint):
        path = self.module.get_bin_path(name)
        if not path:
            raise ProofError("This host has no %s: %s" % (name, hint))
        return path

    def image(self):
        """Bytes of the image: the program, its libraries and the token; with a GPU also the libraries that nvidia-smi needs."""
        program = self.program(PROGRAM, "install coreutils.")
        paths = [program, *self.libraries(program)]
        if self.params["gpu"]:
            paths += self.libraries(self.program("nvidia-smi", "install the driver's user space, or leave gpu out."))
        layer = proof_image.layer(sorted(set(paths)), {TOKEN: self.token.encode()})
        return proof_image.archive(self.engine.image, layer, [program, TOKEN], os.uname().machine)

    def libraries(self, program):
        rc, out, err = self.module.run_command(["ldd", program])
        if rc and "not a dynamic executable" in out + err:
            return []
        try:
            return proof_image.libraries(out)
        except ValueError as error:
            raise ProofError("%s cannot be put into an image: %s." % (program, error)) from error

    def prove(self):
        """{version, gpus}."""
        client = self.engine.version[0]
        self.program(client, "it belongs to the engine. Run role mlinfra.hosts.container_runtime.")
        version = engines.version_of(self.params["engine"], self.call(self.engine.version, "Asking the daemon for its version"))
        image = self.image()
        handle, path = tempfile.mkstemp(prefix="mlinfra-", suffix=".tar")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(image)
            self.call(self.engine.load(path), "Loading the image")
            printed = self.call(self.engine.run(), "Running a container").split()
            expected = hashlib.sha256(self.token.encode()).hexdigest()
            if printed[:1] != [expected]:
                raise ProofError("The container printed %r: expected %s." % (" ".join(printed)[:200], expected))
            return {"version": version, "gpus": self.gpus() if self.params["gpu"] else None}
        finally:
            os.unlink(path)
            for command in self.engine.clean():
                self.module.run_command(command)

    def gpus(self):
        lines = self.call(self.engine.run_gpu(self.params["gpu_mode"]), "Running nvidia-smi in a container").splitlines()
        found = [line.strip() for line in lines if line.strip()]
        if not any(line.startswith("GPU ") for line in found):
            raise ProofError("nvidia-smi -L in a container lists no GPU: it printed %r." % " ".join(found)[:200])
        return found


def record(path, answer, subject):
    """Write down what was proven."""
    text = json.dumps({"engine": answer["engine"], "version": answer["version"], "gpus": answer["gpus"], "subject": subject}) + "\n"
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def forget(path):
    if path and os.path.exists(path):
        os.unlink(path)


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    answer = {"changed": False, "engine": module.params["engine"], "version": None, "ok": None, "seconds": 0.0, "gpus": None}
    if module.check_mode:
        module.exit_json(**answer)
    start, path = time.monotonic(), module.params["record"]
    try:
        answer.update(Prover(module).prove(), ok=True)
        if path:
            record(path, answer, module.params["subject"])
    except ProofError as error:
        forget(path)
        engine = module.params["engine"]
        hint = "Look at %s." % ("`podman info`" if engine == "podman" else "`journalctl -u %s`" % engine)
        module.fail_json(msg="%s runs no container as it should: %s %s" % (module.params["engine"], error, hint))
    except OSError as error:
        module.fail_json(msg="The image or the record cannot be written: %s. Is there room in %s?" % (error, tempfile.gettempdir()))
    answer["seconds"] = round(time.monotonic() - start, 2)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
