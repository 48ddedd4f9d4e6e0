"""One Pascal VOC annotation: XML of a picture's size and objects."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, ParseError, SubElement, indent, tostring

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from netwright.artifacts.dataset import Record
from netwright.data.conversion.raw import RawBox, RawLabels
from netwright.data.formats.folders import stem_of
from netwright.data.formats.label_text import LARGEST, quote
from netwright.data.formats.picture_files import inside
from netwright.errors import UserError

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_NOT_XML = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def read(path: Path, shown: str) -> RawLabels:
    """Parse the annotation ``path``, called ``shown`` in messages.

    Raises UserError where it is missing, no XML, defines entities, or lacks what every annotation has.
    """
    root = _parse(path, shown)
    try:
        return RawLabels(
            boxes=tuple(_box(item) for item in root.findall("object")), declared_size=_size(root.find("size"))
        )
    except (ValueError, OverflowError) as error:
        raise UserError(f"{shown} is not a Pascal VOC annotation ({error}): repair it, or remove it") from None


def is_annotation(path: Path) -> bool:
    """Whether the XML at ``path`` is an annotation, as far as it can be read."""
    try:
        return _parse(path, path.name).find("object/bndbox") is not None
    except UserError:
        return False


def stated_name(path: Path) -> str:
    """The picture's name by the annotation's ``filename``; "" where that leads out of its folder or is not there."""
    try:
        return stem_of(inside((_parse(path, path.name).findtext("filename") or "").strip(), path.name))
    except UserError:  # whoever reads the boxes is told
        return ""


def write(path: Path, file_name: str, record: Record, classes: Sequence[str]) -> None:
    """Write the annotation of ``record``, whose picture is ``file_name``, to ``path``."""
    root = Element("annotation")
    picture = PurePosixPath("JPEGImages", file_name)
    _add(root, folder=picture.parent, filename=picture.name)
    _add(SubElement(root, "size"), width=record.width, height=record.height, depth=3)
    _add(root, segmented=0)
    for row, label in enumerate(record.labels):
        item = SubElement(root, "object")
        _add(item, name=classes[label], pose="Unspecified", truncated=int(record.truncated[row] > 0))
        _add(item, difficult=int(record.difficult[row]), occluded=int(record.occluded[row] in (1, 2)))  # 3: unknown
        corners = dict(zip(_CORNERS, map(_shortest, record.boxes[row]), strict=True))
        _add(SubElement(item, "bndbox"), **corners)
    indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tostring(root, encoding="utf-8") + b"\n")


def check_texts(texts: Iterable[str], what: str) -> None:
    """Raise UserError for a text that XML or a list of one name a line cannot hold."""
    for text in texts:
        if text != text.strip() or not text or _NOT_XML.search(text):
            raise UserError(
                f"Pascal VOC cannot hold {what} {quote(text)}: rename it to one without control characters "
                "and blanks at its ends"
            )


def _parse(path: Path, shown: str) -> Element:
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
        root = _tree(content)
    except OSError as error:
        raise UserError(f"{shown} cannot be read ({error.strerror}): restore it, or remove it") from None
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise UserError(f"{shown} is not a readable XML file ({error}): repair it, or remove it") from None
    if root.tag != "annotation":
        raise UserError(f"{shown} is not a Pascal VOC annotation (its root is {quote(root.tag)}): repair or remove it")
    return root


def _tree(content: bytes) -> Element:
    if len(content) > LARGEST:
        raise ValueError(f"more than {LARGEST >> 20} MiB")
    try:
        return fromstring(content)
    except ParseError:
        try:
            content.decode("utf-8")
        except UnicodeDecodeError:
            return fromstring(content.decode("latin-1"))  # every byte is a letter there
        raise


def _size(node: Element | None) -> tuple[int, int] | None:
    """(width, height); None where it is not told, or told as 0."""
    if node is None:
        return None
    width, height = (int(float(node.findtext(field) or 0)) for field in ("width", "height"))
    return (width, height) if width and height else None


def _box(item: Element) -> RawBox:
    label = (item.findtext("name") or "").strip()
    bounds = item.find("bndbox")
    if not label or bounds is None:
        raise ValueError("an object without name or bndbox")
    xmin, ymin, xmax, ymax = (float(bounds.findtext(corner) or "missing") for corner in _CORNERS)
    return RawBox(
        label=label,
        corners=(xmin, ymin, xmax, ymax),
        difficult=_flag(item, "difficult") > 0,
        truncated=min(_flag(item, "truncated"), 1.0),
        occluded=int(_flag(item, "occluded") > 0),
    )


def _flag(item: Element, field: str) -> float:
    """0 where the field is missing, or holds neither a number nor "true"."""
    text = (item.findtext(field) or "0").strip().lower()
    try:
        value = float(text)
    except ValueError:
        return float(text in {"true", "yes"})
    return max(value, 0.0) if value == value else 0.0


def _shortest(corner: np.float32) -> str:
    """The shortest decimals that read back as the same float32, integers without a point, as VOC's own."""
    return str(int(corner)) if float(corner).is_integer() else str(corner)


def _add(parent: Element, **fields: object) -> None:
    for name, value in fields.items():
        SubElement(parent, name).text = str(value)
