#!/bin/bash
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Stands in for AWS's efa_installer.sh: the same options, list of packages and habits (it never takes a package back), not its code.
set -u
. ./env.sh
kmod=1 minimal=0 limits=1 mpi=all uninstall=0
list=/opt/amazon/efa_installed_packages
for option in "$@"; do
    case "$option" in
        -y | -n | --no-verify) ;;
        -u | --uninstall) uninstall=1 ;;
        -k | --skip-kmod) kmod=0 ;;
        -m | --minimal) minimal=1 ;;
        -l | --skip-limit-conf) limits=0 ;;
        --mpi=openmpi4 | --mpi=openmpi5) mpi=${option#--mpi=openmpi} ;;
        *) echo "unknown option $option" >&2; exit 1 ;;
    esac
done
echo "= EFA Installer Version: $EFA_INSTALLER_VERSION ="
if [ $uninstall = 1 ]; then
    dpkg --purge $(grep -v '^#' $list | tr ' ' '\n' | cut -d_ -f1) || exit 1
    rm -f $list
    exit 0
fi
names=()
for file in DEBS/DEBIAN12/x86_64/*.deb DEBS/DEBIAN12/x86_64/*/*.deb; do
    entry=$(basename "$file" .deb)
    case "$entry" in
        efa-config_*) [ $limits = 1 ] || continue ;;
        efa_*) [ $kmod = 1 ] || continue ;;
        libfabric* | efa-profile_*) [ $minimal = 0 ] || continue ;;
        openmpi*) [ $minimal = 0 ] && { [ $mpi = all ] || [[ $entry = openmpi${mpi}0* ]]; } || continue ;;
    esac
    names+=("$entry")
    name=${entry%%_*} version=$(echo "$entry" | cut -d_ -f2)
    there=$(dpkg-query -W -f '${Version}' "$name" 2>/dev/null)
    if [ -n "$there" ] && dpkg --compare-versions "$version" le "$there"; then
        echo "${name}_$there already installed"
        continue
    fi
    if [ -e /run/efa-fails ] && [ "$name" = rdma-core ]; then
        echo "E: Unable to fetch some archives" >&2
        echo "Error: failed to install EFA packages, exiting" >&2
        exit 1
    fi
    dpkg -i "$file" || exit 1
done
mkdir -p /opt/amazon
printf '# EFA installer version: %s\n# Debug packages installed: no\n# Packages installed:\n%s\n' "$EFA_INSTALLER_VERSION" "${names[*]}" > $list
echo "EFA installation complete."
echo "- Please logout/login to complete the installation."
