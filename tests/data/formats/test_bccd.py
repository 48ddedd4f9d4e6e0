"""A real dataset through all four formats: BCCD, 364 pictures of blood cells, 4,888 boxes."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netwright.artifacts.dataset import Record
from netwright.data.formats import coco, kitti, voc, yolo

BCCD = Path(__file__).parents[3] / "data/raw/bccd"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not voc.detect(BCCD), reason="data/raw/bccd is missing: link or put the dataset there"),
]
CLASSES = ("Platelets", "RBC", "WBC")
CHAIN = (kitti, coco, yolo, voc)
FLAGS = {"kitti": ("truncated",), "coco": ("truncated",), "yolo": (), "voc": ()}  # what is left of them on the way


def records(raw):
    for picture in raw.pictures:
        image, boxes = picture.read(), picture.labels().boxes
        with Image.open(io.BytesIO(image)) as opened:
            width, height = opened.size
        yield Record(
            name=picture.name,
            split=picture.split,
            image=image,
            width=width,
            height=height,
            boxes=np.array([box.corners for box in boxes], np.float32).reshape(-1, 4),
            labels=np.array([CLASSES.index(box.label) for box in boxes]),
            difficult=np.array([box.difficult for box in boxes]),
            truncated=np.array([box.truncated for box in boxes], np.float32),
        )


def content(raw, *flags):
    """All that is compared, picture by picture."""
    return {
        (picture.name, picture.split, hashlib.sha256(picture.read()).hexdigest()): [
            (box.label, tuple(np.float32(box.corners).tolist()), *(getattr(box, flag) for flag in flags))
            for box in picture.labels().boxes
        ]
        for picture in raw.pictures
    }


def test_voc_kitti_coco_yolo_voc_keeps_every_box(tmp_path):
    raw = original = voc.load(BCCD)
    wanted = content(original)
    assert (len(wanted), sum(map(len, wanted.values()))) == (364, 4888)
    for number, form in enumerate(CHAIN):
        folder = tmp_path / str(number)
        form.save(records(raw), CLASSES, folder)
        raw = form.load(folder)
        assert content(raw) == wanted, raw.format
        flags = FLAGS[raw.format]
        assert content(raw, *flags) == content(original, *flags)
