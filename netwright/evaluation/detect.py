"""Running a detector, in whatever runtime, over a set of pictures."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netwright.data.feeding.pictures import PictureSet
from netwright.errors import UserError
from netwright.evaluation.coco import Accuracy, coco_accuracy
from netwright.evaluation.detections import Detections
from netwright.evaluation.postprocess import postprocess
from netwright.types import NmsPolicy

Values = NDArray[np.float32] | Tensor
Predict = Callable[[NDArray[np.float32]], tuple[Values, Values]]


def detect(predict: Predict, pictures: PictureSet, policy: NmsPolicy, *, batch_size: int) -> list[Detections]:
    """Detections of every picture, in order.

    ``predict`` takes pixels (B, 3, H, W) float32 of 0..255 and gives boxes (B, A, 4) xyxy in input pixels and
    scores (B, A, C) of 0..1, as arrays or as tensors, which are worked on where they lie. The last batch may be
    smaller.
    """
    found: list[Detections] = []
    for start in range(0, len(pictures), batch_size):
        boxes, scores = predict(pictures.pixels[start : start + batch_size].astype(np.float32))
        for offset in range(len(boxes)):
            geometry = pictures.geometries[start + offset]
            found.append(postprocess(torch.as_tensor(boxes[offset]), torch.as_tensor(scores[offset]), geometry, policy))
    return found


def predict_with(network: nn.Module, device: str) -> Predict:
    """``network``, in evaluation mode on ``device``, as a function on arrays."""
    network.eval().to(device)

    def predict(pixels: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
        with torch.inference_mode():
            boxes, scores = network(torch.from_numpy(pixels).to(device))
            return boxes.float(), scores.float()

    return predict


def score_network(
    network: nn.Module, pictures: PictureSet, policy: NmsPolicy, *, batch_size: int, device: str
) -> Accuracy:
    """COCO accuracy of a torch network on ``pictures``; leaves it in evaluation mode on ``device``.

    Where its memory does not hold a batch, smaller ones are tried, which find the same. Raises UserError where it
    does not hold one picture.
    """
    predict = predict_with(network, device)
    while True:
        try:
            return coco_accuracy(pictures, detect(predict, pictures, policy, batch_size=batch_size))
        except torch.OutOfMemoryError:
            if batch_size == 1:
                height, width = pictures.pixels.shape[-2:]
                raise UserError(
                    f"the GPU's memory does not hold one picture of {height} x {width}, not even to score it: "
                    "see what else uses it, or shrink the input (model.height, model.width)"
                ) from None
        batch_size //= 2
