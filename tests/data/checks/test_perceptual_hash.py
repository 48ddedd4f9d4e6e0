import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance
from scipy.fft import dctn

from netwright.data.checks.perceptual_hash import FLAT, perceptual_hash
from netwright.data.splitting.audit import NEAR


def _scene(seed, size=(320, 240)):
    """Discs of random places, sizes and colours."""
    generator = np.random.default_rng(seed)
    picture = Image.new("RGB", size, tuple(generator.integers(0, 256, 3).tolist()))
    pen = ImageDraw.Draw(picture)
    for _ in range(25):
        x, y, radius = generator.uniform((0, 0, 8), (*size, 60))
        pen.ellipse(
            (x - radius, y - radius, x + radius, y + radius), fill=tuple(generator.integers(0, 256, 3).tolist())
        )
    return picture


def _distance(one, other):
    return (perceptual_hash(one) ^ perceptual_hash(other)).bit_count()


def _jpeg(picture, quality):
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


COPIES = {
    "JPEG 50": lambda picture: _jpeg(picture, 50),
    "JPEG 90": lambda picture: _jpeg(picture, 90),
    "half size": lambda picture: picture.resize((160, 120)),
    "larger by half": lambda picture: picture.resize((480, 360)),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.9),
    "more contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(1.1),
    "grey": lambda picture: picture.convert("L"),
    "with alpha": lambda picture: picture.convert("RGBA"),
}


def test_the_hash_is_the_dct_against_its_median():
    grey = np.random.default_rng(0).integers(0, 256, (32, 32)).astype(np.uint8)
    low = dctn(grey.astype(np.float64), norm="ortho")[:8, :8].reshape(-1)
    bits = "".join(str(int(value > np.median(low))) for value in low)
    assert perceptual_hash(Image.fromarray(grey)) == int(bits, 2)


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES.keys())
def test_a_copy_is_near(copy):
    assert max(_distance(_scene(seed), copy(_scene(seed))) for seed in range(10)) <= NEAR


def test_other_pictures_are_far():
    hashes = [perceptual_hash(_scene(seed)) for seed in range(60)]
    distances = [(a ^ b).bit_count() for number, a in enumerate(hashes) for b in hashes[:number]]
    assert min(distances) > NEAR


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", (64, 48), (90, 120, 60)),
        Image.new("RGB", (1, 1)),
        Image.new("L", (3, 2000), 255),
        Image.fromarray(np.tile(np.linspace(0, 255, 640).astype(np.uint8), (480, 1))),
        Image.fromarray(np.random.default_rng(0).integers(100, 110, (480, 640)).astype(np.uint8)),
        Image.fromarray(np.repeat([[0] * 320 + [255] * 320], 480, axis=0).astype(np.uint8)),
    ],
    ids=["one colour", "one pixel", "white line", "gradient", "faint noise", "two halves"],
)
def test_a_picture_without_structure_says_nothing(picture):
    assert perceptual_hash(picture) == FLAT
