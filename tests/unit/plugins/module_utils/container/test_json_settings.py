# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are not what they should be, and how a changed one is written."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.container import json_settings
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.settings import SettingsError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n  "debug":\n}\n', "/d.json, line 3, column 1 is not JSON: "),
        ('{"a": 1} {', "/d.json, line 1, column 10 is not JSON: Extra data"),
        ("// mine\n{}", "/d.json, line 1, column 1 is not JSON"),
        ("[1]", "/d.json holds a JSON list: expected an object"),
        ('{"log-opts": {"tag": "a", "tag": "b"}}', "/d.json has tag more than once in one object"),
    ],
)
def test_refused(text, message):
    with pytest.raises(SettingsError) as caught:
        json_settings.parse("/d.json", text)
    assert message in str(caught.value)


def test_an_empty_file_has_no_settings():
    assert json_settings.parse("/d.json", " \n") == {}


@pytest.mark.parametrize(
    ("before", "indent"), [("", "  "), ('{\n\t"a": 1\n}', "\t"), ('{\n    "a": {\n        "b": 1}}', "    "), ("{}", "  ")]
)
def test_indentation_stays(before, indent):
    text = json_settings.render({"a": 1, "ü": "é"}, before)
    assert text == '{\n%s"a": 1,\n%s"ü": "é"\n}\n' % (indent, indent)
