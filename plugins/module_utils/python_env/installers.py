# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What fills an environment: uv, and pip for uv's own."""

from __future__ import annotations

import os

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import (
    build,
    failures,
    installed,
    interpreter,
    lock,
    state,
    torch_index,
)


def with_pip(settings, found):
    """An install function for build.make(): Python's own venv and pip."""

    def install(folder, scratch, listed):
        build.require_ensurepip(found)
        environment = build.installer_environment(settings, scratch)
        environment.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_CACHE_DIR="1", PIP_NO_INPUT="1", PIP_RETRIES="2")
        if settings.index_url:
            environment["PIP_INDEX_URL"] = settings.index_url
        if build.certificates():
            environment.setdefault("PIP_CERT", build.certificates())
        _run([found["executable"], "-m", "venv", folder], environment, settings, found)
        pip = [os.path.join(folder, "bin", "python"), "-m", "pip"]
        _run(
            pip + ["install", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", listed],
            environment,
            settings,
            found,
        )
        _run(pip + ["uninstall", "--quiet", "--yes"] + _not_listed(folder, listed, found), environment, settings, found)

    return install


def with_uv(uv, settings, found, torch_base=None):
    """An install function for build.make(): uv, which is at this path. torch_base: see torch_index.split; None for one index alone."""

    def install(folder, scratch, listed):
        environment = build.installer_environment(settings, scratch)
        environment.update(
            UV_NO_CONFIG="1",
            UV_NO_PROGRESS="1",
            UV_PYTHON_DOWNLOADS="never",
            UV_CACHE_DIR=settings.cache_dir or os.path.join(scratch, "cache"),
            UV_SYSTEM_CERTS="1",
        )
        if settings.cache_dir:
            # A hard link would give a file of the cache, and so of other environments, to this one's owner.
            environment["UV_LINK_MODE"] = "copy"
        if settings.index_url:
            environment["UV_DEFAULT_INDEX"] = settings.index_url
        _run([uv, "venv", "--quiet", "--allow-existing", "--python", found["executable"], folder], environment, settings, found)
        command = [uv, "pip", "install", "--quiet", "--python", os.path.join(folder, "bin", "python"), "--require-hashes"]
        command += [] if settings.allow_build else ["--only-binary", ":all:"]
        command += ["--compile-bytecode"] if settings.compile_bytecode else []
        # What is there by then is not looked for in the default index.
        for address, text in torch_index.split(_read(listed), torch_base) if torch_base else ():
            own = os.path.join(scratch, "torch.txt")
            with open(own, "w", encoding="utf-8") as handle:
                handle.write(text)
            _run(
                command + ["--no-deps", "-r", own],
                dict(environment, UV_DEFAULT_INDEX=address),
                settings._replace(index_url=address),
                found,
                "torch's own packages are looked for where torch_index says: ",
            )
        _run(command + ["-r", listed], environment, settings, found)

    return install


def provide_uv(path, requirements, settings, found):
    """Path of the wished uv, installed first where it is missing or another one. Returns (path, whether it was installed).

    requirements: uv's pinned list, None for whichever uv is there. Raises BuildError.
    """
    binary = os.path.join(path, "bin", "uv")
    runs = os.access(binary, os.X_OK)
    if requirements is None:
        if not runs:
            raise build.BuildError("uv is not at %s: give uv_requirements to have it installed, or uv_path where it is" % binary)
        return binary, False
    if os.access(interpreter.SYSTEM, os.X_OK):
        found = interpreter.probe(interpreter.SYSTEM)  # others seldom have ensurepip
    wished = lock.expected(lock.parse(requirements), found["markers"])
    if "uv" not in wished:
        raise build.BuildError("uv_requirements does not pin uv: expected uv==VERSION --hash=sha256:…")
    seen = state.look(path)
    if seen and runs and installed.same(wished, seen["installed"]):
        return binary, False
    build.make(build.Wish(path, requirements, found["executable"], [], None, None, None), found, with_pip(settings, found))
    return binary, True


def _not_listed(folder, listed, found):
    """Names of what venv brought besides the list: pip itself last, as it runs."""
    wished = lock.expected(lock.parse(_read(listed)), found["markers"])
    return sorted((name for name in installed.distributions(folder) if name not in wished), key=lambda name: name == "pip")


def _read(path):
    with open(path, encoding="utf-8") as handle:
        return handle.read()


def _run(command, environment, settings, found, before=""):
    code, output = build.run(command, environment, settings.timeout)
    if code:
        raise build.BuildError(before + failures.explain(output, build.python_version(found), build.index_name(settings)))
