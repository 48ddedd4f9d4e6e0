"""Verbs on one stage. Every process of the project starts here or in ``pipelines``: nothing phones home by default."""

import os

for _name in (
    "DVC_NO_ANALYTICS",
    "ITERATIVE_DO_NOT_TRACK",
    "MLFLOW_DISABLE_TELEMETRY",
    "HF_HUB_DISABLE_TELEMETRY",
    "DO_NOT_TRACK",
):
    os.environ.setdefault(_name, "true")
