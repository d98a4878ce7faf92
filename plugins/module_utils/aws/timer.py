# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""User data with the timer that ends a host when its lease is over, beside what the declaration gives the host. Pure.

The host reads tags of its own from the metadata service and powers itself off; EC2 then stops or terminates it, as its shutdown
behaviour says. So a lease holds with no controller, no credentials on the host and no network but the metadata service.
Forms of user data: cloud-init's documentation, "User data formats"; several at once are MIME parts, and a boothook runs at each boot
before everything else that user data asks for, so that a script that hangs cannot keep the timer away.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Optional

LIMIT = 16 * 1024  # bytes before base64 (Amazon EC2 user guide, instance user data)

_HOST = r"""
import datetime, os, subprocess, sys, time, urllib.error, urllib.request
BUSY = "/run/mlinfra-lease-busy"  # uptime when the host was last seen busy; gone after a reboot, as it should be
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

def ask(path, method="GET", **headers):
    named = {"X-aws-ec2-metadata-" + key.replace("_", "-"): value for key, value in headers.items()}
    return OPEN(urllib.request.Request("http://169.254.169.254/latest/" + path, method=method, headers=named), timeout=5).read().decode()

def tags():
    token = ask("api/token", "PUT", token_ttl_seconds="60")
    try:
        names = ask("meta-data/tags/instance", token=token).split("\n")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return {}
        raise
    return {name[8:]: ask("meta-data/tags/instance/" + name, token=token) for name in names if name.startswith("mlinfra:")}

def configured():
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/" + name + "/cmdline", "rb") as file:
                said = file.read()
        except OSError:
            continue
        if b"BECOME-SUCCESS-" in said or b"AnsiballZ_" in said:
            return True
    return False

def busy():
    if configured():  # Ansible is at work on it: most of that is waiting for downloads
        return True
    try:
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        use = [float(one) for one in subprocess.run(query, stdout=subprocess.PIPE, timeout=30, check=True).stdout.split()]
        if use:
            return max(use) >= 5
    except (OSError, subprocess.SubprocessError, ValueError):
        pass
    return os.getloadavg()[0] >= min(1, 0.1 * (os.cpu_count() or 1))

def idle_for():
    with open("/proc/uptime") as file:
        up = float(file.read().split()[0])
    if busy():
        with open(BUSY, "w") as file:
            file.write(str(up))
        return 0
    try:
        with open(BUSY) as file:
            return up - float(file.read())
    except (OSError, ValueError):
        return up

def over(mine):
    if mine.get("timer") == "terminate" and "expires" in mine:
        due = datetime.datetime.strptime(mine["expires"] + "+0000", "%Y-%m-%dT%H:%M:%SZ%z").timestamp()
        if time.time() >= due:
            return "its lease ended at " + mine["expires"]
    if "idle" in mine:
        limit, idle = int(mine["idle"]), idle_for()
        if idle >= limit:
            return "it has been idle for %d s, and its lease allows %d s" % (idle, limit)
    return ""

why = over(tags())
if why:
    print("mlinfra: this host powers itself off: " + why)
    sys.stdout.flush()
    # a blocking inhibitor of anybody would keep it running (systemd 257 minds them for root too)
    if subprocess.run(["systemctl", "poweroff", "-i"]).returncode:
        subprocess.run(["systemctl", "poweroff", "--force"], check=True)
"""

# platform-python is what RHEL 8 has instead of python3.
_BOOTHOOK = """#!/bin/sh
mkdir -p /usr/local/lib/mlinfra
cat > /usr/local/lib/mlinfra/lease.py <<'MLINFRA'
%s
MLINFRA
cat > /etc/systemd/system/mlinfra-lease.service <<'MLINFRA'
[Unit]
Description=End this host when its lease is over
[Service]
Type=oneshot
TimeoutStartSec=120
ExecStart=/bin/sh -c 'exec "$(command -v python3 || echo /usr/libexec/platform-python)" /usr/local/lib/mlinfra/lease.py'
MLINFRA
cat > /etc/systemd/system/mlinfra-lease.timer <<'MLINFRA'
[Unit]
Description=Look every minute whether the lease of this host is over
[Timer]
OnActiveSec=30
OnUnitInactiveSec=60
AccuracySec=1
[Install]
WantedBy=timers.target
MLINFRA
systemctl daemon-reload
systemctl enable mlinfra-lease.timer
systemctl start --no-block mlinfra-lease.timer
"""

#: How user data begins → its type (cloud-init, user data formats). What begins otherwise cloud-init looks at itself as text/plain.
_TYPES = (
    ("#!", "text/x-shellscript"),
    ("#cloud-config-archive", "text/cloud-config-archive"),
    ("#cloud-config", "text/cloud-config"),
    ("#cloud-boothook", "text/cloud-boothook"),
    ("#include-once", "text/x-include-once-url"),
    ("#include", "text/x-include-url"),
    ("#part-handler", "text/part-handler"),
    ("## template: jinja", "text/jinja2"),
)


def user_data(text: Optional[str]) -> str:
    """MIME with the timer first and the declaration's own user data after it. The same text gives the same result: launches hang on it."""
    parts = [_part("text/cloud-boothook", "mlinfra-lease", _BOOTHOOK % _HOST.strip())]
    if text:
        parts.append(text.strip("\n") if _is_mime(text) else _part(_type(text), "user-data", text))
    digest = hashlib.sha256("".join(parts).encode()).hexdigest()
    boundary = f"mlinfra-{digest[:24]}"
    body = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f'Content-Type: multipart/mixed; boundary="{boundary}"\nMIME-Version: 1.0\n\n{body}--{boundary}--\n'


def _type(text: str) -> str:
    return next((kind for start, kind in _TYPES if text.startswith(start)), "text/plain")


def _is_mime(text: str) -> bool:
    """Whether it has parts already: they then become parts of one of ours."""
    head = text.lstrip().split("\n\n", 1)[0].lower()
    return "mime-version:" in head and "content-type: multipart/" in head


def _part(kind: str, name: str, text: str) -> str:
    """Base64 where the text is more than ASCII with plain line ends, which mail would not carry unchanged."""
    plain = text.isascii() and "\r" not in text
    body = text if plain else base64.encodebytes(text.encode("utf-8", "surrogateescape")).decode()
    charset, encoding = ("us-ascii", "7bit") if plain else ("utf-8", "base64")
    return (
        f'Content-Type: {kind}; charset="{charset}"\nMIME-Version: 1.0\nContent-Transfer-Encoding: {encoding}\n'
        f'Content-Disposition: attachment; filename="{name}"\n\n{body}'
    )
