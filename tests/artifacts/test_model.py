"""architecture.json: what is written is read again, also from before it had a field."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from netwright.artifacts.model import ARCHITECTURE, architecture_from_dict, load_architecture
from netwright.errors import UserError
from netwright.types import Architecture, InputSpec, LayerWidth, Quantizer

PLAIN = Architecture(
    builder="detector",
    backbone="resnet18",
    levels=(8, 16),
    neck_channels=64,
    classes=("cat", "dog"),
    input=InputSpec(height=64, width=96),
)


@pytest.mark.parametrize(
    "architecture",
    [
        PLAIN,
        replace(PLAIN, box_convs=3, folded=True),
        replace(
            PLAIN,
            widths={"head.class_logits.0": LayerWidth(inputs=8, outputs=2, groups=1)},
            quantizers={"head.input": Quantizer(bits=8, axis=None, amax=(2.5,))},
        ),
    ],
)
def test_an_architecture_is_read_as_it_was_written(architecture: Architecture) -> None:
    assert architecture_from_dict(json.loads(json.dumps(asdict(architecture)))) == architecture


@pytest.mark.parametrize(("name", "value"), [("widths", None), ("quantizers", []), ("levels", 8), ("input", "square")])
def test_a_field_of_another_kind_is_damage(tmp_path: Path, name: str, value: object) -> None:
    (tmp_path / ARCHITECTURE).write_text(json.dumps(asdict(PLAIN) | {name: value}))
    with pytest.raises(UserError, match=r"architecture\.json is damaged .*: delete it and run dvc repro"):
        load_architecture(tmp_path)


def test_a_model_from_before_box_convs_has_one(tmp_path: Path) -> None:
    value = asdict(PLAIN)
    del value["box_convs"]
    (tmp_path / ARCHITECTURE).write_text(json.dumps(value))
    assert load_architecture(tmp_path) == PLAIN
