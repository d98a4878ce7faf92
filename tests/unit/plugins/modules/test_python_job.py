# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real scripts, in real processes."""

from __future__ import annotations

import getpass
import json
import os
import pwd
import sys
import time

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlinfra.hosts.plugins.module_utils.job import process
from ansible_collections.mlinfra.hosts.plugins.modules import python_job as module

WHO = "import getpass, json, os, sys\nprint(json.dumps({'user': getpass.getuser(), 'uid': os.getuid(), 'groups': os.getgroups()}))"


@pytest.fixture
def run(capsys):
    def answer(script, **options):
        check = options.pop("check", False)
        arguments = {"interpreter": sys.executable, "script": script, "_ansible_check_mode": check, **options}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return answer


def gone(pid):
    """Whether the process ends within a few seconds (what is killed is a zombie until its new parent looks)."""
    for _attempt in range(200):
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_documented_options_are_the_arguments():
    assert set(yaml.safe_load(module.DOCUMENTATION)["options"]) == set(module.ARGUMENTS)


def test_json_goes_in_and_comes_out(run):
    script = "import json, sys\nn = json.load(sys.stdin)['n']\nprint('x')\nsys.stderr.write('told')\nprint(json.dumps([n + 1, 0.1 + 0.2]))"
    answer = run(script, input={"n": 41})
    assert answer["result"] == [42, 0.30000000000000004]
    assert (answer["changed"], answer["ran"], answer["rc"], answer["log"]) == (True, True, 0, ["told"])


def test_modules_lie_beside_the_script(run):
    answer = run("import json, plum\nprint(json.dumps(plum.SIZE))", modules={"plum.py": "SIZE = 7"})
    assert answer["result"] == 7


@pytest.mark.parametrize("name", ["../plum.py", "script.py", "plum", "/tmp/plum.py"])
def test_a_module_elsewhere_is_refused(run, name):
    assert f"modules has {name!r}: expected a file name" in run("", modules={name: ""})["msg"]


def test_check_mode_runs_nothing_and_says_so(run, tmp_path):
    answer = run(f"open({str(tmp_path / 'made')!r}, 'w')", check=True, user="nobody-here")
    assert answer["changed"] and not answer["ran"] and "the script was not run" in answer["msg"]
    assert not list(tmp_path.iterdir())


def test_environment_is_clean_but_for_the_additions(run, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "Pflaumenmus")
    seen = run("import json, os; print(json.dumps([dict(os.environ), os.getcwd(), sorted(os.listdir())]))", environment={"DEPTH": 3})
    variables, folder, files = seen["result"]
    own = {"HOME", "USER", "LOGNAME", "PATH", "LANG", "TMPDIR", "DEPTH"}
    assert set(variables) - {"LC_CTYPE"} == own and variables["DEPTH"] == "3" and variables["TMPDIR"] == folder
    assert files == ["script.py"] and not os.path.exists(folder)


def test_exit_code_and_last_lines_are_told(run):
    answer = run("import sys\nprint('almost', file=sys.stderr)\nsys.exit('no bucket is called plum')")
    assert answer["failed"] and answer["rc"] == 1
    assert "ended with exit code 1 after" in answer["msg"] and answer["msg"].endswith("almost\nno bucket is called plum")


def test_an_exception_is_told_without_its_traceback(run):
    answer = run("def f():\n    raise ValueError('no plum')\nf()")
    assert answer["msg"].endswith("Its last lines:\nValueError: no plum") and "Traceback" not in answer["msg"]


def test_no_json_is_told(run):
    assert "expected JSON" in run("print('done')")["msg"]


def test_after_the_timeout_the_whole_group_is_ended(run, tmp_path):
    pids = tmp_path / "pids"
    script = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
print("waiting for a plum", file=sys.stderr, flush=True)
time.sleep(60)
"""
    answer = run(script, timeout=2)
    assert answer["failed"] and answer["rc"] is None and "still ran after 2 s and was ended" in answer["msg"]
    assert "waiting for a plum" in answer["msg"]
    assert all(gone(pid) for pid in pids.read_text().split())


def test_who_ignores_the_request_to_end_is_ended(run, monkeypatch):
    monkeypatch.setattr(process, "GRACE", 0.2)
    answer = run("import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)", timeout=1)
    assert answer["failed"] and answer["rc"] is None


def test_what_a_script_leaves_behind_ends_with_it(run):
    script = "import json, subprocess, sys\nchild = subprocess.Popen(['sleep', '60'])\nprint(json.dumps(child.pid))"
    assert gone(run(script)["result"])


def test_secrets_appear_neither_in_results_nor_in_messages(run, tmp_path):
    secret = tmp_path / "credentials"
    secret.write_text("[mlflow]\nmlflow_tracking_password = Pflaumenmus-7\n")
    said = f"import json, sys\nplum = open({str(secret)!r}).read().split()[-1]\nprint('said', plum, file=sys.stderr)\n"
    for end in ("print(json.dumps({'told': 'x=' + plum}))", "sys.exit(f'http://jobs:{plum}@server')"):
        answer = run(said + end, secret_files=[str(secret), str(tmp_path / "none")])
        assert "********" in json.dumps(answer) and "Pflaumenmus" not in json.dumps(answer)


def test_missing_user_interpreter_and_time_are_told(run, tmp_path):
    assert "there is no user nobody-here on this host" in run("", user="nobody-here")["msg"]
    missing = str(tmp_path / "bin" / "python")
    assert f"{missing} cannot be run as {getpass.getuser()}: No such file or directory" in run("", interpreter=missing)["msg"]
    assert "timeout is 0: expected 1 or more" in run("", timeout=0)["msg"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_root_drops_to_the_user(run):
    entry = pwd.getpwnam("nobody")
    answer = run(WHO, user="nobody", interpreter="/usr/bin/python3")
    assert answer["result"] == {"user": "nobody", "uid": entry.pw_uid, "groups": [entry.pw_gid]}


@pytest.mark.skipif(os.geteuid() == 0, reason="root becomes anybody")
def test_who_is_not_root_is_told_to_become(run):
    assert "Run this task with become" in run(WHO, user="root")["msg"]
