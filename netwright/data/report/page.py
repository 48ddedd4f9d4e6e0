"""``index.html`` of a converted dataset: one self-contained page with counts, charts and pictures with their boxes."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from netwright.data.conversion.examined import Offence
from netwright.data.report.page_boxes import class_colour, draw_labels, draw_offences
from netwright.data.report.page_charts import Chart, lay_out, lay_out_heat
from netwright.data.report.page_findings import ThumbnailOf, lay_out_findings
from netwright.data.report.survey import Survey
from netwright.types import SPLITS

_CLASSES = 200  # rows of the class tables
_LEAKS, _REPEATS = 16, 4  # pairs of duplicates shown with their pictures: across splits, inside a split
_PAIRS_LISTED = 200  # of each, told of in all
_LEGEND = 40
_LONGEST = 1000  # letters of any one text


def make_page(report: Mapping[str, Any], survey: Survey, offences: Iterable[Offence], thumbnail: ThumbnailOf) -> str:
    """The page for ``report`` (see make_report), the same bytes for the same data.

    ``thumbnail`` gives that of a name, of dropped pictures too; where it has none the page tells its trouble.
    """
    thumbnail_of = cache(thumbnail)
    page = (
        _environment()
        .get_template("dataset.html")
        .render(
            report=report,
            totals=_totals(report),
            classes=_classes(report),
            charts=_charts(report),
            heat=lay_out_heat(report["heat_map"]),
            leaks=_pairs(report["leakage"]["pairs"], _LEAKS, thumbnail_of),
            repeats=_pairs(report["repeats"]["pairs"], _REPEATS, thumbnail_of),
            findings=lay_out_findings(report["rules"], offences, thumbnail_of),
            sheet=_sheet(survey, report["classes"], thumbnail_of),
            legend=[(name, class_colour(index)) for index, name in enumerate(report["classes"][:_LEGEND])],
            splits=SPLITS,
        )
    )
    return str(page)


def _totals(report: Mapping[str, Any]) -> dict[str, int]:
    splits = report["splits"].values()
    return {
        "images": sum(split["images"] for split in splits),
        "empty": sum(split["empty_images"] for split in splits),
        "boxes": sum(split["boxes"] for split in splits),
        "found": sum(rule["count"] for rule in report["rules"].values()),
        "leaks": report["leakage"]["exact"] + report["leakage"]["near"],
    }


def _classes(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each class: boxes and pictures of each split, and how long its bar is in percent."""
    rows = []
    for index, name in enumerate(report["classes"][:_CLASSES]):
        boxes, images = (
            {split: report["splits"][split][f"{what}_per_class"][name] for split in SPLITS}
            for what in ("boxes", "images")
        )
        rows.append({"name": name, "colour": class_colour(index), "boxes": boxes, "images": sum(images.values())})
    most = max((sum(row["boxes"].values()) for row in rows), default=0) or 1
    for row in rows:
        row["bars"] = {split: round(100 * count / most, 2) for split, count in row["boxes"].items()}
    return rows


def _charts(report: Mapping[str, Any]) -> list[Chart]:
    histograms = report["histograms"]
    return [
        lay_out(histograms["box_side"], "Box sizes", "pixels: square root of the area"),
        lay_out(histograms["box_share"], "Box sizes in the picture", "percent: square root of the share of its area"),
        lay_out(histograms["box_aspect"], "Aspect ratios of the boxes", "width : height"),
        lay_out(histograms["boxes_per_picture"], "Boxes in a picture", "boxes", whole=True),
        lay_out(histograms["picture_width"], "Picture widths", "pixels"),
        lay_out(histograms["picture_height"], "Picture heights", "pixels"),
    ]


def _pairs(found: Sequence[Mapping[str, Any]], pictured: int, thumbnail_of: ThumbnailOf) -> dict[str, Any]:
    """The first of ``found``, in the audit's order (exact, then nearest first), with their pictures."""
    shown = [
        {**pair, "drawings": [draw_offences([], thumbnail_of(pair[side])) for side in ("first", "second")]}
        for pair in found[:pictured]
    ]
    more = found[pictured:_PAIRS_LISTED]
    return {"pictured": shown, "more": more, "untold": len(found) - len(shown) - len(more)}


def _sheet(survey: Survey, classes: Sequence[str], thumbnail_of: ThumbnailOf) -> list[dict[str, Any]]:
    return [
        {
            "name": picture.name,
            "split": picture.split,
            "count": len(picture.labels),
            "drawing": draw_labels(picture, thumbnail_of(picture.name), classes),
        }
        for picture in survey.sample
    ]


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("netwright.data.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_plain,
    )


def _plain(value: Any) -> Any:
    """A text cut at a length that nobody reads beyond, unseen characters (controls, changes of direction) as codes."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    text = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
