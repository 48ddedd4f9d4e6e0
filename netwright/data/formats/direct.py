"""A raw dataset as records for a writer, with no pixel decoded and nothing checked: labels, picture headers, copies.

Worker processes read the labels and put the pictures where the format has them (direct_piece).
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice

import numpy as np

from netwright.data.conversion.raw import RawDataset, RawPicture
from netwright.data.feeding.worker_pool import map_in_workers
from netwright.data.formats.direct_piece import Piece, Place, PlacedPiece, place_piece, twice
from netwright.data.formats.labelled_files import LabelledFiles
from netwright.data.formats.picture_files import PlacedRecord

_PIECE = 256  # pictures handed to a worker at a time


def direct_records(
    raw: RawDataset,
    place: Place,
    classes: list[str],
    *,
    check: Callable[[list[str]], None] = lambda _: None,
    workers: int = 1,
) -> Generator[PlacedRecord, None, None]:
    """Yield the records of ``raw`` in its order, their pictures where ``place`` says.

    ``classes`` grows by each class when it is first met, and ``check`` is shown it. A picture without a label has no
    objects, one without a split is of "train". Raises UserError for a picture that is missing or has no readable
    header, a box that is not finite, and two pictures that would be one file.
    """
    codes = {name: code for code, name in enumerate(classes)}
    seen: set[str] = set()
    work = partial(place_piece, place=place)
    with closing(map_in_workers(work, _pieces(raw.pictures), workers=workers)) as pieces:
        for piece in pieces:
            for label in dict.fromkeys(piece.boxes.labels):
                if label not in codes:
                    check([label])
                    codes[label] = len(classes)
                    classes.append(label)
            for record in _records(piece, codes):
                file = f"{place.pictures_in(record.split)}/{record.file_name}"
                if file in seen:
                    raise twice(record.source, record.file_name)
                seen.add(file)
                yield record


def _pieces(pictures: Iterable[RawPicture]) -> Iterator[Piece]:
    if isinstance(pictures, LabelledFiles):
        yield from pictures.parts(_PIECE)
        return
    stream = iter(pictures)
    while piece := list(islice(stream, _PIECE)):
        yield piece


def _records(piece: PlacedPiece, codes: dict[str, int]) -> Iterator[PlacedRecord]:
    boxes = piece.boxes
    labels = np.array([codes[label] for label in boxes.labels], np.int64)
    end = 0
    for picture, count in zip(piece.pictures, boxes.counts, strict=True):
        rows, end = slice(end, end + count), end + count
        yield PlacedRecord(
            name=picture.name,
            split=picture.split,
            group=picture.group,
            source=picture.source,
            image=b"",
            file_name=picture.file_name,
            width=picture.size[0],
            height=picture.size[1],
            boxes=boxes.corners[rows],
            labels=labels[rows],
            **{name: values[rows] for name, values in boxes.flags.items()},
        )
