# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train a small model on data that scikit-learn brings along, log it to MLflow, register it, and predict a held-out sample."""

from __future__ import annotations

import importlib.metadata
import time
from typing import Any

from tracking import job

PARAMETERS = {"C": 0.05, "max_iter": 200, "random_state": 7}
SAMPLE = 8  # rows whose prediction is compared
MARK = {"mlinfra.proof": "training_proof"}  # on the versions that may be removed again


def trained() -> tuple[Any, dict[str, float], Any, Any]:
    """(model, metrics, held-out rows, a signature's input): handwritten digits, always the same ones."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, log_loss
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    images, digits = load_digits(return_X_y=True)
    fit_x, held_x, fit_y, held_y = train_test_split(images, digits, test_size=0.25, random_state=7, stratify=digits)
    model = make_pipeline(StandardScaler(), LogisticRegression(**PARAMETERS)).fit(fit_x, fit_y)
    metrics = {
        "accuracy": float(accuracy_score(held_y, model.predict(held_x))),
        "log_loss": float(log_loss(held_y, model.predict_proba(held_x))),
    }
    return model, metrics, held_x[:SAMPLE], fit_x


def packages() -> list[str]:
    """What the model needs to be loaded; named here, because MLflow would load the model once more to find out."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in ("scikit-learn", "numpy", "skops")]


def forget_old(client: Any, name: str, keep: int) -> list[str]:
    """Remove all but the newest of the versions that a proof made, with their runs and files; returns what went."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    found = [version for version in client.search_model_versions(f"name='{name}'") if MARK.items() <= version.tags.items()]
    versions = sorted(found, key=lambda version: int(version.version), reverse=True)
    for version in versions[keep:]:
        client.delete_model_version(name, version.version)
        model_id = version.model_id or version.source.removeprefix("models:/")
        get_artifact_repository(client.get_logged_model(model_id).artifact_location).delete_artifacts()
        client.delete_logged_model(model_id)
        if version.run_id:
            client.delete_run(version.run_id)
    return [version.version for version in versions[keep:]]


def register(client: Any, name: str, logged: Any, run_id: str) -> int:
    """A version of the model, which is registered by the first one; returns its number."""
    from mlflow.exceptions import MlflowException

    def version() -> Any:
        return client.create_model_version(name, f"models:/{logged.model_id}", run_id, tags=MARK, model_id=logged.model_id)

    try:
        return int(version().version)
    except MlflowException as error:
        # The first version: the model is not there, which a server with accounts calls forbidden.
        try:
            client.create_registered_model(name, description="What mlinfra.hosts' training_proof trains; the newest versions are kept.")
        except MlflowException:
            raise error from None
    return int(version().version)


def train(given: dict) -> dict:
    import mlflow
    import mlflow.sklearn
    from mlflow.entities import Metric, Param
    from mlflow.models import infer_signature

    model, metrics, sample, rows = trained()
    now = int(time.time() * 1000)
    client = mlflow.MlflowClient()
    mlflow.set_experiment(given["model"])
    # Few requests: the server checks a password at each. The metrics come last, or log_model would fetch them one by one.
    with mlflow.start_run(run_name=given["host"], tags={"mlinfra.host": given["host"]}) as run:
        logged = mlflow.sklearn.log_model(
            model, name="model", signature=infer_signature(rows, model.predict(sample)), pip_requirements=packages()
        )
        client.log_batch(
            run.info.run_id,
            metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
            params=[Param(name, str(value)) for name, value in {**PARAMETERS, "rows": len(rows)}.items()],
        )
        version = register(client, given["model"], logged, run.info.run_id)
    return {
        "run_id": run.info.run_id,
        "model": given["model"],
        "version": version,
        "model_id": logged.model_id,
        "metrics": metrics,
        "sample": sample.tolist(),
        "classes": model.predict(sample).tolist(),
        "probabilities": model.predict_proba(sample).tolist(),
        "artifacts": client.get_logged_model(logged.model_id).artifact_location,
        "forgotten": forget_old(client, given["model"], given["keep"]),
        "mlflow": mlflow.__version__,
    }


if __name__ == "__main__":
    job(train)
