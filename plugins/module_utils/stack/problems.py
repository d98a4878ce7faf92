# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What is wrong with a declaration: collected, so that its author sees everything at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

_SHOWN = 60  # characters of a value that a message repeats


class _Word:
    """A value that is not one: shown as its own word instead of as JSON."""

    def __init__(self, word: str) -> None:
        self.word = word

    def __repr__(self) -> str:
        return self.word


MISSING = _Word("missing")
EMPTY = _Word("empty")
UNKNOWN = _Word("not an option")
HIDDEN = _Word("set to something that is not repeated here")


class Problem(NamedTuple):
    """One thing to mend: where it is, what is there, what is allowed there and what to do next."""

    path: str
    value: Any
    expected: str
    hint: str

    @property
    def sentence(self) -> str:
        """For example ``pools[0].count is -1: the number of instances is 0 or more. Use 0 for an empty pool.``"""
        return f"{self.path} is {shown(self.value)}: {_ended(self.expected)} {_ended(self.hint)}".rstrip()

    def public(self) -> dict[str, Any]:
        """The same for programs, in a module's result."""
        value = repr(self.value) if isinstance(self.value, _Word) else shown(self.value)
        return {"path": self.path, "value": value, "expected": self.expected, "hint": self.hint}


class DocumentError(Exception):
    """The declaration cannot be used. ``problems`` has all that was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(self.message)

    @property
    def message(self) -> str:
        sentences = [problem.sentence for problem in self.problems]
        if len(sentences) == 1:
            return sentences[0]
        return "\n".join([f"{len(sentences)} things to mend before anything can be done:"] + [f"- {text}" for text in sentences])


class Problems:
    """Collects problems. ``at`` tells whether a place is known to be wrong already, so that one mistake is reported once."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, path: str, value: Any, expected: str, hint: str) -> None:
        self.found.append(Problem(path, value, expected, hint))

    def at(self, path: str) -> bool:
        return any(_within(problem.path, path) for problem in self.found)

    def __bool__(self) -> bool:
        return bool(self.found)

    def stop(self) -> None:
        """Raise DocumentError if anything was found."""
        if self.found:
            raise DocumentError(self.found)


def _within(path: str, parent: str) -> bool:
    return path == parent or path.startswith((parent + ".", parent + "["))


def _ended(text: str) -> str:
    return text if not text or text.endswith((".", "?", ":")) else text + "."


def shown(value: Any) -> str:
    """The value as its author would recognise it, cut short."""
    if isinstance(value, (_Word, bytes)):
        return repr(value)
    if isinstance(value, str) and value and value.isprintable() and not value.isspace() and value.strip() == value:
        text = str(value)
    else:
        text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def listed(words: Iterable[Any]) -> str:
    """``a, b and c``."""
    words = [str(word) for word in words]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"


def closest(word: Any, known: Iterable[str], otherwise: str) -> str:
    """``Did you mean X?`` when one of the known words is near, else the other sentence."""
    near = difflib.get_close_matches(str(word).lower(), list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else otherwise
