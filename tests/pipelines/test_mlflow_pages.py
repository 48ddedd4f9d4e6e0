"""MLflow's own pages in a real browser: sweeps and their trials, the saved view, runs side by side, the champion.

With NETWRIGHT_SCREENSHOTS=FOLDER the pages are photographed into it: that is how those in docs/ were made.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.compare.__main__ import Request, compare
from pipelines.compare.classes import Draws
from pipelines.compare.page import write_comparison_page
from pipelines.registry import crown
from pipelines.tracking.store import open_store
from pipelines.tracking.view import LOCAL
from tests.browser import PROGRAM, Page, browser
from tests.pipelines.recorded_trials import ROOT, make_sweep, threshold_sweep, wide_sweep

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not PROGRAM, reason="no Chromium here")]
_QUIET = """localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true")"""
_UNFOLD = """[...document.querySelectorAll('[role="row"]')].find((row) => row.innerText.includes("thresholds"))
    .querySelector("[col-id*='Run Name'] button").click()"""
_PATHS = """document.querySelectorAll("svg path").length"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    before = os.environ.pop("MLFLOW_TRACKING_URI", None)
    (folder / "model.onnx").write_bytes(b"a model")
    with open_store(folder) as client:
        make_sweep(client, folder, "wide", wide_sweep(24), files=False)
        for run in make_sweep(client, folder, "thresholds", threshold_sweep(), files=True):
            client.log_artifact(run, str(folder / "model.onnx"), "exports")
    yield folder
    if before is not None:
        os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture(scope="module")
def pages(project: Path) -> Iterator[str]:
    """Where `python -m pipelines.ui` serves the project's store."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "pipelines.ui", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, server)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=60)


def _wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 300
    while True:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).read()
        except OSError:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.5)
        else:
            return


@pytest.fixture
def page(pages: str, tmp_path: Path) -> Iterator[Page]:
    with browser(tmp_path / "profile", (1400, 950)) as opened:
        opened.open(f"{pages}/health")
        opened.wait("location.href.startsWith('http')")
        opened.run(_QUIET)
        yield opened


def photograph(page: Page, name: str) -> None:
    folder = os.environ.get("NETWRIGHT_SCREENSHOTS")
    if folder:
        time.sleep(1)
        page.screenshot(Path(folder) / f"{name}.png")


def shows(*texts: str) -> str:
    """JavaScript: whether the page shows every one of ``texts``."""
    return f"{json.dumps(list(texts))}.every((text) => document.body?.innerText.includes(text))"


def served(link: str, pages: str) -> str:
    assert link.startswith(LOCAL)
    return link.replace(LOCAL, pages)


def test_a_sweep_is_listed_with_its_trials_below(page: Page, pages: str) -> None:
    page.open(f"{pages}/#/experiments/1/runs?workflowType=machine_learning")
    page.wait(shows("thresholds", "wide"))
    assert "prune.threshold=0.3" not in page.text()  # folded away below their sweep
    page.run(_UNFOLD)
    page.wait(shows("prune.threshold=0.1", "prune.threshold=0.5"))
    photograph(page, "mlflow-sweeps")


def test_the_prepared_view_draws_parallel_coordinates_of_the_trials(page: Page, pages: str, project: Path) -> None:
    found, links = compare(project, Request(sweep="wide", draws=Draws(resamples=100)))
    page.open(served(links["The sweep in MLflow"], pages))
    page.wait(shows("Sweep wide", "24 matching runs", "Parallel Coordinates", "deployed/size_bytes"))
    page.wait(shows("prune.criterion", "prune.threshold", "qat.epochs"))  # the axes
    page.wait(f"{_PATHS} > 24")
    assert "FAILED" not in page.text()
    photograph(page, "mlflow-parallel-coordinates")
    assert len(found.trials) == 24


def test_trials_stand_side_by_side(page: Page, pages: str, project: Path) -> None:
    _, links = compare(project, Request(sweep="thresholds", draws=Draws(resamples=100)))
    page.open(served(links["Side by side in MLflow"], pages))
    page.wait(shows("Comparing 5 Runs from 1 Experiment", "Parallel Coordinates Plot", "prune.threshold"))
    page.wait(shows(*(f"prune.threshold={point}" for point in ("0.1", "0.2", "0.3", "0.4", "0.5"))))
    photograph(page, "mlflow-compare")


def test_the_champion_is_in_the_registry_with_its_description(page: Page, pages: str, project: Path) -> None:
    done = crown(project, sweep="thresholds")
    page.open(served(done.link, pages))
    page.wait(shows("digits", "Version 1", "Chosen for accuracy on val: prune.threshold=0.1"))
    page.wait(shows("champion"))
    photograph(page, "mlflow-champion")


def test_the_comparison_page_sorts_and_explains(page: Page, project: Path, tmp_path: Path) -> None:
    found, links = compare(project, Request(sweep="thresholds", draws=Draws(resamples=100)))
    write_comparison_page(tmp_path / "page.html", found, links)
    page.open((tmp_path / "page.html").as_uri())
    page.wait(shows("Sweep thresholds", "What changed from A to B"))
    order = """[...document.querySelectorAll("#trials tbody tr")].map((row) => row.cells[0].innerText).join()"""
    assert page.run(order) == "1,2,3,4,5"
    page.run("""[...document.querySelectorAll("#trials th button")].find((one) => one.innerText == "p50 ms").click()""")
    page.run("""[...document.querySelectorAll("#trials th button")].find((one) => one.innerText == "p50 ms").click()""")
    assert page.run(order) == "4,5,3,2,1"
    page.run(
        """document.querySelector("circle.knee").dispatchEvent(new PointerEvent("pointermove", {bubbles: true}))"""
    )
    assert "prune.threshold=0.3" in page.run("document.getElementById('tip').innerText")
    assert page.run("performance.getEntriesByType('resource').length") == 0
    photograph(page, "compare-page")
