"""EgoHands: ``metadata.mat`` and ``_LABELLED_SAMPLES/<video>/frame_XXXX.jpg`` (Bambach et al., ICCV 2015).

The file holds a struct array ``video`` (48 of them) with ``video_id`` and ``labelled_frames`` (100 each): ``frame_num``
and, for up to four hands, a polygon of (x, y) rows in ``myleft``, ``myright``, ``yourleft``, ``yourright``, empty where
the hand is not to be seen. These four names are the classes; TAO's recipe has one, which ``dataset.class_mapping``
makes of them. A box is drawn around each polygon as written, not rounded. A video is a group: its frames differ little.
"""

import hashlib
from functools import partial
from pathlib import Path

from netwright.data.conversion.raw import RawBox, RawDataset, RawLabels, RawPicture
from netwright.data.formats.egohands_mat import CLASSES, read_videos
from netwright.data.formats.picture_files import inside
from netwright.errors import UserError

METADATA, PICTURES = "metadata.mat", "_LABELLED_SAMPLES"


def detect(folder: Path) -> str:
    """Why ``folder`` is EgoHands, "" where it is not."""
    there = (folder / METADATA).is_file() and (folder / PICTURES).is_dir()
    return f"it has {METADATA} beside {PICTURES}/" if there else ""


def load(folder: Path) -> RawDataset:
    """Read the polygons of all videos; pictures stay unread.

    Raises UserError where the file is missing, no MATLAB file, too large, or of another layout.
    """
    path = folder / METADATA
    videos = read_videos(path)
    pictures = [_picture(folder, video, number, boxes) for video, frames in videos for number, boxes in frames]
    if not pictures:
        raise UserError(f"{path} has no labelled frame: restore it")
    note = f"{len(videos)} videos, each a group; boxes are drawn around the polygons of hands"
    merge = f"classes are {', '.join(CLASSES)}: dataset.class_mapping merges them into one"
    return RawDataset(format="egohands", classes=CLASSES, pictures=pictures, count=len(pictures), notes=(note, merge))


def _picture(folder: Path, video: str, number: int, boxes: tuple[RawBox, ...]) -> RawPicture:
    video = inside(video, METADATA)
    name = f"{video}/frame_{number:04d}"
    labels = RawLabels(boxes=boxes)
    return RawPicture(
        name=name,
        content=folder / PICTURES / f"{name}.jpg",
        labels=partial(_given, labels),
        state=hashlib.blake2b(repr(labels).encode(), digest_size=16).hexdigest(),
        source=f"{METADATA}[{video}]",
        group=video,
    )


def _given(labels: RawLabels) -> RawLabels:
    return labels
