"""EgoHands: ``metadata.mat`` and ``_LABELLED_SAMPLES/<video>/frame_XXXX.jpg`` (Bambach et al., ICCV 2015).

The file holds a struct array ``video`` (48 of them) with ``video_id`` and ``labelled_frames`` (100 each): ``frame_num``
and, for up to four hands, a polygon of (x, y) rows in ``myleft``, ``myright``, ``yourleft``, ``yourright``, empty where
the hand is not to be seen. These four names are the classes; TAO's recipe has one, which ``dataset.class_mapping``
makes of them. A box is drawn around each polygon as written, not rounded. A video is a group: its frames differ little.
"""

import hashlib
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from netwright.data.formats.picture_files import inside
from netwright.data.raw import RawBox, RawDataset, RawLabels, RawPicture
from netwright.errors import UserError

METADATA, PICTURES = "metadata.mat", "_LABELLED_SAMPLES"
CLASSES = ("myleft", "myright", "yourleft", "yourright")
_CORNERS_OF_POLYGON = 3
_LARGEST = 1 << 28  # bytes, unpacked; the true file is far smaller
_COMPRESSED, _HEADER = 15, 128


def detect(folder: Path) -> str:
    """Why ``folder`` is EgoHands, "" where it is not."""
    there = (folder / METADATA).is_file() and (folder / PICTURES).is_dir()
    return f"it has {METADATA} beside {PICTURES}/" if there else ""


def load(folder: Path) -> RawDataset:
    """Read the polygons of all videos; pictures stay unread.

    Raises UserError where the file is missing, no MATLAB file, too large, or of another layout.
    """
    path = folder / METADATA
    videos = _read(path)
    try:
        pictures = [picture for video in videos.ravel() for picture in _video(folder, video)]
    except (TypeError, ValueError, IndexError, KeyError, AttributeError, OverflowError) as error:
        raise UserError(f"{path} is not EgoHands' list of videos and labelled frames ({error}): restore it") from None
    if not pictures:
        raise UserError(f"{path} has no labelled frame: restore it")
    note = f"{videos.size} videos, each a group; boxes are drawn around the polygons of hands"
    merge = f"classes are {', '.join(CLASSES)}: dataset.class_mapping merges them into one"
    return RawDataset(format="egohands", classes=CLASSES, pictures=pictures, count=len(pictures), notes=(note, merge))


def _read(path: Path) -> Any:
    """The struct array ``video``."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        _check_size(path)
        return loadmat(path, variable_names=["video"])["video"]
    except KeyError:
        raise UserError(f"{path} has no variable 'video': EgoHands' own file is expected") from None
    except (OSError, ValueError, TypeError, NotImplementedError, MatReadError, MemoryError, zlib.error) as error:
        raise UserError(f"{path} is not a readable MATLAB file ({error}): restore it") from None


def _check_size(path: Path) -> None:
    """Refuse variables that unpack to more than _LARGEST bytes, before memory is taken for them (MAT-file 5 format)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(_HEADER)
        order: Literal["big", "little"] = "big" if header[126:] == b"MI" else "little"
        unpacked = file.tell()
        while unpacked <= _LARGEST and len(tag := file.read(8)) == 8:
            kind, length = (int.from_bytes(tag[at : at + 4], order) for at in (0, 4))
            if kind != _COMPRESSED:
                unpacked += min(length, size)
                file.seek(length, 1)
                continue
            unpacked += len(zlib.decompressobj().decompress(file.read(min(length, size)), _LARGEST))
    if unpacked > _LARGEST:
        raise ValueError(f"it unpacks to more than {_LARGEST >> 20} MiB")


def _video(folder: Path, video: Any) -> Iterator[RawPicture]:
    name = inside(str(video["video_id"].item()), METADATA)
    for frame in video["labelled_frames"].ravel():
        file = f"{name}/frame_{int(frame['frame_num'].item()):04d}.jpg"
        labels = RawLabels(boxes=tuple(_boxes(frame)))
        yield RawPicture(
            name=file.removesuffix(".jpg"),
            content=folder / PICTURES / file,
            labels=partial(_given, labels),
            state=hashlib.blake2b(repr(labels).encode(), digest_size=16).hexdigest(),
            source=f"{METADATA}[{name}]",
            group=name,
        )


def _boxes(frame: Any) -> Iterator[RawBox]:
    for label in CLASSES:
        polygon = np.asarray(frame[label], dtype=np.float64)
        if not polygon.size:
            continue
        points = polygon.reshape(len(polygon), 2)
        if len(points) < _CORNERS_OF_POLYGON:
            points = points[:1]  # a point or a line has no area: rule zero_area lists it
        (xmin, ymin), (xmax, ymax) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        yield RawBox(label=label, corners=(xmin, ymin, xmax, ymax))


def _given(labels: RawLabels) -> RawLabels:
    return labels
