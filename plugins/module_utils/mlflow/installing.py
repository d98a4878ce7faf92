# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The files of one MLflow server on this host, brought to what they shall say, in an order that survives being killed.

In `folder`: mlflow.env, admin.ini, job.ini (root alone), basic_auth.ini (the service's group too), prepared (what the database was last
prepared for, as a hash), restart-pending (there from before the first change until somebody has restarted the service),
admin.ini.new (a password that the administrator shall get).
"""

from __future__ import annotations

import collections
import contextlib
import os
import pwd

from ansible_collections.mlinfra.hosts.plugins.module_utils.host.rights import rights_of
from ansible_collections.mlinfra.hosts.plugins.module_utils.mlflow import credentials, files, probe, settings

Accounts = collections.namedtuple("Accounts", "admin pending job new_admin")


#: Files that the service never reads.
ACCOUNTS = ("admin.ini", "admin.ini.new", "job.ini")


def decide_account(stored, wished, unfinished=False, make=credentials.generate):
    """(password that the file holds, password that is to replace it or None).

    stored: None when there is no file yet. unfinished: an earlier change of the password may or may not have reached the server.
    """
    if stored is None:
        return wished if wished is not None else make(), None
    return stored, wished if wished is not None and (unfinished or wished != stored) else None


class Installation:
    """One run over one host."""

    def __init__(self, module):
        # A copy: Ansible shows the module's own parameters, and knows which are secret by their values.
        self.module, self.wish = module, dict(module.params)
        for name in ("database_url", "auth_database_url"):
            self.wish[name] = settings.with_driver(self.wish[name])
            module.no_log_values.update(filter(None, (self.wish[name], *credentials.of_url(self.wish[name]))))

    def path(self, name):
        return os.path.join(self.wish["folder"], name)

    def accounts(self):
        """What the accounts' files shall hold. An administrator who was renamed is another account, and so a new one."""
        admin = files.account(self.path("admin.ini"), self.wish["admin_username"])
        job = files.account(self.path("job.ini"), self.wish["job_username"])
        kept, pending = decide_account(admin, self.wish["admin_password"], os.path.exists(self.path("admin.ini.new")))
        job_kept, job_new = decide_account(job, self.wish["job_password"])
        return Accounts(kept, pending, job_new or job_kept, admin is None)

    def texts(self, accounts):
        """[(path, text, mode, group)] of all files, in the order in which they are written."""
        wish, environment = self.wish, self.path("mlflow.env")
        key = settings.kept_secret_key(files.read(environment)) or credentials.generate()
        own = [
            (self.path("admin.ini"), credentials.render(wish["admin_username"], accounts.admin), "0600", "root"),
            (self.path("job.ini"), credentials.render(wish["job_username"], accounts.job), "0600", "root"),
            (environment, settings.environment(wish["database_url"], key, self.path("basic_auth.ini")), "0600", "root"),
            (
                self.path("basic_auth.ini"),
                settings.basic_auth(wish["auth_database_url"], wish["admin_username"], wish["default_permission"]),
                "0640",
                wish["user"],
            ),
            (wish["unit_file"], wish["unit_content"], "0644", "root"),
        ]
        if accounts.pending:
            own.append((self.path("admin.ini.new"), credentials.render(wish["admin_username"], accounts.pending), "0600", "root"))
        return own

    def prepared_for(self):
        """What the database and the bucket are prepared for; when it differs from the last run's, they are tried again."""
        names = ("environment_sha256", "database_url", "auth_database_url", "artifacts", "s3_endpoint_url", "s3_region", "admin_username")
        return settings.fingerprint({name: self.wish[name] for name in names})

    def given(self, accounts, running):
        """Input of prepare_script.py."""
        bucket = settings.bucket_of(self.wish["artifacts"])
        return {
            "running": running,
            "database": self.wish["database_url"],
            "auth_database": self.wish["auth_database_url"],
            "bucket": bucket[0] if bucket else None,
            "endpoint_url": self.wish["s3_endpoint_url"],
            "region": self.wish["s3_region"],
            "backups": os.path.join(self.wish["data"], "backups"),
            "admin": {"name": self.wish["admin_username"], "password": accounts.admin, "replace": accounts.new_admin},
        }

    def folders(self):
        """[(path, owner, group, mode)] of the folders that the service needs."""
        wish = self.wish
        wanted = [(wish["folder"], "root", wish["user"], "0750"), (wish["data"], wish["user"], wish["user"], "0700")]
        if wish["artifacts"].startswith("/"):
            wanted.append((wish["artifacts"], wish["user"], wish["user"], "0700"))
        return wanted

    def refuse_foreign_folder(self):
        """Whoever has files in the folder of the artifacts would not get at them any more.

        :raises PrepareError: there are some.
        """
        path, user = self.wish["artifacts"], self.wish["user"]
        found = files.foreign_content(path, user) if path.startswith("/") else None
        if found:
            raise probe.PrepareError(
                "mlflow_server_artifacts is %s, which has %s in it and does not belong to user %s: expected a folder for artifacts alone. "
                "Choose another, or give it to %s if that is meant (chown)." % (path, found, user, user)
            )

    def rights_for(self, path):
        """The service owns what is below its data: what it might have put there must not lead root elsewhere."""
        inside = path.startswith(self.wish["data"].rstrip("/") + "/")
        return rights_of(pwd.getpwnam(self.wish["user"])) if inside else contextlib.nullcontext()

    def bring(self):
        """The module's result."""
        accounts = self.accounts()
        self.module.no_log_values.update(filter(None, (accounts.admin, accounts.pending, accounts.job)))
        texts = self.texts(accounts)
        self.refuse_foreign_folder()
        stale = [text for text in texts if files.differs(*text)]
        folders = [folder for folder in self.folders() if files.folder_differs(*folder)]
        pending = self.path("restart-pending")
        untried = accounts.new_admin or files.read(self.path("prepared")).strip() != self.prepared_for()
        before = {path: files.read(path) for path, *unused in texts}
        done = []
        if not self.module.check_mode:
            for folder in folders:
                with self.rights_for(folder[0]):
                    files.make_folder(*folder)
            if untried:
                done = self.prepare(accounts, pending)
            if [path for path, *unused in stale if os.path.basename(path) not in ACCOUNTS]:
                files.write(self.module, pending, "", "0600", "root")
            for text in stale:
                files.write(self.module, *text)
            if untried:
                files.write(self.module, self.path("prepared"), self.prepared_for() + "\n", "0600", "root")
        return {
            "changed": bool(stale or folders or done or untried),
            "files": [path for path, *unused in stale],
            "prepared": done,
            "restart_pending": os.path.exists(pending) or bool(self.module.check_mode and (stale or untried)),
            "admin_password_pending": bool(accounts.pending) or os.path.exists(self.path("admin.ini.new")),
            "diff": [self.difference(path, before[path], text) for path, text, *unused in stale],
        }

    def prepare(self, accounts, pending):
        """Try the settings, then make the schemas and the administrator; a service that runs is stopped only for an upgrade.

        Whoever is killed in here finds no admin.ini in the next run, and sets the account's password anew.
        """
        unit, python, user = self.wish["unit"], self.wish["python"], self.wish["user"]
        running = self.module.run_command(["systemctl", "is-active", "--quiet", unit])[0] == 0
        answer = probe.run(python, user, self.given(accounts, running))
        files.write(self.module, pending, "", "0600", "root")
        if answer["stop"]:
            self.module.run_command(["systemctl", "stop", unit], check_rc=True)
            answer = probe.run(python, user, self.given(accounts, False))
        return answer["did"]

    def difference(self, path, before, after):
        """What a diff may show of one file: nothing of accounts, no secret of the others."""
        if os.path.basename(path) in ACCOUNTS:
            before, after = ("(an account)\n", "(another account)\n") if before else ("", "(an account)\n")
            return {"before_header": path, "after_header": path, "before": before, "after": after}
        return {"before_header": path, "after_header": path, "before": settings.shown(before), "after": settings.shown(after, before)}
