"""Metrics of steps on their way to the history: they wait on the device, as fetching them waits for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaeviewer.backend.training.engines.interface import Work

BLOCK_STEPS = 256
"""Most steps whose metrics wait on the device before they are fetched and checked."""


@dataclass(frozen=True)
class FetchedSteps:
    """Some steps one after the other, all of whose metrics are finite.

    Attributes:
        steps: Steps taken after each, ``(n,)``.
        epochs: The epoch then, fractional, ``(n,)``.
        stored: The stored metrics, ``(n, columns)``.
        broken_at: The step after these, if a metric of it is infinite or NaN.
    """

    steps: NDArray[np.int32]
    epochs: NDArray[np.float32]
    stored: NDArray[np.float32]
    broken_at: int | None


class MetricBlock:
    """What has been added since the last :meth:`fetch`.

    Args:
        work: Notes where each step led.
        columns: How many metrics are stored for a step.

    Attributes:
        values: Room for all steps, ``(BLOCK_STEPS, columns)``, on the device.
    """

    def __init__(self, work: Work, columns: int) -> None:
        self._work = work
        self.values = torch.zeros(BLOCK_STEPS, columns, device=work.device)

    @property
    def room(self) -> int:
        """For how many more steps there is room."""
        return BLOCK_STEPS - len(self._work.positions)

    def add(self, terms: Tensor) -> None:
        """Copy the metrics of the newest steps, ``(steps, columns)``, which the work has noted already."""
        end = len(self._work.positions)
        self.values[end - len(terms) : end] = terms

    def fetch(self) -> FetchedSteps | None:
        """Fetch all and begin anew; ``None`` where there are none."""
        n = len(self._work.positions)
        if n == 0:
            return None
        values = self.values[:n].cpu().numpy()  # the one synchronisation per block
        positions, self._work.positions = self._work.positions, []
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        good = int(bad[0]) if len(bad) else n
        return FetchedSteps(
            steps=np.array([step for step, _ in positions[:good]], dtype=np.int32),
            epochs=np.array([epoch for _, epoch in positions[:good]], dtype=np.float32),
            stored=values[:good].copy(),
            broken_at=positions[good][0] if good < n else None,
        )
