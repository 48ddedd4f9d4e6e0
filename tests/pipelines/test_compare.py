"""A comparison reads what sweeps left in the store, says what it finds in terminal and page, and errors in one line."""

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from netwright.artifacts.dataset import write_dataset
from netwright.errors import UserError
from netwright.evaluation.bootstrap import paired_bootstrap
from netwright.evaluation.detections import write_detections
from netwright.evaluation.evaluation import evaluate
from pipelines.compare.__main__ import Request, compare
from pipelines.compare.classes import Draws, compare_classes
from pipelines.compare.files import RunFiles
from pipelines.compare.page import write_comparison_page
from pipelines.compare.terminal import print_comparison
from pipelines.tracking.store import open_store, store_uri
from pipelines.tracking.trials import _from_server, read_trials, trial_of
from tests.pipelines.recorded_trials import (
    ROOT,
    Point,
    make_sweep,
    metrics_of,
    params_of,
    records_of,
    scene,
    threshold_sweep,
    wide_sweep,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

FAILURE = "prune.threshold=0.95 leaves no channel: lower it\nand a traceback"
FAST = Draws(resamples=100)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One store for the module, since opening a new one takes seconds: three sweeps of digits, one of two datasets."""
    folder = tmp_path_factory.mktemp("project")
    (folder / ".netwright").mkdir()
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    before = os.environ.pop("MLFLOW_TRACKING_URI", None)
    failed = Point(overrides={"prune.threshold": "0.95"}, status="FAILED", error=FAILURE)
    odd = [
        replace(point, tags=tags)
        for point, tags in zip(
            wide_sweep(12), [{"deployed.disturbed": "true"}, {"deployed.parity": "failed"}], strict=False
        )
    ]
    with open_store(folder) as client:
        make_sweep(client, folder, "thresholds", [*threshold_sweep(), failed], files=True)
        make_sweep(client, folder, "odd", [*odd, *wide_sweep(12)[2:]], files=False)
        make_sweep(client, folder, "broken", [failed], files=False)
        for dataset in ("digits", "cells"):
            make_sweep(client, folder, "both", threshold_sweep()[:1], dataset=dataset, files=False)
    yield folder
    if before is not None:
        os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture
def client(project: Path) -> "MlflowClient":
    with open_store(project) as opened:
        pass
    return opened


def run_of(project: Path, client: "MlflowClient", sweep: str, trial: str, dataset: str = "digits") -> str:
    experiment = client.get_experiment_by_name(dataset)
    assert experiment is not None
    found = read_trials(client, store_uri(project), [experiment.experiment_id], {"netwright.sweep": sweep})
    return next(one.run for one in found if one.tags["netwright.trial"] == trial)


def printed(project: Path, request: Request) -> str:
    console = Console(record=True, width=120, highlight=False, markup=False)
    with console.capture() as capture:
        print_comparison(compare(project, request)[0], console, every=request.every)
    return capture.get()


def test_the_fast_reader_gives_what_mlflows_own_search_gives(project: Path, client: "MlflowClient") -> None:
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    fast = read_trials(client, store_uri(project), [experiment.experiment_id], {"netwright.sweep": "thresholds"})
    slow = client.search_runs([experiment.experiment_id], "tags.`netwright.sweep` = 'thresholds'")
    slow = [run for run in slow if run.data.tags["netwright.kind"] == "pipeline"]
    assert {trial.run: trial for trial in fast} == {run.info.run_id: trial_of(run) for run in slow}
    wanted = {"netwright.sweep": "thresholds", "netwright.kind": "pipeline"}
    assert {trial.run for trial in _from_server(client, [experiment.experiment_id], wanted)} == {
        one.run for one in fast
    }
    assert len(fast) == 6
    assert fast[0].params == params_of(threshold_sweep()[0])
    assert fast[0].metrics == pytest.approx(metrics_of(threshold_sweep()[0]))


def test_a_sweep_shows_its_front_its_knee_and_what_failed(project: Path) -> None:
    found, _ = compare(project, Request(sweep="thresholds", draws=FAST))
    front = [found.labels[run] for run in found.front.members]
    assert front == [f"prune.threshold={value}" for value in ("0.1", "0.2", "0.3", "0.5")]
    assert found.front.knee is not None
    assert found.labels[found.front.knee] == "prune.threshold=0.3"
    assert [one.verdict for one in found.importances.values()] == ["cannot be told from 5 trials: 10 are the least"]
    text = printed(project, Request(sweep="thresholds", draws=FAST))
    assert "5 finished, 1 failed" in text
    assert "failed: prune.threshold=0.95: prune.threshold=0.95 leaves no channel: lower it\n" in text
    assert re.search(r"^3 +[0-9a-f]{8} +0\.3 +0\.6400 +0\.6300 +2\.20 +455 +0\.700 +knee, front", text, re.MULTILINE)


def test_the_pair_of_a_sweep_is_the_most_accurate_against_the_knee(project: Path) -> None:
    pair = compare(project, Request(sweep="thresholds", draws=FAST))[0].pair
    assert pair is not None
    assert [one.tags["netwright.trial"] for one in (pair.first, pair.second)] == [
        "prune.threshold=0.1",
        "prune.threshold=0.3",
    ]
    assert [change.what for change in pair.changes.config] == ["prune.threshold"]
    assert pair.changes.stages is not None
    assert [stage.stage for stage in pair.changes.stages] == ["prune", "qat", "export", "benchmark"]


def test_classes_have_the_intervals_of_the_bootstrap_over_the_runs_own_raw_results(project: Path) -> None:
    pair = compare(project, Request(sweep="thresholds", draws=Draws(resamples=200, seed=3)))[0].pair
    assert pair is not None
    assert pair.classes is not None
    truth, first = scene(0.66)
    second = scene(0.64)[1]
    wanted = paired_bootstrap([evaluate(truth, first)], [evaluate(truth, second)], resamples=200, seed=3).map50_95
    overall = pair.classes.rows[0]
    assert overall.name == "all classes"
    assert (overall.first, overall.second) == pytest.approx((wanted.first.value, wanted.second.value))
    assert (overall.low, overall.high) == pytest.approx((100 * wanted.difference.low, 100 * wanted.difference.high))
    assert [row.name for row in pair.classes.rows[1:]] == ["cat", "dog"]
    assert overall.verdict == "worse"


def test_frames_of_one_video_alone_give_no_interval(tmp_path: Path) -> None:
    truth, found = scene(0.66)
    records = [replace(record, group="the only video") for record in records_of(truth)]
    labels, detections = tmp_path / "truth", tmp_path / "detections.parquet"
    write_dataset(labels, "digits", truth.classes, records, fingerprint="content")
    rows = zip(truth.names, found, strict=True)
    write_detections(detections, [("deployed", "torch", "val", name, one) for name, one in rows])
    run = RunFiles(lock=None, report=None, detections=detections, truth=labels)
    table = compare_classes(run, run, FAST, labels)
    assert table.rows == ()
    assert table.note == (
        "no intervals: an interval needs two or more groups of pictures, and these 40 are of one: measure on more"
    )


def test_disturbed_and_wrong_trials_are_marked_and_never_on_the_front(project: Path) -> None:
    found, _ = compare(project, Request(sweep="odd", draws=FAST))
    marked = [trial for trial in found.trials if trial.disturbed or trial.parity == "failed"]
    assert len(marked) == 2
    assert not {trial.run for trial in marked} & set(found.front.members)
    assert {one.method for one in found.importances.values()} == {"ranks"}
    text = printed(project, Request(sweep="odd", draws=FAST))
    assert "disturbed" in text
    assert "parity failed" in text
    assert "no intervals: a run keeps no raw detections" in text


def test_all_results_of_the_dataset_count_equal_ones_once(project: Path) -> None:
    found, links = compare(project, Request(draws=FAST))
    assert found.selection.title == "all results of digits"
    assert (len(found.trials), found.selection.repeated) == (17, 1)  # `both` repeats a point of `thresholds`
    assert list(links) == ["Side by side in MLflow"]


def test_two_runs_are_compared_by_the_beginning_of_their_ids_and_in_the_order_given(
    project: Path, client: "MlflowClient"
) -> None:
    slow, fast = (run_of(project, client, "thresholds", f"prune.threshold={value}") for value in ("0.1", "0.5"))
    found, links = compare(project, Request(runs=(fast[:12], slow), draws=FAST))
    assert found.pair is not None
    assert (found.pair.first.run, found.pair.second.run) == (fast, slow)
    assert found.pair.classes is not None
    assert found.pair.classes.rows[0].verdict == "better"
    assert slow in links["Side by side in MLflow"]


def test_runs_of_two_datasets_are_compared_only_in_configuration(project: Path, client: "MlflowClient") -> None:
    digits, cells = (run_of(project, client, "both", "prune.threshold=0.1", name) for name in ("digits", "cells"))
    found, _ = compare(project, Request(runs=(digits, cells), draws=FAST))
    assert found.front.members == ()
    assert not found.importances
    assert found.pair is not None
    assert found.pair.classes is None
    assert [change.what for change in found.pair.changes.config] == ["dataset.name"]
    text = printed(project, Request(runs=(digits, cells), draws=FAST))
    assert "their accuracies do not compare" in text
    assert "0.66" not in text


class Outside(HTMLParser):
    """Collects what a page would load, and every tag."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.ids += [told["id"]] if told.get("id") else []
        if tag in ("script", "link", "img", "iframe") and (told.get("src") or told.get("href")):
            self.loads.append(str(attrs))


def test_the_page_holds_all_and_loads_nothing(project: Path, tmp_path: Path) -> None:
    found, links = compare(project, Request(sweep="thresholds", draws=FAST))
    found = replace(found, labels={**found.labels, found.trials[0].run: "<script>alert(1)</script>"})
    write_comparison_page(tmp_path / "page.html", found, links)
    text = (tmp_path / "page.html").read_text("utf-8")
    page = Outside()
    page.feed(text)
    assert page.loads == []
    assert "@import" not in text
    assert "url(" not in text
    assert "<script>alert" not in text
    assert {f"run-{trial.run}" for trial in found.trials} <= set(page.ids)
    for told in ("leaves no channel", "prune.threshold", "Cannot be told from 5 trials", "viewStateShareKey"):
        assert told in text


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(runs=("nothing", "else")), r"no run 'nothing' in the MLflow store: python -m pipelines.compare lists"),
        (Request(runs=("ffffffff", "else")), r"no run 'ffffffff' in the MLflow store"),
        (Request(sweep="thresholdz"), r"no trial of sweep 'thresholdz' in sqlite.*; sweeps there: .*thresholds"),
        (
            Request(sweep="broken"),
            r"sweep broken: no finished trial \(0 running, 1 failed: prune.threshold=0.95 leaves",
        ),
        (Request(sweep="both"), r"sweep both has trials of cells, digits: choose one with --dataset"),
        (Request(dataset="faces"), r"no result of dataset 'faces' in sqlite.*: make repro makes one"),
        (Request(runs=("thresholds", "x")), r"run thresholds is a sweep: compare --sweep thresholds"),
    ],
)
def test_a_wrong_request_is_answered_in_one_line(project: Path, request_: Request, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        compare(project, request_)
    assert "\n" not in str(caught.value)


def test_a_deleted_a_failed_and_an_ambiguous_run_are_named(project: Path, client: "MlflowClient") -> None:
    kept = run_of(project, client, "odd", wide_sweep(12)[3].name)
    gone = run_of(project, client, "odd", wide_sweep(12)[4].name)
    failed = run_of(project, client, "broken", "prune.threshold=0.95")
    client.delete_run(gone)
    try:
        with pytest.raises(UserError, match=f"run {gone} was deleted in the MLflow store: restore it there, or leave"):
            compare(project, Request(runs=(gone, kept)))
        with pytest.raises(UserError, match=r"is failed, so there is nothing to compare: prune.threshold=0.95 leaves"):
            compare(project, Request(runs=(failed, kept)))
        with pytest.raises(UserError, match=r"'prune.threshold=0.1' names 3 runs \(.*\): write more of the run's id"):
            compare(project, Request(runs=("prune.threshold=0.1", kept)))
        with pytest.raises(UserError, match="name one run twice"):
            compare(project, Request(runs=(kept, kept[:20])))
    finally:
        client.restore_run(gone)


def test_no_store_no_project_and_a_store_of_a_newer_mlflow_are_said(project: Path, tmp_path: Path) -> None:
    shutil.copy(project / "params.yaml", tmp_path / "params.yaml")
    with pytest.raises(
        UserError, match=r"no MLflow store at .*mlflow.db: nothing has been recorded here yet: make repro"
    ):
        compare(tmp_path, Request())
    assert not (tmp_path / "mlflow.db").exists()
    shutil.copy(project / "mlflow.db", tmp_path / "mlflow.db")
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'fedcba987654'")
    with pytest.raises(UserError, match=r"MLflow store sqlite:.*cannot be used .*fedcba987654"):
        compare(tmp_path, Request())
