#!/bin/sh
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Prints all that an installation leaves on a host of dnf: packages, locks, sources, settings, what DKMS and kernels brought. Not dnf's cache,
# history and log, which a mere look refreshes.
set -eu
rpm -qa --queryformat '%{NAME}-%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n' | sort
sed 's/^/lock /' /etc/dnf/plugins/versionlock.list
for top in /etc /boot /lib/modules /usr/src /usr/bin /usr/lib64 /var/lib/dkms /var/lib/mlinfra; do
    [ ! -e "$top" ] || find -L "$top" -xdev ! -type d ! -name '*.cache' -printf '%p %s\n' 2>/dev/null | sort
done
