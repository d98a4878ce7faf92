#!/bin/sh
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# On the mirror host: a tarball laid out like a release of node_exporter, with the program of Debian's package inside,
# served over HTTP; and a certificate for the exporters. /srv/served.json says what there is.
set -eu
export DEBIAN_FRONTEND=noninteractive
work=$(mktemp -d)
cd "$work"
chmod 755 .
apt-get update -qq
apt-get download -qq prometheus-node-exporter
dpkg -x prometheus-node-exporter_*.deb package
version=$(package/usr/bin/prometheus-node-exporter --version 2>&1 | sed -n 's/^node_exporter, version \([0-9.]*\).*/\1/p')
name=node_exporter-$version.linux-$(dpkg --print-architecture)
mkdir -p "$name" "/srv/www/releases/download/v$version"
cp package/usr/bin/prometheus-node-exporter "$name/node_exporter"
cp package/usr/share/doc/prometheus-node-exporter/copyright "$name/LICENSE"
tarball=/srv/www/releases/download/v$version/$name.tar.gz
tar -czf "$tarball" "$name"
# A release that is there and is not what its version says: for what the role refuses.
mkdir -p /srv/www/releases/download/v1.5.1
cp "$tarball" "/srv/www/releases/download/v1.5.1/node_exporter-1.5.1.linux-$(dpkg --print-architecture).tar.gz"
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=exporter.test -keyout exporter.key -out exporter.crt 2>/dev/null
systemd-run --quiet --unit release-mirror --property Restart=on-failure python3 -m http.server --directory /srv/www 8080
python3 - "$version" "$(dpkg --print-architecture)" "$(sha256sum "$tarball" | cut -d ' ' -f 1)" <<'PYTHON' >/srv/served.json
import json, sys
version, architecture, sha256 = sys.argv[1:]
print(json.dumps({"version": version, "sha256": {architecture: sha256}, "cert": open("exporter.crt").read(), "key": open("exporter.key").read()}))
PYTHON
rm -rf "$work"
