"""The pictures that a detector does worst on."""

from dataclasses import dataclass

from netwright.evaluation.evaluation import Evaluation


@dataclass(frozen=True, kw_only=True)
class PictureScore:
    """How one picture went: boxes ``found`` and ``missed``, ``false_alarms``, and ``f1`` of the three, 0..1."""

    name: str
    f1: float
    found: int
    missed: int
    false_alarms: int


def worst_pictures(
    evaluation: Evaluation, *, count: int = 20, score: float = 0.25, iou: float = 0.5
) -> list[PictureScore]:
    """The ``count`` worst pictures, worst first, those without an error left out.

    The rule: detections of at least ``score`` are matched class by class at ``iou`` (0.50 .. 0.95); pictures are
    ordered by F1 = 2 found / (2 found + missed + false alarms), then by errors, most first, then by name. A picture
    without truth has F1 0 as soon as anything is found in it.
    """
    shown = evaluation.above(score)
    summaries = shown.coco.image_diagnostics(iou_thr=iou, score_thr=score)["img_summary"]
    rows = [
        PictureScore(
            name=evaluation.truth.names[number - 1],
            f1=float(row["f1"]),
            found=int(row["tp"]),
            missed=int(row["fn"]),
            false_alarms=int(row["fp"]),
        )
        for number, row in summaries.items()
    ]
    wrong = [row for row in rows if row.missed or row.false_alarms]
    return sorted(wrong, key=lambda row: (row.f1, -row.missed - row.false_alarms, row.name))[:count]
