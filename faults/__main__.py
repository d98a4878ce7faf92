# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a fault at every writing call of a stack's life:  python -m faults [--some] [--list] [--workers N] [PATTERN …]

A case is ``scenario/service:Action/nth/mode``; patterns have * and ?. The last line sums up: ``faults: N cases, V violations``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
BEAT = 20.0  # seconds between two lines of progress


def find_collection() -> None:
    """Make this checkout importable as ansible_collections.mlinfra.hosts (scripts/run has put the link there)."""
    from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

    if not any(isinstance(finder, _AnsibleCollectionFinder) for finder in sys.meta_path):
        _AnsibleCollectionFinder(paths=[str(CHECKOUT / ".build" / "collections")])._install()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__.splitlines()[0].split(":  ")[0])
    parser.add_argument("pattern", nargs="*", help="cases to try, for example 'create/ec2:RunInstances/*'; all unless given")
    parser.add_argument("--some", action="store_true", help="a fixed selection, as in make test")
    parser.add_argument("--list", action="store_true", help="only name the cases")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), help="processes that try out cases side by side")
    options = parser.parse_args()
    find_collection()
    from .emulator import moto
    from .workers import Workers

    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        try:
            workers = stack.enter_context(Workers(moto(), max(1, options.workers), options.pattern, options.some))
        except RuntimeError as error:  # what no run without faults may be
            print(f"VIOLATION without any fault\n    {error}\nfaults: 0 cases, 1 violations")
            return 1
        if options.list:
            print("\n".join(map(str, workers.cases)))
            return 0
        count, bad = len(workers.cases), 0
        _say(began, f"{count} cases, {options.workers} workers")
        spoken = time.monotonic()
        for done, (case, violations) in enumerate(workers.judged(), 1):
            if violations:
                bad += 1
                print("\n    ".join([f"VIOLATION {case}", *violations, f"again: scripts/run python -m faults '{case}'"]), flush=True)
            if time.monotonic() - spoken > BEAT:
                spoken = time.monotonic()
                _say(began, f"{done} of {count} done, {bad} bad; last {case}")
    _say(began, "done")
    if not count:
        print(f"no case is called {' or '.join(options.pattern)}: --list names them", file=sys.stderr)
    print(f"faults: {count} cases, {bad} violations", flush=True)
    return 1 if bad or not count else 0


def _say(began: float, text: str) -> None:
    print(f"[{time.monotonic() - began:4.0f} s] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
