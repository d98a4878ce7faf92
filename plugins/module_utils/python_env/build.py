# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Makes an environment beside the one that is there, and puts it in its place when it is whole."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections import namedtuple

from ansible_collections.mlinfra.hosts.plugins.module_utils.python_env import failures, installed, lock, secrets, state

# The system's certificates in one file, the first that is there: of Debian and Ubuntu, then of RHEL, Fedora and Amazon Linux. A pip as it
# comes from PyPI knows neither. The places of Go's crypto/x509: https://go.dev/src/crypto/x509/root_linux.go
CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
)
LOCK = "/run/mlinfra-uv-environment.lock"
IMPORT_SECONDS = 300
_MARK = "mlinfra imports "
_IMPORT = """import importlib, sys
for name in sys.argv[1:]:
    print("mlinfra imports " + name, file=sys.stderr, flush=True)
    importlib.import_module(name)
"""

#: How to install. index_url, proxy, cache_dir: None or a text. timeout: seconds for one run of an installer.
Settings = namedtuple("Settings", ["index_url", "proxy", "cache_dir", "compile_bytecode", "allow_build", "timeout"])
#: What to make. requirements: the list's text. python: path of the interpreter. owner, group, mode: None leaves root's and 0755.
Wish = namedtuple("Wish", ["path", "requirements", "python", "imports", "owner", "group", "mode"])


class BuildError(Exception):
    """The environment was not made, what was there before stays; the text says why and what to do."""


@contextlib.contextmanager
def one_at_a_time(path, seconds):
    """Holds this host's lock, or for who is not root the one beside `path`. Raises BuildError when it is held for more than `seconds`."""
    if os.geteuid():
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(os.path.join(os.path.dirname(path), ".mlinfra-uv.lock") if os.geteuid() else LOCK, "a+", encoding="utf-8") as handle:
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    handle.seek(0)
                    holder = handle.read().strip() or "unknown"
                    raise BuildError(
                        "another run makes an environment on this host (process %s) for more than %d s: wait for its end, or stop it"
                        % (holder, seconds)
                    ) from None
                time.sleep(0.2)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def make(wish, found, install):
    """Builds what is wished and puts it in place. Returns (its folder, folders that running processes still use).

    found: interpreter.probe()'s of the interpreter. install(folder, scratch, requirements file): fills the empty folder.
    Raises BuildError; then nothing has changed.
    """
    parent, name = os.path.split(wish.path)
    os.makedirs(parent, mode=0o755, exist_ok=True)
    sweep(wish.path)
    sha256 = lock.digest(wish.requirements)
    folder = tempfile.mkdtemp(prefix=".%s-%s-" % (name, sha256[:8]), dir=parent)
    scratch = tempfile.mkdtemp(prefix=".%s-scratch-" % name, dir=parent)
    before = os.umask(0o022)
    try:
        listed = os.path.join(scratch, "requirements.txt")
        _write(listed, wish.requirements)
        install(folder, scratch, listed)
        have = installed.distributions(folder)
        _compare(lock.expected(lock.parse(wish.requirements), found["markers"]), have)
        record = {
            "requirements_sha256": sha256,
            "python": {
                "executable": found["executable"],
                "machine": found["markers"]["platform_machine"],
                "minor_version": found["markers"]["python_version"],
                "version": found["markers"]["python_full_version"],
            },
            "installed": have,
        }
        _write(os.path.join(folder, state.RECORD), json.dumps(record, indent=1, sort_keys=True) + "\n")
        # From here on root writes nothing into what may be another's: they run in it, and could put links in root's way.
        own(folder, wish.owner, wish.group)
        hand_over(scratch, folder)
        _want_imports(folder, wish.imports, scratch)
        if wish.group is not None and not os.stat(folder).st_uid:
            own(folder, None, wish.group)  # what root's imports compiled; nobody else writes there
        os.chmod(folder, 0o755 if wish.mode is None else wish.mode)
        _point(wish.path, folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise BuildError(failures.explain(str(error), found["markers"]["python_full_version"], "")) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.umask(before)
        shutil.rmtree(scratch, ignore_errors=True)
    return folder, sweep(wish.path)


def sweep(path):
    """Removes folders of the environment that nothing points at, except those that running processes use: returns those."""
    current = os.path.join(os.path.dirname(path), os.readlink(path)) if os.path.islink(path) else None
    outdated = [folder for folder in state.folders(path) if folder != current]
    kept = _in_use(outdated)
    for folder in outdated:
        if folder not in kept:
            shutil.rmtree(folder, ignore_errors=True)
    return kept


def remove(path):
    """Removes an environment with all its folders."""
    if os.path.islink(path):
        os.unlink(path)
    for folder in state.folders(path):
        shutil.rmtree(folder)


def own(folder, owner, group):
    """Gives a folder and all in it to owner and group (names; None leaves it). Raises BuildError when there is none of that name."""
    if owner is None and group is None:
        return
    try:
        shutil.chown(folder, owner, group)
        for at, below, names in os.walk(folder):
            for entry in below + names:
                path = os.path.join(at, entry)
                status = os.stat(folder)
                os.lchown(path, status.st_uid, status.st_gid)
    except LookupError as error:
        raise BuildError("%s: %s. Add it first, or leave owner and group out" % (folder, error)) from error


def owner_of(folder):
    """Arguments of Popen that make a process the folder's owner's; empty for root's folders, and for who is not root.

    Root's group is not the owner's for it: with an owner alone, the files stay root's group's.
    """
    status = os.stat(folder)
    if os.geteuid() or not status.st_uid:
        return {}
    group = status.st_gid
    if not group:
        with contextlib.suppress(KeyError):
            group = pwd.getpwuid(status.st_uid).pw_gid
    return {"user": status.st_uid, "group": group, "extra_groups": []}


def hand_over(scratch, folder):
    """Gives an empty folder to the owner of an environment."""
    status = os.stat(folder)
    if not os.geteuid():
        os.chown(scratch, status.st_uid, status.st_gid)


def broken_import(folder, names, scratch, keep_bytecode):
    """(module, last lines printed) of the first of the modules that cannot be imported in an environment; None when all can.

    keep_bytecode: whether what they load stays compiled, so that who may not write there need not compile it at each start.
    What is in an environment runs as its owner: it shall be root for nobody. Raises BuildError when it takes too long.
    """
    if not names:
        return None
    environment = {"HOME": scratch, "PATH": os.defpath, "LC_ALL": "C.UTF-8", "DO_NOT_TRACK": "1"}
    flags = ["-I"] if keep_bytecode else ["-I", "-B"]
    command = [os.path.join(folder, "bin", "python"), *flags, "-c", _IMPORT, *names]
    code, output = run(command, environment, IMPORT_SECONDS, owner_of(folder))
    if not code:
        return None
    before, unused, said = output.rpartition(_MARK)
    name, unused, said = said.partition("\n")
    return name, "\n".join(said.strip().splitlines()[-4:]) or "exit code %d" % code


def run(command, environment, seconds, identity=None):
    """(exit code, all that it printed) of a program. What it started ends with it. Raises BuildError after `seconds`."""
    try:
        child = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
            **(identity or {}),
        )
    except OSError as error:
        whose = " by its owner, uid %s" % identity["user"] if identity else ""
        raise BuildError("%s cannot be run%s: %s" % (command[0], whose, error.strerror or error)) from error
    try:
        output, unused = child.communicate(timeout=seconds)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise BuildError("%s took more than %d s and was stopped: is the index slow? See timeout" % (command[0], seconds)) from error
        raise
    return child.returncode, output


def installer_environment(settings, scratch):
    """Variables of an installer's process. Addresses are here, not on its command line, where every user could read them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "CONDA"))}
    kept.update(HOME=scratch, TMPDIR=scratch, LC_ALL="C.UTF-8", NO_COLOR="1")
    if settings.proxy:
        kept.update(dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), settings.proxy))
    return kept


def certificates(there=os.path.exists):
    """Path of the system's certificates; None where there are none in a known place."""
    return next((path for path in CERTIFICATES if there(path)), None)


def index_name(settings):
    """The index in words for a message, without its password."""
    return secrets.hide(settings.index_url) if settings.index_url else "the default index"


def _compare(wished, have):
    if not installed.same(wished, have):
        raise BuildError("the installer made something else than the list says, nothing was put in place: %s" % state.drift(wished, have))


def _want_imports(folder, names, scratch):
    broken = broken_import(folder, names, scratch, keep_bytecode=True)
    if broken:
        raise BuildError(
            "import %s fails in the new environment, so it was not put in place:\n%s\n"
            "Add what is missing to the list, or take the name out of imports" % broken
        )


def _write(path, text):
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


def _point(path, folder):
    """Lets the link point at the folder, in one step. An empty folder that is there instead of a link goes."""
    fresh = folder + ".link"
    os.symlink(os.path.basename(folder), fresh)
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        os.replace(fresh, path)
    except OSError:
        os.unlink(fresh)
        raise


def _in_use(outdated):
    """Those of the folders that have a file mapped into a running process (an extension module, mostly)."""
    wanted = {os.path.realpath(folder) + "/": folder for folder in outdated}
    used = set()
    for pid in (entry for entry in os.listdir("/proc") if entry.isdigit()) if wanted else ():
        try:
            with open("/proc/%s/maps" % pid, encoding="utf-8", errors="replace") as handle:
                text = handle.read()
        except OSError:
            continue
        used |= {folder for prefix, folder in wanted.items() if prefix in text}
    return sorted(used)


def python_version(found):
    """3.11.2 of interpreter.probe()'s result."""
    return found["markers"]["python_full_version"]


def require_ensurepip(found):
    """Raises BuildError where Python cannot make an environment with pip in it: Debian has that in a package of its own."""
    if not found["ensurepip"]:
        raise BuildError(
            "%s cannot make virtual environments, which installing uv takes: ensurepip is missing. "
            "On Debian: apt-get install python3-venv" % found["executable"]
        )
