# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What registries and mirrors are wished, and how each engine is told: pure functions.

A wish is {mirrors: URLs of mirrors of Docker Hub; registries: [{name: HOST[:PORT], ca: PEM, insecure: bool, mirrors: [URL]}]}.
Formats: https://docs.docker.com/reference/cli/dockerd/ (insecure registries) and /engine/security/certificates/ (certs.d);
docs/hosts.md of containerd; containers-registries.conf(5) and containers-certs.d(5).
"""

from __future__ import annotations

import json
import re

HUB = "docker.io"
ENGINES = ("docker", "containerd", "podman")
FOLDERS = {"docker": "/etc/docker/certs.d", "containerd": "/etc/containerd/certs.d", "podman": "/etc/containers/certs.d"}
NAME = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?$")
URL = re.compile(r"^(https?)://([^/\s@\"]+)(/[^\s\"]*)?$")
BY = "# By role mlinfra.hosts.container_runtime.\n"
PULL, PUSH = '["pull", "resolve"]', '["pull", "resolve", "push"]'


def problems(engine, mirrors, registries):
    """Messages about what no engine, or not this one, can be told."""
    found, names = [], [str(one.get("name")) for one in registries]
    for index, one in enumerate(registries):
        where, name = "container_runtime_registries[%d]" % index, str(one.get("name"))
        if not NAME.match(name):
            found.append("%s.name is %s: expected HOST or HOST:PORT, as registry.example.org:5000." % (where, name))
        elif names.index(name) != index:
            found.append("%s.name is %s, which an earlier one has too. Make one of them." % (where, name))
        if one.get("ca") and "-----BEGIN CERTIFICATE-----" not in one["ca"]:
            found.append("%s.ca is no certificate: expected the text of a PEM file (lookup('file', …) reads one)." % where)
        if one.get("ca") and one.get("insecure"):
            found.append("%s has ca and insecure: a certificate that nobody checks says nothing. Leave one of them out." % where)
        found += _urls(where + ".mirrors", one.get("mirrors") or [])
        if engine == "docker" and one.get("mirrors"):
            found.append(
                "%s.mirrors: Docker knows mirrors of Docker Hub alone. Give those as container_runtime_registry_mirrors, or choose "
                "containerd or podman as container_runtime_engine." % where
            )
    return found + _urls("container_runtime_registry_mirrors", mirrors)


def _urls(where, urls):
    told = "%s[%d] is %s: expected a URL without a password, as https://mirror.example.org."
    return [told % (where, index, re.sub(r"//.*@", "//***@", str(url))) for index, url in enumerate(urls) if not URL.match(str(url))]


def of(mirrors, registries):
    """The registries of a wish, each with all its keys; Docker Hub among them when it has mirrors."""
    full = [dict({"ca": None, "insecure": False, "mirrors": []}, **_given(one)) for one in registries]
    hub = [one for one in full if one["name"] == HUB]
    if mirrors and hub:
        hub[0]["mirrors"] = [*mirrors, *hub[0]["mirrors"]]
    elif mirrors:
        full.insert(0, {"name": HUB, "ca": None, "insecure": False, "mirrors": list(mirrors)})
    for one in full:
        one["mirrors"] = _once(one["mirrors"])
    return full


def _once(urls):
    """Each place once, as it is written first: a slash at the end makes no other one, and containerd takes no table twice."""
    first = {}
    for url in urls:
        first.setdefault(url.rstrip("/"), url)
    return list(first.values())


def _given(one):
    return {key: value for key, value in one.items() if value is not None}


def insecure(registries):
    """Names for Docker's insecure-registries."""
    return [one["name"] for one in registries if one["insecure"]]


def files(engine, registries):
    """{path: text} of what an engine reads of registries in files of their own, each time that it pulls."""
    folder, found = FOLDERS[engine], {}
    for one in registries:
        place = "%s/%s/" % (folder, one["name"])
        if one["ca"]:
            found[place + "ca.crt"] = one["ca"].strip() + "\n"
        if engine == "containerd":
            found[place + "hosts.toml"] = hosts_toml(one, registries)
    return found


def hosts_toml(one, registries):
    """containerd's file about a registry. Images come from an insecure one by https without a look at its certificate, else by http, as
    Docker and podman do by themselves. They go there by http: containerd pushes to the first that takes pushes, and tries no other."""
    known = {other["name"]: other for other in registries}
    name = "registry-1.docker.io" if one["name"] == HUB else one["name"]
    lines = ["server = %s" % json.dumps("%s://%s" % ("http" if one["insecure"] else "https", name))]
    itself = "https://" + name if one["insecure"] or one["ca"] else None
    for url in one["mirrors"]:
        if url.rstrip("/") != itself:
            lines += _host(url.rstrip("/"), known.get(host_of(url)), PULL)
    if itself:
        lines += _host(itself, one, PULL if one["insecure"] else PUSH)
    return BY + "\n".join(lines) + "\n"


def _host(url, entry, capabilities):
    lines = ["", "[host.%s]" % json.dumps(url), "  capabilities = %s" % capabilities]
    if URL.match(url).group(3):
        lines.append("  override_path = true")
    if entry and entry["insecure"] and url.startswith("https:"):
        lines.append("  skip_verify = true")
    if entry and entry["ca"]:
        lines.append("  ca = %s" % json.dumps("%s/%s/ca.crt" % (FOLDERS["containerd"], entry["name"])))
    return lines


def host_of(url):
    """HOST[:PORT] of a URL."""
    return URL.match(url).group(2)


def podman(registries):
    """Text of a file for registries.conf.d; empty when there is nothing to say. Certificates lie in certs.d."""
    unsafe = set(insecure(registries))
    parts = []
    for one in registries:
        if not (one["mirrors"] or one["insecure"]):
            continue
        lines = ["[[registry]]", "location = %s" % json.dumps(one["name"])]
        lines += ["insecure = true"] if one["insecure"] else []
        for url in one["mirrors"]:
            scheme, host, path = URL.match(url).groups()
            lines += ["", "[[registry.mirror]]", "location = %s" % json.dumps(host + (path or "").rstrip("/"))]
            lines += ["insecure = true"] if scheme == "http" or host in unsafe else []
        parts.append("\n".join(lines))
    return BY + "\n\n".join(parts) + "\n" if parts else ""


def told_already(registries, found):
    """Names of ours that a registries.conf of somebody else has, too: [[registry]] tables of one prefix replace each other.
    found: parsed files, as dicts."""
    theirs = {table.get("prefix") or table.get("location") for one in found for table in one.get("registry", []) if isinstance(table, dict)}
    return [one["name"] for one in registries if (one["mirrors"] or one["insecure"]) and one["name"] in theirs]
