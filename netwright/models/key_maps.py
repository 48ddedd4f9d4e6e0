"""Foreign tensor names to timm's."""

import re

from netwright.errors import UserError

_REPEATS = (1, 2, 2, 3, 3, 4, 1)  # blocks in each stage of EfficientNet-Lite0
_PLACES = [f"{stage}.{block}" for stage, count in enumerate(_REPEATS) for block in range(count)]
_OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def efficientnet_lite0_to_timm(key: str) -> str:
    """A tensor name of the package efficientnet-lite-pytorch to that of timm's ``tf_efficientnet_lite0``.

    The first stage expands nothing, so timm names its layers as a depthwise-separable block: one number lower.
    Raises UserError for a name of neither kind.
    """
    try:
        inside = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
        if inside is None:
            layer, _, part = key.partition(".")
            return f"{_OUTSIDE[layer]}.{part}"
        number, layer, part = int(inside[1]), inside[2], inside[3]
        return f"blocks.{_PLACES[number]}.{(_BLOCK if number else _FIRST_BLOCK)[layer]}.{part}"
    except (KeyError, IndexError):
        raise UserError(
            f"tensor {key!r} is not one of EfficientNet-Lite0: the weight file is another model's"
        ) from None
