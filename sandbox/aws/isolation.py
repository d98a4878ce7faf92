# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the emulator's own process away from the user's AWS configuration. To be called before moto or boto3 is imported."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

ACCOUNT = "123456789012"
REGION = "us-east-1"
#: Shaped like an access key (moto tells accounts apart by it) and clearly none.
FAKE_KEY = "AKIASANDBOXFAKEKEY00"
FAKE_SECRET = "sandbox-secret-that-opens-nothing"


def quarantine(environment: MutableMapping[str, str] = os.environ) -> None:
    """Drop every AWS and proxy setting of the user and put the sandbox's fake ones in place.

    moto reads its settings when it is imported, botocore its configuration when a session is made; both see only this.
    """
    for name in [name for name in environment if name.startswith(("AWS_", "BOTO_", "MOTO_")) or name.lower().endswith("_proxy")]:
        del environment[name]
    environment.update({
        "AWS_ACCESS_KEY_ID": FAKE_KEY,
        "AWS_SECRET_ACCESS_KEY": FAKE_SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "BOTO_CONFIG": os.devnull,
        "MOTO_ACCOUNT_ID": ACCOUNT,
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    })


def forget_customer_models() -> None:
    """botocore also looks for service models in ``~/.aws/models``: not here."""
    from botocore.loaders import Loader

    Loader.CUSTOMER_DATA_PATH = os.path.join(os.devnull, "models")
