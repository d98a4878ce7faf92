#!/bin/sh
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Prints all that an installation leaves on a host: packages with their states and holds, which of them are there for others only, apt's
# sources and preferences, settings, what DKMS and kernels brought. Not package lists and logs, which a mere look refreshes.
set -eu
dpkg-query -W -f '${Package}:${Architecture} ${Version} ${Status}\n' | sort
apt-mark showauto | sort | sed 's/^/auto /'
for top in /etc /boot /lib/modules /usr/src /usr/lib/firmware /usr/bin /usr/lib/x86_64-linux-gnu /var/lib/dkms /var/lib/mlinfra /var/lib/initramfs-tools; do
    [ ! -e "$top" ] || find -L "$top" -xdev ! -type d ! -name '*.cache' ! -name ld.so.cache -printf '%p %s\n' 2>/dev/null | sort
done
find / -maxdepth 1 -printf '%p %l\n' | sort
dpkg --audit
