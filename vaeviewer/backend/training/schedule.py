"""How the learning rate changes over a run."""

from __future__ import annotations

import math

from vaeviewer.backend.config import TrainConfig

MIN_SHAPE = 0.01
"""Where the cosine schedule ends, as a fraction of the learning rate."""


def scheduled(train: TrainConfig, progress: float) -> float:
    """The learning rate at a point of the run.

    Args:
        train: The base rate and the schedule's name.
        progress: Share of the planned epochs done, from 0; beyond 1 it stays where it ended.
    """
    if train.schedule == "constant":
        return train.learning_rate
    shape = 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))
    return train.learning_rate * max(MIN_SHAPE, shape)
