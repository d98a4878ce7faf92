# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The interpreter that an environment is made of."""

from __future__ import annotations

import glob
import json
import os
import re
import subprocess

SYSTEM = "/usr/bin/python3"
FOLDERS = ("/usr/bin", "/usr/local/bin")
_VERSION = re.compile(r"python(\d+\.\d+)\Z")
# Prints a dict: marker variables, where it really is, and whether it can make environments with pip in them.
_PROBE = """
import importlib.util, json, os, platform, sys
print(json.dumps({
    "executable": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
    "ensurepip": importlib.util.find_spec("ensurepip") is not None,
    "markers": {
        "implementation_name": sys.implementation.name,
        "implementation_version": "%d.%d.%d" % sys.implementation.version[:3],
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": "%d.%d" % sys.version_info[:2],
        "sys_platform": sys.platform,
    },
}))
"""


class InterpreterError(Exception):
    """There is no such interpreter, or it does not run; the text says what there is."""


def path_of(wish):
    """Absolute path of the wished interpreter: a path, a version as 3.11, or None for the system's. Raises InterpreterError."""
    if not wish:
        wish = SYSTEM
    if re.match(r"\d+(\.\d+)?\Z", wish):
        candidates = [os.path.join(folder, "python" + wish) for folder in FOLDERS]
    elif os.path.isabs(wish):
        candidates = [wish]
    else:
        raise InterpreterError("python is %r: expected an absolute path as /usr/bin/python3.11, or a version as 3.11" % wish)
    for candidate in candidates:
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
    raise InterpreterError(
        "python is %s: there is no such interpreter on this host (there is %s). Install it, or set python to one of these"
        % (wish, ", ".join(available()) or "none in " + " or ".join(FOLDERS))
    )


def available():
    """Paths of the interpreters in the usual places."""
    found = [path for folder in FOLDERS for path in sorted(glob.glob(folder + "/python3*")) if _VERSION.search(path)]
    return [path for path in found if os.access(path, os.X_OK)]


def too_old(version, lowest, path, there):
    """Why a list that holds from Python `lowest` on is nothing for the interpreter at `path`, with the next step; None when it is not.

    version, lowest: as 3.11; lowest may be empty. there: available()'s.
    """
    if not lowest or _numbers(version) >= _numbers(lowest):
        return None
    later = [one for one in there if _numbers(_VERSION.search(one).group(1)) >= _numbers(lowest)]
    return "its list holds for Python %s and later, and %s is Python %s: %s, or give it a list that was made for %s" % (
        lowest,
        path,
        version,
        "set python to one of those that are there (%s)" % ", ".join(later)
        if later
        else "install a later one (RHEL 9 and Amazon Linux 2023 have a package python%s), set python to it" % lowest,
        version,
    )


def _numbers(version):
    return [int(part) for part in version.split(".")]


def minor_version(path):
    """The version that an interpreter's real name says, as 3.11, without running it; None when the name has none."""
    match = _VERSION.search(os.path.realpath(path))
    return match.group(1) if match else None


def probe(path):
    """{executable, ensurepip, markers} of the interpreter, by running it. Raises InterpreterError."""
    try:
        done = subprocess.run([path, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
        return json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise InterpreterError("%s does not run as a Python: %s. Set python to one that does" % (path, error)) from error
