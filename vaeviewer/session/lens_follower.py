"""The posterior lens beside training: another image at once, another model when there is time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from vaeviewer.analysis.lens import Asked, Lens, Search
from vaeviewer.analysis.lens_check import checked_lens
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.errors import NoDensityError
from vaeviewer.session.grid_decoder import GridDecoder

REST = 1.0
"""Between two models it rests so many times as long as the first one took."""

QUICK_WEIGHTS = 2_000_000
"""Of networks whose coarse map is computed on the window's thread."""
SKETCH_SECONDS = 1 / 66
"""Of images that follow each other faster not each has a map, …"""
SKETCH_SHARE = 0.5
"""… nor where that would take more than such a share of the window's time, …"""
STILL_MS = 30
"""… but the last one has, and is looked at more closely when no other has come for so long."""

_LENS = "posterior lens"
_DONE = object()

_Wanted = tuple[object, Asked, Snapshot]


class LensFollower(QObject):
    """Keeps a lens on the image and the model that are looked at.

    Of another image there is a coarse map at once where NumPy computes it in some milliseconds, as it does a decoded
    image: the hand is waiting. All else is computed on the decoder's thread. For the same image under a newer model
    what is shown stays until log p(x) is known under that. While newer models keep coming the search for the best
    Gaussian, which takes longest, is left out.

    Args:
        decoder: On whose thread it is computed.
        parent: The parent object.

    Attributes:
        lens: What is known, or ``None``.
        asked: Of which image.
        snapshot: Of which model.
        complete: Whether there is no more to come of these.
        reason: Why there is none, a sentence, or empty.
        held: Whether newer models do not count for now.

    Signals:
        changed: One of these.
    """

    changed = Signal()

    def __init__(self, decoder: GridDecoder, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._decoder = decoder
        self._search = Search()
        self._wanted: _Wanted | None = None
        self._working: _Wanted | None = None
        self._sketched: tuple[_Wanted, Iterator[object]] | None = None  # and what it goes on with
        self._sketched_at = -math.inf
        self._sketch_cost = 0.0
        self._answerless = (
            False  # what is worked at has not answered yet: cut short each time, none ever would
        )
        self._began = 0.0
        self._rests = QTimer(self)
        self._rests.setSingleShot(True)
        self._rests.timeout.connect(self._begin)
        self._sketches = QTimer(self)
        self._sketches.setSingleShot(True)
        self._sketches.timeout.connect(self._sketch)
        self.held = False
        self._clear()
        decoder.forgotten.connect(self.forget)
        decoder.failed.connect(self._on_failed)

    def _clear(self) -> None:
        self.lens: Lens | None = None
        self._key: object = None  # of its image
        self.asked: Asked | None = None
        self.snapshot: Snapshot | None = None
        self.complete = False
        self.reason = ""

    def forget(self) -> None:
        """Nothing is looked at."""
        self.stop()
        self._wanted = None
        self._search = Search()
        self._clear()
        self.changed.emit()

    def stop(self) -> None:
        """Nobody sees it for now; what was wanted is begun anew by the next :meth:`look`."""
        self._decoder.drop(_LENS)
        self._rests.stop()
        self._sketches.stop()
        self._working = self._wanted = self._sketched = None
        self._answerless = False

    def hold(self) -> None:
        """Stay with the model that is shown: what is under way of a newer one is given up."""
        self.held = True
        self._rests.stop()
        if self._working is not None and self._working[2] is not self.snapshot:
            self._decoder.drop(_LENS)
            self._working = None

    def look(self, key: object, asked: Asked, snapshot: Snapshot) -> None:
        """Look at an image under a model; of equal keys are equal images."""
        same_image = self._wanted is not None and self._wanted[0] == key
        if same_image and (self.held or (self._wanted is not None and self._wanted[2] is snapshot)):
            return
        self._wanted = key, asked, snapshot
        if not same_image:
            self.held = False
            if _quick(snapshot):
                self._sketch_soon()
            elif not self._answerless:
                self._begin()
        elif self._working is None and not self._rests.isActive():
            self._begin()

    def _sketch_soon(self) -> None:
        self._decoder.drop(_LENS)
        self._rests.stop()
        self._working = self._sketched = None
        interval = max(SKETCH_SECONDS, self._sketch_cost / SKETCH_SHARE)
        wait = self._sketched_at + interval - time.perf_counter()
        if wait <= 0.0:
            self._sketch()
        elif not self._sketches.isActive():
            self._sketches.start(max(1, round(1000 * wait)))

    def _sketch(self) -> None:
        """Compute the coarse map, which is the first step, here and now; the others follow when the image stays."""
        if self._wanted is None:
            return
        self._sketches.stop()
        self._sketched_at = time.perf_counter()
        self.complete = False
        steps = self._steps(self._wanted, self._search, known=False)
        with np.errstate(all="ignore"):  # of a model that explodes, as on the decoder's thread
            answer = next(steps)
        self._sketch_cost = time.perf_counter() - self._sketched_at
        if isinstance(answer, Lens):
            self._sketched = self._wanted, steps
            self._rests.start(STILL_MS)
        self._take(answer, self._wanted)

    @staticmethod
    def _steps(wanted: _Wanted, search: Search, *, known: bool) -> Iterator[object]:
        """The lens; where something is known already, nothing less."""
        _, asked, snapshot = wanted
        try:
            for found in checked_lens(snapshot, asked, search):
                yield None if known and found is not None and found.log_px is None else found
            yield _DONE
        except NoDensityError as error:
            yield str(error)

    def _begin(self) -> None:
        if self._wanted is None:
            return
        same = self._wanted[2] is self.snapshot
        sketched, self._sketched = self._sketched, None
        if sketched is not None and sketched[0][0] == self._wanted[0]:
            working, steps = sketched
        elif self.current and ((self._working is None and same) or (self.held and not same)):
            return
        else:
            working = self._wanted
            steps = self._steps(working, self._search, known=self.current)
        self._rests.stop()
        self._working = working
        self._began = time.perf_counter()
        self.complete = False
        self._answerless = not self.current

        def take(answer: object) -> None:
            if self._working is working:
                self._take(answer, working)

        self._decoder.ask_at_length(_LENS, working[2], lambda _snapshot: steps, take)

    def _on_failed(self, kind: str, _sentence: str) -> None:
        """It could not be computed, as the window says; another image may be."""
        if kind == _LENS:
            self._working, self._answerless = None, False

    @property
    def current(self) -> bool:
        """Whether what is known is of the image that is wanted, and not of the one before."""
        return self._wanted is not None and self.lens is not None and self._key == self._wanted[0]

    def _take(self, answer: object, working: _Wanted) -> None:
        self._answerless = False
        self._key, self.asked, self.snapshot = working
        newer = self._wanted is not None and self._wanted[2] is not self.snapshot
        if answer is _DONE:
            self.complete = True
        elif isinstance(answer, Lens):
            self.lens, self.reason = answer, ""
        else:
            self.lens, self.reason = None, str(answer)
        if self._wanted is not None and self._wanted[0] != self._key:
            self._working = None
            self._begin()
        elif self.lens is None or self.complete or (newer and self.lens.log_px is not None):
            self._working = None
            self._decoder.drop(_LENS)
            if newer:
                self._rests.start(round(1000 * REST * (time.perf_counter() - self._began)))
        self.changed.emit()


def _quick(snapshot: Snapshot) -> bool:
    """Whether a coarse map is a matter of milliseconds, and needs no torch."""
    by_hand = snapshot.instant and snapshot.density_form is not None
    weights = sum(array.size for array in snapshot.weights.values())
    return by_hand and snapshot.family.capabilities.normal_prior and weights <= QUICK_WEIGHTS
