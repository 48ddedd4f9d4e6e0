"""A raw dataset to the converted one: checked records in Parquet, a report, a page, the manifest last.

Memory grows with the pictures' names and a few numbers of each, never with the pictures.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from netwright.artifacts.dataset import MANIFEST, Manifest, write_manifest
from netwright.artifacts.whole_file import write_text
from netwright.data.checks.class_mapping import ClassCount, mapped_classes, sum_counts
from netwright.data.checks.validate import ExaminePolicy
from netwright.data.conversion.catalogue import Catalogue
from netwright.data.conversion.catalogue_row import class_names
from netwright.data.conversion.examined import Examined
from netwright.data.conversion.fingerprint import fingerprint
from netwright.data.conversion.kept_thumbnails import KeptThumbnails
from netwright.data.conversion.raw import RawDataset
from netwright.data.conversion.scan import Scan, scan
from netwright.data.conversion.scratch import dataset_scratch
from netwright.data.conversion.shard_files import place_shards
from netwright.data.conversion.shard_plans import plan_shards
from netwright.data.conversion.shards import make_shards
from netwright.data.report.page import make_page
from netwright.data.report.report import About, make_report, write_report
from netwright.data.report.survey import Survey, Tally
from netwright.data.splitting.audit import judge_leakage
from netwright.data.splitting.division import Division, SplitPolicy, divide_dataset
from netwright.errors import UserError
from netwright.types import SPLITS

REPORT = "report.json"
PAGE = "index.html"

Progress = Callable[[str, int], Callable[[int], None]]
"""Begins a step of so many pictures, and returns what is told of every few that are done."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is made of the raw dataset: its ``name``, how it is checked and divided, warn or fail for ``leakage``."""

    name: str
    checks: ExaminePolicy
    split: SplitPolicy
    leakage: str = "warn"


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What came of it: report.json but for its list of offenders, the scan's counts, a line on leakage ("": none)."""

    report: dict[str, Any]
    scan: Scan
    leak: str


def convert_dataset(
    raw: RawDataset, folder: Path, recipe: Recipe, *, source: Path, scratch: Path, workers: int, progress: Progress
) -> Converted:
    """Check ``raw``, read from ``source``, and write it to ``folder``.

    What is learnt of each picture is kept below ``scratch`` for the next time. Everything is checked before the first
    file is written, and the manifest, without which no stage reads the folder, comes last. Raises UserError for what
    the recipe forbids, or a split without pictures or boxes.
    """
    with dataset_scratch(scratch, source, recipe.name) as place, Catalogue(place / "catalogue.sqlite") as catalogue:
        found = scan(raw, recipe.checks, catalogue, workers=workers, advance=progress("scan", raw.count))
        classes = _classes(raw, catalogue, recipe.checks)
        division = divide_dataset(catalogue, classes, recipe.split)
        _refuse_empty(catalogue, division)
        leak = judge_leakage(division.duplicates, recipe.leakage)
        plans = list(plan_shards(catalogue, division.splits, division.groups, classes))
        advance, store = progress("write", len(division.splits)), place / "shards"
        store.mkdir(exist_ok=True)
        shards, tally = make_shards(catalogue, plans, store, folder, classes, workers=workers, advance=advance)
        result = fingerprint(catalogue.line_digests(division.splits), classes)
        about = _about(raw, recipe, catalogue, division, classes, result)
        (folder / MANIFEST).unlink(missing_ok=True)
        place_shards({plan.key: plan.file for plan in plans}, store, folder)
        thumbnails = KeptThumbnails(catalogue)
        report = _write_report(folder, about, catalogue, _survey(tally, catalogue, division), found, thumbnails)
        catalogue.forget_notes({plan.key for plan in plans} | thumbnails.keys)
        manifest = Manifest(name=recipe.name, classes=classes, shards=tuple(shards), fingerprint=result)
        write_manifest(folder, manifest)
    return Converted(report=report, scan=found, leak=leak)


def _classes(raw: RawDataset, catalogue: Catalogue, checks: ExaminePolicy) -> tuple[str, ...]:
    """Our classes: in the declared order where the format declares them, otherwise by name.

    Of undeclared ones, those of the usable boxes (KITTI's DontCare has none) and those that the mapping names.
    """
    if raw.classes:
        return mapped_classes(raw.classes, checks.class_mapping)
    found = {label for (text,) in catalogue.rows("labels") for label in class_names(text)}
    return tuple(sorted(found.union(mapped_classes(checks.class_mapping, checks.class_mapping))))


def _class_counts(catalogue: Catalogue, checks: ExaminePolicy) -> tuple[ClassCount, ...]:
    pictures = Counter(text for (text,) in catalogue.rows("class_counts"))
    counts = ((*count, images) for text, images in pictures.items() for count in json.loads(text))
    return sum_counts(
        ((source, target, boxes * images) for source, target, boxes, images in counts), checks.class_mapping
    )


def _refuse_empty(catalogue: Catalogue, division: Division) -> None:
    images = Counter(division.splits.values())
    boxed = Counter(division.splits[name] for name, labels in catalogue.rows("name", "labels") if labels != "[]")
    for split in SPLITS:
        if not images[split]:
            raise UserError(f"split {split!r} holds no picture: give it some (split files, or dataset.scenes.{split})")
        if not boxed[split]:
            raise UserError(f"split {split!r} holds no usable box in its {images[split]} pictures: check its labels")


def _about(
    raw: RawDataset,
    recipe: Recipe,
    catalogue: Catalogue,
    division: Division,
    classes: tuple[str, ...],
    content: str,
) -> About:
    return About(
        name=recipe.name,
        format=raw.format,
        notes=raw.notes,
        classes=classes,
        fingerprint=content,
        rules=recipe.checks.actions(),
        split_origin=division.origin,
        group_origin=division.group_origin,
        leakage=recipe.leakage,
        mapping=_class_counts(catalogue, recipe.checks),
        duplicates=division.duplicates,
    )


def _survey(tally: Tally, catalogue: Catalogue, division: Division) -> Survey:
    def picture_of(name: str) -> Examined:
        (picture,) = catalogue.examined([name])
        return replace(picture, split=division.splits[name], group=division.groups[name])

    return tally.survey(picture_of)


def _write_report(
    folder: Path, about: About, catalogue: Catalogue, survey: Survey, found: Scan, thumbnails: KeptThumbnails
) -> dict[str, Any]:
    report = make_report(about, survey, chain(found.duplicates, catalogue.offences()))
    write_report(folder / REPORT, report, chain(found.duplicates, catalogue.offences()))
    page = make_page(report, survey, chain(found.duplicates, catalogue.offences()), thumbnails.of)
    write_text(folder / PAGE, page)
    return report
