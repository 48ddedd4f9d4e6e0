"""COCO's ten IoU thresholds."""

import numpy as np

IOU_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


def iou_index(iou: float) -> int:
    """Place of ``iou`` among 0.50, 0.55 .. 0.95. Raises ValueError for any other."""
    places = np.flatnonzero(np.isclose(IOU_THRESHOLDS, iou, atol=1e-9))
    if not len(places):
        raise ValueError(f"IoU {iou} is none of {', '.join(f'{known:.2f}' for known in IOU_THRESHOLDS)}")
    return int(places[0])
