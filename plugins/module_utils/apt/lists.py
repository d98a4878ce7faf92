# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""apt's package lists: whether they are worth anything, and which source did not answer when they were fetched.

Settings and messages are those of apt 2.6 (bookworm) and 3.0 (trixie): https://manpages.debian.org/bookworm/apt/apt-get.8.en.html
"""

from __future__ import annotations

import os
import re

DAY = 24 * 3600
FAILED = re.compile(r"^(?:E|W|Error|Warning): (?:Failed to fetch|Unable to fetch) (\S+)\s+(.*)$")
# 'GPG error: URL suite InRelease: reason' and "The repository 'URL suite Release' is not signed."
SIGNATURE = re.compile(r"^(?:E|W|Error|Warning): GPG error: (\S+(?: \S+)?) +(?:InRelease|Release): (.*)$")
REPOSITORY = re.compile(r"^(?:E|W|Error|Warning): The repository '(\S+(?: \S+)?) +(?:InRelease|Release)' (.*)$")
OTHER = re.compile(r"^(?:E|Error): (.*)$")
SAYS_NOTHING = ("Some index files failed to download", "Problem executing scripts")


def stale(files, now, newest_source, refreshed):
    """Why the lists should be fetched, in words; None when they are good.

    files: names in the lists folder; refreshed: when they were fetched last; newest_source: when a source was changed last (seconds).
    """
    if not any(name.endswith("_Packages") or "_Packages." in name for name in files):
        return "there are none"
    if newest_source > refreshed:
        return "a source was changed since they were fetched"
    if now - refreshed > DAY:
        return "they are older than a day"
    return None


def newest(path):
    """When a file, or a folder and what is in it, was changed last; 0 when it is missing."""
    times = [0]
    for one in [path] + ([os.path.join(path, name) for name in os.listdir(path)] if os.path.isdir(path) else []):
        try:
            times.append(os.stat(one).st_mtime)
        except OSError:
            continue
    return max(times)


def source_of(url):
    """The part of a failed file's URL that stands in a sources entry, as 'URL suite'."""
    match = re.match(r"^(.*?)/dists/(.*?)/(?:InRelease|Release|Release\.gpg|[^/]+/(?:binary|source|i18n|dep11|cnf)\b.*)$", url)
    return "%s %s" % match.groups() if match else re.sub(r"/(?:InRelease|Release|Packages)[^/]*$", "", url)


def failures(output):
    """Output of a failed `apt-get update` -> [(source, reason)], each source once, in apt's order; source is '' for what is no source's."""
    found = {}
    for line in output.splitlines():
        for form, place in ((FAILED, source_of), (SIGNATURE, str), (REPOSITORY, str), (OTHER, None)):
            match = form.match(line.strip())
            if not match:
                continue
            if place is not None:
                found.setdefault(place(match.group(1)).rstrip("/."), match.group(2).strip().rstrip(".: "))
            elif not match.group(1).startswith(SAYS_NOTHING):
                found.setdefault("", match.group(1).strip().rstrip("."))
            break
    # What apt says of no source is only told when it says nothing of any.
    named = [(source, reason) for source, reason in found.items() if source]
    return named or list(found.items())


def problem(output):
    """Message about sources that did not answer."""
    told = failures(output)
    if not told:
        return "apt-get update failed: %s" % (output.strip().splitlines() or ["it said nothing"])[-1]
    lines = ["%s: %s." % (source, reason) if source else "%s." % reason for source, reason in told]
    return (
        "The package lists cannot be fetched.\n%s\nMake these sources answer (mlinfra_mirrors and mlinfra_proxy change where they are "
        "looked for), or remove them from /etc/apt/sources.list.d." % "\n".join(lines)
    )
