"""The detector: shapes, scores, decoding, static padding, and rebuilding at other widths."""

from dataclasses import replace

import pytest
import timm
import torch

from netwright.errors import UserError
from netwright.models.assign import Truth
from netwright.models.backbone import build_backbone
from netwright.models.build import build_network, widths_of
from netwright.models.geometry import anchor_points, boxes_from_distances
from netwright.models.losses import detection_loss
from netwright.models.static_body import drop_unread_layers, make_padding_static
from netwright.types import Architecture, InputSpec

SPEC = InputSpec(height=64, width=96)
SMALL = Architecture(
    builder="detector",
    backbone="test_resnet",
    levels=(8, 16, 32),
    neck_channels=16,
    classes=("cat", "dog"),
    input=SPEC,
)


def _pixels() -> torch.Tensor:
    return torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 255


def test_boxes_and_scores_have_a_row_for_every_grid_cell() -> None:
    torch.manual_seed(0)
    boxes, scores = build_network(SMALL).eval()(_pixels())
    cells = 8 * 12 + 4 * 6 + 2 * 3
    assert boxes.shape == (2, cells, 4)
    assert scores.shape == (2, cells, 2)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (boxes[..., 2:] > boxes[..., :2]).all()


def test_anchor_points_are_the_centres_of_their_cells() -> None:
    points, strides = anchor_points(16, 24, (8, 16))
    assert points.tolist() == [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12], [8, 8]]
    assert strides.flatten().tolist() == [8] * 6 + [16]


def test_distances_reach_to_the_sides() -> None:
    box = boxes_from_distances(torch.tensor([[[1.0, 2, 3, 4]]]), torch.tensor([[50.0, 60]]), torch.tensor([[8.0]]))
    assert box.tolist() == [[[42, 44, 74, 92]]]


def test_normalisation_is_the_specs() -> None:
    spec = replace(SPEC, scale=1 / 255, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    network = build_network(replace(SMALL, input=spec))
    pixels = _pixels()
    expected = (pixels / 255 - torch.tensor(spec.mean).reshape(3, 1, 1)) / torch.tensor(spec.std).reshape(3, 1, 1)
    torch.testing.assert_close(network.normalise(pixels), expected)


def test_static_padding_equals_timms_same_padding() -> None:
    torch.manual_seed(0)
    body = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=(1, 2)).eval()
    picture = torch.randn(1, 3, 96, 64)
    with torch.no_grad():
        before = body(picture)
        make_padding_static(body, 96, 64)
        after = body(picture)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["resnet10t", "hrnet_w18_small", "tf_mixnet_s", "xception41"])
def test_without_the_layers_that_nobody_reads_the_maps_are_the_same(name: str) -> None:
    """timm runs some of them all the same, and takes maps by hooks: then they stay."""
    torch.manual_seed(0)
    body = timm.create_model(name, features_only=True, out_indices=(1, 2)).eval()
    picture = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        before = body(picture)
        drop_unread_layers(body, 64, 96)
        after = body(picture)
    assert len(after) == 2
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other)


def test_network_is_rebuilt_at_the_widths_of_its_file() -> None:
    torch.manual_seed(0)
    network = build_network(SMALL)
    narrow = dict(widths_of(network))
    layer = "head.class_stem.0.0"
    narrow[layer] = replace(narrow[layer], outputs=8)
    narrow["head.class_stem.0.1"] = replace(narrow["head.class_stem.0.1"], inputs=8, outputs=8)
    narrow["head.class_logits.0"] = replace(narrow["head.class_logits.0"], inputs=8)
    rebuilt = build_network(replace(SMALL, widths=narrow)).eval()
    assert widths_of(rebuilt) == narrow
    assert rebuilt(_pixels())[1].shape == (2, 126, 2)


def test_a_longer_head_has_another_convolution_before_the_boxes_of_each_level() -> None:
    plain, longer = (dict(build_network(replace(SMALL, box_convs=convs)).named_parameters()) for convs in (1, 2))
    kernels = {f"head.reach_stem.{level}.3.weight": torch.Size((16, 16, 3, 3)) for level in range(3)}
    more = {name: value.shape for name, value in longer.items() if name not in plain}
    assert more.items() >= kernels.items()
    assert set(more) - set(kernels) == {
        f"head.reach_stem.{level}.4.{part}" for level in range(3) for part in ("weight", "bias")
    }
    assert set(plain) <= set(longer)


def test_loss_falls_when_a_batch_is_learnt_by_heart() -> None:
    torch.manual_seed(0)
    network = build_network(SMALL)
    truth = Truth(
        torch.tensor([[[8.0, 8, 40, 40], [50, 10, 90, 60]], [[20, 20, 60, 50], [0, 0, 0, 0]]]),
        torch.tensor([[0, 1], [1, 0]]),
        torch.tensor([[True, True], [True, False]]),
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = detection_loss(network, network.predict_raw(_pixels()), truth, box_weight=2.5)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        losses.append(loss.total.item())
    assert losses[-1] < losses[0] / 4


def test_loss_without_any_box_is_the_objectness_alone() -> None:
    torch.manual_seed(0)
    network = build_network(SMALL)
    empty = Truth(torch.zeros(2, 1, 4), torch.zeros(2, 1, dtype=torch.int64), torch.zeros(2, 1, dtype=torch.bool))
    raw = network.predict_raw(_pixels())
    loss = detection_loss(network, raw, empty, box_weight=2.5)
    expected = -torch.log1p(-torch.sigmoid(raw.objectness.double())).sum()
    assert loss.total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert loss.classes.item() == loss.boxes.item() == 0


@pytest.mark.parametrize(
    ("backbone", "levels", "size", "message"),
    [
        ("resnet18x", (8, 16), (64, 64), "no such model"),
        ("vit_tiny_patch16_224", (8, 16), (64, 64), "strides|feature maps"),
        ("test_resnet", (32, 64), (64, 64), r"strides \[64\]"),
        ("test_resnet", (16, 32), (64, 80), "multiples of 32"),
        ("test_resnet", (8, 32), (64, 64), "strides that double"),
        ("test_resnet", (16, 8), (64, 64), "strides that double"),
        ("test_resnet", (), (64, 64), "strides that double"),
        ("swin_tiny_patch4_window7_224", (8, 16), (320, 320), "does not run on pictures of 320x320"),
        ("swin_tiny_patch4_window7_224", (8, 16), (224, 224), "gives maps of 28x28x192, .* ask for 192x28x28"),
        ("inception_v4", (8, 16), (64, 64), "model that pads its borders"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(
    backbone: str, levels: tuple[int, ...], size: tuple[int, int], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        build_backbone(backbone, levels, InputSpec(height=size[0], width=size[1]))


def test_an_unknown_builder_is_refused() -> None:
    with pytest.raises(UserError, match="builder 'segmenter'"):
        build_network(replace(SMALL, builder="segmenter"))
