"""From decoded boxes and scores to detections: the one non-maximum suppression, whatever the runtime."""

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from netwright.data.feeding.preprocess import Geometry
from netwright.evaluation.detections import Detections
from netwright.types import NmsPolicy

CANDIDATES = 3000  # (box, class) pairs that enter NMS, best first


def postprocess(boxes: Tensor, scores: Tensor, geometry: Geometry, policy: NmsPolicy) -> Detections:
    """Greedy per-class NMS of one picture's boxes (A, 4) xyxy in input pixels and scores (A, C) of 0..1.

    A box counts once for every class that it scores in. Returns boxes in picture pixels, best first.
    """
    anchors, labels = torch.nonzero(scores > policy.score_threshold, as_tuple=True)
    found = scores[anchors, labels]
    if len(found) > CANDIDATES:
        found, best = torch.topk(found, CANDIDATES)
        anchors, labels = anchors[best], labels[best]
    candidates = boxes[anchors]
    # a corner that is no finite number would end the suppression of every box: such boxes lie at 0 here, without area
    proper = torch.where(torch.isfinite(candidates).all(1, keepdim=True), candidates, 0.0)
    # batched_nms keeps classes apart by shifts as long as the largest coordinate: from 0 on, they cannot meet, and in
    # float64 the shift of the thousandth class leaves small boxes as they are
    proper = proper.double()
    shifted = proper - proper.min() if len(proper) else proper
    keep = batched_nms(shifted, found.double(), labels, policy.iou_threshold)[: policy.max_detections]
    return Detections(
        geometry.to_picture(candidates[keep].cpu().numpy()),
        found[keep].cpu().numpy(),
        labels[keep].cpu().numpy(),
    )
