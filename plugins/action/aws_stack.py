# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of aws_stack: reads the files that options name, and reports all mistakes by their paths."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.arguments import ARGUMENTS, CONTROLLER_FILES
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.document import examine
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.fields import coerce
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.problems import DocumentError, Problems

#: The connection options of amazon.aws with their aliases. Asking amazon.aws itself would import boto3 here, in every run of the task;
#: a test compares the two.
CONNECTION = frozenset({
    "access_key", "aws_access_key", "aws_access_key_id", "aws_ca_bundle", "aws_config", "aws_endpoint_url", "aws_profile", "aws_region",
    "aws_secret_access_key", "aws_secret_key", "aws_session_token", "debug_botocore_endpoint_logs", "endpoint_url", "profile", "region",
    "secret_key", "session_token", "validate_certs",
})  # fmt: skip


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        connection = {key: value for key, value in self._task.args.items() if key in CONNECTION}
        problems = Problems()
        wish = coerce({key: value for key, value in self._task.args.items() if key not in connection}, ARGUMENTS, problems)
        self._read_files(wish, problems)
        region = connection.get("region") or connection.get("aws_region")
        examine(dict(wish, region=region), problems, check_mode=self._task.check_mode, need_region=False)
        if problems:
            error = DocumentError(problems.found)
            result.update(failed=True, msg=error.message, problems=[problem.public() for problem in error.problems])
            return result
        arguments = _given({**connection, **wish})
        module = self._execute_module("mlinfra.hosts.aws_stack", arguments, task_vars=task_vars, wrap_async=self._task.async_val)
        result.update(module)
        return result

    def _read_files(self, wish: dict[str, Any], problems: Problems) -> None:
        """Puts the content of each named file where the module wants it.

        A removal finds the key pair by its tags and launches nothing: it goes on when the files are long gone.
        """
        if wish["state"] == "absent":
            if wish["key"] and wish["key"]["public_key_file"] is not None:
                wish["key"] = None
            for pool in wish["pools"] or ():
                pool["user_data_file"] = None
            return
        sections = [("key", wish["key"])] + [(f"pools[{index}]", pool) for index, pool in enumerate(wish["pools"] or ())]
        for path, section in sections:
            for content, file in CONTROLLER_FILES.items():
                if section and section.get(file) is not None and section[content] is None:
                    section[content] = self._text(section[file], f"{path}.{file}", problems)
                    section[file] = None

    def _text(self, name: str, path: str, problems: Problems) -> str | None:
        """The text of a file of the play or an absolute path, decrypted if it is in a vault."""
        try:
            real = self._loader.get_real_file(self._find_needle("files", name))
            with open(real, encoding="utf-8") as file:
                return file.read()
        except (AnsibleError, OSError):
            problems.add(
                path, name, "no such file on the controller can be read", "Give an absolute path, or put it into files/ beside the playbook"
            )
        except UnicodeDecodeError:
            problems.add(path, name, "a text file in UTF-8 belongs here", "Give another file")
        return None


def _given(value: Any) -> Any:
    """Without options that are None: not given, rather than given as nothing."""
    if isinstance(value, dict):
        return {key: _given(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_given(item) for item in value]
    return value
