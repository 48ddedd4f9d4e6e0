"""How long a training waits for its data, by a clock around the feed's batches."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from netwright.training.batches import Feed


class WaitClock:
    """Time between a step's end and the next one's begin: on a GPU as its stream sees it, by events."""

    def __init__(self, device: str) -> None:
        self._on_gpu, self._spans = device == "cuda", list[tuple[Any, Any]]()

    def watched(self, epoch: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """``epoch``, a method that gives batches, with each wait for one noted."""

        def method(*positional: Any, **named: Any) -> Iterator[Any]:
            batches = epoch(*positional, **named)
            while True:
                begun = self._now()
                batch = next(batches, None)
                if batch is None:
                    return
                self._spans.append((begun, self._now()))
                yield batch

        return method

    def taken(self) -> float:
        """Seconds waited since the last call; the device must have finished."""
        spans, self._spans = self._spans, []
        if self._on_gpu:
            return float(sum(begun.elapsed_time(ended) for begun, ended in spans)) / 1e3
        return float(sum(ended - begun for begun, ended in spans))

    def _now(self) -> Any:
        if not self._on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event


@contextmanager
def watching(clock: WaitClock) -> Iterator[None]:
    """The training loop's feed tells ``clock`` of its waits."""
    epoch = Feed.epoch
    Feed.epoch = clock.watched(epoch)  # type: ignore[method-assign]
    try:
        yield
    finally:
        Feed.epoch = epoch  # type: ignore[method-assign]
