"""Small datasets of files, written by hand: pictures of one colour and label files as given."""

from pathlib import Path

from PIL import Image


def write_files(folder: Path, files: dict[str, str | bytes | None]) -> Path:
    """Write each file; None stands for a picture of 100 x 50 pixels."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            write_picture(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def write_picture(path: Path, *, size: tuple[int, int] = (100, 50), orientation: int = 1) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size, (90, 120, 60)).save(path, exif=exif)


def boxes_of(raw, name):
    """The (label, corners) of the picture called ``name``."""
    picture = next(picture for picture in raw.pictures if picture.name == name)
    return [(box.label, tuple(round(corner, 6) for corner in box.corners)) for box in picture.labels().boxes]


def splits_of(raw):
    return {picture.name: picture.split for picture in raw.pictures}
