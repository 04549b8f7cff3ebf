"""What takes long to ask a Snapshot, computed beside everything else from one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.grid_decoder import GridDecoder

REST = 4.0
"""After a computation the decoder's thread rests so many times as long, while newer Snapshots keep coming."""
CALM_MS = 300
"""Without a newer Snapshot for so long training has stopped, and the last one is looked at without a rest."""
_TOLD_S = 0.25  # between two shares

Compute = Callable[[Snapshot, Any], Iterator[Any]]
"""Computes from a Snapshot, and what else it depends on, in small steps: between two of them all else is served.

Yields ``None``, or the share done as a float, and at last what was computed, which is neither.
"""


class Newest(QObject):
    """Computes what is wanted, in the background.

    A newer Snapshot ends the computation of an older one, but not twice in a row: while training runs something would
    never be finished.

    Args:
        decoder: On whose thread it is computed.
        kind: Names it among what the decoder is asked.
        compute: Computes it.
        parent: The parent object.
        rest: As :data:`REST`.

    Attributes:
        value: What was computed last, or ``None``.
        step: Of the model it is of.
        share: How much of the present computation is done, 0 … 1; ``None`` where there is none.

    Signals:
        changed: One of these.
        found: A value.
    """

    changed = Signal()
    found = Signal()

    def __init__(
        self,
        decoder: GridDecoder,
        kind: str,
        compute: Compute,
        parent: QObject | None = None,
        rest: float = REST,
    ) -> None:
        super().__init__(parent)
        self._decoder, self._kind, self._compute, self._rest = decoder, kind, compute, rest
        self._seen: tuple[Snapshot, Any] | None = None  # the newest that was wanted
        self._next: tuple[Snapshot, Any] | None = None
        self._gave_way = False
        self._began = 0.0
        self._rests_until = float("-inf")
        self._calm = QTimer(self)
        self._calm.setSingleShot(True)
        self._calm.setInterval(CALM_MS)
        self._calm.timeout.connect(self._begin)
        self.value: Any = None
        self.step = 0
        self.share: float | None = None
        decoder.forgotten.connect(self.forget)
        decoder.failed.connect(self._on_failed)

    def forget(self) -> None:
        """Nothing is known: there is another model, or other images."""
        self.stop()
        self.value = None
        self._rests_until = float("-inf")

    def want(self, snapshot: Snapshot, about: Any = None) -> None:
        """That of this model is wanted as soon as it suits, and of what else it depends on.

        Both are compared by identity: for an equal question give the same object again.
        """
        if self._seen is not None and snapshot is self._seen[0] and about is self._seen[1]:
            return
        self._seen = self._next = snapshot, about
        if self.share is not None and self._gave_way:
            return  # it begins when the present one is finished
        if self.share is None and time.perf_counter() < self._rests_until:
            self._calm.start()
            return
        self._gave_way = self.share is not None
        self._begin()

    def stop(self) -> None:
        """It is no longer wanted."""
        self._calm.stop()
        self._decoder.drop(self._kind)
        self._seen = self._next = None
        self._gave_way, self.share = False, None

    def pause(self) -> None:
        """Nobody sees it for now."""
        unfinished = self._seen if self.share is not None or self._next is not None else None
        self._calm.stop()
        self._decoder.drop(self._kind)
        self._next, self._gave_way, self.share = unfinished, False, None

    def resume(self) -> None:
        """Go on with what was not finished."""
        self._begin()

    def _begin(self) -> None:
        wanted, self._next = self._next, None
        if wanted is None:
            return
        self._calm.stop()
        self._began, self.share = time.perf_counter(), 0.0
        snapshot, about = wanted
        compute = self._compute

        def job(model: Snapshot) -> Iterator[Any]:
            return compute(model, about)

        def take(answer: Any) -> None:
            self._take(answer, snapshot.step)

        self._decoder.ask_at_length(self._kind, snapshot, job, take)
        self.changed.emit()

    def _take(self, answer: Any, step: int) -> None:
        if isinstance(answer, float):
            self.share = answer
        else:
            self.step, self.value = step, answer
            self._rest_now()
            self.found.emit()
        self.changed.emit()

    def _on_failed(self, kind: str, _sentence: str) -> None:
        """It could not be computed, as the window says; that of another model may be."""
        if kind == self._kind:
            self._rest_now()
            self.changed.emit()

    def _rest_now(self) -> None:
        self.share, self._gave_way = None, False
        now = time.perf_counter()
        self._rests_until = now + self._rest * (now - self._began)
        if self._next is not None:
            self._calm.start()


def seldom(steps: Iterator[Any]) -> Iterator[Any]:
    """The same steps, with most shares left out: a share every quarter of a second is enough."""
    told = time.perf_counter()
    for step in steps:
        if not isinstance(step, float):
            yield step
        elif time.perf_counter() - told < _TOLD_S:
            yield None
        else:
            told = time.perf_counter()
            yield step
