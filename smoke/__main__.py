# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m smoke [--sandbox] NAME=VALUE…``, behind ``make smoke-aws`` and ``make smoke-sandbox``."""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import sys
from pathlib import Path

from smoke import course, versions
from smoke.steps import say
from smoke.wish import wish_of

NAMES = ("ACCOUNT", "MAX_USD", "CIDR", "REGION", "MARKET", "YES", "IN_CI")
USAGE = "make smoke-aws ACCOUNT=123456789012 MAX_USD=2 CIDR=203.0.113.7/32 [REGION=us-east-1] [MARKET=spot,on_demand] [YES=1]"


class Clients:
    """boto3 clients of one region with the user's own credentials."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.made: dict = {}

    @functools.cached_property
    def session(self):
        import boto3

        return boto3.Session(region_name=self.region)

    def __call__(self, service: str):
        if service not in self.made:
            self.made[service] = self.session.client(service)
        return self.made[service]

    def problems(self) -> list[str]:
        """What is wrong with the credentials, without asking AWS."""
        try:
            there = self.session.get_credentials() is not None
        except Exception as error:  # a broken profile: botocore says it well
            return [f"the AWS credentials cannot be used: {error}. Correct them in ~/.aws, or set AWS_PROFILE."]
        hint = "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` shows what is found."
        return [] if there else [f"there are no AWS credentials. {hint}"]

    def secrets(self) -> dict[str, str]:
        """Texts of the credentials → what stands for them."""
        try:
            keys = self.session.get_credentials().get_frozen_credentials()
        except Exception:  # expired by now: then nobody else could use them either
            return {}
        return {text: "<credentials>" for text in (keys.access_key, keys.secret_key, keys.token) if text}


def agree(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def refuse(problems: list[str]) -> int:
    say("Nothing was called. What is wrong:")
    for problem in problems:
        say(f"  - {problem}")
    say(f"\nUsage: {USAGE}")
    return 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m smoke", description="Prove mlinfra.hosts in a real AWS account.", epilog=USAGE)
    parser.add_argument("--sandbox", action="store_true", help="in the sandbox's emulated AWS, whose environment this is run in")
    parser.add_argument("--runs", type=Path, default=course.RUNS, help="where runs are kept (default: %(default)s)")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE", help=", ".join(NAMES))
    arguments = parser.parse_args()
    asked = dict(text.partition("=")[::2] for text in arguments.settings)
    unknown = [f"{name} is no setting of this: expected {', '.join(NAMES)}." for name in asked if name not in NAMES]
    attended = sys.stdin.isatty() and sys.stdout.isatty()
    wish, problems = wish_of(asked, os.environ, arguments.sandbox, attended)
    programs = [f"there is no {name} here. Install OpenSSH's client." for name in ("ssh", "ssh-keygen") if not shutil.which(name)]
    problems = [*unknown, *problems, *versions.missing(), *programs]
    if problems:
        return refuse(problems)
    clients = Clients(wish.region)
    if problems := clients.problems():
        return refuse(problems)
    for inventory in course.unfinished(arguments.runs):
        say(f"An earlier run did not see that nothing of it is left: {inventory.parent.name}. To remove what there is of it:")
        confirm = f"aws_stack_confirm={inventory.parent.name}-{course.declare.ENVIRONMENT}"
        say(f"  scripts/run ansible-playbook -i {inventory} mlinfra.hosts.destroy -e {confirm}")
    ask = agree if asked.get("YES") != "1" else lambda question: True
    return course.Course(wish, clients, ask, clients.secrets, arguments.runs.resolve()).run()


if __name__ == "__main__":
    sys.exit(main())
