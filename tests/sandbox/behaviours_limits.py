# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Behaviours of test_aws_patches.py about what limits a launch: quotas, vCPUs, the role of spot."""

from __future__ import annotations

from sandbox.aws.process import Emulator
from tests.sandbox.behaviours import Account, behaviour, refusal

GPUS, GP3 = {"ServiceCode": "ec2", "QuotaCode": "L-DB2E81BA"}, {"ServiceCode": "ebs", "QuotaCode": "L-7A658B76"}


@behaviour
def service_quotas(aws: Emulator) -> None:
    quotas = aws.client("service-quotas")
    assert quotas.get_service_quota(**GPUS)["Quota"]["Value"] > 10_000
    aws.quotas({"L-DB2E81BA": 96, "L-7A658B76": None})
    told = quotas.get_service_quota(**GPUS)["Quota"]
    assert (told["Value"], told["QuotaName"], told["ServiceCode"]) == (96, "Running On-Demand G and VT instances", "ec2")
    assert refusal(quotas.get_service_quota, **GP3) == ("NoSuchResourceException", 400)
    assert quotas.get_aws_default_service_quota(**GP3)["Quota"]["Value"] == 50
    assert refusal(quotas.get_service_quota, ServiceCode="ec2", QuotaCode="L-7A658B76")[0] == "NoSuchResourceException"
    assert quotas.get_service_quota(ServiceCode="vpc", QuotaCode="L-F678F1CE")["Quota"]["Value"] == 5
    aws.reset()
    assert quotas.get_service_quota(**GPUS)["Quota"]["Value"] > 10_000


@behaviour
def cpu_options(aws: Emulator) -> None:
    account = Account(aws)
    (made,) = account.launch(InstanceType="g5.xlarge")
    assert account.instance(made["InstanceId"])["CpuOptions"] == {"CoreCount": 2, "ThreadsPerCore": 2}


@behaviour
def spot_role(aws: Emulator) -> None:
    account = Account(aws)
    account.launch()
    assert refusal(account.iam.get_role, RoleName="AWSServiceRoleForEC2Spot")[0] == "NoSuchEntity"
    for _time in range(2):
        account.launch(InstanceMarketOptions={"MarketType": "spot"})
    role = account.iam.get_role(RoleName="AWSServiceRoleForEC2Spot")["Role"]
    assert role["Path"] == "/aws-service-role/spot.amazonaws.com/"


@behaviour
def instance_filters(aws: Emulator) -> None:
    account = Account(aws)
    account.launch(InstanceType="g5.xlarge")
    account.launch(InstanceType="t3.large")

    def found(*values: str) -> list[str]:
        answer = account.ec2.describe_instances(Filters=[{"Name": "instance-type", "Values": list(values)}])
        return [instance["InstanceType"] for one in answer["Reservations"] for instance in one["Instances"]]

    assert found("vt*", "g*") == ["g5.xlarge"]
    assert found("t3.large", "p*") == ["t3.large"] and found("g?.xlarge") == ["g5.xlarge"] and found("g") == []
