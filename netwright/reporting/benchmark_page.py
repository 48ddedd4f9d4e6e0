"""reports/index.html: the benchmark as a page for people."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netwright.artifacts.report import row_name
from netwright.reporting.curves import History, lay_out_curves
from netwright.reporting.data_section import DataSection
from netwright.reporting.gallery import GalleryPicture, draw_gallery
from netwright.reporting.headlines import computed_in, headlines
from netwright.reporting.page import write_page
from netwright.reporting.scatter import Point, lay_out_scatter
from netwright.reporting.units import amount, decimals, signed, significant

MODELS = ("trained", "pruned", "quantized")


def write_benchmark_page(
    path: Path,
    *,
    report: Mapping[str, Any],
    histories: Mapping[str, History],
    gallery: Sequence[GalleryPicture],
    classes: Sequence[str],
    data: DataSection | None = None,
) -> None:
    """Write the page whole to ``path``.

    ``report`` is benchmark.json as read: ``rows``, ``deployed`` and ``baseline`` (each ``export@runtime``) and,
    where measured, ``comparison`` (see ``headlines``). A number that a row lacks is shown as a dash. ``histories``
    maps model names (trained, pruned, quantized), in the order they were made, to the epochs of their training
    (``read_history``); ``gallery`` holds pictures with the
    deployed export's detections, whose labels index ``classes``; ``data`` tells of the dataset (see describe_data).
    """
    rows = [_row(row, report) for row in report["rows"]]
    points = [_point(row) for row in rows if _is_plottable(row)]
    charts = [
        lay_out_curves(histories, "map50_95", "mAP50-95 on val", 520, 260),
        lay_out_curves(histories, "loss", "Training loss", 520, 260),
    ]
    name = _dataset_name(report)
    write_page(
        path,
        "benchmark.html",
        title=f"{name}: benchmark",
        summary="Accuracy, size and speed of every export on every runtime of this machine.",
        rows=rows,
        not_run=_not_run(rows),
        pruning=_pruning(report),
        cards=headlines(report),
        wide=lay_out_scatter(points, 1040, 440),
        narrow=lay_out_scatter(points, 390, 430),
        charts=[chart for chart in charts if chart is not None],
        classes=_class_table(report, classes),
        gallery=draw_gallery(gallery, classes),
        data=data,
        facts=_facts(report),
        models=[model for model in MODELS if any(row["model"] == model for row in rows)],
    )


def find_row(report: Mapping[str, Any], which: str) -> Mapping[str, Any] | None:
    """The row that ``report[which]`` (``export@runtime``) names; None where there is none."""
    return next((row for row in report["rows"] if row_name(row) == report.get(which)), None)


def _row(row: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """A row with every key that the template reads."""
    test, val, latency, parity = (row.get(key) or {} for key in ("test", "val", "latency_ms", "parity"))
    name = row_name(row)
    return {
        "name": name,
        "export": row["export"],
        "runtime": row["runtime"],
        "version": row.get("runtime_version") or "",
        "device": row.get("device") or "",
        "model": row.get("model") or "",
        "precision": row.get("precision") or "",
        "precision_used": row.get("precision_used") or row.get("precision") or "",
        "status": row["status"],
        "reason": row.get("reason") or "",
        "map50_95": test.get("map50_95"),
        "map50": test.get("map50"),
        "val_map50_95": val.get("map50_95"),
        "p50": latency.get("p50"),
        "p95": latency.get("p95"),
        "speed": row.get("throughput_ips"),
        "size": row.get("size_bytes"),
        "params": row.get("params"),
        "macs": row.get("macs"),
        "parity": parity.get("status") or "not_run",
        "parity_note": _parity_note(parity),
        "disturbed": bool(row.get("disturbed")),
        "role": "deployed" if name == report.get("deployed") else "baseline" if name == report.get("baseline") else "",
    }


def _parity_note(parity: Mapping[str, Any]) -> str:
    lines = [parity["reason"]] if parity.get("reason") else []
    if parity.get("reference"):
        lines.append(f"reference: {parity['reference']}")
    if parity.get("images") is not None:
        lines.append(f"tensors of {parity['images']} pictures, computed in {parity.get('compared_in', 'fp32')}")
    if parity.get("matched") is not None:
        lines.append(f"{100 * parity['matched']:.1f} % of the reference's detections found again")
    if parity.get("points_val") is not None:
        lines.append(f"{signed(parity['points_val'], 2)} points of mAP50-95 on val")
    return "\n".join(lines)


def _pruning(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """For each runtime how many times as fast the pruned fp32 file is, with its interval."""
    return [
        (
            f"{runtime}, computed in {computed_in(report, runtime)}",
            f"{decimals(ratio['speedup'], 2)} times as fast; "
            + "95 % interval {} to {}".format(*(decimals(ratio[f"speedup_{end}"], 2) for end in ("low", "high"))),
        )
        for runtime, ratio in (report.get("pruning") or {}).items()
    ]


def _not_run(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What did not run, the exports of one runtime and reason together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["status"] == "not_run":
            groups.setdefault((row["runtime"], row["reason"]), []).append(row["export"])
    return [{"runtime": runtime, "reason": reason, "exports": exports} for (runtime, reason), exports in groups.items()]


def _is_plottable(row: Mapping[str, Any]) -> bool:
    return row["status"] == "ok" and None not in (row["map50_95"], row["speed"], row["size"])


def _point(row: Mapping[str, Any]) -> Point:
    title = f"{row['export']} on {row['runtime']}" + (f" ({row['role']})" if row["role"] else "")
    lines = (
        title,
        f"mAP50-95 {decimals(row['map50_95'], 3)}, mAP50 {decimals(row['map50'], 3)} (test)",
        f"{significant(row['speed'])} images/s, p50 {significant(row['p50'])} ms, p95 {significant(row['p95'])} ms",
        f"{amount(row['size'], 'B')}, computed in {row['precision_used']}",
    )
    return Point(
        label=f"{row['runtime']} ({row['role']})" if row["role"] else row["runtime"],
        series=row["model"],
        speed=row["speed"],
        accuracy=row["map50_95"],
        size=row["size"],
        tip="\n".join(lines),
        emphasis=bool(row["role"]),
    )


def _class_table(report: Mapping[str, Any], classes: Sequence[str]) -> list[dict[str, Any]]:
    """For each class mAP50-95 on test of baseline and deployed, and their difference in points."""
    found = {which: ((find_row(report, which) or {}).get("test") or {}) for which in ("baseline", "deployed")}
    per_class = {which: test.get("per_class") or {} for which, test in found.items()}
    table = []
    for name in classes:
        baseline, deployed = per_class["baseline"].get(name), per_class["deployed"].get(name)
        difference = None if baseline is None or deployed is None else 100 * (deployed - baseline)
        table.append({"name": name, "baseline": baseline, "deployed": deployed, "points": difference})
    return table if any(entry["deployed"] is not None or entry["baseline"] is not None for entry in table) else []


def _dataset_name(report: Mapping[str, Any]) -> str:
    dataset = report.get("dataset")
    return str(dataset.get("name", "dataset") if isinstance(dataset, Mapping) else dataset or "dataset")


def _facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the report says of its circumstances, leaf by leaf."""
    told = ("rows", "deployed", "baseline", "comparison", "pruning", "version", "epochs")
    return [fact for key, value in report.items() if key not in told for fact in _leaves(str(key), value)]


def _leaves(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [leaf for key, inner in value.items() for leaf in _leaves(f"{name}: {key}", inner)]
    text = ", ".join(str(entry) for entry in value) if isinstance(value, list | tuple) else str(value)
    return [(name, text)] if value not in (None, [], "") else []
