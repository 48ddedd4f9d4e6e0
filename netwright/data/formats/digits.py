"""The embedded dataset as a source: its scenes are drawn while they are read."""

from collections.abc import Iterator, Mapping
from functools import partial

from netwright.data.conversion.raw import RawBox, RawDataset, RawLabels, RawPicture
from netwright.data.embedded.glyphs import CLASSES, Glyphs, load_glyphs
from netwright.data.embedded.scenes import MIN_SIZE, Scene, draw_scene, encode_scene
from netwright.errors import UserError


def load(counts: Mapping[str, int], *, size: int, seed: int) -> RawDataset:
    """Return ``counts`` scenes per split, ``size`` pixels square. Raises UserError for a size or count out of range."""
    if size < MIN_SIZE:
        raise UserError(f"dataset.scenes.size is {size}: scenes of digits need {MIN_SIZE} pixels or more")
    for split, count in counts.items():
        if count < 1:
            raise UserError(f"dataset.scenes.{split} is {count}: give every split a scene or more")
    note = f"glyphs of scikit-learn's load_digits, divided between the splits before scenes are drawn (seed {seed})"
    return RawDataset(
        format="digits",
        classes=CLASSES,
        pictures=_Scenes(counts, size=size, seed=seed),
        count=sum(counts.values()),
        notes=(note,),
    )


class _Scenes:
    """Draws the scenes anew on each iteration, one at a time."""

    def __init__(self, counts: Mapping[str, int], *, size: int, seed: int) -> None:
        self.counts, self.size, self.seed = dict(counts), size, seed

    def __iter__(self) -> Iterator[RawPicture]:
        glyphs = load_glyphs(self.seed)
        for split, count in self.counts.items():
            for index in range(count):
                yield self._picture(glyphs, split, index)

    def _picture(self, glyphs: Glyphs, split: str, index: int) -> RawPicture:
        scene = draw_scene(glyphs, seed=self.seed, split=split, index=index, size=self.size)
        boxes = tuple(RawBox(label=str(digit.label), corners=digit.box) for digit in scene.digits)
        return RawPicture(
            name=scene.name,
            split=split,
            content=encode_scene(scene),
            labels=partial(RawLabels, boxes=boxes, declared_size=(self.size, self.size)),
            state=f"seed {self.seed}, {self.size} pixels",
            source=_glyphs_of(scene),
        )


def _glyphs_of(scene: Scene) -> str:
    """The source of a scene is the list of its glyphs, in the order of its boxes."""
    return "load_digits[" + ",".join(str(digit.glyph) for digit in scene.digits) + "]"
