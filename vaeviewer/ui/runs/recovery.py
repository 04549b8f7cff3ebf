"""Offers the run that did not end cleanly, once the window is on screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QSettings, Qt
from PySide6.QtGui import QPixmap

from vaeviewer.analysis.manifold import manifold_picture
from vaeviewer.backend.runs.autosave import SIGN_OF_LIFE_SECONDS
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.runs.listing import RunSummary
from vaeviewer.counts import counted
from vaeviewer.errors import RunFolderError
from vaeviewer.session.messages import Opened
from vaeviewer.ui.runs.stored_list import StoredList
from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.window.main_window import MainWindow
from vaeviewer.ui.window.messages import Kind

KEY = "recovery"
"""Of the message."""

MOST_DISMISSED = 50
"""Dismissed offers that are remembered."""

PICTURE_CELLS = 5
"""Decoded images along each side of the offer's picture."""

PICTURE_SIDE = 84
"""Height of the picture in the window, pixels."""


@dataclass(frozen=True)
class _Offer:
    """A run to open again.

    Attributes:
        run: The newest that did not end cleanly and can be opened.
        picture: What its decoder draws, uint8 ``(height, width)``.
        others: How many more did not end cleanly.
    """

    run: RunSummary
    picture: NDArray[np.uint8]
    others: int


class RecoveryOffer(QObject):
    """Looks for runs whose training ended with the program or the machine, and offers the newest in a message.

    Other messages go before it. A run is offered at every start until it was opened or "Not now" was said to it;
    nothing is ever deleted.

    Args:
        window: Where the message appears; this becomes its child.
        store: Where it is remembered what was not wanted.
        opening: A run that the window opens anyway.
    """

    def __init__(self, window: MainWindow, store: QSettings, opening: Path | None = None) -> None:
        super().__init__(window)
        self._window = window
        self._dismissed = StoredList(store, "runs/dismissed", MOST_DISMISSED)
        self._opening = None if opening is None else opening.absolute()
        self._offer: _Offer | None = None
        self._looked = False
        window.first_shown.connect(window.recent_runs.refresh)
        window.recent_runs.listed.connect(self._on_listed)
        window.session.opened.connect(self._on_opened)

    def _on_listed(self, runs: Sequence[RunSummary]) -> None:
        if self._looked:
            return
        self._looked = True
        dismissed = self._dismissed.texts()
        wanted = [
            run
            for run in runs
            if run.interrupted and run.folder != self._opening and _key(run) not in dismissed
        ]
        if wanted:
            self._window.recent_runs.background.run(lambda: _first_whole(wanted), self._on_found)

    def _on_found(self, offer: _Offer | None) -> None:
        if offer is not None and offer.run.folder != self._window.session.folder:
            self._offer = offer
            self._show(offer)

    def _show(self, offer: _Offer) -> None:
        ratio = self._window.devicePixelRatioF()
        picture = QPixmap.fromImage(to_qimage(offer.picture)).scaledToHeight(
            round(PICTURE_SIDE * ratio), Qt.TransformationMode.SmoothTransformation
        )
        picture.setDevicePixelRatio(ratio)
        self._window.message.show_message(
            offer_sentence(offer.run, offer.others, datetime.now(UTC)),
            [("&Open it", self._open)],
            key=KEY,
            kind=Kind.OFFER,
            picture=picture,
            closing=("&Not now", self._dismiss),
        )

    def _open(self) -> None:
        offer, self._offer = self._offer, None
        if offer is not None:
            self._window.session.open_run(offer.run.folder)

    def _dismiss(self) -> None:
        offer, self._offer = self._offer, None
        if offer is not None:
            self._dismissed.add(_key(offer.run))

    def _on_opened(self, opened: Opened) -> None:
        """Opened otherwise, it needs no offer."""
        offer = self._offer
        if offer is not None and opened.folder == offer.run.folder:
            self._offer = None
            self._window.message.take_back(KEY)


def offer_sentence(run: RunSummary, others: int, now: datetime) -> str:
    """What is said of a run that did not end cleanly.

    Args:
        run: The run.
        others: How many more there are.
        now: The present time, with its zone.
    """
    lost = math.ceil(run.lost_s + SIGN_OF_LIFE_SECONDS)
    text = (
        f"The run “{run.name}” did not end cleanly. It was saved {age(now - run.saved)} at step {run.step:,}, "
        f"epoch {run.epoch:,.1f} of {run.planned_epochs:,}; at most {lost:,} s of training are lost."
    )
    if others:
        text += f" {others} more like it {'is' if others == 1 else 'are'} in File > Open recent."
    return text


def age(time: timedelta) -> str:
    """How long ago something was, such as ``"3 minutes ago"``."""
    seconds = time.total_seconds()
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = int(seconds // length)
        if count >= 1:
            return f"{counted(count, unit)} ago"
    return "less than a minute ago"


def _key(run: RunSummary) -> str:
    """One save of one run: trained further and interrupted again, it is offered again."""
    return f"{run.saved.isoformat()} {run.folder}"


def _first_whole(runs: Sequence[RunSummary]) -> _Offer | None:
    """The first of a few runs that can be read, with its picture."""
    for run in runs[:5]:
        try:
            snapshot = load_run(run.folder).checkpoint.snapshot
        except RunFolderError:
            continue
        return _Offer(run, manifold_picture(snapshot, PICTURE_CELLS, "gaussian"), len(runs) - 1)
    return None
