# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load a version of a model from MLflow's registry and predict the rows that are given."""

from __future__ import annotations

from tracking import job


def predict(given: dict) -> dict:
    import mlflow.pyfunc
    import numpy

    model = mlflow.pyfunc.load_model(f"models:/{given['model']}/{given['version']}")
    rows = numpy.array(given["sample"])
    return {
        "classes": model.predict(rows).tolist(),
        "probabilities": model.get_raw_model().predict_proba(rows).tolist(),
        "run_id": model.metadata.run_id,
        "signature": model.metadata.signature is not None,
    }


if __name__ == "__main__":
    job(predict)
