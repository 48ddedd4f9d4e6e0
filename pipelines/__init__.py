"""Verbs on the whole pipeline: they may use Hydra, DVC and MLflow freely."""

import stages as _silences_telemetry  # noqa: F401
