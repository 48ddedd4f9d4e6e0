"""A Pascal VOC dataset written by hand: a handful of small pictures of coloured rectangles."""

from pathlib import Path

from PIL import Image, ImageDraw

BOXES = {"cat": (10, 12, 40, 44), "dog": (50, 8, 62, 30)}


def write_voc(folder: Path, splits: dict[str, list[str]] | None) -> Path:
    """Six pictures, img0..img5, of 64 x 48 pixels with a cat and, where the number is odd, a dog."""
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / part).mkdir(parents=True)
    for number in range(6):
        write_picture(folder, f"img{number}", ["cat", "dog"] if number % 2 else ["cat"])
    for split, names in (splits or {}).items():
        (folder / "ImageSets/Main" / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    return folder


OWN_SPLITS = {"train": ["img0", "img1", "img2"], "val": ["img3"], "test": ["img4", "img5"]}


def write_picture(folder: Path, name: str, labels: list[str]) -> None:
    picture = Image.new("RGB", (64, 48), (90, 120, 60))
    pen = ImageDraw.Draw(picture)
    for label in labels:
        pen.rectangle(BOXES[label], fill=(200, 40, 40) if label == "cat" else (30, 30, 200))
    picture.save(folder / "JPEGImages" / f"{name}.jpg")
    objects = "".join(object_xml(label, *BOXES[label]) for label in labels)
    write_xml(folder, name, objects)


def object_xml(label: str, *corners: object) -> str:
    xmin, ymin, xmax, ymax = corners
    bounds = f"<xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax>"
    return f"<object><name>{label}</name><difficult>0</difficult><bndbox>{bounds}</bndbox></object>"


def write_xml(
    folder: Path, name: str, objects: str, *, filename: str | None = None, size: tuple[int, int] = (64, 48)
) -> None:
    width, height = size
    (folder / "Annotations" / f"{name}.xml").write_text(
        f"<annotation><filename>{filename or name + '.jpg'}</filename>"
        f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>{objects}</annotation>"
    )
