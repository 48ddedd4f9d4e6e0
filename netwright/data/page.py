"""``index.html`` of a converted dataset: one self-contained page with counts, charts and pictures with their boxes."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from netwright.artifacts.dataset import Record
from netwright.data.preprocess import decode_picture
from netwright.types import SPLITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = {"train": 12, "val": 4, "test": 4}  # pictures of each split on the contact sheet
_OFFENDERS = 50
_THUMBNAIL = 480
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 75em; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse } td, th { padding: .2em .8em; border-bottom: 1px solid #ddd; text-align: right }
th:first-child, td:first-child { text-align: left } .chart svg { max-width: 100%; height: auto }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(16em, 1fr)); gap: 1em }
figure { margin: 0 } figure svg { width: 100%; height: auto } figcaption { font-size: 13px; color: #555 }
""".strip()


def make_page(report: dict[str, Any], records: Sequence[Record]) -> str:
    """Return the page for ``report`` (see make_report) and the records it counts."""
    classes: list[str] = report["classes"]
    title = f"Dataset {escape(report['name'])}"
    parts = [
        f"<h1>{title}</h1>",
        "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in report["notes"]) + "</ul>",
        "<h2>Pictures and boxes</h2>" + _counts_table(report),
        "<h2>Class balance and box sizes</h2>" + _charts(report, records),
        "<h2>What the checks found</h2>" + _findings(report),
        "<h2>Pictures with their boxes</h2>" + _contact_sheet(records, classes),
    ]
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def _counts_table(report: dict[str, Any]) -> str:
    heads = ["split", "pictures", "without boxes", "boxes", *report["classes"]]
    rows = [
        [split, counts["images"], counts["empty_images"], counts["boxes"], *counts["boxes_per_class"].values()]
        for split, counts in report["splits"].items()
    ]
    return _table(heads, rows)


def _findings(report: dict[str, Any]) -> str:
    rules = _table(["rule", "count"], [[rule["meaning"], rule["count"]] for rule in report["rules"].values()])
    offenders = report["offenders"]
    if not offenders:
        return rules
    rows = [[row["name"], row["label"] or "", row["box"] or "", row["reason"]] for row in offenders[:_OFFENDERS]]
    shown = f"<p>{min(len(offenders), _OFFENDERS)} of {len(offenders)} findings; report.json has them all.</p>"
    return rules + shown + _table(["picture", "class", "box", "reason"], rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    lines = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{lines}</table>"


def _charts(report: dict[str, Any], records: Sequence[Record]) -> str:
    """Two charts as one SVG, the same bytes for the same data."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    balance, sizes = figure.subplots(1, 2)
    _plot_balance(balance, report)
    _plot_sizes(sizes, records)
    stream = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "netwright", "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    return f'<div class="chart">{svg[svg.index("<svg") :]}</div>'


def _plot_balance(axes: "Axes", report: dict[str, Any]) -> None:
    places = np.arange(len(report["classes"]))
    for number, split in enumerate(SPLITS):
        counts = list(report["splits"][split]["boxes_per_class"].values())
        axes.bar(places + 0.27 * (number - 1), counts, width=0.25, label=split)
    axes.set_xticks(places, report["classes"], rotation=0 if len(places) <= 12 else 90, parse_math=False)
    axes.set(ylabel="boxes", title="boxes of each class")
    axes.margins(y=0.2)  # room for the legend
    axes.legend(loc="upper right", ncols=3)


def _plot_sizes(axes: "Axes", records: Sequence[Record]) -> None:
    boxes = np.concatenate([np.zeros((0, 4), dtype=np.float32), *(record.boxes for record in records)])
    sides = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    axes.hist(sides, bins=30)
    axes.set(xlabel="square root of the box's area, pixels", ylabel="boxes", title="box sizes")


def _contact_sheet(records: Sequence[Record], classes: Sequence[str]) -> str:
    """Pictures at even distances through each split."""
    figures = []
    for split, count in _SHOWN.items():
        members = [record for record in records if record.split == split]
        chosen = np.unique(np.linspace(0, len(members) - 1, min(count, len(members))).astype(int))
        figures += [_figure(members[index], classes) for index in chosen.tolist()]
    return '<div class="sheet">' + "\n".join(figures) + "</div>"


def _figure(record: Record, classes: Sequence[str]) -> str:
    frames = [
        _frame(box, int(label), classes, record.width)
        for box, label in zip(record.boxes.tolist(), record.labels, strict=True)
    ]
    image = f'<image width="{record.width}" height="{record.height}" href="{_data_address(record.image)}"/>'
    drawing = f'<svg viewBox="0 0 {record.width} {record.height}">{image}{"".join(frames)}</svg>'
    return f"<figure>{drawing}<figcaption>{escape(record.split)}: {escape(record.name)}</figcaption></figure>"


def _frame(box: list[float], label: int, classes: Sequence[str], width: int) -> str:
    left, top, right, bottom = box
    colour = f"hsl({round(360 * label / len(classes))} 90% 55%)"
    stroke, letters = width / 250, width / 28
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}" fill="none" '
        f'stroke="{colour}" stroke-width="{stroke:g}"/>'
        f'<text x="{left:g}" y="{max(top - stroke, letters):g}" font-size="{letters:g}" fill="{colour}" '
        f'stroke="black" stroke-width="{stroke / 2:g}" paint-order="stroke">{escape(classes[label])}</text>'
    )


def _data_address(content: bytes) -> str:
    """The picture, upright and small, as a data: address."""
    picture = Image.fromarray(decode_picture(content))
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
