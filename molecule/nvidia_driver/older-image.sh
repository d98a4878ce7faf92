#!/bin/sh
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: older-image.sh
# Makes a test host look like a machine of its own whose image is older than the mirror: it runs kernel 6.1.0-97, whose headers are gone,
# and sources offer 6.1.0-98. At each start it "starts" the newest kernel of /boot, with the modules that are built for it.
set -eu
rm -rf /lib/modules/*/build
mkdir -p /lib/modules/6.1.0-97-amd64
touch /boot/vmlinuz-6.1.0-97-amd64 /lib/modules/6.1.0-97-amd64/modules.builtin
url=$(sed -n 's/^URIs: \(.*\)nvidia\/compute.*/\1kernel\//p' /etc/apt/sources.list.d/mlinfra-nvidia.sources)
echo "deb [trusted=yes] $url /" >/etc/apt/sources.list.d/kernel.list
apt-get -qq update >/dev/null

# The kernel is the machine's outside: Python's word for it is another one, and no program calls this a container.
cat >>/etc/python3.11/sitecustomize.py <<'PYTHON'
import os
def _uname(real=os.uname):
    found = list(real())
    with open("/run/kernel") as file:
        found[2] = file.read().strip()
    return os.uname_result(found)
if os.path.exists("/run/kernel"):
    os.uname = _uname
PYTHON
printf '#!/bin/sh\nexit 1\n' >/usr/local/bin/systemd-detect-virt
cat >/usr/local/sbin/start-kernel <<'SHELL'
#!/bin/sh
set -eu
kernel=$(ls /boot/vmlinuz-* | sort -V | tail -n 1)
kernel=${kernel#/boot/vmlinuz-}
echo "$kernel" >/run/kernel
module=/lib/modules/$kernel/updates/dkms/nvidia.ko
[ -e "$module" ] || exit 0
mkdir -p /run/modules/nvidia
mount --bind /run/modules /sys/module
stub-nvidia load "$(modinfo -F version "$module")"
SHELL
cat >/etc/systemd/system/start-kernel.service <<'UNIT'
[Unit]
Before=ssh.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/start-kernel
[Install]
WantedBy=multi-user.target
UNIT
chmod 755 /usr/local/bin/systemd-detect-virt /usr/local/sbin/start-kernel
systemctl enable --quiet --now start-kernel.service
