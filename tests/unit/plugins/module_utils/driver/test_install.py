# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that fails is undone, whatever made it fail, and ends in words."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.driver import apt, install, predicted, repository, transaction


class Change:
    """Stands in for transaction.Transaction: only what is undone counts here."""

    undone = 0

    def __init__(self, program, lists):
        pass

    def undo(self):
        Change.undone += 1
        return ["2 packages purged"], []

    def start_again(self):
        assert Change.undone
        return ["nvidia-imex.service started again"], []


def failing(error):
    raise error


@pytest.fixture
def job(monkeypatch):
    monkeypatch.setattr(transaction, "Transaction", Change)
    monkeypatch.setattr(install.dkms, "newest_log", lambda since: "")
    monkeypatch.setattr(Change, "undone", 0)
    return install.Install({"repository": None, "source": "distribution", "packages": []}, {}, {}, None)


@pytest.mark.parametrize("error", [apt.Failed("driver", "E: no"), OSError(28, "No space left on device"), KeyError("packages")])
def test_any_failure_is_undone(job, monkeypatch, error):
    monkeypatch.setattr(job, "_forward", lambda change, images, aside: failing(error))
    with pytest.raises(install.Broken, match=r"The host is as it was before \(2 packages purged, nvidia-imex.service started again\)"):
        job.carry_out()
    assert Change.undone == 1


def test_an_initramfs_that_cannot_be_made_again_is_told(job, monkeypatch):
    def forward(change, images, aside):
        job.made_initrd = True
        raise install.Broken("no")

    monkeypatch.setattr(job, "_forward", forward)
    monkeypatch.setattr(job, "_initramfs", lambda images: failing(apt.Failed("update-initramfs", "E: no room")))
    with pytest.raises(
        install.Broken, match=r"NOT all could be undone: the initramfs could not be made again \(update-initramfs\): E: no room"
    ):
        job.carry_out()


@pytest.mark.parametrize(
    ("source", "listed", "written"), [("nvidia", [], True), ("nvidia", ["/a.list"], True), ("distribution", [], False)]
)
def test_files_of_each_source(source, listed, written):
    job = install.Install({"source": source, "repository": "http://x/"}, {}, {"off": {"/other.list": "off"}, "listed": listed}, None)
    job.key, job.preferences = b"key", "pins"
    found = job.texts()
    assert (found.get(repository.KEYRING), found[repository.PREFERENCES]) == ((b"key", b"pins") if written else (None, None))
    assert bool(found[repository.SOURCE]) is (written and not listed) and found["/other.list"] == b"off"


@pytest.mark.parametrize(
    ("pins", "here", "gone"),
    [(None, True, [repository.PREFERENCES]), (None, False, []), ({"packages": {}}, True, [])],
)
def test_a_file_that_goes_is_no_file_that_comes(pins, here, gone):
    """A distribution's pins are written where those before were."""
    wish, files = {"source": "distribution", "repository": None, "pins": pins}, {repository.PREFERENCES: "digest" if here else None}
    due = [repository.PREFERENCES]
    job = install.Install(wish, {"files": files}, {"off": {}, "listed": [], "files_due": due}, None)
    assert job.files_going() == gone
    told, line = predicted.diff(({"a": "1"}, {"a": "2"}), due, job.files_going(), []), f"{repository.PREFERENCES}\n"
    assert told == {"before": "a 1\n" + line * len(gone), "after": "a 2\n" + line * (1 - len(gone))}
