# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run was asked for, and all that speaks against it, told at once and before anything is called. Pure."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from smoke import cost

#: The smallest GPUs of EC2 that NVIDIA's open kernel modules run on (Turing and newer), cheapest first.
TYPES = ("g4dn.xlarge", "g6.xlarge", "g5.xlarge")
MARKETS = ("spot", "on_demand")
#: Who may be let in at most: an office's range, never the internet.
WIDEST = 24
#: Set by the CI systems of the field: a run that costs money is not begun by one of them by accident.
CI = ("BUILDKITE", "CI", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "TEAMCITY_VERSION", "TF_BUILD")
NETWORK = "10.77.0.0/20"
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")


@dataclass(frozen=True)
class Wish:
    """``max_usd`` bounds the whole run, ``max_hourly_usd`` the instance's price, which follows from it."""

    account: str
    max_usd: float
    max_hourly_usd: float
    cidr: str
    region: str
    markets: tuple[str, ...]
    sandbox: bool


def wish_of(asked: Mapping[str, str], environment: Mapping[str, str], sandbox: bool, attended: bool) -> tuple[Wish | None, list[str]]:
    """(the wish, or None with problems; problems).

    :param asked: ACCOUNT, MAX_USD, CIDR, REGION, MARKET, YES and IN_CI as text, empty or missing when not given.
    :param attended: whether somebody can be asked.
    """
    given = {name: value.strip() for name, value in asked.items() if value and value.strip()}
    problems = [*_account(given), *_money(given), *_region(given), *_market(given)]
    cidr = given.get("CIDR", NETWORK if sandbox else "")
    problems += _cidr(cidr, sandbox)
    problems += _place(environment, sandbox)
    problems += _consent(given, environment, attended)
    if problems:
        return None, problems
    most = float(given["MAX_USD"])
    markets = tuple(dict.fromkeys(part.strip() for part in given.get("MARKET", "spot").split(",")))
    hourly = cost.most_hourly(most)
    return Wish(given["ACCOUNT"], most, hourly, cidr, given.get("REGION", "us-east-1"), markets, sandbox), []


def _account(given: Mapping[str, str]) -> list[str]:
    account = given.get("ACCOUNT", "")
    if re.fullmatch("[0-9]{12}", account):
        return []
    what = f"ACCOUNT is {account}" if account else "ACCOUNT is missing"
    return [f"{what}: expected the 12 digits of the account to use. `aws sts get-caller-identity` shows them."]


def _money(given: Mapping[str, str]) -> list[str]:
    text = given.get("MAX_USD", "")
    try:
        most = float(text)
    except ValueError:
        most = math.nan
    if not math.isfinite(most) or most <= 0:
        what = f"MAX_USD is {text}" if text else "MAX_USD is missing"
        return [f"{what}: expected the most that this run may cost, in US dollars. MAX_USD=2 does."]
    if cost.most_hourly(most) < cost.LEAST_HOURLY:
        return [f"MAX_USD is {text}: {cost.sentence(most)}, for which there is no GPU. Give at least {cost.least():g}; MAX_USD=2 does."]
    return []


def _region(given: Mapping[str, str]) -> list[str]:
    region = given.get("REGION", "us-east-1")
    return [] if _REGION.fullmatch(region) else [f"REGION is {region}: expected a region of AWS. Write it like us-east-1."]


def _market(given: Mapping[str, str]) -> list[str]:
    named = [part.strip() for part in given.get("MARKET", "spot").split(",")]
    wrong = [name for name in named if name not in MARKETS]
    if not wrong:
        return []
    return [f"MARKET is {given['MARKET']}: expected spot, on_demand, or spot,on_demand to fall back. Leave it out for spot alone."]


def _cidr(text: str, sandbox: bool) -> list[str]:
    """The address that ssh comes from. Nobody is asked for it: that would tell somebody else of this run."""
    if not text:
        return [
            "CIDR is missing: the host lets nobody in by ssh but that range, and this machine does not know the address that AWS will see. "
            "Give it, like CIDR=203.0.113.7/32."
        ]
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        return [f"CIDR is {text}: expected an IPv4 range ({error}). Write it like 203.0.113.7/32."]
    if network.prefixlen < WIDEST and not sandbox:
        return [f"CIDR is {text}: that lets {network.num_addresses} addresses in by ssh, expected /{WIDEST} to /32. Give your own, as /32."]
    return []


def _place(environment: Mapping[str, str], sandbox: bool) -> list[str]:
    """Whether the environment is of AWS or of the sandbox, as was said."""
    local = environment.get("MLINFRA_LOCAL_ONLY") == "1"
    if sandbox and not (local and environment.get("AWS_ENDPOINT_URL")):
        return [
            "--sandbox wants the sandbox's environment. Run `make smoke-sandbox`, or `python -m sandbox run -- python -m smoke --sandbox`."
        ]
    if not sandbox and (local or environment.get("AWS_ENDPOINT_URL")):
        name = "MLINFRA_LOCAL_ONLY" if local else "AWS_ENDPOINT_URL"
        return [f"{name} is set: what answers would not be AWS, and nothing would be proven. Unset it, or run `make smoke-sandbox`."]
    return []


def _consent(given: Mapping[str, str], environment: Mapping[str, str], attended: bool) -> list[str]:
    found = [name for name in CI if environment.get(name, "").lower() not in ("", "0", "false")]
    if found and given.get("IN_CI") != "1":
        return [
            f"{found[0]} is set: this looks like CI, where a run that costs money is easily begun by accident. Give IN_CI=1 if it is meant."
        ]
    if not attended and given.get("YES") != "1":
        return ["there is no terminal to ask on whether the cost is wanted. Give YES=1 to say so beforehand."]
    return []
