# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ec2_gpu through ansible-inventory, on instances of the emulated AWS."""

from __future__ import annotations

import pytest

from sandbox.aws.process import Emulator

HEAD = "plugin: mlinfra.hosts.ec2_gpu\n"


@pytest.fixture(scope="module")
def aws(emulator):
    emulator.reset()  # once: instances stay for all tests of this file
    launch(emulator, "train", 2, "g5.12xlarge", access="direct")
    launch(emulator, "cpu", 1, "t3.large", access="direct")
    launch(emulator, "gate", 1, "t3.micro", environment="prod", access="direct", **{"ssh-user": "ops"})
    launch(emulator, "inner", 2, "g5.xlarge", environment="prod", access="bastion", bastion="gate")
    launch(emulator, "train", 1, "g4dn.xlarge", stack="speech", access="direct")
    launch(emulator, "other", 1, "t3.micro", kind="volume")  # not an instance of ours
    return emulator


def launch(aws: Emulator, pool: str, count: int, kind_of_instance: str, **tags: str) -> list[str]:
    ec2 = aws.client("ec2")
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]
    known = {"stack": "vision", "environment": "dev", "kind": "instance", "pool": pool, "slots": f"0-{count - 1}", "ssh-user": "admin"}
    known.update(tags)
    wanted = [{"Key": f"mlinfra:{key}", "Value": value} for key, value in known.items()] + [{"Key": "team", "Value": f"team-{pool}"}]
    specification = [{"ResourceType": "instance", "Tags": wanted}]
    wish = {"ImageId": image, "MinCount": count, "MaxCount": count, "InstanceType": kind_of_instance, "TagSpecifications": specification}
    answer = ec2.run_instances(**wish)
    ids = [instance["InstanceId"] for instance in answer["Instances"]]
    ec2.get_waiter("instance_running").wait(InstanceIds=ids, WaiterConfig={"Delay": 1})
    return ids


DEV = "stack: vision\nenvironment: dev\n"


def test_all_stacks_are_listed_under_full_names(ansible):
    hosts = ansible.hosts()

    assert sorted(hosts) == [
        "speech-dev-train-0",
        "vision-dev-cpu-0",
        "vision-dev-train-0",
        "vision-dev-train-1",
        "vision-prod-gate-0",
        "vision-prod-inner-0",
        "vision-prod-inner-1",
    ]
    assert (hosts["speech-dev-train-0"]["mlinfra_gpu_model"], hosts["vision-dev-train-1"]["mlinfra_gpu_count"]) == ("t4", 4)


def test_one_stack_is_listed_under_short_names(ansible, aws):
    listed = ansible.list(DEV)
    hosts = listed["_meta"]["hostvars"]

    assert sorted(hosts) == ["cpu-0", "train-0", "train-1"]
    assert listed["mlinfra_pool_train"]["hosts"] == ["train-0", "train-1"]
    assert listed["all"]["children"] == ["ungrouped", "mlinfra_hosts"]
    reservations = aws.client("ec2").describe_instances(InstanceIds=[hosts["train-1"]["mlinfra_instance_id"]])["Reservations"]
    instance = reservations[0]["Instances"][0]
    assert instance["AmiLaunchIndex"] == hosts["train-1"]["mlinfra_slot"] == 1
    assert instance["PrivateIpAddress"] == hosts["train-1"]["mlinfra_private_ip"]
    assert instance["Placement"]["AvailabilityZone"] == hosts["train-1"]["mlinfra_zone"]
    assert hosts["train-1"]["mlinfra_tags"]["team"] == "team-train"


def test_a_host_behind_a_bastion_has_its_way_in(ansible):
    hosts = ansible.hosts("stack: vision\nenvironment: prod\nprivate_key_file: ~/keys/prod\nknown_hosts_file: known\n")
    inner, gate = hosts["inner-1"], hosts["gate-0"]

    assert inner["ansible_host"] == inner["mlinfra_private_ip"]
    assert f"ops@{gate['ansible_host']} -W" in inner["ansible_ssh_common_args"]
    assert f"HostKeyAlias={gate['mlinfra_instance_id']}" in inner["ansible_ssh_common_args"]
    assert inner["ansible_ssh_private_key_file"] == f"{ansible.folder}/keys/prod"
    assert f"UserKnownHostsFile={ansible.folder}/inventory/known" in gate["ansible_ssh_common_args"]


def test_without_instances_the_group_is_there_and_nothing_is_said(ansible):
    listed = ansible.list("stack: nothing\n")

    assert (listed["_meta"]["hostvars"], listed["all"]["children"]) == ({}, ["ungrouped", "mlinfra_hosts"])


def test_the_graph_shows_wide_groups_first(ansible):
    ansible.write(HEAD + DEV)
    lines = ansible.run("ansible-inventory", "--graph").stdout.splitlines()
    groups = [line.split("@")[1].rstrip(":") for line in lines if "@" in line]

    assert groups[:5] == ["all", "ungrouped", "mlinfra_hosts", "mlinfra_stack_vision", "mlinfra_environment_dev"]
    assert groups[-2:] == ["mlinfra_pool_cpu", "mlinfra_pool_train"]


def test_variables_of_the_pool_win_and_patterns_work(ansible):
    for group in ("all", "mlinfra_hosts", "mlinfra_zone_us_east_1a", "mlinfra_environment_dev", "mlinfra_pool_train"):
        ansible.write(f"said_by: {group}\n", f"group_vars/{group}.yml")

    assert ansible.hosts(DEV)["train-0"]["said_by"] == "mlinfra_pool_train"
    answer = ansible.run("ansible", "mlinfra_hosts", "--list-hosts", "--limit", "mlinfra_gpu_hosts:!train-0")
    assert answer.stdout.split() == ["hosts", "(1):", "train-1"]


def test_constructed_groups_and_variables(ansible):
    listed = ansible.list(
        DEV
        + "strict: true\n"
        + "keyed_groups:\n  - {key: mlinfra_tags.team, prefix: '', separator: ''}\n  - {key: mlinfra_pool, prefix: pool}\n"
        + "groups: {big: mlinfra_gpu_total >= 4}\n"
        + "compose: {mlinfra_gpu_total: mlinfra_gpu_count * 1, same: mlinfra_zone}\n"
    )

    assert listed["big"]["hosts"] == listed["pool_train"]["hosts"] == listed["team_train"]["hosts"] == ["train-0", "train-1"]
    assert listed["_meta"]["hostvars"]["cpu-0"]["mlinfra_gpu_total"] == 0
    assert listed["_meta"]["hostvars"]["cpu-0"]["same"].startswith("us-east-1")


def test_a_tag_is_never_a_template(ansible, aws):
    ids = launch(aws, "evil", 1, "t3.micro", stack="evil", access="{{ lookup('pipe', 'touch here') }}")
    try:
        answer = ansible.list("stack: evil\nenvironment: dev\n")["_meta"]["hostvars"]["evil-0"]
        assert answer["mlinfra_access"] == {"__ansible_unsafe": "{{ lookup('pipe', 'touch here') }}"}
        shown = ansible.run("ansible", "localhost", "-m", "ansible.builtin.debug", "-a", "msg={{ hostvars['evil-0'].mlinfra_access }}")
        assert "touch here" in shown.stdout
        assert not (ansible.folder / "here").exists()
    finally:
        aws.client("ec2").terminate_instances(InstanceIds=ids)


def test_options_may_be_templates(ansible):
    ansible.environment["WHICH"] = "vision"

    assert "train-0" in ansible.hosts("stack: \"{{ lookup('ansible.builtin.env', 'WHICH') }}\"\nenvironment: dev\n")


CACHE = "cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: {folder}\n"


def test_the_cache_is_used_until_it_is_refreshed(ansible, aws):
    ids = launch(aws, "short", 1, "t3.micro", stack="cached", access="direct")
    text = "stack: cached\nenvironment: dev\n" + CACHE.format(folder=ansible.folder / "cache")
    assert list(ansible.hosts(text)) == ["short-0"]
    aws.client("ec2").terminate_instances(InstanceIds=ids)
    aws.client("ec2").get_waiter("instance_terminated").wait(InstanceIds=ids, WaiterConfig={"Delay": 1})

    assert list(ansible.hosts(text)) == ["short-0"]
    assert list(ansible.hosts(text.replace("environment: dev", "environment: prod"))) == []  # another question
    (ansible.folder / "play.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - {ansible.builtin.debug: {msg: \"before {{ groups['mlinfra_hosts'] }}\"}}\n"
        "    - {ansible.builtin.meta: refresh_inventory}\n"
        "    - {ansible.builtin.debug: {msg: \"after {{ groups['mlinfra_hosts'] }}\"}}\n"
    )
    ansible.write(HEAD + text)
    ansible.write("controller: {hosts: {localhost: {ansible_connection: local}}}\n", "controller.yml")
    played = ansible.run("ansible-playbook", "play.yml")
    assert "before ['short-0']" in played.stdout, played.stderr
    assert "after []" in played.stdout
    assert list(ansible.hosts(text)) == ["localhost"]  # and it was written down


def test_a_flushed_cache_is_asked_again(ansible, aws):
    text = DEV + CACHE.format(folder=ansible.folder / "cache")
    ansible.hosts(text)
    before = aws.requests()["total"]
    ansible.hosts(text)
    assert aws.requests()["total"] == before
    ansible.hosts(text, "--flush-cache")
    assert aws.requests()["total"] == before + 1


def test_no_credentials(ansible):
    assert "no usable AWS credentials" in ansible.refusal(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)


def test_an_unknown_profile(ansible):
    assert "The config profile (nobody) could not be found" in ansible.refusal("profile: nobody\n")


def test_a_profile_of_the_file_wins_over_keys_of_the_environment(ansible):
    (ansible.folder / "credentials").write_text("[mine]\naws_access_key_id = AKIAMINE\naws_secret_access_key = x\n")
    ansible.environment["AWS_SHARED_CREDENTIALS_FILE"] = str(ansible.folder / "credentials")

    assert "train-0" in ansible.hosts(DEV + "profile: mine\n")
    assert "keep one of them" in ansible.refusal(DEV + "profile: mine\naccess_key: AKIAOTHER\nsecret_key: y\n")


def test_an_endpoint_that_is_down(ansible):
    said = ansible.refusal(AWS_ENDPOINT_URL="http://127.0.0.1:9")

    assert "no answer from AWS" in said
    assert "http://127.0.0.1:9/" in said


def test_an_endpoint_elsewhere_is_refused_in_the_sandbox(ansible):
    assert "MLINFRA_LOCAL_ONLY is 1" in ansible.refusal("endpoint_url: http://203.0.113.1\n")


def test_a_region_that_does_not_exist(ansible):
    said = ansible.refusal("regions: [us-east-1, us-est-2]\n")

    assert "regions[1] is us-est-2" in said
    assert "us-east-2" in said


def test_no_region_at_all(ansible):
    assert "there is no region to list" in ansible.refusal(AWS_REGION=None, AWS_DEFAULT_REGION=None)


def test_what_is_not_allowed_names_the_action(ansible, aws):
    aws.fault(service="ec2", action="DescribeInstances", times=1, code="UnauthorizedOperation", status=403)

    assert "Grant the IAM action ec2:DescribeInstances" in ansible.refusal()


def test_throttling_is_waited_out(ansible, aws):
    aws.fault(service="ec2", action="DescribeInstances", times=2, code="RequestLimitExceeded", status=503)

    assert "train-0" in ansible.hosts(DEV)
