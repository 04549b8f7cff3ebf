"""Which images come next: every epoch passes over all of them in an order of its own."""

from __future__ import annotations

import math
import sys

import torch
from torch import Tensor

from vaeviewer.backend.training.randomness import epoch_order


class Batches:
    """Where training is among its batches.

    Args:
        images: How many training images there are.
        size: Wanted images per batch; all of them where there are fewer.
        seed: Of the orders.
        device: Where the images are.

    Attributes:
        step: Batches used so far.
        passes: Epochs done.
        image: How many images of the epoch under way were used.
        size: Images per batch.
    """

    def __init__(self, images: int, size: int, seed: int, device: torch.device) -> None:
        self._images, self._seed, self._device = images, seed, device
        self.size = min(size, images)
        self.step = self.passes = self.image = 0
        self._order = torch.empty(0, dtype=torch.int64, device=device)
        self._order_epoch = -1

    @property
    def per_epoch(self) -> int:
        """Batches in one pass. Images beyond the last whole batch wait for the next epoch's order."""
        return self._images // self.size

    @property
    def at_epoch_start(self) -> bool:
        """Whether the next batch begins an epoch."""
        return self.image == 0

    @property
    def epoch(self) -> float:
        """Passes over the images so far, fractional."""
        return self.passes + self.image / (self.per_epoch * self.size)

    @property
    def left(self) -> int:
        """Batches left of this epoch."""
        return (self._images - self.image) // self.size

    def until(self, epoch: float) -> int:
        """Batches from here to an epoch, which may be fractional or infinite."""
        left = max(0.0, (epoch - self.epoch) * self.per_epoch)
        return math.ceil(round(left, 6)) if math.isfinite(left) else sys.maxsize

    def next(self, count: int = 1) -> Tensor:
        """Which images the next batches consist of, int64, ``(count * size,)``; of this epoch alone."""
        if self._order_epoch != self.passes:
            self._order = epoch_order(self._seed, self.passes, self._images).to(self._device)
            self._order_epoch = self.passes
        return self._order[self.image : self.image + count * self.size]

    def advance(self) -> None:
        """One more batch is used."""
        self.step += 1
        self._stand(self.passes, self.image + self.size)

    def go_to(self, step: int, passes: int, image: int, size: int) -> None:
        """Go on from a place that was noted before, perhaps with more images then."""
        self.step, self.size = step, min(size, self._images)
        self._stand(passes, image)

    def _stand(self, passes: int, image: int) -> None:
        done = image + self.size > self._images
        self.passes, self.image = (passes + 1, 0) if done else (passes, image)
