"""What can go wrong in training, and what a family's own metrics show of it. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Trouble(Enum):
    """What went wrong."""

    EXPLODING = "exploding"
    """The objective is worse than an untrained network's by orders of magnitude."""
    COLLAPSED = "collapsed"
    """Posterior collapse: q(z|x) no longer depends on x."""
    KL = "kl"
    """Codes have left the prior."""
    INACTIVE = "inactive"
    """Most latent dimensions carry nothing."""
    OVERFITTING = "overfitting"
    """Held-out images get worse while those trained on get better."""
    DEAD = "dead"
    """Hidden units that are zero for every image."""
    ONE_CLASS = "one class"
    """All images are of one class."""


@dataclass(frozen=True)
class Symptom:
    """Something wrong that a family sees in its metrics.

    Attributes:
        trouble: What.
        title: In a few words.
        sentence: With its evidence in numbers, for a student.
        changes: Settings by name that may help, and to what; where they are empty a lower learning rate may.
    """

    trouble: Trouble
    title: str
    sentence: str
    changes: Mapping[str, Any] = field(default_factory=dict)
