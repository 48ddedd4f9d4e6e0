"""Encoded pictures for the tests of decoding, some of them by hand where no encoder writes them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.copy().save(stream, kind, **options)
    return stream.getvalue()


def scene(width: int = 160, height: int = 120, seed: int = 1) -> Image.Image:
    """Smooth shapes and a little noise: something to compress."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [128 + 90 * np.sin(columns / (9 + 5 * band) + seed) * np.cos(rows / (13 - band)) for band in range(3)]
    noise = random.normal(0, 6, (height, width, 3))
    return Image.fromarray(np.clip(np.stack(planes, axis=2) + noise, 0, 255).astype(np.uint8))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG of unfiltered ``rows`` (each begins with a zero byte), ``extra`` chunks before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif
