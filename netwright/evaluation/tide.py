"""Error types: what keeps average precision from 1, by kind (TIDE, Bolya et al., ECCV 2020; hotcoco).

With empty detections or truth every number is 0. The figures equal those of the authors' tidecv 1.0.1 where every
class found has truth (tidecv averages over classes without truth too, COCO does not).
"""

from dataclasses import dataclass

from netwright.evaluation.evaluation import Evaluation

MEANINGS = {
    "Cls": "right place, wrong class",
    "Loc": "right class, wrong place (IoU 0.1 to 0.5)",
    "Both": "wrong class and wrong place",
    "Dupe": "found twice",
    "Bkg": "nothing is there (IoU under 0.1)",
    "Miss": "not found, and no error above could have found it",
}


@dataclass(frozen=True, kw_only=True)
class ErrorTypes:
    """``counts`` of each kind of ``MEANINGS``, and ``lost``: what AP50 would gain, 0..1, were that kind mended alone.

    ``lost_to_false_alarms`` and ``lost_to_misses`` are TIDE's two special ones: all false positives gone, all false
    negatives gone. The parts do not add up to the whole: mending one kind uncovers another.
    """

    ap50: float
    lost: dict[str, float]
    counts: dict[str, int]
    lost_to_false_alarms: float
    lost_to_misses: float


def error_types(evaluation: Evaluation) -> ErrorTypes:
    """The errors at IoU 0.5 (background below 0.1), all detections counted whatever their score."""
    found = evaluation.coco.tide_errors(pos_thr=0.5, bg_thr=0.1)
    lost = {name: max(0.0, float(found["delta_ap"][name])) for name in (*MEANINGS, "FP", "FN")}
    return ErrorTypes(
        ap50=float(found["ap_base"]),
        lost={name: lost[name] for name in MEANINGS},
        counts={name: int(found["counts"][name]) for name in MEANINGS},
        lost_to_false_alarms=lost["FP"],
        lost_to_misses=lost["FN"],
    )
