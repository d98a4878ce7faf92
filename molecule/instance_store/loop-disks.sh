#!/bin/sh
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: loop-disks attach | detach
# Two loop devices as /srv/disks/first and second. As instance store they come back empty when the host was stopped (/srv/disks/stopped
# is there) and with all that is on them after a mere reboot.
set -eu
mkdir -p /srv/disks
cd /srv/disks
attach() {
    image=$PWD/$1.img
    [ ! -e stopped ] || rm -f "$image"
    [ -e "$image" ] || truncate -s 512M "$image"
    device=$(losetup -f)
    [ -e "$device" ] || mknod "$device" b 7 "${device#/dev/loop}"
    losetup "$device" "$image"
    ln -sfn "$device" "$1"
}
detach() {
    if [ -L "$1" ]; then
        losetup -d "$(readlink "$1")" || true
        rm -f "$1"
    fi
}
case "${1-}" in
    attach)
        attach first
        attach second
        rm -f stopped
        ;;
    detach)
        detach first
        detach second
        ;;
    *)
        echo "usage: loop-disks attach | detach" >&2
        exit 2
        ;;
esac
