"""DecodedImageView: what the decoder draws at the handle."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction, QFont, QGuiApplication, QPalette, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vaeviewer.analysis.latent_plane import LatentPlane
from vaeviewer.backend.snapshot import Snapshot, as_grey_levels
from vaeviewer.session.grid_decoder import Ask, at_once
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.curves.value_axis import number_label
from vaeviewer.ui.images.code_field import CodeField
from vaeviewer.ui.images.image_widget import ImageWidget
from vaeviewer.ui.widgets.labels import LiveLabel

_SHARE_TIP = (
    "Of all codes z that the prior p(z) = N(0, I) draws, a share 1 − exp(−|z|²/2) is nearer:\n"
    "far out, the decoder was seldom trained."
)

DRAG_SECONDS = 1 / 150
"""During a drag at most one decode in this time; the first move decodes at once."""

WRITE_MS = 40
"""The numbers change at most this often, which is as fast as anybody reads; the image changes with every move."""


class DecodedImageView(QWidget):
    """The mean image of p(x|z) at the handle, large and crisp, with its z below.

    Public actions, also in the image's context menu: ``type_action``, ``copy_action`` and ``save_action``.

    Signals:
        save_wanted(QImage): The user wants to keep the image, as large as it is shown.
        code_typed(array): The user typed or pasted a z, ``(d,)``.
    """

    save_wanted = Signal(object)
    code_typed = Signal(object)

    def __init__(self, ask: Ask = at_once, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ask = ask
        self.setObjectName("decodedImage")
        self.setAccessibleName("Decoded image")
        self.setToolTip(
            "What the decoder draws at the handle: the mean of p(x|z), pixel by pixel.\n"
            "Drag the handle in the latent plane to change z."
        )
        self._snapshot: Snapshot | None = None
        self._view = ViewState()
        self._drawn: tuple[Snapshot | None, tuple[float, float], LatentPlane | None, int] | None = None

        self._image = ImageWidget()
        self._image.setAccessibleName("Image at the handle")
        self._caption = LiveLabel()
        self._caption.setObjectName("decodedCaption")
        self._caption.setAccessibleName("Position of the handle")
        self._caption.setFont(tabular(self.font()))
        self._caption.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._field = CodeField(self._caption)
        self._field.typed.connect(self.code_typed)
        self._distance, self._share = LiveLabel(shrinks=True), LiveLabel(shrinks=True)
        for label, name, title in (
            (self._distance, "decodedDistance", "Distance from the centre"),
            (self._share, "decodedShare", "Share of the prior's codes that are nearer"),
        ):
            label.setObjectName(name)
            label.setAccessibleName(title)
            label.setFont(tabular(self.font()))
            label.setForegroundRole(QPalette.ColorRole.PlaceholderText)  # the theme's muted ink
        self._distance.setToolTip("|z| is the distance from the centre, z = (0, 0).")
        self._write_timer = QTimer(self)
        self._write_timer.setSingleShot(True)
        self._write_timer.setInterval(WRITE_MS)
        self._write_timer.timeout.connect(self._write_if_outdated)
        self._drag_timer = QTimer(self)
        self._drag_timer.setSingleShot(True)
        self._drag_timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._drag_timer.timeout.connect(self._follow)
        self._followed_at = 0.0
        self._outdated = False  # what is written, until the timer fires
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(2)
        layout.addWidget(self._image, 1)
        layout.addSpacing(4)
        layout.addWidget(self._field)
        for label in (self._distance, self._share):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(label)

        self.type_action = self._field.type_action
        self.copy_action = QAction("Copy image", self)
        self.copy_action.triggered.connect(self._copy)
        self.save_action = QAction("Save image…", self)
        self.save_action.triggered.connect(self._save)
        self._image.addActions([self.type_action, self.copy_action, self.save_action])
        self._image.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self._write()

    def set_hint(self, text: str) -> None:
        """What the view waits for, shown in the image's place while there is no Snapshot."""
        self._image.set_placeholder(text)

    def update_frame(self, snapshot: Snapshot | None, view: ViewState) -> None:
        """Decode ``view.z`` if it or the Snapshot changed; while hidden, only remember them."""
        self._snapshot, self._view = snapshot, view
        if self.isVisible() and not self._drag_timer.isActive():
            self._draw()

    def follow_handle(self, snapshot: Snapshot | None, view: ViewState) -> None:
        """As :meth:`update_frame`, and painted at once, not when the event loop comes round to it: the hand is waiting.

        All that is done in one go, too, in which training cannot take the interpreter from the window.
        """
        self._snapshot, self._view = snapshot, view
        wait = self._followed_at + DRAG_SECONDS - time.perf_counter()
        if wait <= 0:
            self._follow()
        elif not self._drag_timer.isActive():
            self._drag_timer.start(max(1, round(wait * 1000)))

    def _follow(self) -> None:
        self._followed_at = time.perf_counter()
        if self.isVisible():
            self._draw()
            self._image.repaint()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self._draw()

    def _draw(self) -> None:
        view = self._view
        last, self._drawn = self._drawn, (self._snapshot, view.z, view.plane, view.y)
        if last is not None and last[0] is self._snapshot and last[1:] == (view.z, view.plane, view.y):
            return
        if self._snapshot is None:
            self._image.set_image(None)
        else:
            z = view.plane_of(self._snapshot.model.latent_dim).lift(np.array([view.z], np.float32))
            self._ask(
                "handle",
                self._snapshot,
                lambda snapshot: as_grey_levels(snapshot.decode(z, view.y)[0]),
                self._image.set_image,
            )
        self._outdated = True
        if self._snapshot is None or last is None or last[0] is None:
            self._write()
        elif not self._write_timer.isActive():
            self._write_if_outdated()

    def _write_if_outdated(self) -> None:
        if self._outdated:
            self._write()
            self._write_timer.start()

    def _write(self) -> None:
        self._outdated = False
        snapshot = self._snapshot
        for item in (self.copy_action, self.save_action):
            item.setEnabled(snapshot is not None)
        self._field.set_code(None if snapshot is None else self._view.code(snapshot.model.latent_dim))
        if snapshot is None:
            self._caption.clear()
            self._distance.clear()
            self._share.clear()
            return
        latent_dim = snapshot.model.latent_dim
        code = self._view.code(latent_dim).tolist()
        self._caption.setText(f"z = {z_text(code)}")
        distance = math.hypot(*code)
        away, colon, share = f"Distance {number_text(distance)}", "", ""
        if (
            latent_dim == 2 and snapshot.family.capabilities.follows_normal
        ):  # else there is no prior that codes follow
            # |z|² is chi-squared with two degrees of freedom, so that P(|z| < r) = 1 − exp(−r²/2).
            share = percent_text(-math.expm1(-distance * distance / 2))
            colon = ":"
        self._distance.setText(f"{away} from the centre{colon}", f"{away}{colon}")
        if share:
            self._share.setText(
                f"farther out than {share} of the prior's codes",
                f"farther out than {share} of p(z)",
                f"beyond {share} of p(z)",
                f"beyond {share}",
            )
        else:
            self._share.clear()
        self._share.setToolTip(_SHARE_TIP if self._share.text() else "")

    def _copy(self) -> None:
        image = self._image.shown_image()
        if image is not None:
            QGuiApplication.clipboard().setImage(image)

    def _save(self) -> None:
        image = self._image.shown_image()
        if image is not None:
            self.save_wanted.emit(image)


def number_text(value: float, decimals: int = 2) -> str:
    """A number with fixed decimals and a typographic minus; never "−0.00". Large ones as `number_label` has them."""
    if not abs(value) < 10_000:
        return number_label(value, decimals)
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def percent_text(share: float) -> str:
    """A share in 0 … 1 in words, such as "76 %"; below 1 never rounded to "100 %", but "99.9 %" at most."""
    percent = round(100 * share)
    return f"{math.floor(1000 * share) / 10:.1f} %" if percent == 100 and share < 1 else f"{percent} %"


def z_text(code: Sequence[float]) -> str:
    """A code in words: "(0.46, −1.63)", or "(0.46, −1.63, 0.00, …)" with more than three numbers."""
    numbers = [number_text(value) for value in code[:3]]
    if len(code) == 1:
        return numbers[0]
    if len(code) > 3:
        numbers.append("…")
    return f"({', '.join(numbers)})"


def tabular(font: QFont) -> QFont:
    """The font with digits of equal width, so that numbers do not jitter as they change."""
    font = QFont(font)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font
