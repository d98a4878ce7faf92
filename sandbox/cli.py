# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m sandbox: an emulated AWS whose instances are real systemd hosts on this machine."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox import daemon, environment, files, lifecycle
from sandbox.paths import SandboxError, sandbox_name, state_dir


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--name", help="which sandbox (default: MLINFRA_SANDBOX, else demo)")
    commands.add_parser("up", parents=[shared], help="start it; builds what is missing on first use")
    commands.add_parser("down", parents=[shared], help="end it and leave nothing but caches")
    commands.add_parser("prepare", help="install packages and build root file systems, and start nothing")
    commands.add_parser("status", parents=[shared], help="what runs").add_argument("--json", action="store_true", help="for programs")
    logs = commands.add_parser("logs", parents=[shared], help="what was logged")
    logs.add_argument("what", nargs="?", help="aws, hosts, or a host by instance id, private address or Name tag (default: aws and hosts)")
    logs.add_argument("--lines", type=int, default=100, help="how many from the end (default: 100)")
    commands.add_parser("env", parents=[shared], help='print shell lines that point at it: eval "$(python -m sandbox env)"')
    run = commands.add_parser("run", parents=[shared], help="run a command that sees it: run -- CMD…")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD", help="the command and its arguments")
    return top


def say(text: str) -> None:
    print(f"sandbox: {text}", flush=True)


def _port(name: str) -> int:
    number = daemon.port(state_dir(name))
    if number is None:
        raise SandboxError(f"sandbox {name} is not up. Run `python -m sandbox up --name {name}` first.")
    return number


def do_up(options: argparse.Namespace) -> int:
    name = sandbox_name(options.name)
    number = lifecycle.up(name, say)
    say(f"{name} is up: AWS at http://127.0.0.1:{number}")
    return 0


def do_prepare(_options: argparse.Namespace) -> int:
    lifecycle.need_root()
    lifecycle.prepare(say)
    return 0


def do_down(options: argparse.Namespace) -> int:
    lifecycle.down(sandbox_name(options.name), say)
    return 0


def do_status(options: argparse.Namespace) -> int:
    found = lifecycle.status(sandbox_name(options.name))
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    print(f"{found['name']}: " + (f"up, AWS at {found['endpoint']}, pid {found['pid']}" if found["up"] else "down"))
    for host in found["hosts"]:
        reason = f"  ({host['reason']})" if host["reason"] else ""
        print(
            f"  {host['instance_id']}  {host['state']:<13} host {host['host']:<4}  "
            f"{host['private_ip']:<15} {host['type']:<14} {host['name']}{reason}"
        )
    if found["others"]:
        print(f"others: {', '.join(found['others'])}")
    print(f"cache: {found['cache']}")
    return 0


def do_logs(options: argparse.Namespace) -> int:
    state = state_dir(sandbox_name(options.name))
    if options.what in (None, "aws", "hosts"):
        for what in ("aws", "hosts") if options.what is None else (options.what,):
            path = state / f"{what}.log"
            if path.is_file():
                print(f"== {path}")
                print("\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-options.lines :]))
        return 0
    for host in files.read_json(state / "hosts.json", []):
        if options.what in (host["instance_id"], host["private_ip"], host["name"]):
            return _host_log(state, host, options.lines)
    raise SandboxError(f"logs: {options.what!r} is neither aws nor hosts, nor an instance id, private address or Name tag of `status`.")


def _host_log(state: Path, host: dict, lines: int) -> int:
    journal = ["journalctl", "--no-pager", "--lines", str(lines)]
    if host["pid"]:
        return subprocess.run(["nsenter", f"--target={host['pid']}", "--all", "--", *journal], check=False).returncode
    folder = state / "hosts" / host["instance_id"] / "upper/var/log/journal"
    if not folder.is_dir():
        raise SandboxError(
            f"logs: {host['instance_id']} has no journal (host {host['host']}{', ' + host['reason'] if host['reason'] else ''})."
        )
    if not shutil.which("journalctl"):
        raise SandboxError(f"logs: the host is off and this machine has no journalctl to read {folder}. Start the instance first.")
    return subprocess.run([*journal, "--directory", str(folder)], check=False).returncode


def do_env(options: argparse.Namespace) -> int:
    name = sandbox_name(options.name)
    kept = environment.wanted(name, state_dir(name), _port(name), os.environ)
    for gone in environment.unwanted(os.environ, kept):
        print(f"unset {gone}")
    for key, value in kept.items():
        print(f"export {key}={shlex.quote(value)}")
    return 0


def do_run(options: argparse.Namespace) -> int:
    name = sandbox_name(options.name)
    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    if not argv:
        raise SandboxError("run: no command given. Write it after `--`: python -m sandbox run -- aws-program arguments.")
    child = environment.child(name, state_dir(name), _port(name))
    program = shutil.which(argv[0], path=child["PATH"])
    if program is None:
        raise SandboxError(f"run: there is no program {argv[0]!r} in PATH.")
    sys.stdout.flush()
    os.execve(program, argv, child)


def main(argv: list[str] | None = None) -> int:
    options = parser().parse_args(argv)
    work = {
        "up": do_up, "down": do_down, "prepare": do_prepare, "status": do_status, "logs": do_logs, "env": do_env, "run": do_run,
    }[options.command]  # fmt: skip
    try:
        return work(options)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sandbox: interrupted; the same command takes up where it stopped, `down` removes what there is", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
