"""The posterior lens beside training: another image at once, another model when there is time."""

from __future__ import annotations

import time
from collections.abc import Iterator

from PySide6.QtCore import QObject, QTimer, Signal

from vaeviewer.analysis.lens import Asked, Lens, Search, lens
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.errors import NoDensityError
from vaeviewer.session.grid_decoder import GridDecoder

REST = 1.0
"""Between two models it rests so many times as long as the first one took."""

_LENS = "posterior lens"
_DONE = object()


class LensFollower(QObject):
    """Keeps a lens on the image and the model that are looked at.

    Another image is asked for there and then, and a coarse map of it comes within a frame or two. For the same image
    under a newer model what is shown stays until log p(x) is known under that. While newer models keep coming the
    search for the best Gaussian, which takes longest, is left out.

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
        self._wanted: tuple[object, Asked, Snapshot] | None = None
        self._working: tuple[object, Asked, Snapshot] | None = None
        self._answerless = (
            False  # what is worked at has not answered yet: cut short each time, none ever would
        )
        self._began = 0.0
        self._rests = QTimer(self)
        self._rests.setSingleShot(True)
        self._rests.timeout.connect(self._begin)
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
        self._working = self._wanted = None
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
            if not self._answerless:
                self._begin()
        elif self._working is None and not self._rests.isActive():
            self._begin()

    def _begin(self) -> None:
        if self._wanted is None:
            return
        same = self._wanted[2] is self.snapshot
        if self.current and ((self._working is None and same) or (self.held and not same)):
            return
        self._rests.stop()
        self._working = working = self._wanted
        self._began = time.perf_counter()
        _, asked, snapshot = working
        known, search = self.current, self._search
        self.complete = False
        self._answerless = not known

        def job(model: Snapshot) -> Iterator[object]:
            try:
                for found in lens(model, asked, search):
                    yield None if known and found is not None and found.log_px is None else found
                yield _DONE
            except NoDensityError as error:
                yield str(error)

        def take(answer: object) -> None:
            if self._working is working:
                self._take(answer)

        self._decoder.ask_at_length(_LENS, snapshot, job, take)

    def _on_failed(self, kind: str, _sentence: str) -> None:
        """It could not be computed, as the window says; another image may be."""
        if kind == _LENS:
            self._working, self._answerless = None, False

    @property
    def current(self) -> bool:
        """Whether what is known is of the image that is wanted, and not of the one before."""
        return self._wanted is not None and self.lens is not None and self._key == self._wanted[0]

    def _take(self, answer: object) -> None:
        assert self._working is not None, "it came from that"
        self._answerless = False
        self._key, self.asked, self.snapshot = self._working
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
