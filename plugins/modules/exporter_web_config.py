#!/usr/bin/python
# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: exporter_web_config
short_description: TLS and basic authentication of a Prometheus exporter
version_added: 0.1.0
description:
  - Writes the web configuration file that all exporters built with Prometheus' exporter-toolkit read (C(--web.config.file)).
  - Passwords are stored as bcrypt hashes. A hash that fits its password is kept, so a second run changes nothing.
  - The hashes are made on the host by its libcrypt, because neither Python's standard library nor a plain controller has bcrypt.
author:
  - mlinfra.hosts contributors (@mlinfra)
seealso:
  - name: Web configuration of the exporter-toolkit
    description: The format of the file.
    link: https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md
attributes:
  check_mode:
    support: full
    description: Says what it would write, on a host without the group too.
  diff_mode:
    support: full
    description: Hashes and keys are left out.
  idempotent:
    support: full
    description: Hashes that fit are kept.
options:
  path:
    description: The web configuration file. Its folder is made when it is missing.
    type: path
    required: true
  state:
    description: V(absent) removes the file, and the certificate and key that this module wrote next to it.
    type: str
    choices: [present, absent]
    default: present
  group:
    description: Group that the exporter runs as. Files are V(root:group) with mode V(0640), the folder V(0750).
    type: str
    required: true
  cert_file:
    description: Certificate (chain) on the host, PEM.
    type: path
  key_file:
    description: Private key on the host, PEM. The exporter must be able to read it.
    type: path
  cert_content:
    description: Certificate (chain), PEM, written to C(tls.crt) next to O(path).
    type: str
  key_content:
    description: Private key, PEM, written to C(tls.key) next to O(path).
    type: str
  tls_min_version:
    description: Oldest TLS version that is accepted.
    type: str
    choices: [TLS12, TLS13]
    default: TLS12
  basic_auth_users:
    description: Passwords by user name. Without any, no password is asked for.
    type: dict
    default: {}
  bcrypt_cost:
    description: Binary logarithm of the number of rounds. The exporter spends it at a scrape, once for each new connection's credentials.
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: Let the exporter speak TLS, and ask for a password
  mlinfra.hosts.exporter_web_config:
    path: /etc/node_exporter/web-config.yml
    group: node_exporter
    cert_file: /etc/ssl/certs/exporter.crt
    key_file: /etc/ssl/private/exporter.key
    basic_auth_users:
      prometheus: "{{ vault_scrape_password }}"
  become: true
  notify: Restart node_exporter
"""

RETURN = r"""
path:
  description: The web configuration file.
  returned: success
  type: str
  sample: /etc/node_exporter/web-config.yml
files:
  description: The files that were written or removed, or would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/node_exporter/web-config.yml]
cert_file:
  description: The certificate that the exporter serves; null without TLS.
  returned: success
  type: str
  sample: /etc/node_exporter/tls.crt
"""

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlinfra.hosts.plugins.module_utils.exporter import bcrypt, web_config

ARGUMENTS = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "group": {"type": "str", "required": True},
    "cert_file": {"type": "path"},
    "key_file": {"type": "path", "no_log": False},
    "cert_content": {"type": "str"},
    "key_content": {"type": "str", "no_log": True},
    "tls_min_version": {"type": "str", "choices": ["TLS12", "TLS13"], "default": "TLS12"},
    "basic_auth_users": {"type": "dict", "default": {}, "no_log": True},
    "bcrypt_cost": {"type": "int", "default": 10},
}
BEGIN = "-----BEGIN "


def read(path):
    """The file's text; empty when it is not there."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def problem_of(params):
    """What is wrong with the options, in one message; None when nothing is."""
    for option in ("cert_content", "key_content"):
        if params[option] and BEGIN not in params[option]:
            return "%s has no line that starts with %s: expected PEM. Give the text of the file, not its path." % (option, BEGIN.strip())
    for user, password in params["basic_auth_users"].items():
        if not user or ":" in user:
            return "basic_auth_users has the user %r: expected a name without a colon, which HTTP takes as the end of the name." % user
        wrong = bcrypt.password_problem(str(password))
        if wrong:
            return "basic_auth_users.%s %s: choose another password." % (user, wrong)
    if not 4 <= params["bcrypt_cost"] <= 15:
        return "bcrypt_cost is %d: expected 4 to 15 (15 makes each new connection wait for seconds). 10 is usual." % params["bcrypt_cost"]
    return None


def pem(text):
    """PEM text with one newline at its end."""
    return text.strip() + "\n"


def wished_files(params, stored):
    """({path: text}, certificate path or None, users with a new hash); text None for a file that shall not be there."""
    folder = os.path.dirname(params["path"])
    own_cert, own_key = os.path.join(folder, "tls.crt"), os.path.join(folder, "tls.key")
    wish = {own_cert: None, own_key: None, params["path"]: None}
    if params["state"] == "absent":
        return wish, None, []
    cert, key = params["cert_file"], params["key_file"]
    if params["cert_content"]:
        cert, wish[own_cert] = own_cert, pem(params["cert_content"])
    if params["key_content"]:
        key, wish[own_key] = own_key, pem(params["key_content"])
    # A file that the user keeps at our own place is the user's.
    wish = {path: text for path, text in wish.items() if text is not None or path not in (params["cert_file"], params["key_file"])}
    cost = params["bcrypt_cost"]
    users = {user: str(password) for user, password in params["basic_auth_users"].items()}
    hashes, fresh = web_config.decide_hashes(
        users,
        stored,
        lambda password, hashed: bcrypt.matches(password, hashed, cost),
        lambda password: bcrypt.bcrypt(password, bcrypt.new_salt(cost)),
    )
    wish[params["path"]] = web_config.render(cert, key, params["tls_min_version"], hashes)
    return wish, cert, [hashes[user] for user in fresh]


def attributes(module, path, mode):
    """Arguments of AnsibleModule's functions that set owner, group and mode."""
    return module.load_file_common_arguments({"path": path, "owner": "root", "group": module.params["group"], "mode": mode})


def mend_attributes(module, path, mode):
    """True when owner, group or mode were not as wished. A file that is not there yet has nothing to mend (check mode)."""
    return os.path.exists(path) and module.set_fs_attributes_if_different(attributes(module, path, mode), False)


def write(module, path, text):
    """Put the file in place in one step, with its attributes set before anybody can open it by that name.

    AnsibleModule.atomic_move is of no use here: it gives a file that was not there before mode 0644 for a while.
    """
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".mlinfra-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        mend_attributes(module, temporary, "0640")
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def act(module, wish):
    """Bring the files to what is wished; returns the paths that differ. Writes nothing in check mode."""
    folder, changed = os.path.dirname(module.params["path"]), []
    if module.params["state"] == "present":
        if not os.path.isdir(folder) and not module.check_mode:
            os.makedirs(folder, 0o750)
        mend_attributes(module, folder, "0750")
    for path, text in wish.items():
        there = os.path.exists(path)
        if text is None:
            if there:
                changed.append(path)
                if not module.check_mode:
                    os.unlink(path)
        elif not there or read(path) != text:
            changed.append(path)
            if not module.check_mode:
                write(module, path, text)
        elif mend_attributes(module, path, "0640"):
            changed.append(path)
    return changed


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        mutually_exclusive=[("cert_file", "cert_content"), ("key_file", "key_content")],
        required_together=[("cert_file", "key_file"), ("cert_content", "key_content")],
    )
    path = module.params["path"]
    problem = problem_of(module.params)
    if problem:
        module.fail_json(msg=problem)
    before = read(path)
    try:
        wish, cert, fresh = wished_files(module.params, web_config.stored_hashes(before))
        changed = act(module, wish)
    except bcrypt.BcryptError as error:
        module.fail_json(msg="%s: %s" % (path, error))
    except OSError as error:
        module.fail_json(msg="%s cannot be written: %s. Is there room, and is the task run with become: true?" % (path, error))
    diff = {
        "before_header": path,
        "after_header": path,
        "before": web_config.without_secrets(before),
        "after": web_config.without_secrets(wish.get(path) or "", fresh),
    }
    module.exit_json(changed=bool(changed), path=path, files=changed, cert_file=cert, diff=diff)


if __name__ == "__main__":
    main()
