# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What train.py and predict.py share: how MLflow is spoken to, and what is said when that goes wrong."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable

# A proof wants to fail soon and in words; MLflow's client would try for minutes. It sends no telemetry from here.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "OMP_NUM_THREADS": "1",
}


# What role python_env proves by importing it; it need not where a job has.
IMPORTED = ("sklearn.linear_model", "skops.io", "mlflow.sklearn", "mlflow.pyfunc")


def advice(uri: str, text: str) -> str:
    """What MLflow's client said, as a sentence with the next step."""
    if re.search(r"failed with exception|Max retries|Connection refused|timed out|NameResolution", text):
        reason = re.search(r"Connection refused|timed out|Name or service not known|No route to host|Connection reset", text)
        return (
            f"MLflow does not answer at {uri} ({reason[0] if reason else text[-200:]}). Look at `systemctl status mlflow` on its host, "
            "and let its port through from this one."
        )
    if re.search(r"\b401\b|not authenticated|Unauthorized", text, re.I):
        return f"MLflow at {uri} refuses the job's account (~/.mlflow/credentials). Run configure again: it writes the one that is valid."
    if re.search(r"\b403\b|Permission denied", text, re.I):
        return f"MLflow at {uri} does not allow it to the job's account: {text[:300]}. Give it back what it may do with the proof's model."
    if re.search(r"\b400\b.*host header|Invalid Host|DNS rebinding", text, re.I):
        return f"MLflow refuses to be spoken to as {uri}. Add that name to the server's allowed hosts."
    if re.search(r"mlflow-artifacts", text):
        return f"MLflow at {uri} cannot keep or give artifacts: {text[:300]}. Look at `journalctl -u mlflow` on its host."
    return f"MLflow at {uri}: {text[:500]}"


def tracking_uri(path: str) -> str:
    """Where the server is, out of the file that says so to all jobs of this host."""
    again = "Run configure again: the entry client.yml of role mlflow_server writes it."
    try:
        with open(path) as file:
            return json.load(file)["tracking_uri"]
    except OSError as error:
        sys.exit(f"{path} cannot be read: {error.strerror}. {again}")
    except (ValueError, KeyError, TypeError):
        sys.exit(f"{path} has no tracking_uri: expected JSON with the address of MLflow. {again}")


def job(work: Callable[[dict], dict]) -> None:
    """Read the input, do the work, print what it returns; end with one sentence when MLflow does not do its part."""
    given = json.load(sys.stdin)
    uri = tracking_uri(given["settings"])
    os.environ.update(SETTINGS, MLFLOW_TRACKING_URI=uri)
    try:
        answer = work(given)
    except ImportError as error:
        sys.exit(f"{sys.prefix} lacks a package: {error}. Run configure again: role python_env makes the environment.")
    except Exception as error:
        module = type(error).__module__.partition(".")[0]
        if module not in ("mlflow", "requests", "urllib3"):
            raise
        sys.exit(advice(uri, " ".join(str(error).split())))
    print(json.dumps({**answer, "imported": [name for name in IMPORTED if name in sys.modules]}))
