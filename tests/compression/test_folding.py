"""Batch norms vanish, outputs stay."""

import pytest
import torch
from torch import nn

from netwright.compression.folding import fold_batch_norms
from netwright.compression.pruning import PrunePolicy, prune_network
from netwright.compression.quantized import load_network, save_network
from netwright.errors import UserError


@pytest.mark.parametrize("backbone", ["tf_efficientnet_lite0", "resnet18", "mobilenetv4_conv_small"])
@pytest.mark.parametrize("pruned", [False, True])
def test_folded_network_computes_the_same(backbone, pruned, detector, pixels, tmp_path):
    network = detector(backbone)
    if pruned:
        network, _ = prune_network(network, PrunePolicy(threshold=0.8, min_filters=8))
    folded = fold_batch_norms(network)
    assert not [module for module in folded.modules() if isinstance(module, nn.BatchNorm2d)]
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    with torch.no_grad():
        expected, found = network.predict_raw(pixels), folded.predict_raw(pixels)
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.distances, expected.distances, rtol=1e-4, atol=1e-4)
    save_network(tmp_path, folded)
    rebuilt = load_network(tmp_path)
    assert rebuilt.architecture == folded.architecture
    assert rebuilt.architecture.folded
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(rebuilt(pixels), folded(pixels), strict=True))


def test_one_fold_by_hand(detector):
    network = detector("resnet18")
    conv, norm = network.neck.up[0][0], network.neck.up[0][1]
    gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    folded = fold_batch_norms(network).neck.up[0]
    expected = conv.weight.double() * gain[:, None, None, None]
    torch.testing.assert_close(folded[0].weight.double(), expected, rtol=1e-5, atol=1e-7)
    shift = norm.bias.double() - norm.running_mean.double() * gain
    torch.testing.assert_close(folded[0].bias.double(), shift, rtol=1e-5, atol=1e-6)
    assert isinstance(folded[1], nn.Identity)


def test_activation_of_timm_norm_is_kept(detector):
    network = detector("tf_efficientnet_lite0")
    folded = fold_batch_norms(network)
    assert isinstance(folded.backbone.body.bn1, nn.ReLU6)
    assert isinstance(folded.backbone.body.blocks[0][0].bn2, nn.Identity)


def test_norm_without_convolution_is_refused(detector):
    network = fold_batch_norms(detector("resnet18"))
    network.backbone.body.maxpool = nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.BatchNorm2d(64))
    with pytest.raises(UserError, match=r"maxpool\.1 .*follows no convolution"):
        fold_batch_norms(network)
