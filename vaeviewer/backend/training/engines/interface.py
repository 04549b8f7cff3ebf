"""What training asks of an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.pixels import seen_levels
from vaeviewer.backend.models.interface import Batch
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.training.batches import Batches
from vaeviewer.backend.training.copies import Pairs, copied
from vaeviewer.backend.training.cores import Cores
from vaeviewer.backend.training.rows import TrainingRows
from vaeviewer.backend.training.schedule import scheduled


@dataclass
class Work:
    """What an engine steps: the live model and what its steps read.

    Attributes:
        settings: Those in force; live ones change between steps.
        model: On its device.
        device: Where it computes.
        rows: The training images there, and their posteriors.
        batches: Which images come next.
        noise: Generator of the models' noise.
        pixels: Generator of binarised pixels.
        cores: Where threads run.
        planned_epochs: Where the run ends, and with it the schedule of the learning rate.
        positions: Step and epoch after each step whose metrics were not fetched yet.
    """

    settings: Settings
    model: LatentModel
    device: torch.device
    rows: TrainingRows
    batches: Batches
    noise: torch.Generator
    pixels: torch.Generator
    cores: Cores
    planned_epochs: int
    positions: list[tuple[int, float]] = field(default_factory=list)

    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return scheduled(self.settings.train, self.batches.epoch / max(1, self.planned_epochs))

    def advance(self) -> None:
        """One more batch is used. To be called once per batch, when its step is taken."""
        self.batches.advance()
        self.positions.append((self.batches.step, self.batches.epoch))

    def next_levels(self, rows: Tensor) -> Tensor:
        """Grey levels of some training images as the model is to see them, uint8 ``(n, values)``."""
        levels = self.rows.images.index_select(0, rows)
        return seen_levels(levels, self.settings.train.protocol, self.pixels)

    def next_batch(self) -> Batch:
        """The images of the next step."""
        return self.batch_of(self.batches.next(), self.batches.step)

    def batch_of(self, rows: Tensor, step: Any) -> Batch:
        """These images, for a step before which ``step`` were taken: a number, or one on the device, 0-d."""
        x = self.rows.shaped(self.next_levels(rows)).to(torch.float32).mul_(1 / 255)
        labels = self.rows.labels
        y = None if labels is None else labels.index_select(0, rows)
        return Batch(x, y, rows, self.noise, step)


class StepEngine(ABC):
    """Takes gradient steps on one :class:`Work`.

    Attributes:
        key: Name among the settings.
        fast_from: The step from which steps are taken at full speed.
    """

    key: str
    fast_from: int = 0

    @property
    @abstractmethod
    def mode(self) -> str:
        """How steps are computed, in words, such as ``"bfloat16 products, eager"``."""

    @property
    def mode_note(self) -> str:
        """What else there is to say about that, a sentence, or empty."""
        return ""

    @property
    def ready(self) -> bool:
        """Whether the next step can be taken at once; :meth:`step` would wait for what it needs."""
        return True

    def wait(self, timeout_s: float) -> None:  # noqa: B027  # most engines are always ready
        """Wait until :attr:`ready`, but no longer than that."""

    @abstractmethod
    def step(self, most: int) -> Tensor:
        """Take gradient steps on the next batches, calling ``work.advance`` after each.

        Args:
            most: How many at most; at least one is taken, and none of the next epoch.

        Returns:
            The stored metrics of each step, ``(steps, columns)``, on the device, perhaps written over by the next call.
        """

    @abstractmethod
    def optimizer_state(self) -> Mapping[str, Tensor]:
        """The optimizers' live tensors by ``player.parameter.name``."""

    @abstractmethod
    def optimizer_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of all that :meth:`optimizer_state` has after a step, by the same names."""

    @abstractmethod
    def load_optimizer_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over the optimizers' tensors, after the weights were loaded; none means fresh optimizers."""

    def flat_state(self) -> tuple[Tensor, Callable[[NDArray[Any]], dict[str, NDArray[Any]]]] | None:
        """All weights in one tensor, and how to name the parts of a copy; ``None`` where they lie apart."""
        return None

    def copy(self, pairs: Pairs) -> bool:
        """Copy each tensor to its array between two steps; whether all numbers are finite."""
        return copied(pairs)

    def prepare(self, *, wait: bool) -> None:  # noqa: B027  # most engines are ready at once
        """Begin to make ready what makes steps fast, unless that was done, and perhaps wait for it."""
