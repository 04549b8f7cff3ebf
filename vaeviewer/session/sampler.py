"""A Hamiltonian Monte Carlo chain that steps visibly, computed on the decoder's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from vaeviewer.analysis.hmc import Chain, Points, Transition
from vaeviewer.analysis.lens import Asked, log_densities
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.grid_decoder import GridDecoder

TICK_MS = 60
"""Between two steps that are shown, or a few of them once the step size is found."""

AT_ONCE = 6
"""Transitions to a tick, then."""

MOST_SAMPLES = 20_000
"""Then the chain rests."""

_HMC = "Hamiltonian Monte Carlo"
_SHOWN = 500


@dataclass(frozen=True, eq=False)
class ChainState:
    """Where a chain is.

    Attributes:
        last: The newest transition.
        samples: The newest of those since the warm-up, ``(k, 2)``.
        count: How many there are of these.
        acceptance: Share of proposals accepted since the warm-up; NaN before there are any.
        effective: Effective sample size of the coordinate that mixes worst; NaN before.
        step_size: Of the leapfrog, in standard deviations of q.
    """

    last: Transition
    samples: Points
    count: int
    acceptance: float
    effective: float
    step_size: float


class Sampler(QObject):
    """One chain on one image's posterior.

    Args:
        decoder: On whose thread it is computed.
        parent: The parent object.

    Attributes:
        state: Where it is, or ``None`` before its first step.

    Signals:
        changed: It stepped, began or ended.
    """

    changed = Signal()

    def __init__(self, decoder: GridDecoder, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._decoder = decoder
        self._chain: Callable[[], Chain] | None = None  # made when it is first asked, on the decoder's thread
        self._snapshot: Snapshot | None = None
        self._pending = False
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self.state: ChainState | None = None
        decoder.failed.connect(self._on_failed)

    @property
    def running(self) -> bool:
        """Whether it steps by itself."""
        return self._timer.isActive()

    @property
    def begun(self) -> bool:
        """Whether there is a chain."""
        return self._chain is not None

    def begin(
        self, snapshot: Snapshot, asked: Asked, start: NDArray[np.floating], scale: NDArray[np.floating]
    ) -> None:
        """A chain on the posterior of an image, from a code ``(d,)``, in steps measured by ``scale``, ``(d,)``."""
        self.forget()
        self._snapshot = snapshot
        self._chain = cache(lambda: Chain(*log_densities(snapshot, asked), start, scale))

    def forget(self) -> None:
        """There is no chain."""
        if self._chain is None:
            return
        self._timer.stop()
        self._decoder.drop(_HMC)
        self._pending = False
        self._chain = self._snapshot = self.state = None
        self.changed.emit()

    def set_running(self, running: bool) -> None:
        """Step by itself, or rest."""
        if running and self._chain is not None:
            self._timer.start()
        else:
            self._timer.stop()
        self.changed.emit()

    def step(self, transitions: int = 1) -> None:
        """Take so many transitions, unless some are under way."""
        chain, snapshot = self._chain, self._snapshot
        if chain is None or snapshot is None or self._pending:
            return

        def job(_: Snapshot) -> Iterator[ChainState]:
            made = chain()
            for _number in range(transitions):
                last = made.step()
            samples = made.samples
            yield ChainState(
                last,
                samples[-_SHOWN:],
                len(samples),
                made.acceptance,
                made.effective_samples,
                made.step_size,
            )

        def take(state: ChainState) -> None:
            self._pending = False
            self.state = state
            if state.count >= MOST_SAMPLES:
                self._timer.stop()
            self.changed.emit()

        self._pending = True
        self._decoder.ask_at_length(_HMC, snapshot, job, take)

    def _on_failed(self, kind: str, _sentence: str) -> None:
        """It could not step, as the window says."""
        if kind == _HMC:
            self.forget()

    def _tick(self) -> None:
        warm = self.state is not None and not self.state.last.warming
        self.step(AT_ONCE if warm else 1)
