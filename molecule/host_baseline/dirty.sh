#!/bin/sh
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# A host that others worked on: users with keys, limits and apt settings of their own, a package that dpkg has not finished with, and a
# local source with newer packages, one of which has a name of NVIDIA's.
set -eu

package() { # NAME VERSION [POSTINST] -> /srv/repository/NAME_VERSION_all.deb
  build=$(mktemp -d)
  mkdir -p "$build/DEBIAN" /srv/repository
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Tests <tests@example.org>\nDescription: nothing\n' \
    "$1" "$2" >"$build/DEBIAN/control"
  if [ -n "${3:-}" ]; then
    printf '#!/bin/sh\n%s\n' "$3" >"$build/DEBIAN/postinst"
    chmod 755 "$build/DEBIAN/postinst"
  fi
  chmod 755 "$build"
  dpkg-deb --build "$build" "/srv/repository/$1_$2_all.deb" >/dev/null
  rm -rf "$build"
}

useradd --create-home --shell /bin/bash bob
install -d -o bob -g bob -m 0700 ~bob/.ssh
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBobsOwnBobsOwnBobsOwnBobsOwnBobsOwnBobsOwn bob at home' >~bob/.ssh/authorized_keys
chown bob:bob ~bob/.ssh/authorized_keys
useradd --create-home gone
echo '@staff hard core 0' >/etc/security/limits.d/20-site.conf
mkdir -p /etc/apt/apt.conf.d
cat >/etc/apt/apt.conf.d/99site <<'CONF'
Unattended-Upgrade::Package-Blacklist { "site-tool"; };
Unattended-Upgrade::Origins-Pattern { "origin=mlinfra-test"; };
CONF

for name in nvidia-demo libnvidia-demo1 cuda-demo-12-4 site-driver-x site-tool plain-demo; do
  package $name 1.0
  dpkg --install "/srv/repository/${name}_1.0_all.deb" >/dev/null
  rm "/srv/repository/${name}_1.0_all.deb"
  package $name 2.0
done
cd /srv/repository
for deb in *.deb; do
  dpkg-deb --field "$deb"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d ' ' -f 1)"
done >Packages
printf 'Origin: mlinfra-test\nLabel: mlinfra-test\nSuite: stable\nSHA256:\n %s %s Packages\n' \
  "$(sha256sum Packages | cut -d ' ' -f 1)" "$(stat -c %s Packages)" >Release
echo 'deb [trusted=yes] file:/srv/repository ./' >/etc/apt/sources.list.d/test.list

package flaky 1.0 'test -e /srv/flaky-may || { touch /srv/flaky-may; echo not yet >&2; exit 1; }'
dpkg --install /srv/repository/flaky_1.0_all.deb >/dev/null 2>&1 || true
touch /srv/dirty
