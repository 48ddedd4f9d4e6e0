"""Every number of an evaluation, computed once for the tables and for the page."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from netwright.errors import UserError
from netwright.evaluation.border import BorderErrors, border_errors
from netwright.evaluation.calibration import Calibration, calibration
from netwright.evaluation.coco_numbers import CocoNumbers, class_numbers, coco_numbers
from netwright.evaluation.confusion import Confusion, confusion_matrix
from netwright.evaluation.evaluation import Evaluation
from netwright.evaluation.pascal_voc import PascalVoc, pascal_voc
from netwright.evaluation.precision_recall import PrecisionRecall, precision_recall
from netwright.evaluation.slices import Slice, by_crowding, by_group, slice_accuracy
from netwright.evaluation.tao import Tao, tao
from netwright.evaluation.tide import ErrorTypes, error_types
from netwright.evaluation.truth import Truth
from netwright.evaluation.worst import PictureScore, worst_pictures

MOST_GROUPS = 20
WORST = 12  # pictures


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``iou`` is that of Pascal VOC's and TAO's AP, ``tao_iou`` TAO's for single classes, ``score`` the least shown."""

    split: str
    iou: float
    score: float
    tao_iou: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """One row's. ``shown`` are its detections of at least the score asked for; ``groups`` may be empty."""

    shown: Evaluation
    settings: Settings
    coco: CocoNumbers
    voc: PascalVoc
    tao: Tao
    classes: dict[str, CocoNumbers]
    curves: dict[str, PrecisionRecall]
    calibration: Calibration
    calibration_of_all: Calibration
    confusion: Confusion
    crowding: dict[str, Slice]
    groups: dict[str, Slice]
    errors: ErrorTypes
    border: dict[str, BorderErrors]
    worst: list[PictureScore]


def numbers_of(row: Evaluation, settings: Settings) -> Numbers:
    """Compute them. Raises UserError for a class of ``tao_iou`` that there is not."""
    shown, score = row.above(settings.score), settings.score
    return Numbers(
        shown=shown,
        settings=settings,
        coco=coco_numbers(row),
        voc=pascal_voc(row, iou=settings.iou),
        tao=tao(row, iou=_tao_iou(row.truth, settings)),
        classes=class_numbers(row),
        curves=precision_recall(row),
        calibration=calibration(shown),
        calibration_of_all=calibration(row),
        confusion=confusion_matrix(shown, score=score),
        crowding=slice_accuracy(row, by_crowding(row.truth)),
        groups=slice_accuracy(row, by_group(row.truth)) if _is_grouped(row.truth) else {},
        errors=error_types(row),
        border=border_errors(shown, score=score),
        worst=worst_pictures(shown, count=WORST, score=score),
    )


def _is_grouped(truth: Truth) -> bool:
    """Groups of one picture each tell no more than the worst pictures do."""
    return 1 < len(set(truth.groups)) < len(truth)


def _tao_iou(truth: Truth, settings: Settings) -> dict[str, float]:
    if strange := [name for name in settings.tao_iou if name not in truth.classes]:
        raise UserError(f"no class {', '.join(map(repr, strange))}, there is: {', '.join(truth.classes)}")
    return dict.fromkeys(truth.classes, settings.iou) | dict(settings.tao_iou)


def accuracy(row: Numbers) -> dict[str, float | None]:
    """The numbers over all classes, by what they are called."""
    settings = row.settings
    tao_iou = ", ".join([f"{settings.iou:g}", *(f"{name} {value:g}" for name, value in settings.tao_iou.items())])
    twelve = {f"COCO {name[:2].upper()}{name[2:].replace('_', ' ')}": value for name, value in asdict(row.coco).items()}
    return twelve | {
        f"Pascal VOC 2007, 11 points, IoU {settings.iou:g}": row.voc.map07,
        f"Pascal VOC 2010+, area, IoU {settings.iou:g}": row.voc.map,
        f"TAO sample, IoU {tao_iou}": row.tao.map_sample,
        f"TAO integrate, IoU {tao_iou}": row.tao.map_integrate,
        f"calibration error (ECE), IoU 0.5, score {settings.score:g} or more": _error(row.calibration),
        "calibration error (ECE), IoU 0.5, all detections kept": _error(row.calibration_of_all),
    }


def _error(found: Calibration) -> float | None:
    """None without a detection: no gap was measured."""
    return found.error if found.count else None


def slice_name(name: str, part: Slice) -> str:
    """With its size: accuracy on three pictures says little."""
    return f"{name} ({counted(part.pictures, 'picture')}, {counted(part.boxes, 'box', 'boxes')})"


def counted(number: int, one: str, many: str = "") -> str:
    """``1 box``, ``2 boxes``; ``many`` is ``one`` with an s where it is not given."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def worst_groups(row: Numbers) -> list[str]:
    """The groups, the worst AP first, those without a box last."""
    found = {name: part.map50_95 for name, part in row.groups.items()}
    return sorted(found, key=lambda name: (found[name] is None, found[name] or 0.0))


def worst_line(one: PictureScore) -> str:
    """How a picture went, in words."""
    return f"F1 {one.f1:.2f}, {one.missed} missed, {counted(one.false_alarms, 'false alarm')}"


def by_letter(rows: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """``rows`` by A, B, ... instead of their names, which are too long for the head of a column."""
    return {chr(ord("A") + place): row for place, row in enumerate(rows.values())}
