#!/bin/sh
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: dress.sh ID VERSION NAME BASEOS
# Makes a Debian host with dnf look like one of Red Hat's family: its name, an rpm database of its own, and a source of dnf. What Debian
# installed is forgotten (dpkg's status goes aside), as dpkg does not rule there.
set -eu
mkdir -p /etc/yum.repos.d /etc/rpm /lib/modules
rm -f /etc/os-release
printf 'ID="%s"\nID_LIKE="rhel centos fedora"\nVERSION_ID="%s"\nNAME="%s"\n' "$1" "$2" "$3" >/etc/os-release
echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros
echo "${2%%.*}" >/etc/dnf/vars/releasever
# A source of Debian's own making, whose packages nobody has signed.
sed -i 's/^enabled.*/enabled = 0/' /etc/dnf/plugins/local.conf
printf '[baseos]\nname=BaseOS\nbaseurl=%s\ngpgcheck=0\n' "$4" >/etc/yum.repos.d/baseos.repo
[ ! -e /var/lib/dpkg/status ] || mv /var/lib/dpkg/status /var/lib/dpkg/status.debian
dnf -q -y install base
rpm -q base
