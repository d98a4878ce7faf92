# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service Quotas knows the quotas that launches count against.

AWS: GetServiceQuota answers with the account's value, NoSuchResourceException where it has none of its own; GetAWSDefaultServiceQuota with
the default. https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html,
https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetAWSDefaultServiceQuota.html
moto: knows the defaults of VPC alone, and not the second call. Here: the codes of quotas.py, whose values ``PUT /sandbox/quotas`` sets.
"""

from __future__ import annotations

import json
from typing import Any

from ..quotas import KNOWN, QUOTAS


def apply() -> None:
    from moto.servicequotas.exceptions import NoSuchResource
    from moto.servicequotas.responses import ServiceQuotasResponse

    original = ServiceQuotasResponse.get_service_quota

    def answer(self: Any, service: str, code: str, value: float) -> str:
        arn = f"arn:aws:servicequotas:{self.region}:{self.current_account}:{service}/{code}"
        facts = {"ServiceCode": service, "QuotaCode": code, "QuotaName": KNOWN[code].name, "QuotaArn": arn, "Value": value}
        return json.dumps({"Quota": {**facts, "Unit": "None", "Adjustable": True, "GlobalQuota": False}})

    def asked(self: Any) -> tuple[str, str]:
        params = json.loads(self.body)
        service, code = str(params.get("ServiceCode")), str(params.get("QuotaCode"))
        if code not in KNOWN or KNOWN[code].service != service:
            raise NoSuchResource
        return service, code

    def get_service_quota(self: Any) -> str:
        if json.loads(self.body).get("ServiceCode") == "vpc":
            return original(self)
        service, code = asked(self)
        value = QUOTAS.value(code)
        if value is None:
            raise NoSuchResource
        return answer(self, service, code, value)

    def get_aws_default_service_quota(self: Any) -> str:
        service, code = asked(self)
        return answer(self, service, code, KNOWN[code].default)

    ServiceQuotasResponse.get_service_quota = get_service_quota
    ServiceQuotasResponse.get_aws_default_service_quota = get_aws_default_service_quota
