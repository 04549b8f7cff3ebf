"""States of a run that are kept in ordinary memory, to go back to."""

from __future__ import annotations

from dataclasses import dataclass

from vaeviewer.backend.snapshot import Checkpoint
from vaeviewer.backend.training.records import HeldOut


@dataclass(frozen=True)
class Kept:
    """One of them, without a posterior table.

    Attributes:
        checkpoint: From where training can go on.
        held_out: Figures of the newest evaluation then, or ``None`` before the first.
        held_out_step: Of which step these are; −1 before the first.
    """

    checkpoint: Checkpoint
    held_out: HeldOut | None
    held_out_step: int

    @property
    def step(self) -> int:
        """Gradient steps taken."""
        return self.checkpoint.snapshot.step
