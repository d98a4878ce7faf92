# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What has to be done for the wished EFA software: pure decisions over the wish and what was seen on the host.

The installer never takes a package back: it skips one whose installed version is not lower (package_should_be_skipped), and leaves what a
narrower wish would not have. It then writes the wished release into its list all the same. So going back, and giving something up, is to
uninstall what the list names, and to install anew.
"""

from __future__ import annotations

from ansible_collections.mlinfra.hosts.plugins.module_utils.efa import installed, kmod, releases


def differences(wish, there):
    """Words for the parts that are there or missing against the wish, ([missing], [too much])."""
    missing, surplus = [], []
    wished = {
        "kernel_module": wish["kernel_module"],
        "libfabric": wish["profile"] == "full",
        "limits": wish["limits"],
        "mpi": [] if wish["profile"] == "minimal" else sorted(installed.MPI) if wish["mpi"] == "all" else [wish["mpi"]],
    }
    words = {"kernel_module": "the kernel module", "libfabric": "libfabric", "limits": "the limits"}
    for part, word in words.items():
        if wished[part] != there[part]:
            (missing if wished[part] else surplus).append(word)
    # Before 1.30.0 there was but one Open MPI, under another name.
    if releases.key(wish["version"]) >= releases.key(releases.CHOOSES_MPI):
        missing += [word for word in wished["mpi"] if word not in there["mpi"]]
        surplus += [word for word in there["mpi"] if word not in wished["mpi"]]
    return missing, surplus


def is_older(version, than):
    """Whether a release is older; one that is no version counts as newer, so that it is replaced as a whole."""
    return not releases.VERSION.match(than) or releases.key(version) < releases.key(than)


def steps(wish, seen):
    """[{do: uninstall|install|build, what}] in order.

    seen: {version, packages, parts, not_whole, kernel, module: see kmod.look}; version is None when there is none.
    """
    there, module = seen["version"], seen["module"]
    if not there:
        return [{"do": "install", "what": "install EFA software %s" % wish["version"]}]
    missing, surplus = differences(wish, seen["parts"])
    is_same = there == wish["version"]
    lost = is_same and wish["kernel_module"] and seen["parts"]["kernel_module"] and not (module["installed"] or module["registered"])
    why = ""
    if not is_same and is_older(wish["version"], there):
        why = "to go back to %s" % wish["version"]
    elif surplus:
        why = "to be rid of %s" % ", ".join(surplus)
    elif lost:
        why = "as DKMS has lost its kernel module"
    again = missing or seen["not_whole"]
    found = [{"do": "uninstall", "what": "uninstall EFA software %s, %s" % (there, why)}] if why else []
    if why or not is_same:
        found.append({"do": "install", "what": "install EFA software %s" % wish["version"]})
    elif again:
        found.append({"do": "install", "what": "install EFA software %s again, for %s" % (wish["version"], ", ".join(again))})
    elif wish["kernel_module"] and not module["installed"]:
        what = "build kernel module efa %s for kernel %s" % (module["registered"][-1], seen["kernel"])
        found.append({"do": "build", "what": what})
    return found


def installer_options(wish, has_device):
    """Arguments of efa_installer.sh; its own test needs a device."""
    options = ["-y"]
    options += [] if wish["kernel_module"] else ["--skip-kmod"]
    options += ["--minimal"] if wish["profile"] == "minimal" else []
    options += [] if wish["limits"] else ["--skip-limit-conf"]
    options += [] if wish["mpi"] == "all" or wish["profile"] == "minimal" else ["--mpi=%s" % wish["mpi"]]
    return options + ([] if has_device and wish["test"] else ["--no-verify"])


def unmet(wish, seen, fabric):
    """Messages about what a finished installation still lacks. fabric: see fabric(); None where fi_info was not asked."""
    module = seen["module"]
    found = []
    if seen["not_whole"]:
        found.append("packages are missing or half installed: %s" % ", ".join(seen["not_whole"]))
    if wish["kernel_module"] and not module["installed"]:
        known = "DKMS has %s" % ", ".join(module["registered"]) if module["registered"] else "DKMS does not know it"
        headers = "" if module["headers"] else ", and the kernel's headers are missing"
        found.append("there is no kernel module efa for kernel %s (%s%s)" % (seen["kernel"], known, headers))
    if seen["unbound"]:
        found.append("no driver has taken the devices %s" % ", ".join(seen["unbound"]))
    if fabric is not None and fabric["domains"] < seen["devices"]:
        said = ": %s" % fabric["said"] if fabric["said"] else ""
        found.append("fi_info -p efa shows %d of %d devices%s" % (fabric["domains"], seen["devices"], said))
    return found


def fabric(code, output):
    """{domains, said} of `fi_info -p efa -t FI_EP_RDM`: how many devices it shows; what it said when it shows none."""
    domains = {line.split(":", 1)[1].strip() for line in output.splitlines() if line.strip().startswith("domain:")}
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return {"domains": len(domains) if code == 0 else 0, "said": "" if domains or not lines else lines[0][:200]}


def for_image(seen):
    """What was seen of a host that an image is made of: the devices, if it has any, are not those of the image's hosts."""
    return dict(seen, devices=0, unbound=[])


def waits_for_reboot(wish, seen, said_so):
    """Whether only a reboot finishes it. said_so: whether the installer asked for one in this run."""
    if wish["image"]:
        return False
    return bool(wish["kernel_module"] and not seen["container"] and (said_so or kmod.waits_for_reboot(seen["module"])))
