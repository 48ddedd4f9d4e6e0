"""Links that open MLflow's pages where they help: a sweep's trials as a saved view with charts, runs side by side.

MLflow keeps a saved view as a tag of the experiment: its name, and the page's state as the page itself would write it.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipelines.tracking.client import KIND
from pipelines.tracking.store import is_remote, without_secrets
from pipelines.tracking.sweeps import SWEEP
from pipelines.tracking.trials import ACCURACY, LATENCY, SIZE, SPEED, TEST_ACCURACY, quoted

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOCAL = "http://127.0.0.1:5000"  # where `make ui` shows a store that is no server
MOST_COMPARED = 30  # runs that one page draws well, and whose ids fit an address
_MOST_DRAWN = 100
_TRAINING = "workflowType=machine_learning"  # MLflow otherwise shows its menu for language models
_VIEW = "mlflow.sharedViewState."
_COLUMNS = (ACCURACY, TEST_ACCURACY, LATENCY, SPEED, SIZE)
_AXES = (LATENCY, SIZE, ACCURACY)  # of the parallel coordinates, the objective last


def pages_of(uri: str) -> str:
    """The address of MLflow's pages for the store ``uri``."""
    return without_secrets(uri).rstrip("/") if is_remote(uri) else LOCAL


def serving_note(uri: str) -> str:
    """What must be done before a link works, in brackets: a store that is no server shows nothing by itself."""
    return "" if is_remote(uri) else " (make ui serves it)"


def compare_link(uri: str, runs: Sequence[tuple[str, str]]) -> str:
    """MLflow's page of ``runs`` (run id, experiment id) side by side: parallel coordinates, scatter, differences."""
    shown = runs[:MOST_COMPARED]
    ids = json.dumps([run for run, _ in shown], separators=(",", ":"))
    experiments = json.dumps(sorted({experiment for _, experiment in shown}), separators=(",", ":"))
    query = f"runs={quote(ids, safe='')}&experiments={quote(experiments, safe='')}&{_TRAINING}"
    return f"{pages_of(uri)}/#/compare-runs?{query}"


def version_link(uri: str, model: str, version: str) -> str:
    """MLflow's page of a registered model's version."""
    return f"{pages_of(uri)}/#/models/{quote(model, safe='')}/versions/{version}?{_TRAINING}"


def sweep_link(client: "MlflowClient", uri: str, experiment: str, sweep: str, params: Sequence[str]) -> str:
    """Save a view of ``sweep``'s trials under its name and return the link that opens it.

    The view lists the trials, best on val first, and draws parallel coordinates over ``params``,
    accuracy over latency and over size, and accuracies as bars. Saving again changes nothing.
    """
    key = hashlib.sha256(f"sweep {sweep}".encode()).hexdigest()
    trials = f"tags.`{KIND}` = 'pipeline' and tags.`{SWEEP}` = {quoted(sweep)}"
    state = _state(trials, _fitting(params))
    envelope = {"name": f"Sweep {sweep}", "createdAt": 0, "state": json.dumps(state)}
    value = json.dumps(envelope, separators=(",", ":"))
    known = client.get_experiment(experiment).tags.get(f"{_VIEW}{key}")
    if known != value:
        client.set_experiment_tag(experiment, f"{_VIEW}{key}", value)
    place = f"{pages_of(uri)}/#/experiments/{experiment}/runs"
    return f"{place}?viewStateShareKey={key}&compareRunsMode=CHART&{_TRAINING}"


def _fitting(params: Sequence[str]) -> list[str]:
    """As many of ``params`` as a chart shows well and a tag holds."""
    return [name for name in params if len(name) < 100][:8]


def _state(query: str, params: Sequence[str]) -> dict[str, Any]:
    charts = [
        _chart("PARALLEL", selectedParams=list(params), selectedMetrics=list(_AXES), showAllRuns=True),
        _chart("SCATTER", xaxis=_axis(LATENCY), yaxis=_axis(ACCURACY), runsCountToCompare=_MOST_DRAWN),
        _chart("SCATTER", xaxis=_axis(SIZE), yaxis=_axis(ACCURACY), runsCountToCompare=_MOST_DRAWN),
        _chart("BAR", metricKey=ACCURACY, runsCountToCompare=20),
    ]
    return {
        "searchFilter": query,
        "orderByKey": f"metrics.`{ACCURACY}`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [
            *(f"params.`{name}`" for name in params),
            *(f"metrics.`{name}`" for name in _COLUMNS),
            "tags.`restored`",
        ],
        "compareRunCharts": charts,
        "compareRunSections": [
            {"uuid": "trials", "name": "Trials", "display": True, "isReordered": True, "columns": 2, "cardHeight": 400}
        ],
        "isAccordionReordered": True,
        "runsHiddenMode": "SHOW_ALL",
        "hideEmptyCharts": True,
    }


def _chart(kind: str, **settings: Any) -> dict[str, Any]:
    name = "-".join([kind.lower(), *(axis["key"] for axis in settings.values() if isinstance(axis, dict))])
    return {
        "type": kind,
        "uuid": name,
        "metricSectionId": "trials",
        "isGenerated": False,
        "deleted": False,
        **settings,
    }


def _axis(metric: str) -> dict[str, str]:
    return {"key": metric, "type": "METRIC"}
