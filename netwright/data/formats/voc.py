"""Pascal VOC: ``JPEGImages/``, ``Annotations/*.xml`` and, where present, ``ImageSets/Main/{train,val,test}.txt``.

Corners are taken as written, with no shift, as COCO converters of such datasets do: VOC's own tools count pixels from
1 and include the last one, many later datasets (BCCD) do not say; the difference is one pixel.
Objects marked ``difficult`` are kept like any other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from netwright.data.raw import RawBox, RawDataset, RawPicture
from netwright.data.split import SHARES, split_by_hash
from netwright.errors import UserError
from netwright.types import SPLITS

LABELS, PICTURES, SETS = Path("Annotations"), Path("JPEGImages"), Path("ImageSets/Main")
_EXTENSIONS = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, kw_only=True)
class _Label:
    """One annotation file: the picture's file name, declared size and objects."""

    filename: str
    size: tuple[int, int] | None
    boxes: tuple[RawBox, ...]


def load(folder: Path, *, seed: int) -> RawDataset:
    """Read the dataset in ``folder``; ``seed`` divides the pictures where split files are missing.

    Classes are the names found, sorted. Raises UserError for a folder without annotations, an unreadable annotation,
    a picture that is listed but missing, or a name that leads out of the dataset.
    """
    names = sorted(path.stem for path in (folder / LABELS).glob("*.xml"))
    if not names:
        raise UserError(f"no XML file in {folder / LABELS}: a Pascal VOC dataset keeps one for each picture there")
    splits, notes = _splits(folder, names, seed)
    labels = {name: _read_label(folder / LABELS / f"{name}.xml") for name in splits}
    classes = sorted({box.label for label in labels.values() for box in label.boxes})
    return RawDataset(
        format="voc",
        classes=tuple(classes),
        pictures=[_picture(folder, name, splits[name], label) for name, label in labels.items()],
        count=len(labels),
        notes=(*notes, "corners are taken as written, with no shift by a pixel"),
    )


def _splits(folder: Path, names: list[str], seed: int) -> tuple[dict[str, str], list[str]]:
    """Map each used name to its split, and say how it was found."""
    listed = {split: _read_names(folder / SETS / f"{split}.txt") for split in SPLITS}
    own = {split: found for split, found in listed.items() if found is not None}
    if "train" not in own:
        shares = ", ".join(f"{split} {share:.0%}" for split, share in SHARES.items())
        note = f"no train.txt in {SETS}: pictures are divided by a hash of their names (seed {seed}; {shares})"
        return {name: split_by_hash(name, seed=seed) for name in names}, [note]
    splits = _own_splits(own, set(names))
    notes = [f"split files of {SETS} used: {', '.join(own)}"]
    if unlisted := len(names) - len(splits):
        notes.append(f"{unlisted} annotated pictures are in no split file and left out")
    if missing := [split for split in SPLITS if split not in own]:
        splits = _fill_from_train(splits, missing, seed)
        notes.append(f"no {' or '.join(missing)}.txt: taken from train by a hash of the names (seed {seed})")
    return dict(sorted(splits.items())), notes


def _own_splits(own: Mapping[str, list[str]], labelled: set[str]) -> dict[str, str]:
    splits: dict[str, str] = {}
    for split, names in own.items():
        for name in names:
            _refuse_paths(name, f"{SETS / split}.txt")
            if name not in labelled:
                raise UserError(
                    f"{SETS / split}.txt lists {name!r}, but {LABELS / name}.xml is missing: add it or unlist"
                )
            if splits.setdefault(name, split) != split:
                raise UserError(f"{name!r} is in both {splits[name]}.txt and {split}.txt of {SETS}: keep it in one")
    return splits


def _fill_from_train(splits: Mapping[str, str], missing: list[str], seed: int) -> dict[str, str]:
    shares = {"train": 1 - sum(SHARES[split] for split in missing)} | {split: SHARES[split] for split in missing}
    return {
        name: split_by_hash(name, seed=seed, shares=shares) if split == "train" else split
        for name, split in splits.items()
    }


def _read_names(path: Path) -> list[str] | None:
    """First word of each line, or None where the file is missing."""
    if not path.is_file():
        return None
    try:
        return [line.split()[0] for line in path.read_text("utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error}): repair or remove it") from None


def _read_label(path: Path) -> _Label:
    try:
        root = fromstring(path.read_bytes())
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise UserError(
            f"{path} is not a readable XML file ({error}): repair it, or remove it and its picture"
        ) from None
    try:
        if root.tag != "annotation":
            raise ValueError(f"its root is <{root.tag}>, not <annotation>")  # noqa: TRY301
        return _Label(
            filename=root.findtext("filename") or "",
            size=_size(root.find("size")),
            boxes=tuple(_box(item) for item in root.findall("object")),
        )
    except ValueError as error:
        raise UserError(f"{path} is not a Pascal VOC annotation ({error}): repair it, or remove it") from None


def _size(node: Element | None) -> tuple[int, int] | None:
    if node is None:
        return None
    return int(node.findtext("width") or 0), int(node.findtext("height") or 0)


def _box(item: Element) -> RawBox:
    label = (item.findtext("name") or "").strip()
    bounds = item.find("bndbox")
    if not label or bounds is None:
        raise ValueError("an object without name or bndbox")
    xmin, ymin, xmax, ymax = (float(bounds.findtext(corner) or "missing") for corner in _CORNERS)
    return RawBox(label=label, corners=(xmin, ymin, xmax, ymax))


def _picture(folder: Path, name: str, split: str, label: _Label) -> RawPicture:
    return RawPicture(
        name=name,
        split=split,
        content=_picture_path(folder, name, label.filename),
        boxes=label.boxes,
        source=(LABELS / f"{name}.xml").as_posix(),
        declared_size=label.size,
    )


def _picture_path(folder: Path, name: str, filename: str) -> Path:
    """The file that the annotation names, or else one that is called like the annotation."""
    if filename:
        _refuse_paths(filename, f"{LABELS / name}.xml")
    for candidate in _candidates(name, filename):
        if (folder / PICTURES / candidate).is_file():
            return folder / PICTURES / candidate
    raise UserError(
        f"the picture of {LABELS / name}.xml is missing in {folder / PICTURES}: add it or remove the XML file"
    )


def _candidates(name: str, filename: str) -> Iterator[str]:
    if filename:
        yield filename
    for extension in _EXTENSIONS:
        yield name + extension


def _refuse_paths(name: str, where: str) -> None:
    """A name must stay inside its folder."""
    if name in {".", ".."} or any(mark in name for mark in ("/", "\\", "\0")):
        raise UserError(f"{where} names the file {name!r}: a plain file name without folders is expected")
