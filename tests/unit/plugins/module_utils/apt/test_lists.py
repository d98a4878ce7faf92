# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the package lists are due, and which source did not answer. The outputs are apt's own, of bookworm and trixie."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.apt import lists

REFUSED = """Err:1 http://127.0.0.1:9/debian foo InRelease
  Could not connect to 127.0.0.1:9 (127.0.0.1). - connect (111: Connection refused)
Reading package lists...
E: Failed to fetch http://127.0.0.1:9/debian/dists/foo/InRelease  Could not connect to 127.0.0.1:9 (127.0.0.1). - connect (111: Connection refused)
E: Failed to fetch http://127.0.0.1:9/debian/dists/foo/main/binary-amd64/Packages  Unable to connect to 127.0.0.1:9:
E: Failed to fetch file:/nope/./Packages  File not found - /nope/./Packages (2: No such file or directory)
E: Some index files failed to download. They have been ignored, or old ones used instead.
"""  # noqa: E501
UNSIGNED = """Reading package lists...
E: GPG error: http://mirror.example/cuda  InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY A4B4
E: The repository 'http://other.example/debian sid Release' does not have a Release file.
"""  # noqa: E501
FULL = "E: Write error - write (28: No space left on device)\nE: Problem executing scripts APT::Update::Post-Invoke\n"


@pytest.mark.parametrize(
    ("files", "newest_source", "refreshed", "reason"),
    [
        (["mirror_dists_bookworm_main_binary-amd64_Packages"], 10, 20, None),
        (["mirror_dists_bookworm_main_binary-amd64_Packages.lz4"], 10, 20, None),
        (["lock", "partial"], 10, 20, "there are none"),
        (["x_Packages"], 30, 20, "a source was changed since they were fetched"),
        (["x_Packages"], 10, 20 - lists.DAY, "they are older than a day"),
    ],
)
def test_lists_are_due(files, newest_source, refreshed, reason):
    assert lists.stale(files, 25, newest_source if refreshed > 0 else refreshed - 1, refreshed) == reason


def test_the_newest_of_a_folder_and_its_files(tmp_path):
    assert lists.newest(str(tmp_path / "missing")) == 0
    (tmp_path / "x.list").touch()
    lists.os.utime(tmp_path / "x.list", (5e9, 5e9))
    assert lists.newest(str(tmp_path)) == 5e9


def test_each_source_that_did_not_answer_is_named_once_with_its_reason():
    assert lists.failures(REFUSED) == [
        ("http://127.0.0.1:9/debian foo", "Could not connect to 127.0.0.1:9 (127.0.0.1). - connect (111: Connection refused)"),
        ("file:/nope", "File not found - /nope/./Packages (2: No such file or directory)"),
    ]


def test_a_source_that_is_not_signed_as_it_should_be():
    # NVIDIA's repositories are flat: apt puts an empty suite behind their URL.
    told = dict(lists.failures(UNSIGNED))
    assert told["http://other.example/debian sid"] == "does not have a Release file"
    assert "NO_PUBKEY A4B4" in told["http://mirror.example/cuda"]


def test_what_is_no_sources_fault_is_told_too():
    message = lists.problem(FULL)
    assert "\nWrite error - write (28: No space left on device).\n" in message and "Problem executing" not in message


@pytest.mark.parametrize(("output", "end"), [("", "it said nothing"), ("strange\n", "strange")])
def test_output_that_says_nothing_known(output, end):
    assert lists.problem(output) == f"apt-get update failed: {end}"
