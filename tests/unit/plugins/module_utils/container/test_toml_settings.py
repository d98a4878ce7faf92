# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""config.toml of containerd, edited as text: what is wished comes out, and all else stays as it was written."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.container import toml_settings
from ansible_collections.mlinfra.hosts.plugins.module_utils.container.settings import SettingsError

tomllib = pytest.importorskip("tomllib")

CRI = "io.containerd.grpc.v1.cri"
# As Debian's package has it, with a user's comments and values in it.
DEBIAN = """\
version = 2  # keep

# the plugins
[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    sandbox_image = "registry.example.org/pause:3.9" # ours
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd/opt"
"""


def edited(text, patch):
    return toml_settings.edited("/c.toml", text, patch)


def test_a_value_in_a_table_that_is_there():
    after = edited(DEBIAN, {"plugins": {CRI: {"enable_cdi": True, "cni": {"bin_dir": "/opt/cni/bin"}}}})
    tables = tomllib.loads(after)["plugins"]
    assert tables[CRI] == {
        "sandbox_image": "registry.example.org/pause:3.9",
        "enable_cdi": True,
        "cni": {"bin_dir": "/opt/cni/bin", "conf_dir": "/etc/cni/net.d"},
    }
    gone = set(DEBIAN.splitlines()) - set(after.splitlines())
    assert gone == {'      bin_dir = "/usr/lib/cni"'}, "nothing else was touched"


def test_a_table_that_is_not_there_goes_to_the_end():
    wish = {"runtimes": {"nvidia": {"runtime_type": "io.containerd.runc.v2", "options": {"BinaryName": "/usr/bin/x y"}}}}
    after = edited(DEBIAN, {"plugins": {CRI: {"containerd": wish}}, "debug": {"level": "warn"}})
    assert after.startswith(DEBIAN)
    assert tomllib.loads(after)["plugins"][CRI]["containerd"] == wish
    assert tomllib.loads(after)["debug"] == {"level": "warn"}


def test_a_top_level_value_goes_before_the_first_table():
    after = edited(DEBIAN, {"root": "/data", "oom_score": -1, "imports": ["a", "b"]})
    assert tomllib.loads(after) == {**tomllib.loads(DEBIAN), "root": "/data", "oom_score": -1, "imports": ["a", "b"]}
    assert "# the plugins\n[plugins]" in after, "the comment stays with its table"


def test_a_value_over_several_lines_is_replaced_as_a_whole():
    text = 'imports = [\n  "/etc/a.toml", # [x]\n  "/etc/b.toml",\n]\nroot = "/old"\n'
    assert edited(text, {"imports": ["/c"]}) == 'imports = ["/c"]\nroot = "/old"\n'


def test_null_removes_a_value_or_a_table_with_all_below_it():
    assert tomllib.loads(edited(DEBIAN, {"version": None})) == {"plugins": tomllib.loads(DEBIAN)["plugins"]}
    after = edited(DEBIAN, {"plugins": {CRI: None}})
    assert tomllib.loads(after)["plugins"] == {"io.containerd.internal.v1.opt": {"path": "/var/lib/containerd/opt"}}
    assert edited(DEBIAN, {"nothing": None, "plugins": {CRI: {"nor": {"this": None}}}}) == DEBIAN


def test_twice_is_once():
    patch = {"plugins": {CRI: {"registry": {"config_path": "/etc/containerd/certs.d"}}}, "oom_score": -5}
    once = edited(DEBIAN, patch)
    assert edited(once, patch) == once != DEBIAN


def test_an_empty_file():
    assert tomllib.loads(edited("", {"version": 2, "debug": {"level": "warn"}})) == {"version": 2, "debug": {"level": "warn"}}


@pytest.mark.parametrize(
    ("text", "patch"),
    [
        ("debug = {level = 'info'}\n", {"debug": {"level": "warn"}}),
        ("debug.level = 'info'\n", {"debug": {"level": "warn"}}),
    ],
)
def test_what_cannot_be_edited_line_by_line_is_refused(text, patch):
    with pytest.raises(SettingsError, match=r"/c\.toml: debug\.level cannot be merged in line by line"):
        edited(text, patch)


def test_an_array_of_tables_is_left_alone():
    text = '[[extra]]\nname = "a"\n[[extra]]\nname = "b"\n'
    assert tomllib.loads(edited(text, {"debug": {"level": "warn"}}))["extra"] == [{"name": "a"}, {"name": "b"}]


def test_not_toml():
    with pytest.raises(SettingsError, match=r"/c\.toml is not TOML: .*line 2"):
        edited("version = 2\nnonsense\n", {"debug": {"level": "warn"}})


@pytest.mark.parametrize("tomli", [tomllib, None])
def test_python_without_tomllib(monkeypatch, tomli):
    """As on Ubuntu 22.04, with and without python3-tomli, whose functions have the names of tomllib's."""
    monkeypatch.setitem(sys.modules, "tomllib", None)
    monkeypatch.setitem(sys.modules, "tomli", tomli)
    spec = importlib.util.find_spec(toml_settings.__name__)
    older = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(older)
    if tomli:
        assert older.edited("/c.toml", DEBIAN, {"root": "/data"}) == edited(DEBIAN, {"root": "/data"})
        return
    with pytest.raises(SettingsError, match="/c.toml cannot be read: .* reads no TOML. Nothing was changed. Install python3-tomli"):
        older.edited("/c.toml", "", {"root": "/data"})
