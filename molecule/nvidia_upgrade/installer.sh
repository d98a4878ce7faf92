#!/bin/sh
# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Leaves on a host what NVIDIA's installer (the .run file) does, as far as roles look at it: libraries and programs of no package, the list of
# them, and a program that removes them.
set -eu
version=550.54.15
lib=/usr/lib/x86_64-linux-gnu
mkdir -p /var/lib/nvidia
printf '%s\nNVIDIA Accelerated Graphics Driver for Linux-x86_64\n' "$version" >/var/lib/nvidia/log
for name in libcuda libnvidia-ml; do
    echo "$name" >"$lib/$name.so.$version"
    ln -sf "$name.so.$version" "$lib/$name.so.1"
    printf '1: %s\n1234567\n0: %s\n%s\n' "$lib/$name.so.$version" "$lib/$name.so.1" "$name.so.$version" >>/var/lib/nvidia/log
done
printf '#!/bin/sh\nexit 9\n' >/usr/bin/nvidia-smi
cat >/usr/bin/nvidia-uninstall <<'END'
#!/bin/sh
[ "${1-}" = --silent ] || exit 1
sed -n 's/^[0-9]*: //p' /var/lib/nvidia/log | xargs rm -f
rm -rf /var/lib/nvidia /usr/bin/nvidia-uninstall
END
printf '1: /usr/bin/nvidia-smi\n1234567\n' >>/var/lib/nvidia/log
chmod 0755 /usr/bin/nvidia-smi /usr/bin/nvidia-uninstall
