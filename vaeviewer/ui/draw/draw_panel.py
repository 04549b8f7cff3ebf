"""The panel in which one draws an image, or rubs out a part of a real one, and sees what the model makes of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from vaeviewer.analysis.handwriting import ink_is_dark, like_mnist
from vaeviewer.analysis.likely import Likely, likely_in_steps, percentile
from vaeviewer.backend.asked import Array
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot, as_grey_levels
from vaeviewer.counts import counted
from vaeviewer.session.newest import Newest
from vaeviewer.ui.draw.canvas import Canvas
from vaeviewer.ui.images.decoded_image_view import number_text, percent_text
from vaeviewer.ui.images.image_widget import ImageWidget
from vaeviewer.ui.images.selected_image import posterior_text
from vaeviewer.ui.panel import Frame, Host

DRAWN = "drawn"
"""The kind of what it asks a GridDecoder for …"""

HELD_OUT = "drawn, held out"
"""… and of what is computed of held-out images."""

MOST_HELD_OUT = 200
"""Held-out images that a drawing is compared with."""

_SAYS = "Draw with the mouse or a pen."
_CENTRED = "Scaled and centred as MNIST's digits are."
_AS_IT_IS = "A real image, which stays where it is."


class _Drawing(NamedTuple):
    image: NDArray[np.uint8]
    y: int | None


class DrawPanel(QWidget):
    """A sheet, what the model sees of it, and what it makes of that.

    Args:
        host: The window.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("draw")
        self.setAccessibleName("Draw")
        self._host = host
        self._dataset: ImageDataset | None = None
        self._from_image = False  # what lies on the sheet began as a real image
        self._own: NDArray[np.uint8] | None = None  # the drawing
        self._leads = False  # the handle is where the drawing lies, until something else is selected
        self._given: NDArray[np.uint8] | None = None  # the view's own image as this panel knows it
        self._asked: tuple[Snapshot, int] | None = None  # of which model, told which class
        self._drawing: _Drawing | None = None  # what log p(x) was asked of last
        host.decoder.forgotten.connect(self._forget)

        self.canvas = Canvas()
        self.canvas.changed.connect(self._on_changed)
        self.clear = _NarrowButton("&New")
        self.clear.setToolTip("Begin with an empty sheet.")
        self.clear.clicked.connect(self._begin)
        self.erase = QCheckBox("&Rub out")
        self.erase.setToolTip("Rub out instead of drawing.")
        self.erase.toggled.connect(self._on_erase)
        self.take = _NarrowButton("&Selected")
        self.take.setToolTip("Take the image selected in the plane onto the sheet, to rub out parts of it.")
        self.take.clicked.connect(self._take_selected)
        self._seen, self._drawn = ImageWidget(), ImageWidget()
        self._seen.setToolTip("x: the image as the model sees it.")
        self._drawn.setToolTip("The reconstruction: the decoder's mean image at the posterior mean.")
        for image, name in ((self._seen, "Image that the model sees"), (self._drawn, "Its reconstruction")):
            image.setAccessibleName(name)
            image.set_placeholder("–")
        self.posterior, self.likely, self._how = QLabel(), QLabel(), QLabel(_SAYS)
        for label, name in (
            (self.posterior, "drawnPosterior"),
            (self.likely, "drawnLikely"),
            (self._how, "drawnHow"),
        ):
            label.setObjectName(name)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setWordWrap(True)
        self._of_drawn = Newest(host.decoder, DRAWN, _likely_of, self, rest=0.0)
        self._of_drawn.found.connect(self._write_likely)
        self._of_held_out = Newest(host.decoder, HELD_OUT, _likely_of, self)
        self._of_held_out.found.connect(self._write_likely)

        beside = QVBoxLayout()
        for image, caption in ((self._seen, "as seen"), (self._drawn, "decoded")):
            beside.addWidget(image, 1)
            beside.addWidget(_caption(caption))
        top, buttons = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.canvas, 3)
        top.addLayout(beside, 1)
        for button in (self.clear, self.erase, self.take):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(4)
        layout.addLayout(top, 1)
        layout.addLayout(buttons)
        for label in (self.posterior, self.likely, self._how):
            layout.addWidget(label)

    def update_frame(self, frame: Frame) -> None:
        """Ask the newest model what it makes of the drawing."""
        if frame.dataset is not self._dataset:
            self._dataset = frame.dataset
            self._from_image, self._own = False, None
            self._clear_sheet()
        if frame.view.own_image is not self._given:
            self._leads, self._given = False, frame.view.own_image
        self.take.setEnabled(frame.view.selected is not None)
        if self.isVisible() and self._own is not None and not self._has_asked(frame):
            self._ask(frame)

    def sizeHint(self) -> QSize:
        """A sheet with room below."""
        return QSize(300, 360)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self.update_frame(self._host.frame())

    def changeEvent(self, event: QEvent) -> None:
        """Paint the sheet's edge in the colours of a new scheme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.canvas.update()

    def _on_erase(self, on: bool) -> None:
        self.canvas.erases = on

    def _begin(self) -> None:
        self._from_image = False
        self.erase.setChecked(False)
        self._clear_sheet()
        self._own = None
        self._of_drawn.forget()
        self._host.set_view(own_image=None)

    def _clear_sheet(self) -> None:
        dataset = self._dataset
        if dataset is not None:
            dark = ink_is_dark(dataset.train_images)
            self.canvas.begin(dataset.image.height, dataset.image.width, dark_ink=dark)
        self._seen.set_image(None)
        self._drawn.set_image(None)
        for label in (self.posterior, self.likely):
            label.clear()
        self._how.setText(_SAYS)

    def _take_selected(self) -> None:
        frame = self._host.frame()
        if frame.dataset is None or frame.view.selected is None:
            return
        self._from_image = True
        self._of_drawn.forget()  # what it knows is of another image
        self.canvas.show_image(frame.dataset.train_images[frame.view.selected])
        self.erase.setChecked(True)
        self._on_changed()

    def _on_changed(self) -> None:
        frame = self._host.frame()
        if frame.dataset is None:
            return
        self._own, self._leads, self._given = self._image(frame.dataset), True, frame.view.own_image
        self._seen.set_image(self._own)
        self._how.setText(_AS_IT_IS if self._from_image else _CENTRED)
        self._ask(frame)

    def _image(self, dataset: ImageDataset) -> NDArray[np.uint8]:
        """What the model sees of the sheet, in the shape of its images."""
        height, width, channels = dataset.image.height, dataset.image.width, dataset.image.channels
        if self._from_image:
            image = self.canvas.image()
            return image if channels == 3 else image[..., 0].copy()
        ink = like_mnist(self.canvas.ink(), height, width)
        image = 255 - ink if ink_is_dark(dataset.train_images) else ink
        return image if channels == 1 else np.repeat(image[..., None], 3, axis=-1)

    def _ask(self, frame: Frame) -> None:
        """The drawing's place in the plane and its reconstruction, now where the model answers at once."""
        snapshot, image = frame.snapshot, self._own
        if snapshot is None or image is None:
            return
        self._asked = snapshot, frame.view.y
        y = frame.view.y if snapshot.family.capabilities.uses_labels else None
        if self._drawing is None or self._drawing.image is not image or self._drawing.y != y:
            self._drawing = _Drawing(image, y)

        def show(answer: tuple[Array, Array | None, Array]) -> None:
            if self._own is not image:
                return
            code, scale, drawn = answer
            self.posterior.setText(", ".join(posterior_text(code, scale).split("\n")[1:]))
            self._drawn.set_image(as_grey_levels(drawn))
            view = self._host.frame().view
            if self._leads and view.own_image is self._given:
                self._given = image
                selected = {} if view.selected is None else {"selected": None}
                self._host.set_view(own_image=image, **view.at_code(code), **selected)

        self._host.decoder.ask(DRAWN + " place", snapshot, lambda s: _placed(s, image, y), show)
        self._of_drawn.want(snapshot, self._drawing)
        if frame.dataset is not None and len(frame.dataset.held_out_images):
            self._of_held_out.want(snapshot, frame.dataset)
        self._write_likely()

    def _has_asked(self, frame: Frame) -> bool:
        """Whether what stands there is of this model and class, or will be; of a model that sees none any will do."""
        if self._asked is None or frame.snapshot is not self._asked[0]:
            return False
        return self._asked[1] == frame.view.y or not self._asked[0].family.capabilities.uses_labels

    def _forget(self) -> None:
        """What stands beside the drawing is of a model that is gone."""
        self._asked = None
        self._drawn.set_image(None)
        self.posterior.clear()
        self.likely.clear()

    def _write_likely(self) -> None:
        if self._own is None or self._asked is None:
            self.likely.clear()
            return
        snapshot, step = self._asked[0], self._of_drawn.step
        of = "x|y" if snapshot.family.bounds_given_class else "x"
        when = "" if step == snapshot.step else f" at step {step:,}"  # until the newer model's is known
        self.likely.setText(words(self._of_drawn.value, self._of_held_out.value, of, when))


def words(own: object, others: object, of: str = "x", when: str = "") -> str:
    """Log p(x), or log p(x|y), of a drawing and where it stands among held-out images, as far as these are `Likely`."""
    if not isinstance(own, Likely):
        return f"log p({of}) …"
    if own.reason:
        return own.reason
    value = float(own.log_px[0])
    text = f"log p({of}) = {number_text(value, 1)} nats{when}"
    if not own.exact:
        text += ", by importance weighting"
    if isinstance(others, Likely) and len(others.log_px):
        share = percentile(value, others.log_px)
        which = {0.0: "less than all", 1.0: "more than all"}.get(share, f"more than {percent_text(share)} of")
        text += f",\n{which} {counted(len(others.log_px), 'held-out image')}"
    return text


def _placed(snapshot: Snapshot, image: NDArray[np.uint8], y: int | None) -> tuple[Array, Array | None, Array]:
    codes = snapshot.encode(image[None], y)
    assert codes is not None, "the panel needs an encoder"
    return codes[0][0], None if codes[1] is None else codes[1][0], snapshot.decode(codes[0], y)[0]


def _likely_of(snapshot: Snapshot, about: _Drawing | ImageDataset) -> Any:
    """Of one image, or of some that a data set holds out, each given its class where the model sees classes."""
    if isinstance(about, ImageDataset):
        count = len(about.held_out_images)
        rows = np.linspace(0, count - 1, min(MOST_HELD_OUT, count)).astype(np.intp)
        return likely_in_steps(snapshot, about.held_out_images[rows], about.held_out_labels[rows])
    return likely_in_steps(snapshot, about.image[None], None if about.y is None else np.array([about.y]))


class _NarrowButton(QPushButton):
    """As wide as its text where there is little room; the style's own would have room beside it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        text = self.fontMetrics().horizontalAdvance(self.text().replace("&", ""))
        return QSize(text + 16, super().minimumSizeHint().height())


def _caption(text: str) -> QLabel:
    label = QLabel(text)
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    return label
