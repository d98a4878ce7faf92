#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: download
short_description: Fetch a file by HTTP through a proxy whose password stays secret
version_added: 0.2.0
description:
  - Fetches a file once, tries again when the network fails, and puts it in its place only when it is complete and has the wished checksum.
  - M(ansible.builtin.get_url) takes a proxy only from the task's environment, which Ansible's C(-vvv) and C(ps) show. Use it where the
    proxy has no password.
author:
  - mlinfra.hosts contributors (@mlinfra)
attributes:
  check_mode:
    support: full
    description: Asks nobody, and reports that it would fetch what is not there.
  diff_mode:
    support: none
    description: The file's content is not shown.
options:
  url:
    description: URL of the file, with http or https.
    type: str
    required: true
  dest:
    description: Path of the file on the host. A file that is there is not fetched again, unless it has another checksum than O(sha256).
    type: path
    required: true
  sha256:
    description: SHA-256 that the file must have, as 64 hexadecimal digits.
    type: str
  mode:
    description: The file's mode, as octal digits. Its owner is the user of the task.
    type: str
    default: "0644"
  proxy:
    description: URL of an HTTP proxy.
    type: str
  timeout:
    description: Seconds to wait for an answer.
    type: int
    default: 30
  tries:
    description: How often to try, 2 seconds apart. What a server refuses (HTTP status 400 to 499, but for 408 and 429) is not
      tried again.
    type: int
    default: 3
"""

EXAMPLES = r"""
- name: Fetch the key of a repository
  mlinfra.hosts.download:
    url: https://nvidia.github.io/libnvidia-container/gpgkey
    dest: /etc/apt/keyrings/nvidia-container-toolkit.asc
    proxy: "{{ mlinfra_proxy | default(omit, true) }}"
  become: true
"""

RETURN = r"""
sha256:
  description: SHA-256 of the file; null in check mode for a file that is not there.
  returned: success
  type: str
  sample: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
reason:
  description: What the network or the server said.
  returned: when the file cannot be fetched
  type: str
  sample: "HTTP Error 404: Not Found"
wrong_sha256:
  description: SHA-256 of what the server gave.
  returned: when it is not O(sha256), which is a failure
  type: str
"""

import os
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_native
from ansible.module_utils.urls import open_url

ARGUMENTS = {
    "url": {"type": "str", "required": True},
    "dest": {"type": "path", "required": True},
    "sha256": {"type": "str"},
    "mode": {"type": "str", "default": "0644"},
    "proxy": {"type": "str", "no_log": True},
    "timeout": {"type": "int", "default": 30},
    "tries": {"type": "int", "default": 3},
}
CHUNK = 1 << 20
PAUSE = 2
PASSING = (408, 429)  # a server that is busy


def fetch(url, path, timeout):
    """Write what the URL gives to the path. Raises what urllib does, OSError when the answer breaks off."""
    with open(path, "wb") as file:
        answer = open_url(url, timeout=timeout)
        wanted = answer.headers.get("Content-Length")
        for chunk in iter(lambda: answer.read(CHUNK), b""):
            file.write(chunk)
        if wanted and int(wanted) != file.tell():
            raise OSError("the answer ended after %d of %s bytes" % (file.tell(), wanted))


def fetch_in_the_end(module, path):
    """fetch() with as many tries as wished; fails the module when none is enough."""
    wish = module.params
    for left in reversed(range(max(1, wish["tries"]))):
        try:
            fetch(wish["url"], path, wish["timeout"])
            break
        except Exception as error:  # urllib raises a dozen kinds; all of them mean the same here
            code = getattr(error, "code", None) or 0
            if not left or (400 <= code < 500 and code not in PASSING):
                reason = to_native(error).rstrip(".")
                module.fail_json(msg="%s cannot be downloaded: %s." % (wish["url"], reason), reason=reason)
            time.sleep(PAUSE)


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    wish = module.params
    wanted = (wish["sha256"] or "").lower()
    if os.path.isdir(wish["dest"]):
        module.fail_json(msg="dest is %s, a folder: expected the path of a file. Add the file's name." % wish["dest"])
    there = module.sha256(wish["dest"])  # None when it is not there
    if there and there == (wanted or there):
        changed = module.set_mode_if_different(wish["dest"], wish["mode"], False)
        module.exit_json(changed=changed, sha256=there)
    if module.check_mode:
        module.exit_json(changed=True, sha256=there)
    # urllib asks the environment, and this process is the only one that gets to see it.
    if wish["proxy"]:
        os.environ.update(http_proxy=wish["proxy"], https_proxy=wish["proxy"])
    folder = os.path.dirname(wish["dest"])
    try:
        handle, draft = tempfile.mkstemp(prefix=".mlinfra-", dir=folder)
    except OSError as error:
        advice = "Make its folder first, and run the task with become: true."
        module.fail_json(msg="%s cannot be written: %s. %s" % (folder, error.strerror, advice))
    os.close(handle)
    module.add_cleanup_file(draft)
    fetch_in_the_end(module, draft)
    found = module.sha256(draft)
    if wanted and found != wanted:
        module.fail_json(msg="%s has the SHA-256 %s: expected %s." % (wish["url"], found, wanted), wrong_sha256=found)
    module.atomic_move(draft, wish["dest"])
    module.set_mode_if_different(wish["dest"], wish["mode"], False)  # the move gives it the mode that umask or the former file has
    module.exit_json(changed=True, sha256=found)


if __name__ == "__main__":
    main()
