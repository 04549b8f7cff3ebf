"""The mailbox between the training thread and the window: newest snapshot wins, nothing queues up."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.backend.training.history import History
from vaeviewer.backend.training.records import Change


@dataclass(frozen=True)
class Progress:
    """Where training is.

    Attributes:
        step: Gradient steps taken.
        epoch: Passes so far, fractional.
        epochs: Planned epochs.
        images_per_s: Training speed over the last seconds, or ``None`` before it is known.
        seconds_left: Until the planned epochs are done, or ``None``.
        mode: How steps are computed now, in words.
        learning_rate: Of the next step, as the schedule has it.
        timeline: Changes of settings on the way, oldest first.
        best_step: Of the state with the best held-out figures that is kept, or ``None``.
        mode_note: What else there is to say about that, or empty.
        history: The run's metrics; every step's are kept there.
    """

    step: int
    epoch: float
    epochs: int
    images_per_s: float | None
    seconds_left: float | None
    mode: str
    learning_rate: float
    timeline: tuple[Change, ...]
    history: History
    best_step: int | None = None
    mode_note: str = ""


class Mailbox:
    """Holds the newest of each kind until the window takes it, once per displayed frame."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._progress: Progress | None = None

    @property
    def snapshot_taken(self) -> bool:
        """Whether the last snapshot was taken. Until then a new one would only replace what nobody has seen."""
        return self._snapshot is None

    def post(self, snapshot: Snapshot | None, progress: Progress | None) -> None:
        """Put in what is not ``None``, replacing what was not taken yet."""
        with self._lock:
            self._snapshot = snapshot or self._snapshot
            self._progress = progress or self._progress

    def drain(self) -> tuple[Snapshot | None, Progress | None]:
        """Take what is there."""
        with self._lock:
            found = self._snapshot, self._progress
            self._snapshot = self._progress = None
            return found
