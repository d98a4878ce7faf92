# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Between Ansible and the engine: parameters in, one clean message out when it does not work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError, explain
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import DocumentError

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule has said so before anything here runs
    BotoCoreError = ClientError = StackError


def wished(module: Any, options: Iterable[str]) -> dict[str, Any]:
    """The module's own options, with the region that the connection resolves to."""
    params = {option: module.params.get(option) for option in options}
    params["region"] = module.region
    return params


@contextmanager
def fail_cleanly(module: Any) -> Iterator[None]:
    """Ends the module with one message for whatever its user can act on."""
    try:
        yield
    except DocumentError as error:
        module.fail_json(msg=error.message, problems=[problem.public() for problem in error.problems])
    except StackError as error:
        told = error.result()
        for sentence in told.pop("warnings", ()):
            warn(sentence)
        told.setdefault("changed", bool(told.get("applied")))
        module.fail_json(msg=error.message, **told)
    except (BotoCoreError, ClientError) as error:
        told = explain(error)
        module.fail_json(msg=told.message, **told.result())
