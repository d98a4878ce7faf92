# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each mistake is told by path, value, expectation and next step, and alone."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import DocumentError, parse

# (what is set, path that is told, value that is told, words of expectation and next step)
FORM = [
    ({"bogus": 1}, "bogus", "not an option", "known are account_id"),
    ({"netwrok": {}}, "netwrok", "not an option", "Did you mean network?"),
    ({"pools[1].gpus": {}}, "pools[1].gpus", "not an option", "Did you mean gpu?"),
    (
        {"pools[0].gpu.modles": ["a10g"]},
        "pools[0].gpu.modles",
        "not an option",
        "known are count, memory_gib and models. Did you mean models?",
    ),
    ({"pools[1].count": "many"}, "pools[1].count", "many", "a whole number belongs here. Write it in digits"),
    ({"pools[1].count": True}, "pools[1].count", "true", "a whole number belongs here"),
    ({"pools[1].spread": "perhaps"}, "pools[1].spread", "perhaps", "true or false belongs here"),
    ({"pools[1].market": ["spott"]}, "pools[1].market[0]", "spott", "one of reservation, capacity_block, spot"),
    ({"pools[1].max_hourly_usd": "cheap"}, "pools[1].max_hourly_usd", "cheap", "a number belongs here"),
    ({"network": "10.0.0.0/16"}, "network", "10.0.0.0/16", "a mapping of options belongs here"),
    ({"pools": {"name": "train"}}, "pools", '{"name": "train"}', "a list belongs here"),
    ({"pools": "train"}, "pools", "train", "a list belongs here"),
    ({"pools[0]": "train"}, "pools[0]", "train", "a mapping of options belongs here"),
    ({"buckets[0].name": None}, "buckets[0].name", "missing", "it has to be given. Add name to buckets[0]"),
    ({"network.nat": "two"}, "network.nat", "two", "one of none, one and per_zone belongs here"),
    ({"network.endpoints": ["s33"]}, "network.endpoints[0]", "s33", "Did you mean s3?"),
    ({"name": None}, "name", "missing", "Add name"),
]
SCOPE = [
    ({"name": "Vision"}, "name", "Vision", "1 to 32 lowercase letters"),
    ({"name": "a" * 33}, "name", "a" * 33, "1 to 32"),
    ({"name": "vision-"}, "name", "vision-", "from a letter to a letter or digit"),
    ({"environment": "dev--eu"}, "environment", "dev--eu", "single hyphens"),
    ({"account_id": "1234"}, "account_id", "1234", "12 digits. Quote it"),
    ({"region": None}, "region", "missing", "Set region, AWS_REGION"),
    ({"region": "us-east-1a"}, "region", "us-east-1a", "Write it like us-east-1"),
    ({"iam_path": "ml"}, "iam_path", "ml", "begins and ends with a slash"),
    ({"permissions_boundary": "boundary"}, "permissions_boundary", "boundary", "Write it like arn:aws:iam::"),
    (
        {"permissions_boundary": "arn:aws-cn:iam::123456789012:policy/b"},
        "permissions_boundary",
        "arn:aws-cn:iam",
        "us-east-1 is in partition aws",
    ),
    ({"tags": {"AWS:team": "x"}}, "tags.AWS:team", "x", "are reserved. Choose another key"),
    ({"tags": {"mlinfra:stack": "x"}}, "tags.mlinfra:stack", "x", "are reserved"),
    ({"tags": {"Name": "x"}}, "tags.Name", "x", "are reserved"),
    ({"tags": {"k" * 129: "x"}}, "tags." + "k" * 129, "x", "1 to 128"),
    ({"tags": {"team": "x" * 257}}, "tags.team", "xxx", "0 to 256"),
    ({"tags": {"team": "a;b"}}, "tags.team", "a;b", "letters, digits, spaces"),
    ({"tags": {"gpu": True}}, "tags.gpu", "true", "Quote it"),
    ({"tags": {"Team": "a", "team": "b"}}, "tags.team", "b", "IAM takes Team and team for the same key"),
    ({"tags": {f"k{n}": "" for n in range(36)}}, "tags", "36 tags", "35 are left"),
]
CONTROL = [
    ({"state": "absent", "confirm": "vision-dev"}, "confirm", "vision-dev", "this stack is vision-demo. Set confirm: vision-demo"),
    ({"state": "absent"}, "confirm", "missing", "wants its name"),
    ({"state": "gone"}, "state", "gone", "one of present and absent"),
    ({"max_delete": -1}, "max_delete", "-1", "0 or more"),
    ({"lock_timeout": -1}, "lock_timeout", "-1", "0 or more"),
    ({"wait_timeout": 0}, "wait_timeout", "0", "1 or more"),
    ({"expect_plan": "latest"}, "expect_plan", "latest", "Copy plan_id"),
]
NETWORK = [
    ({"network.cidr": "10.42.0.0"}, "network.cidr", "10.42.0.0", "with its prefix length"),
    ({"network.cidr": "ten"}, "network.cidr", "ten", "an IPv4 range belongs here. Write it like 10.42.0.0/16"),
    ({"network.cidr": "fd00::/56"}, "network.cidr", "fd00::/56", "an IPv4 range"),
    ({"network.cidr": "10.42.1.0/16"}, "network.cidr", "10.42.1.0/16", "Write 10.42.0.0/16"),
    ({"network.cidr": "10.0.0.0/8"}, "network.cidr", "10.0.0.0/8", "prefix length of 16 to 28"),
    ({"network.cidr": "10.0.0.0/29"}, "network.cidr", "10.0.0.0/29", "prefix length of 16 to 28"),
    ({"network.cidr": "169.254.0.0/16"}, "network.cidr", "169.254.0.0/16", "overlaps 169.254.0.0/16, which no VPC can use"),
    ({"network.cidr": None}, "network.cidr", "missing", "a network needs its range"),
    (
        {"network.avoid_cidrs": ["10.1.0.0/16", "10.42.128.0/20"]},
        "network.cidr",
        "10.42.0.0/16",
        "overlaps 10.42.128.0/20 of network.avoid_cidrs[1]",
    ),
    ({"network.zone_names": ["us-east-1a"]}, "network.zone_names", '["us-east-1a"]', "network.zone_count is given too"),
    ({"network.zone_count": None}, "network.zone_count", "missing", "one of zone_count and zone_names is needed"),
    ({"network.zone_count": 0}, "network.zone_count", "0", "1 or more"),
    ({"network.zone_count": 17}, "network.zone_count", "17", "has room for 16 zones with a subnet each"),
    ({"network.zone_count": None, "network.zone_names": ["eu-west-1a"]}, "network.zone_names[0]", "eu-west-1a", "a zone of us-east-1"),
    (
        {"network.zone_count": None, "network.zone_names": ["us-east-1a", "us-east-1a"]},
        "network.zone_names[1]",
        "us-east-1a",
        "network.zone_names[0] has it",
    ),
    ({"network.nat": "one"}, "network.nat", "one", "Set private: true, or nat: none"),
    ({"network.ingress": [{"from_port": 70000}]}, "network.ingress[0].from_port", "70000", "0 to 65535"),
    ({"network.ingress": [{"from_port": 90, "to_port": 80}]}, "network.ingress[0].to_port", "80", "the range begins at 90"),
    ({"network.ingress": [{"from_port": 90, "cidrs": ["10.0.0.1/8"]}]}, "network.ingress[0].cidrs[0]", "10.0.0.1/8", "Write 10.0.0.0/8"),
    ({"network.ingress": [{"from_port": 90, "description": "a'b"}]}, "network.ingress[0].description", "a'b", "Reword it"),
    (
        {"network.access.cidrs": ["10.0.0.0/8", "10.0.0.0/8"]},
        "network.access.cidrs[1]",
        "10.0.0.0/8",
        "network.access.cidrs[0] has it already",
    ),
    ({"network.access.via": "bastion"}, "network.access", '{"via": "bastion"', "one of bastion_pool and bastion_host is needed"),
    ({"network.access.bastion_host": "10.0.0.1"}, "network.access.bastion_host", "10.0.0.1", "hosts are reached directly"),
    (
        {"network.access": {"via": "bastion", "bastion_host": "me@x", "cidrs": ["10.0.0.1/32"]}},
        "network.access.bastion_host",
        "me@x",
        "bastion_user",
    ),
    ({"network.existing": {}}, "network.cidr", "10.42.0.0/16", "network.existing is read and never written"),
    ({"network": {"existing": {"vpc": {"id": "v-1"}}}}, "network.existing.vpc.id", "v-1", "begins with vpc-"),
    ({"network": {"existing": {"vpc": {}}}}, "network.existing.vpc", "empty", "one of id and tags is needed"),
    ({"network": {"existing": {"vpc": {"id": "vpc-1"}}}}, "network.existing.subnets", "missing", "needs vpc, subnets and security_groups"),
]
STORAGE = [
    ({"buckets[0].name": "Data"}, "buckets[0].name", "Data", "lowercase letters"),
    ({"buckets[1].name": "data"}, "buckets[1].name", "data", "buckets[0].name has it already"),
    (
        {"buckets[2]": {"name": "x" * 32}, "name": "v" * 20},
        "buckets[2].name",
        "x" * 32,
        "(71 characters): S3 takes 3 to 63 characters. Shorten it",
    ),
    ({"buckets[1].bucket_name": "vision-demo-data-123456789012"}, "buckets[1].bucket_name", "vision-demo", "buckets[0].bucket_name has it"),
    ({"buckets[0].bucket_name": "ab"}, "buckets[0].bucket_name", "ab", "3 to 63"),
    ({"buckets[0].bucket_name": "a_b_c"}, "buckets[0].bucket_name", "a_b_c", "lowercase letters, digits, dots and hyphens"),
    ({"buckets[0].bucket_name": "a..b"}, "buckets[0].bucket_name", "a..b", "no two dots"),
    ({"buckets[0].bucket_name": "192.168.1.1"}, "buckets[0].bucket_name", "192.168.1.1", "looks like an IP address"),
    ({"buckets[0].bucket_name": "xn--data"}, "buckets[0].bucket_name", "xn--data", "begin with xn--"),
    ({"buckets[0].bucket_name": "data-s3alias"}, "buckets[0].bucket_name", "data-s3alias", "end in -s3alias"),
    ({"buckets[0].kms_key": "alias/ml"}, "buckets[0].kms_key", "alias/ml", "Set encryption: kms"),
    ({"buckets[0].encryption": "kms", "buckets[0].kms_key": "my key"}, "buckets[0].kms_key", "my key", "a KMS key's id, alias/… or ARN"),
    ({"buckets[0].lifecycle": [{"prefix": "tmp/"}]}, "buckets[0].lifecycle[0]", "empty", "Add one of expire_days"),
    ({"buckets[0].lifecycle": [{"expire_days": 0}]}, "buckets[0].lifecycle[0].expire_days", "0", "1 or more"),
    ({"buckets[0].existing": True, "buckets[0].lifecycle": None}, "buckets[0].bucket_name", "missing", "by its real name"),
    (
        {"buckets[1]": {"name": "artifacts", "existing": True, "bucket_name": "abc", "versioning": True}},
        "buckets[1].versioning",
        "true",
        "never written",
    ),
    ({"repositories[0].repository_name": "Team/Train"}, "repositories[0].repository_name", "Team/Train", "ECR takes"),
    ({"repositories[1]": {"name": "train"}}, "repositories[1].name", "train", "has it already"),
    ({"repositories[0].keep_last": 0}, "repositories[0].keep_last", "0", "1 or more"),
]
IDENTITY = [
    ({"key": {}}, "key.public_key", "missing", "Set public_key_file: ~/.ssh/id_ed25519.pub"),
    ({"key.public_key": "ssh-dss AAAA"}, "key.public_key", "set to something", "ssh-ed25519 or ssh-rsa"),
    ({"key.public_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "key.public_key", "set to something", "this is a private key"),
    ({"key.existing": True, "key.name": "ops"}, "key.public_key", "set to something", "not imported again"),
    ({"key": {"existing": True}}, "key.name", "missing", "Add the name that EC2 shows"),
    ({"identity.read": ["dta"]}, "identity.read[0]", "dta", "buckets declares data and artifacts. Did you mean data?"),
    ({"identity.push": ["serve"]}, "identity.push[0]", "serve", "repositories declares train. Declare it in repositories"),
    ({"buckets": None, "identity.write": None}, "identity.read[0]", "data", "buckets declares none"),
    (
        {"identity.managed_policies": ["arn:aws:s3:::x"]},
        "identity.managed_policies[0]",
        "arn:aws:s3:::x",
        "Write it like arn:aws:iam::aws:policy/",
    ),
    (
        {"identity.existing_instance_profile": "ops", "identity.write": None, "identity.pull": None},
        "identity.read",
        '["data"]',
        "never written",
    ),
    ({"identity": {"existing_instance_profile": "arn:x"}}, "identity.existing_instance_profile", "arn:x", "without ARN or path"),
]
POOLS = [
    ({"pools[0].count": -1}, "pools[0].count", "-1", "0 or more is possible. Use 0 for a pool without hosts"),
    ({"pools[1].name": "train"}, "pools[1].name", "train", "pools[0].name has it already"),
    ({"pools[0].gpu.models": ["h101"]}, "pools[0].gpu.models[0]", "h101", "Did you mean h100?"),
    ({"pools[0].gpu.models": ["voodoo"]}, "pools[0].gpu.models[0]", "voodoo", "EC2 offers a100, a10g"),
    (
        {"pools[0].gpu": {"models": ["h100"], "count": 3}},
        "pools[0].gpu.count",
        "3",
        "no EC2 type offers 3 H100 (offered: 1, 8). Use one of those",
    ),
    ({"pools[0].gpu": {"models": ["h100", "a100"], "count": 3}}, "pools[0].gpu.count", "3", "3 H100 or A100 (offered: a100 8; h100 1, 8)"),
    ({"pools[0].gpu": {"models": ["a100"], "count": 8, "memory_gib": 64}}, "pools[0].gpu.memory_gib", "64", "(offered: 40, 80)"),
    ({"pools[0].gpu.count": 0}, "pools[0].gpu.count", "0", "Use instance_types for hosts without a GPU"),
    ({"pools[0].instance_types": ["g5.xlarge"]}, "pools[0].instance_types", "g5.xlarge", "pools[0].gpu is given too"),
    ({"pools[1].instance_types": None}, "pools[1]", "cpu", "one of gpu and instance_types is needed"),
    ({"pools[1].instance_types": ["g5xlarge"]}, "pools[1].instance_types[0]", "g5xlarge", "Did you mean g5.xlarge?"),
    ({"pools[0].image": None}, "pools[0].image", "missing", "Add image to pools[0]"),
    ({"pools[0].image": {}}, "pools[0].image", "empty", "one of id, ssm and owner is needed"),
    ({"pools[0].image": {"id": "ami-1"}}, "pools[0].image.id", "ami-1", "Write it like ami-"),
    ({"pools[0].image": {"id": "ami-0123456789abcdef0", "ssm": "/a"}}, "pools[0].image.ssm", "/a", "pools[0].image.id is given too"),
    ({"pools[0].image": {"ssm": "debian"}}, "pools[0].image.ssm", "debian", "a parameter's path"),
    ({"pools[0].image": {"name": "debian-12-*"}}, "pools[0].image", "debian-12-*", "Add owner"),
    ({"pools[0].image": {"name": "debian-12-*", "owner": "debian"}}, "pools[0].image.owner", "debian", "an account id of 12 digits"),
    ({"pools[0].disk.gib": 0}, "pools[0].disk.gib", "0", "1 to 65536"),
    ({"pools[0].disk.iops": 2000}, "pools[0].disk.iops", "2000", "3000 to 80000"),
    (
        {"pools[0].disk": {"gib": 10, "iops": 9000}},
        "pools[0].disk.iops",
        "9000",
        "500 IOPS per GiB, and this one has 10 GiB. Use at most 5000, or 18 GiB",
    ),
    ({"pools[0].disk.throughput": 1000}, "pools[0].disk.throughput", "1000", "this one has 3000 IOPS. Set iops to 4000 or more"),
    ({"pools[0].disk": {"type": "gp2", "iops": 3000}}, "pools[0].disk.iops", "3000", "only gp3 takes it"),
    ({"pools[0].zones": ["us-west-2a"]}, "pools[0].zones[0]", "us-west-2a", "a zone of us-east-1"),
    ({"pools[0].exclude_zones": ["us-west-2a"]}, "pools[0].exclude_zones[0]", "us-west-2a", "a zone of us-east-1"),
    ({"pools[0].exclude_types": ["g5"]}, "pools[0].exclude_types[0]", "g5", "an EC2 instance type belongs here"),
    ({"pools[1].market": ["spot", "spot"]}, "pools[1].market[1]", "spot", "pools[1].market[0] has it already"),
    ({"pools[1].max_hourly_usd": 0}, "pools[1].max_hourly_usd", "0", "more than 0 belongs here"),
    ({"pools[1].min": 2}, "pools[1].min", "2", "count is 1"),
    (
        {"pools[1].market": ["spot"], "pools[1].termination_protection": True},
        "pools[1].termination_protection",
        "true",
        "EC2 protects no spot instances",
    ),
    ({"pools[0].ssh_user": "Bob Smith"}, "pools[0].ssh_user", "Bob Smith", "Use admin for Debian"),
    ({"pools[0].user_data": "x" * 16385}, "pools[0].user_data", "16385 bytes", "EC2 takes 16384"),
    ({"pools[0].user_data": "x", "pools[0].user_data_file": "y"}, "pools[0].user_data_file", "y", "Keep one of them"),
    ({"pools[0].tags": {"aws:x": "y"}}, "pools[0].tags.aws:x", "y", "are reserved"),
]
PRIVATE = {"network.private": True}
REACH = [
    ({"network": None}, "network", "missing", "pools need a network"),
    ({"key": None}, "key", "missing", "nobody could log in"),
    ({"network.access": None}, "network.access.cidrs", "missing", "nothing could reach the hosts. Give the address that you connect from"),
    (PRIVATE, "network.access.via", "direct", "nothing could reach them. Set via: bastion"),
    ({**PRIVATE, "network.access": {}}, "network.access.via", "direct", "nothing could reach them"),
    ({"network.access": {"via": "bastion", "bastion_host": "10.0.0.1"}}, "network.access.cidrs", "missing", "Give the bastion's address"),
    (
        {"network.access.via": "bastion", "network.access.bastion_pool": "gate"},
        "network.access.bastion_pool",
        "gate",
        "pools declares train and cpu",
    ),
    (
        {"network.access.via": "bastion", "network.access.bastion_pool": "cpu", "pools[1].count": 0},
        "network.access.bastion_pool",
        "cpu",
        "that pool has no hosts",
    ),
    (
        {"network.zone_count": None, "network.zone_names": ["us-east-1a"], "pools[1].zones": ["us-east-1b"]},
        "pools[1].zones[0]",
        "us-east-1b",
        "the network has us-east-1a",
    ),
]


@pytest.mark.parametrize(("places", "path", "value", "words"), FORM + SCOPE + CONTROL + NETWORK + STORAGE + IDENTITY + POOLS + REACH)
def test_a_mistake_is_told(wrong, places, path, value, words):
    with pytest.raises(DocumentError) as caught:
        parse(wrong(places))
    problem = next((problem for problem in caught.value.problems if problem.path == path), None)
    assert problem, f"{path} is not among {[problem.sentence for problem in caught.value.problems]}"
    assert problem.sentence.startswith(f"{path} is {value[:50]}")
    assert words in problem.sentence
    assert problem.expected and problem.hint


ALONE = [case for case in CONTROL + POOLS + REACH + STORAGE if case[1] not in ("network", "network.existing.vpc")]


@pytest.mark.parametrize(("places", "path", "value", "words"), ALONE)
def test_one_mistake_is_told_once(wrong, places, path, value, words):
    with pytest.raises(DocumentError) as caught:
        parse(wrong(places))
    assert [problem.path for problem in caught.value.problems] == [path]


@pytest.mark.parametrize(
    "places",
    [
        {**PRIVATE, "network.access": {"via": "bastion", "bastion_pool": "cpu", "cidrs": ["203.0.113.7/32"]}},
        {**PRIVATE, "network.access": {"cidrs": ["10.8.0.0/16"]}},
        {"network": {"existing": {"vpc": {"id": "vpc-1"}, "subnets": {"ids": ["subnet-1"]}, "security_groups": {"ids": ["sg-1"]}}}},
        {"network.cidr": "10.42.0.0/28", "network.zone_count": 1},
        {"pools[0].disk": {"gib": 1, "iops": 3000}},
        {"pools[0].disk": {"gib": 200, "iops": 80000, "throughput": 2000}},
        {"pools[0].gpu": {"models": ["H100"], "count": 8, "memory_gib": 80}},
        {"pools[1].instance_types": ["u-6tb1.metal", "p6-b200.48xlarge", "r7iz.metal-16xl"]},
        {"region": "us-gov-west-1", "permissions_boundary": "arn:aws-us-gov:iam::123456789012:policy/b"},
        {"key.public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"},
        {"confirm": "something-else"},
    ],
)
def test_what_is_possible_passes(wrong, places):
    parse(wrong(places))


def test_a_private_key_is_never_repeated(wrong):
    with pytest.raises(DocumentError) as caught:
        parse(wrong({"key.public_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n"}))
    assert "c2VjcmV0" not in str(caught.value)
    assert "c2VjcmV0" not in str([problem.public() for problem in caught.value.problems])
