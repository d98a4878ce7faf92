# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong values, told by what the roles themselves say that they take."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar

from ansible_collections.mlinfra.hosts.plugins.lookup.role_problems import problems


def test_right_values_and_text_that_is_a_number_pass():
    assert problems("node_exporter", {"node_exporter_port": "9100", "node_exporter_collectors_enabled": ["processes"], "other": 1}) == []


def test_a_wrong_value_is_told_with_its_name_and_where_to_look():
    (told,) = problems("node_exporter", {"node_exporter_port": "abc"})
    assert "node_exporter_port" in told and "abc" in told and told.endswith("See ansible-doc -t role mlinfra.hosts.node_exporter.")


def test_a_choice_that_is_none_is_told():
    (told,) = problems("node_exporter", {"node_exporter_source": "plum"})
    assert "package, release" in told and "plum" in told


def test_a_secret_is_not_shown():
    (told,) = problems("node_exporter", {"node_exporter_basic_auth_users": "Pflaumenmus"})
    assert "node_exporter_basic_auth_users" in told and "Pflaumenmus" not in told


def test_what_is_not_given_is_no_problem():
    assert problems("aws_stack", {}) == [] and problems("node_exporter", {"node_exporter_port": None}) == []


def test_an_unknown_role_is_told_with_those_that_are_known():
    with pytest.raises(AnsibleError, match="has no role plum: expected one of .*node_exporter"):
        problems("plum", {})


@pytest.mark.parametrize(
    ("role", "given", "told"),
    [
        (
            "mig",
            {"mig_layout": [{"gpu": "all", "profile": ["3g.40gb"]}]},
            "mig_layout.gpu and mig_layout.profile are no options: expected ",
        ),
        (
            "nvidia_driver",
            {"mlinfra_mirrors": {"nvida": "https://mirror.example.org"}},
            "mlinfra_mirrors.nvida is not an option: expected ",
        ),
    ],
)
def test_an_option_that_is_none_is_told_as_such(role, given, told):
    found = " ".join(problems(role, given))
    assert told in found and "Did you mean " in found and "Supported parameters" not in found
    assert found.endswith(f"? See ansible-doc -t role mlinfra.hosts.{role}.")


def test_an_option_of_several_roles_is_told_once():
    given = {"mlinfra_mirrors": {"nvida": "https://mirror.example.org"}}
    lookup = lookup_loader.get("mlinfra.hosts.role_problems", loader=DataLoader(), templar=Templar(DataLoader(), variables=given))
    (told,) = lookup.run(["host_baseline", "nvidia_driver", "efa"], given)
    assert told.endswith(" Did you mean nvidia? See ansible-doc -t role mlinfra.hosts.host_baseline.")
