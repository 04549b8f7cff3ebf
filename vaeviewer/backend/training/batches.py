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
        self._orders: dict[int, Tensor] = {}  # by epoch: of this one, and on a GPU soon of the next

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
        order = self._orders.get(self.passes)
        if order is None:
            order = self._order_of(self.passes)
            self._orders = {self.passes: order}
        elif (
            self._device.type == "cuda"
            and 2 * self.image > self._images
            and self.passes + 1 not in self._orders
        ):
            # While the device is busy: at the start of the epoch it would wait for that.
            self._orders = {self.passes: order, self.passes + 1: self._order_of(self.passes + 1)}
        return order[self.image : self.image + count * self.size]

    def advance(self) -> None:
        """One more batch is used."""
        self.step += 1
        self._stand(self.passes, self.image + self.size)

    def go_to(self, step: int, passes: int, image: int, size: int) -> None:
        """Go on from a place that was noted before, perhaps with more images then."""
        self.step, self.size = step, min(size, self._images)
        self._stand(passes, image)

    def _order_of(self, epoch: int) -> Tensor:
        order = epoch_order(self._seed, epoch, self._images)
        if self._device.type == "cuda":  # from pinned memory nobody waits for it
            return order.pin_memory().to(self._device, non_blocking=True)
        return order.to(self._device)

    def _stand(self, passes: int, image: int) -> None:
        done = image + self.size > self._images
        self.passes, self.image = (passes + 1, 0) if done else (passes, image)
