# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host side decides, without a host: sources, control groups, steps, rules, metadata, PCI."""

from __future__ import annotations

import dataclasses
import errno
import json
import socket
import struct

import pytest

from sandbox.hosts import apt_sources, cgroups, dns, machine_config, metadata, network, pci
from sandbox.hosts.decide import Host, Step, decide
from sandbox.hosts.gpu_types import gpu_of
from sandbox.hosts.imds import Tokens, respond
from sandbox.paths import SandboxError, checked_name
from sandbox.processes import Process
from sandbox.view import InstanceView

VIEW = InstanceView(
    instance_id="i-0123456789abcdef0", account_id="123456789012", region="us-east-1", zone="us-east-1a", state="running", boot_generation=1,
    instance_type="g5.12xlarge", image_id="ami-1", image_suite="bookworm", private_ip="10.9.0.4", mac="02:00:00:00:00:01", vpc_id="vpc-1",
    vpc_cidr="10.9.0.0/16", subnet_id="subnet-1", subnet_cidr="10.9.0.0/24", public_key="ssh-ed25519 AAAA me", role_name="trainer",
    instance_profile_arn="arn:aws:iam::123456789012:instance-profile/trainer", tags={"Name": "a"}, launch_time="2026-01-01T00:00:00Z",
    security_groups=[{"id": "sg-1", "name": "one"}, {"id": "sg-2", "name": "two"}], user_data=b"#!/bin/sh\n\xff",
)  # fmt: skip

DEB822 = """# the system's own
Types: deb deb-src
URIs: https://mirror.example/debian
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example/security
Suites: trixie-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Enabled: no
Types: deb
URIs: https://other.example/debian
Suites: trixie
Components: main
"""


def test_sources_in_deb822_give_the_mirror_and_its_security():
    mirrors = apt_sources.choose(apt_sources.parse_deb822(DEB822), "trixie")
    assert mirrors.main.uri == "https://mirror.example/debian"
    assert mirrors.security.uri == "https://mirror.example/security"
    assert [line.split("]")[1].split()[:2] for line in mirrors.lines("bookworm")] == [
        ["https://mirror.example/debian", "bookworm"],
        ["https://mirror.example/debian", "bookworm-updates"],
        ["https://mirror.example/security", "bookworm-security"],
    ]


def test_sources_of_one_line_keep_trust_and_skip_the_rest():
    text = "# deb http://no.example x main\ndeb-src http://src.example bookworm main\n"
    text += "deb [arch=amd64 trusted=yes] http://m.example bookworm main\n"
    mirrors = apt_sources.choose(apt_sources.parse_one_line(text), "bookworm")
    assert mirrors.main.uri == "http://m.example" and mirrors.security is None
    assert mirrors.lines("trixie")[0].startswith("deb [trusted=yes] http://m.example trixie main")


def test_a_machine_without_debian_sources_has_no_mirror():
    assert apt_sources.choose(apt_sources.parse_one_line("deb http://vendor.example nodistro main"), "bookworm") is None


def test_proxies_of_apt_and_of_the_environment_are_carried_over():
    dump = 'Acquire::http::Proxy "http://p:1";\nAPT::Architecture "amd64";\n'
    dump += 'Acquire::https::mirror.example::CaInfo "/x.pem";\nAcquire::https::Proxy "";\n'
    assert machine_config.apt_settings(dump).splitlines() == [
        'Acquire::http::Proxy "http://p:1";', 'Acquire::https::mirror.example::CaInfo "/x.pem";',
    ]  # fmt: skip
    told = machine_config.shared_environment(
        {"https_proxy": "http://p:1", "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt", "PIP_CERT": "/home/me/ca.pem", "SECRET": "x"}
    )
    assert told.splitlines() == ['https_proxy="http://p:1"', 'SSL_CERT_FILE="/etc/ssl/certs/ca-certificates.crt"']


V2 = "25 24 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
HYBRID = (
    "25 24 0:22 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n26 25 0:23 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    "27 25 0:24 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
)
V1 = "25 24 0:22 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n27 25 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"


@pytest.mark.parametrize("mountinfo, layout", [(V2, "v2"), (HYBRID, "hybrid"), (V1, "v1"), (HYBRID + V2, "v2"), ("", "none")])
def test_layout_of_control_groups(mountinfo, layout):
    assert cgroups.layout(mountinfo) == layout


def host(**changes):
    base = Host("i-0123456789abcdef0", "vpc-1", "10.9.0.0/16", "10.9.0.4", "bookworm", generation=1, process=Process(10, 20))
    return dataclasses.replace(base, **changes)


def seen(**changes):
    return dataclasses.replace(VIEW, **changes)


@pytest.mark.parametrize(
    "view, there, alive, step",
    [
        (seen(), None, False, Step.BOOT),
        (seen(state="pending"), None, False, Step.BOOT),
        (seen(), host(), True, Step.KEEP),
        (seen(boot_generation=2), host(), True, Step.REBOOT),
        (seen(), host(), False, Step.EXAMINE),
        (seen(state="pending"), host(), False, Step.KEEP),
        (seen(boot_generation=2), host(), False, Step.BOOT),
        (seen(), host(process=None), False, Step.BOOT),
        (seen(state="stopping"), host(), True, Step.STOP),
        (seen(state="stopped"), host(process=None), False, Step.KEEP),
        (seen(state="stopped"), None, False, Step.KEEP),
        (seen(state="shutting-down"), host(), True, Step.REMOVE),
        (seen(state="terminated"), None, False, Step.KEEP),
        (None, host(), True, Step.REMOVE),
        (seen(), host(removing=True), True, Step.REMOVE),
        (seen(image_suite=None), None, False, Step.KEEP),
    ],
)
def test_steps(view, there, alive, step):
    assert decide(view, there, alive) is step


def test_a_host_is_read_back_as_it_was_written():
    assert Host.from_dict(json.loads(json.dumps(host().as_dict()))) == host()


def test_the_gateway_is_the_last_usable_address():
    net = network.Network("demo", "vpc-1", "10.9.0.0/20")
    assert net.gateway == "10.9.15.254" and len(net.bridge) <= 15
    assert net.bridge != network.Network("test", "vpc-1", "10.9.0.0/20").bridge


def test_rules_let_vpcs_out_and_not_into_each_other():
    one, two = network.Network("demo", "vpc-1", "10.9.0.0/16"), network.Network("demo", "vpc-2", "10.10.0.0/16")
    text = network.ruleset("demo", [one, two])
    assert text.splitlines()[:2] == ["table ip mlinfra-demo", "delete table ip mlinfra-demo"]
    assert "ip saddr 10.9.0.0/16 ip daddr != 10.9.0.0/16 masquerade" in text
    assert f'iifname "{one.bridge}" oifname "mlb*" oifname != "{one.bridge}" drop' in text


def test_without_networks_the_table_only_goes():
    assert network.ruleset("demo", []).splitlines() == ["table ip mlinfra-demo", "delete table ip mlinfra-demo"]


def test_an_overlap_names_both_sides():
    net = network.Network("demo", "vpc-1", "10.9.0.0/16")
    routes = [{"dst": "default", "dev": "eth0"}, {"dst": "10.9.0.0/16", "dev": net.bridge}, {"dst": "192.168.0.0/24", "dev": "eth0"}]
    assert network.overlap(net, routes) is None
    assert "10.9.128.0/17 on docker0" in network.overlap(net, [*routes, {"dst": "10.9.128.0/17", "dev": "docker0"}])


def role(_instance_id):
    return {
        "AccessKeyId": "ASIA",
        "SecretAccessKey": "s",
        "Token": "t",
        "Expiration": "2026-01-01T06:00:00Z",
        "LastUpdated": "2026-01-01T00:00:00Z",
    }


def ask(path, method="GET", view=VIEW, tokens=None, **headers):
    return respond(method, path, {name.replace("_", "-"): value for name, value in headers.items()}, view, tokens or Tokens(), role)


def read(path, view=VIEW):
    tokens = Tokens()
    token = ask("/latest/api/token", "PUT", view, tokens, x_aws_ec2_metadata_token_ttl_seconds="60")[1].decode()
    return ask(path, "GET", view, tokens, x_aws_ec2_metadata_token=token)[:2]


@pytest.mark.parametrize("ttl, status", [("60", 200), ("21600", 200), ("21601", 400), ("0", 400), ("", 400), ("x", 400)])
def test_a_token_needs_a_sane_time_to_live(ttl, status):
    assert ask("/latest/api/token", "PUT", x_aws_ec2_metadata_token_ttl_seconds=ttl)[0] == status


def test_no_token_through_a_proxy_and_no_other_method():
    assert ask("/latest/api/token", "PUT", x_aws_ec2_metadata_token_ttl_seconds="60", x_forwarded_for="1.2.3.4")[0] == 403
    assert ask("/latest/api/token")[0] == 405
    assert ask("/latest/meta-data/", "POST")[0] == 405


def test_nothing_without_a_valid_token_unless_version_1_is_allowed():
    assert ask("/latest/meta-data/instance-id")[0] == 401
    assert ask("/latest/meta-data/instance-id", x_aws_ec2_metadata_token="made-up")[0] == 401
    optional = seen(http_tokens="optional")
    assert ask("/latest/meta-data/instance-id", view=optional)[:2] == (200, b"i-0123456789abcdef0")
    assert ask("/latest/meta-data/instance-id", view=optional, x_aws_ec2_metadata_token="made-up")[0] == 401


def test_a_token_ends_with_its_time():
    tokens = Tokens()
    token = tokens.issue(10, now=100.0)
    assert tokens.valid(token, 109.9) and not tokens.valid(token, 110.1)


@pytest.mark.parametrize(
    "path, body",
    [
        ("/latest/meta-data/local-hostname", b"ip-10-9-0-4.ec2.internal"),
        ("/latest/meta-data/placement/region", b"us-east-1"),
        ("/latest/meta-data/public-keys/", b"0=openssh-key"),
        ("/latest/meta-data/public-keys/0/openssh-key", b"ssh-ed25519 AAAA me\n"),
        ("/latest/meta-data/iam/security-credentials/", b"trainer"),
        ("/latest/meta-data/security-groups", b"one\ntwo"),
        ("/latest/meta-data/network/interfaces/macs/02:00:00:00:00:01/subnet-id", b"subnet-1"),
        ("/latest/user-data", b"#!/bin/sh\n\xff"),
    ],
)
def test_answers(path, body):
    assert read(path) == (200, body)


def test_what_is_not_there_is_404():
    assert read("/latest/meta-data/public-ipv4")[0] == 404
    assert read("/latest/meta-data/tags/instance/Name")[0] == 404
    assert read("/latest/meta-data/iam/", seen(role_name=None))[0] == 404
    assert read("/latest/meta-data/tags/instance/Name", seen(metadata_tags=True)) == (200, b"a")


def test_credentials_and_document_are_json():
    assert json.loads(read("/latest/meta-data/iam/security-credentials/trainer")[1])["AccessKeyId"] == "ASIA"
    document = json.loads(read("/latest/dynamic/instance-identity/document")[1])
    assert (document["instanceType"], document["accountId"], document["privateIp"]) == ("g5.12xlarge", "123456789012", "10.9.0.4")


def test_other_regions_have_their_own_domain():
    assert metadata.local_hostname(seen(region="eu-west-1")) == "ip-10-9-0-4.eu-west-1.compute.internal"


def gpus(instance_type):
    return [(d.vendor, d.device) for d in pci.devices(instance_type) if d.code == pci.DISPLAY_3D]


@pytest.mark.parametrize(
    "instance_type, device, count",
    [
        ("g4dn.xlarge", 0x1EB8, 1),
        ("g5.12xlarge", 0x2237, 4),
        ("p4d.24xlarge", 0x20B0, 8),
        ("p4de.24xlarge", 0x20B2, 8),
        ("p5.48xlarge", 0x2330, 8),
    ],
)
def test_gpus_of_a_type(instance_type, device, count):
    assert gpus(instance_type) == [(0x10DE, device)] * count


def test_a_type_without_gpus_still_has_disk_and_network():
    assert gpus("t3.large") == []
    assert {d.driver for d in pci.devices("t3.large")} >= {"nvme", "ena"}


def test_every_gpu_type_of_the_collection_has_device_ids_and_addresses_of_its_own():
    gpu_of("g5.xlarge")
    from sandbox.hosts import gpu_types

    for name, row in gpu_types._table().items():
        found = pci.devices(name)
        assert len({d.address for d in found}) == len(found), name
        assert len(gpus(name)) == (row.count or 1), name


def test_config_space_says_what_the_files_say(tmp_path):
    found = pci.devices("g5.xlarge")
    pci.write_tree(tmp_path / "pci", found)
    place = next(p for p in (tmp_path / "pci/devices").iterdir() if (p / "vendor").read_text().strip() == "0x10de")
    config = (place / "config").read_bytes()
    assert struct.unpack_from("<HH", config) == (0x10DE, 0x2237)
    assert config[9:12] == bytes([0x00, 0x02, 0x03]) and len(config) == 256
    assert "pci:v000010DEd00002237" in (place / "modalias").read_text()


@pytest.mark.parametrize("name", ["", "Demo", "-a", "a" * 21, "a/b", "a b"])
def test_names_that_cannot_be_paths_are_refused(name):
    with pytest.raises(SandboxError, match="expected 1 to 20"):
        checked_name(name)


def test_name_servers_of_the_machine_are_taken_as_they_are():
    text = "search corp.example\nnameserver 10.1.1.1\nnameserver 127.0.0.1\noptions edns0\n"
    assert dns.for_hosts(text, "10.9.255.254") == ("search corp.example\nnameserver 10.1.1.1\noptions edns0\n", [])


def test_name_servers_on_loopback_are_relayed():
    text = "# made by someone\nnameserver 127.0.0.11\nsearch corp.example\n"
    assert dns.for_hosts(text, "10.9.255.254") == ("nameserver 10.9.255.254\nsearch corp.example\n", ["127.0.0.11"])


def on_one_port(bind):
    """What ``bind()`` gives. The system picks a port that is free for UDP, and somebody may have it for TCP: then another one."""
    for _ in range(50):
        try:
            return bind()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise AssertionError("no port is free for both")


def test_the_relay_passes_questions_over_udp_and_tcp():
    def both():
        udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
        try:
            udp.bind(("127.0.0.1", 0))
            tcp.bind(udp.getsockname())
        except OSError:
            udp.close()
            tcp.close()
            raise
        return udp, tcp

    udp, tcp = on_one_port(both)
    with udp, tcp:
        tcp.listen()
        relay = on_one_port(lambda: dns.Relay("127.0.0.1", "127.0.0.1", port=0, server_port=udp.getsockname()[1]))
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
                asker.settimeout(10)
                asker.sendto(b"question", ("127.0.0.1", relay.port))
                said, peer = udp.recvfrom(100)
                udp.sendto(said.upper(), peer)
                assert asker.recv(100) == b"QUESTION"
            with socket.create_connection(("127.0.0.1", relay.port), 10) as asker:
                asker.sendall(b"\0\3one")
                served, _ = tcp.accept()
                with served:
                    assert served.recv(100) in (b"\0\3one", b"\0\3")
                    served.sendall(b"\0\3ONE")
                    assert asker.recv(100) in (b"\0\3ONE", b"\0\3")
        finally:
            relay.close()


def test_hosts_that_only_the_machine_knows_are_carried_over():
    assert (
        machine_config.named_hosts("127.0.0.1 localhost\n# x\n192.0.2.7 mirror.example # ours\nfe80::1 r\n\n")
        == "192.0.2.7 mirror.example # ours\n"
    )
