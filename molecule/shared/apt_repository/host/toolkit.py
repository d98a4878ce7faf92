# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages of NVIDIA's container toolkit repository (nvidia.github.io/libnvidia-container): the four that go together."""

from __future__ import annotations

from pathlib import Path

from deb import Package

VERSIONS = ("1.17.8", "1.18.1", "1.19.0", "1.99.0")
BROKEN = "1.99.0"  # nvidia-container-toolkit-base fails to configure
PROGRAMS = Path(__file__).resolve().parent / "programs"
CONFIG = '#accept-nvidia-visible-devices-envvar-when-unprivileged = true\n\n[nvidia-container-runtime]\nmode = "auto"\n'
REFRESH_UNIT = """\
[Unit]
Description=Refresh NVIDIA CDI specification file
[Service]
Type=oneshot
ExecCondition=/bin/sh -c 'test -e /run/stub-nvidia/loaded'
ExecStart=/usr/bin/nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml
[Install]
WantedBy=multi-user.target
"""
REFRESH_PATH = """\
[Unit]
Description=Trigger CDI refresh on NVIDIA driver install or uninstall
[Path]
PathChanged=/lib/modules
PathChanged=/usr/bin/nvidia-ctk
[Install]
WantedBy=multi-user.target
"""
# From 1.18 on the package switches the refresh of the CDI specification on.
REFRESH_POSTINST = """\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
[ ! -d /run/systemd/system ] || systemctl --quiet enable --now nvidia-cdi-refresh.path nvidia-cdi-refresh.service || true
"""
FAILS = "#!/bin/sh\n[ \"$1\" = configure ] || exit 0\necho 'nvidia-container-toolkit-base: cannot be set up' >&2\nexit 1\n"


def packages(upstream: str) -> list[Package]:
    """All packages of one toolkit version."""
    version = f"{upstream}-1"
    refreshes = tuple(int(part) for part in upstream.split(".")) >= (1, 18)
    files: dict[str, str | bytes] = {
        "/usr/bin/nvidia-ctk": (PROGRAMS / "nvidia-ctk").read_text().replace("@VERSION@", upstream),
        "/usr/bin/nvidia-container-runtime": '#!/bin/sh\nexec runc "$@"\n',
        "/usr/bin/nvidia-cdi-hook": "#!/bin/sh\nexit 0\n",
        "/etc/nvidia-container-runtime/config.toml": CONFIG,
    }
    programs = tuple(path for path in files if path.startswith("/usr/bin/"))
    scripts: dict[str, str] = {}
    if refreshes:
        files["/etc/systemd/system/nvidia-cdi-refresh.service"] = REFRESH_UNIT
        files["/etc/systemd/system/nvidia-cdi-refresh.path"] = REFRESH_PATH
        scripts["postinst"] = REFRESH_POSTINST
    if upstream == BROKEN:
        scripts["postinst"] = FAILS
    cli = f"#!/bin/sh\necho 'cli-version: {upstream}'\necho 'lib-version: {upstream}'\n"
    return [
        Package(
            "nvidia-container-toolkit",
            version,
            "NVIDIA Container toolkit",
            fields={"Depends": f"nvidia-container-toolkit-base (= {version}), libnvidia-container-tools (>= {version})"},
            files={"/usr/bin/nvidia-container-runtime-hook": "#!/bin/sh\nexit 0\n"},
            programs=("/usr/bin/nvidia-container-runtime-hook",),
        ),
        Package(
            "nvidia-container-toolkit-base",
            version,
            "NVIDIA Container Toolkit Base",
            files=files,
            programs=programs,
            conffiles=("/etc/nvidia-container-runtime/config.toml",),
            scripts=scripts,
        ),
        Package(
            "libnvidia-container-tools",
            version,
            "NVIDIA container runtime library (command-line tools)",
            fields={"Depends": f"libnvidia-container1 (>= {version})"},
            files={"/usr/bin/nvidia-container-cli": cli},
            programs=("/usr/bin/nvidia-container-cli",),
        ),
        Package(
            "libnvidia-container1",
            version,
            "NVIDIA container runtime library",
            files={f"/usr/lib/x86_64-linux-gnu/libnvidia-container.so.{upstream}": f"{upstream}\n"},
        ),
    ]
