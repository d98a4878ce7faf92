# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Values out of nvidia-smi's XML, with a note for each that is there and cannot be read.

What the tool prints instead of a value: `N/A` and `Not Supported` (this GPU has none), `Requested functionality has been deprecated` (this
release has none any more), `ERR!` and `Unknown Error` (the GPU or the driver did not answer), `GPU is lost` and `GPU requires reset`
(nvmlErrorString of NVML_ERROR_GPU_IS_LOST and NVML_ERROR_RESET_REQUIRED), with square brackets around them or without.
"""

from __future__ import annotations

import re

NOTHING = ("n/a", "not supported", "not available", "requested functionality has been deprecated")
DENIED = ("insufficient permissions", "no permission")
UNKNOWN = ("unknown error", "unknown", "error", "uninitialized")
BROKEN = re.compile(r"\berr!|gpu is lost|requires reset|reset required|fallen off the bus|driver is not loaded")
SHOWN = 40


def meaning(text):
    """(value, problem): the value is None where there is none; the problem says why one that should be there cannot be read."""
    said = (text or "").strip()
    plain = said.lower().strip("[]")
    if plain in NOTHING:
        return None, None
    if not plain:
        return None, "it is empty"
    if plain in DENIED or plain in UNKNOWN or BROKEN.search(plain):
        return None, "nvidia-smi says %s" % said[:SHOWN]
    return said, None


def whole(text):
    """'12' -> 12; None for anything else."""
    return int(text) if re.match(r"^[0-9]{1,15}$", text) else None


def banks(text):
    """'640 bank(s)' -> 640; None for anything else."""
    found = re.match(r"^([0-9]{1,15}) bank\(s\)$", text)
    return int(found.group(1)) if found else whole(text)


def measured(unit):
    """A reader of '<whole number> <unit>'."""
    pattern = re.compile(r"^([0-9]{1,15})(?:\.[0-9]+)? %s$" % unit)

    def read(text):
        found = pattern.match(text)
        return int(found.group(1)) if found else None

    return read


def flag(text):
    """Whether, for the words of nvidia-smi; None for another."""
    return {
        "yes": True,
        "no": False,
        "enabled": True,
        "disabled": False,
        "active": True,
        "not active": False,
        "true": True,
        "false": False,
    }.get(text.lower())


def word(text):
    """A word or two, as a state or a mode is; None for what is longer or has signs in it that no such word has."""
    return text if re.match(r"^[A-Za-z0-9][A-Za-z0-9 _.:/-]{0,62}$", text) else None


def mark(pattern):
    """A reader of what has this form, such as a UUID."""
    compiled = re.compile(pattern)
    return lambda text: text if compiled.match(text) else None


def first(found):
    return found[0]


class Reader:
    """Reads below one element; ``notes`` collects {what, why}.

    An element that is there twice is read twice: of flags and counts the worse one counts, so that no copy hides a fault.
    """

    def __init__(self, element, name):
        self.element, self.name, self.notes = element, name, []

    def note(self, path, why):
        entry = {"what": "%s %s" % (self.name, path), "why": why}
        if entry not in self.notes:
            self.notes.append(entry)

    def read(self, paths, understand, choose=first, expected="something else"):
        """The value at the first of these paths that has one; None without."""
        for path in paths:
            found = []
            for element in self.element.findall(path):
                if len(element):
                    self.note(path, "it holds other elements, expected %s" % expected)
                    continue
                said, problem = meaning(element.text)
                value = understand(said) if said is not None else None
                if problem:
                    self.note(path, problem)
                elif said is not None and value is None:
                    self.note(path, "nvidia-smi says %r, expected %s" % (said[:SHOWN], expected))
                elif value is not None:
                    found.append(value)
            if found:
                return choose(found)
        return None

    def whole(self, *paths):
        return self.read(paths, whole, max, "a whole number")

    def banks(self, *paths):
        return self.read(paths, banks, max, "a number of banks")

    def mebibytes(self, *paths):
        return self.read(paths, measured("MiB"), max, "a number of MiB")

    def megahertz(self, *paths):
        return self.read(paths, measured("MHz"), first, "a number of MHz")

    def degrees(self, *paths):
        return self.read(paths, measured("C"), max, "a number of degrees")

    def flag(self, *paths):
        return self.read(paths, flag, any, "yes or no")

    def word(self, *paths):
        return self.read(paths, word, first, "a word")

    def mark(self, pattern, *paths):
        return self.read(paths, mark(pattern), first, "an identifier")

    def container(self, path):
        """Whether these elements hold others; a note where one holds words instead that stand for a failure."""
        there = False
        for element in self.element.findall(path):
            if len(element):
                there = True
                continue
            said, problem = meaning(element.text)
            if problem or said is not None:
                self.note(path, problem or "nvidia-smi says %r, expected elements" % said[:SHOWN])
        return there


def leaves(element):
    """(tag, text) of each element below that holds no other."""
    for below in element.iter():
        if below is not element and not len(below) and isinstance(below.tag, str):
            yield below.tag, (below.text or "").strip()
