"""Channels leave by TAO's rule, and the smaller network is complete."""

import copy

import pytest
import torch
from torch import nn

from netwright.compression.groups import ChannelGraph
from netwright.compression.importance import kernel_norms, normalised_by_maximum, union
from netwright.compression.pruning import PrunePolicy, channels_to_keep, prune_network
from netwright.compression.quantized import load_network, save_network
from netwright.compression.reports import pruning_as_dict, thinned_layers
from netwright.errors import UserError
from netwright.models.build import build_network, widths_of
from tests.compression.conftest import make_detector

BACKBONES = ["tf_efficientnet_lite0", "resnet18", "mobilenetv4_conv_small"]


def set_norms(layer: nn.Conv2d, norms: list[float]) -> None:
    """Give each output channel's kernel the wanted L2 norm, all in its first value."""
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[:, 0, 0, 0] = torch.tensor(norms)


def policy(threshold: float, granularity: int = 1, min_filters: int = 1, **more) -> PrunePolicy:
    return PrunePolicy(threshold=threshold, granularity=granularity, min_filters=min_filters, **more)


def test_norm_is_taken_over_everything_but_the_output_axis():
    layer = nn.Conv2d(2, 2, (1, 2), bias=False)
    layer.weight.data = torch.tensor([[[[1.0, 2.0]], [[2.0, 4.0]]], [[[0.0, -3.0]], [[4.0, 0.0]]]])
    assert kernel_norms(layer).tolist() == [5.0, 5.0]
    depthwise = nn.Conv2d(2, 2, (1, 2), groups=2, bias=False)
    depthwise.weight.data = torch.tensor([[[[3.0, 4.0]]], [[[6.0, 8.0]]]])
    assert kernel_norms(depthwise).tolist() == [5.0, 10.0]
    assert normalised_by_maximum(kernel_norms(depthwise)).tolist() == [0.5, 1.0]


def test_layer_of_zeros_has_a_statistic_of_zeros():
    assert normalised_by_maximum(torch.zeros(3)).tolist() == [0, 0, 0]


def test_union_takes_the_largest_of_coupled_layers():
    assert union([torch.tensor([0.1, 1.0]), torch.tensor([1.0, 0.3])]).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("threshold", "granularity", "min_filters", "kept"),
    [
        (0.5, 1, 1, [0, 2, 4]),  # strictly above: 0.5 itself goes
        (0.49, 1, 1, [0, 2, 3, 4]),
        (0.5, 2, 1, [0, 2, 3, 4]),  # three round up to four; the next largest comes back
        (0.5, 4, 5, [0, 1, 2, 3, 4, 5]),  # at least five, rounded up to eight, never more than six
        (0.95, 1, 3, [0, 2, 4]),
        (0.95, 8, 1, [0, 1, 2, 3, 4, 5]),
        (0.0, 1, 1, [0, 1, 2, 3, 4]),  # a channel of zeros is not above zero
        (1.0, 1, 0, []),
    ],
)
def test_kept_channels_follow_tao(threshold, granularity, min_filters, kept):
    statistic = torch.tensor([0.9, 0.1, 1.0, 0.5, 0.7, 0.0])
    assert channels_to_keep(statistic, policy(threshold, granularity, min_filters)) == kept


def test_first_channels_stay_among_equals():
    assert channels_to_keep(torch.tensor([0.2, 0.2, 0.2, 1.0]), policy(0.5, min_filters=2)) == [0, 3]


def test_one_layer_loses_exactly_the_small_kernels(detector):
    network = copy.deepcopy(detector("resnet18"))
    layer = network.head.class_stem[0][0]
    set_norms(layer, [1.0, 0.2, 0.6, 0.3, *([2.0] * 12)])
    pruned, report = prune_network(network, policy(0.25))
    row = next(row for row in report.layers if row.name == "head.class_stem.0.0")
    assert (row.channels_before, row.channels_after, row.kept_whole) == (16, 14, None)
    assert row.quantiles == (0.1, 0.875, 1.0, 1.0, 1.0)
    survivors = [0, 2, *range(4, 16)]  # 0.2 / 2 and 0.3 / 2 lie below 0.25
    assert torch.equal(pruned.head.class_stem[0][0].weight, layer.weight[survivors])
    assert torch.equal(pruned.head.class_stem[0][1].running_mean, network.head.class_stem[0][1].running_mean[survivors])
    assert torch.equal(pruned.head.class_logits[0].weight, network.head.class_logits[0].weight[:, survivors])


def test_layers_joined_by_a_sum_keep_the_union(detector):
    network = copy.deepcopy(detector("resnet18"))
    names = ("conv1", "layer1.0.conv2", "layer1.1.conv2")
    for offset, name in enumerate(names):  # each layer is large in one channel that the others have small
        norms = [0.01] * 64
        norms[10 * offset] = 1.0
        set_norms(network.backbone.body.get_submodule(name), norms)
    pruned, report = prune_network(network, policy(0.5))
    rows = {row.name: row for row in report.layers}
    assert {rows[f"backbone.body.{name}"].channels_after for name in names} == {3}
    assert len({rows[f"backbone.body.{name}"].group for name in names}) == 1
    assert torch.equal(pruned.backbone.body.bn1.weight, network.backbone.body.bn1.weight[[0, 10, 20]])


def test_depthwise_layer_is_bound_to_its_producer(detector):
    groups = ChannelGraph(copy.deepcopy(detector("tf_efficientnet_lite0"))).groups(())
    producer, depthwise = "backbone.body.blocks.1.0.conv_pw", "backbone.body.blocks.1.0.conv_dw.1"
    assert any(group.layers == (producer, depthwise) for group in groups)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_pruned_network_is_smaller_and_rebuilt_bit_by_bit(backbone, detector, pixels, tmp_path):
    network = detector(backbone)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    pruned, report = prune_network(network, policy(0.93, granularity=8, min_filters=8))
    assert report.after.macs < report.before.macs
    assert report.after.parameters == sum(tensor.numel() for tensor in pruned.parameters()) < report.before.parameters
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(row.channels_after % 8 == 0 or row.kept_whole for row in report.layers)
    save_network(tmp_path, pruned)
    rebuilt = load_network(tmp_path)
    with torch.no_grad():
        for found, expected in zip(rebuilt(pixels), pruned(pixels), strict=True):
            assert torch.equal(found, expected)
    assert widths_of(rebuilt) == pruned.architecture.widths == widths_of(pruned)


def test_architecture_alone_gives_every_width(detector):
    pruned, _ = prune_network(detector("tf_efficientnet_lite0"), policy(0.9, granularity=8))
    empty = build_network(pruned.architecture)
    assert {name: tensor.shape for name, tensor in empty.state_dict().items()} == {
        name: tensor.shape for name, tensor in pruned.state_dict().items()
    }


def test_removed_channels_that_were_zero_change_nothing(detector, pixels):
    network = copy.deepcopy(detector("resnet18"))
    layer, norm = network.backbone.body.layer2[0].conv1, network.backbone.body.layer2[0].bn1
    dead = [3, 50, 127]
    with torch.no_grad():
        layer.weight[dead] = 0
        norm.bias[dead] = 0
        norm.running_mean[dead] = 0
    pruned, report = prune_network(network, policy(1e-6))
    assert [row.name for row in report.layers if row.channels_after < row.channels_before] == [
        "backbone.body.layer2.0.conv1"
    ]
    with torch.no_grad():
        for found, expected in zip(pruned(pixels), network(pixels), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_output_layers_stay_whole_without_being_named(detector):
    _, report = prune_network(detector("resnet18"), policy(0.999))
    outputs = [row for row in report.layers if row.kept_whole == "output layer"]
    assert {row.name.split(".")[1] for row in outputs} >= {"class_logits", "reach"}
    assert all(row.channels_after == row.channels_before for row in outputs)


def test_group_with_an_excluded_member_stays_whole(detector):
    _, report = prune_network(detector("resnet18"), policy(0.999, exclude=("backbone.body.layer1.1.conv2", "head.*")))
    rows = {row.name: row for row in report.layers}
    stem = rows["backbone.body.conv1"]  # coupled through the residual sum
    assert stem.channels_after == 64
    assert stem.kept_whole == "backbone.body.layer1.1.conv2 is excluded by 'backbone.body.layer1.1.conv2'"
    assert rows["head.class_stem.0.0"].channels_after == 16
    assert rows["backbone.body.layer1.1.conv1"].channels_after < 64


def test_folded_criterion_measures_what_batch_norm_scales(detector):
    network = copy.deepcopy(detector("resnet18"))
    layer, norm = network.head.class_stem[0]._modules["0"], network.head.class_stem[0]._modules["1"]
    set_norms(layer, [1.0] * 16)
    with torch.no_grad():
        norm.running_var.fill_(1)
        norm.weight.copy_(torch.tensor([0.1] * 6 + [-2.0] * 10))
    for criterion, kept in (("l2", 16), ("folded_l2", 10)):
        _, report = prune_network(network, policy(0.2, criterion=criterion))
        assert next(row for row in report.layers if row.name == "head.class_stem.0.0").channels_after == kept


def test_report_counts_kept_and_removed(detector):
    _, report = prune_network(detector("resnet18"), policy(0.9))
    value = pruning_as_dict(report, policy(0.9))
    assert value["kept"]["macs"] == report.after.macs / report.before.macs
    assert value["kept"]["parameters"] + value["removed"]["parameters"] == pytest.approx(1)
    assert len(value["layers"]) == sum(isinstance(m, nn.Conv2d) for m in detector("resnet18").modules())


def test_layer_that_one_channel_outweighs_is_named_as_thinned(detector):
    network = copy.deepcopy(detector("resnet18"))
    _, before = prune_network(network, policy(0.3))
    layer = network.head.class_stem[0][0]
    set_norms(layer, [1.0, *[0.1] * (layer.out_channels - 1)])
    _, after = prune_network(network, policy(0.3))
    assert thinned_layers(before) == []
    (thin,) = thinned_layers(after)
    assert (thin.name, thin.channels_after) == ("head.class_stem.0.0", 1)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (policy(1.0), ("threshold 1", "whole layer backbone.body.conv1")),
        (policy(float("nan")), ("threshold",)),
        (policy(-0.1), ("threshold",)),
        (policy(0.5, granularity=0), ("granularity",)),
        (policy(0.5, exclude=("bacbone.*",)), ("bacbone.*", "no layer")),
        (policy(0.5, criterion="l3"), ("l3", "l2")),
    ],
)
def test_impossible_policy_is_one_clear_line(asked, words, detector):
    with pytest.raises(UserError) as error:
        prune_network(detector("resnet18"), asked)
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)


def test_layer_of_zeros_is_never_removed_whole(detector):
    network = copy.deepcopy(detector("resnet18"))
    set_norms(network.head.class_stem[1][0], [0.0] * 16)
    with pytest.raises(UserError, match=r"whole layer head\.class_stem\.1\.0"):
        prune_network(network, policy(0.1, min_filters=0))
    _, report = prune_network(network, policy(0.1, min_filters=4))
    assert next(row for row in report.layers if row.name == "head.class_stem.1.0").channels_after == 4


def test_weights_that_are_not_finite_are_refused(detector):
    network = copy.deepcopy(detector("resnet18"))
    network.neck.lateral[0][0].weight.data[0] = float("nan")
    with pytest.raises(UserError, match=r"neck\.lateral\.0\.0.*not finite"):
        prune_network(network, policy(0.5))


@pytest.mark.parametrize(
    ("backbone", "said"),
    [
        ("regnetx_002", "s1.b1.conv2.conv is a grouped convolution"),
        ("ghostnet_050", "shares only a part of its channels"),
        ("convnext_atto", "a LayerNorm2d, whose width architecture.json does not hold"),
    ],
)
def test_what_cannot_lose_channels_stays_whole_and_the_rest_is_pruned(backbone, said, tmp_path):
    """Grouped convolutions, joined maps and layer norms: the network still runs, and is rebuilt from its file."""
    pruned, report = prune_network(make_detector(backbone), policy(0.9, granularity=8, min_filters=8))
    assert any(said in row.kept_whole for row in report.layers if row.kept_whole)
    assert report.after.parameters < report.before.parameters
    widths = widths_of(pruned)
    assert all(widths[row.name].outputs == row.channels_after for row in report.layers if row.name in widths)
    save_network(tmp_path, pruned)
    pixels = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 255
    with torch.no_grad():
        for ours, theirs in zip(pruned.eval()(pixels), load_network(tmp_path).eval()(pixels), strict=True):
            assert torch.equal(ours, theirs)
