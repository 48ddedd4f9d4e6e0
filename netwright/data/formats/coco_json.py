"""One COCO JSON file, read into arrays: about 50 bytes an annotation, whatever its masks take in the file."""

from array import array
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.data.formats.coco_rows import Rows, corners_of
from netwright.data.formats.json_stream import stream_object
from netwright.data.formats.picture_files import inside, is_unicode
from netwright.errors import UserError

_TRUE = (1, "1", "true", "True")  # and 1.0 and true


class CocoFile:
    """The pictures, categories and annotations of the JSON file at ``path``.

    ``files`` maps each picture's id to its file name, "" for an id that annotations name and ``images`` does not
    list. ``classes`` are the categories' names in the file's order, without ``headings``. An annotation's own id is
    not looked at. Raises UserError for an entry without what it needs, ids or names that contradict each other, or
    names that lead out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._index: dict[Any, int] = {}  # picture id -> its place, in order of first sight
        self.files: dict[Any, str] = {}
        self._sizes: dict[int, tuple[int, int]] = {}
        self._names: dict[Any, str] = {}  # category id -> name
        self._parents: dict[Any, Any] = {}
        self._codes: dict[Any, int] = {}  # category id -> its code in _label, in order of first sight
        self._picture, self._label = array("i"), array("i")
        self._corners, self._truncated = array("d"), array("f")
        self._crowd, self._difficult, self._occluded = array("b"), array("b"), array("b")
        readers = {"images": self._image, "annotations": self._annotation, "categories": self._category}
        found = set()
        for key, element in stream_object(path):
            if key in readers:
                found.add(key)
                readers[key](self._entry(element, key))
        if missing := readers.keys() - found - {"annotations"}:
            raise UserError(f"{path} has no {' and no '.join(sorted(missing))}: a COCO file lists them")
        self._finish()

    @property
    def boxes(self) -> int:
        """How many annotations there are."""
        return len(self._label)

    def rows(self, picture: Any) -> Rows:
        """The boxes of the picture with this id."""
        place = self._index[picture]
        chosen = self._order[self._starts[place] : self._starts[place + 1]]
        columns = self._columns
        return Rows(
            corners=columns["corners"][chosen],
            labels=tuple(self._label_names[code] for code in columns["label"][chosen]),
            crowd=columns["crowd"][chosen],
            difficult=columns["difficult"][chosen],
            truncated=columns["truncated"][chosen],
            occluded=columns["occluded"][chosen],
            size=self._sizes.get(place),
        )

    def _finish(self) -> None:
        if unknown := next((code for code in self._codes if code not in self._names), None):
            raise UserError(f"{self.path}: an annotation has category_id {unknown!r}, which categories does not list")
        for picture in self._index:
            self.files.setdefault(picture, "")
        self._label_names = [self._names[code] for code in self._codes]
        headings = [code for code in self._names if self._is_heading(code)]
        self.headings = tuple(self._names[code] for code in headings)
        self.classes = tuple(dict.fromkeys(name for code, name in self._names.items() if code not in headings))
        picture = np.frombuffer(self._picture, np.int32)
        self._order = np.argsort(picture, kind="stable").astype(np.int32)
        self._starts = np.concatenate(([0], np.cumsum(np.bincount(picture, minlength=len(self._index)))))
        self._columns: dict[str, NDArray[Any]] = {
            "corners": np.frombuffer(self._corners).reshape(-1, 4),
            "label": np.frombuffer(self._label, np.int32),
            "crowd": np.frombuffer(self._crowd, np.int8),
            "difficult": np.frombuffer(self._difficult, np.int8),
            "truncated": np.frombuffer(self._truncated, np.float32),
            "occluded": np.frombuffer(self._occluded, np.int8),
        }

    def _is_heading(self, code: Any) -> bool:
        """Roboflow's first category is the project's name: the parent of all others, and of no box."""
        others = [parent for other, parent in self._parents.items() if other != code]
        named = self._parents[code] == "none" and bool(others) and all(name == self._names[code] for name in others)
        return named and code not in self._codes

    def _entry(self, element: Any, key: str) -> dict[str, Any]:
        if isinstance(element, dict):
            return element
        raise UserError(f"{self.path}: {key} holds {_short(element)}, where an object is expected: repair the file")

    def _need(self, entry: dict[str, Any], field: str, kind: str) -> Any:
        value = entry.get(field)
        if isinstance(value, int | str) and is_unicode(str(value)):
            return value
        raise UserError(f"{self.path}: {kind} {_short(entry)} has no usable {field}: repair or remove it")

    def _image(self, entry: dict[str, Any]) -> None:
        picture = self._need(entry, "id", "the image")
        name = inside(str(self._need(entry, "file_name", "the image")), f"{self.path}, image {picture!r}")
        if self.files.setdefault(picture, name) != name:
            raise UserError(f"{self.path} has two images of id {picture!r}: give each its own")
        place = self._place(picture)
        width, height = entry.get("width"), entry.get("height")
        if isinstance(width, int) and isinstance(height, int) and 0 < max(width, height) < 1 << 31:
            self._sizes[place] = (width, height)

    def _category(self, entry: dict[str, Any]) -> None:
        code = self._need(entry, "id", "the category")
        name = str(self._need(entry, "name", "the category")).strip()
        if not name:
            raise UserError(f"{self.path}: category {code!r} has an empty name: give it one")
        if self._names.setdefault(code, name) != name:
            raise UserError(f"{self.path}: category {code!r} is both {self._names[code]!r} and {name!r}: keep one")
        self._parents[code] = entry.get("supercategory")

    def _annotation(self, entry: dict[str, Any]) -> None:
        self._picture.append(self._place(self._need(entry, "image_id", "the annotation")))
        code = self._need(entry, "category_id", "the annotation")
        self._label.append(self._codes.setdefault(code, len(self._codes)))
        try:
            self._corners.extend(corners_of(entry))
        except (TypeError, ValueError, OverflowError):
            raise UserError(f"{self.path}: the annotation {_short(entry)} has a box that is not four numbers") from None
        more = entry.get("attributes")
        more = more if isinstance(more, dict) else {}
        self._crowd.append(entry.get("iscrowd") in _TRUE)
        self._difficult.append(more.get("difficult") in _TRUE)
        self._truncated.append(_number(more.get("truncated"), 1.0))
        self._occluded.append(int(_number(more.get("occluded"), 3.0)))

    def _place(self, picture: Any) -> int:
        return self._index.setdefault(picture, len(self._index))


def _number(value: Any, largest: float) -> float:
    """0..``largest``, 0 for what is no number: these attributes are conventions of tools, not COCO's."""
    return float(min(max(value, 0), largest)) if isinstance(value, int | float) and value == value else 0.0


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 120 else f"{text[:120]}..."
