"""ReconstructionPanel: images above their reconstructions, and the selected image with its posterior."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QImage,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot, as_grey_levels
from vaeviewer.session.grid_decoder import Ask, at_once
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.images.decoded_image_view import number_text, tabular
from vaeviewer.ui.images.image_widget import ImageWidget
from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.theme import theme_of

Images = NDArray[np.uint8]
Codes = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""As ``Snapshot.encode`` gives them."""

_PAIRS_TIP = "Above, held-out images x, never trained on; below, their reconstructions:\nthe mean of p(x|z) at {place}."
_POSTERIOR_TIP = (
    "The approximate posterior that the encoder gives this image,\n"
    "q(z|x) = N(loc, diag(scale²)): loc ± scale of each coordinate."
)
_NO_ENCODER = "Held-out images (no encoder)"
_CODE_TIP = "The code z that the encoder gives this image: one point."


class ReconstructionPanel(QWidget):
    """Held-out images above their reconstructions; below, the selected training image with its own.

    A reconstruction is the decoder's mean image at the posterior mean.

    Signals:
        examples_requested: The user wants to see other held-out images.
    """

    examples_requested = Signal()

    def __init__(self, ask: Ask = at_once, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ask = ask
        self.setObjectName("reconstructions")
        self.setAccessibleName("Reconstructions")
        self._snapshot: Snapshot | None = None
        self._dataset: ImageDataset | None = None
        self._view = ViewState()
        self._drawn: tuple[Snapshot | None, ImageDataset | None, ViewState] | None = None
        self._examples: Images | None = None

        self._heading = heading = QLabel("Held-out images")
        heading.setForegroundRole(QPalette.ColorRole.PlaceholderText)  # the theme's muted ink
        self._button = QPushButton("Other examples")
        self._button.setObjectName("examplesButton")
        self._button.setToolTip("Show other held-out images, drawn at random.")
        self._button.clicked.connect(self.examples_requested)
        top = QHBoxLayout()
        top.addWidget(heading, 1)
        top.addWidget(self._button)

        self._pairs = _PairGrid()
        self._pairs.setObjectName("pairs")
        self._pairs.more_fit.connect(self._reconstruct_more)
        self._selected = _SelectedImage()
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        line.setForegroundRole(QPalette.ColorRole.Mid)  # the theme's border
        line.setFrameShadow(QFrame.Shadow.Plain)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(self._pairs, 1)
        layout.addWidget(line)
        layout.addWidget(self._selected)

    def update_frame(self, snapshot: Snapshot | None, dataset: ImageDataset | None, view: ViewState) -> None:
        """Reconstruct what changed; while hidden, only remember the arguments.

        Uses rows ``view.examples`` of ``dataset.held_out_images`` and row ``view.selected`` of
        ``dataset.train_images``. A Snapshot for images of another shape counts as none.
        """
        if snapshot is not None and dataset is not None and snapshot.image_shape != dataset.image_shape:
            snapshot = None
        self._snapshot, self._dataset, self._view = snapshot, dataset, view
        if self.isVisible():
            self._draw()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self._draw()

    def _draw(self) -> None:
        snapshot, dataset, view = self._snapshot, self._dataset, self._view
        last, self._drawn = self._drawn, (snapshot, dataset, view)
        # By identity: comparing whole arrays would cost more than drawing them.
        same = last is not None and last[0] is snapshot and last[1] is dataset
        seen = last[2] if last is not None and same else None
        if last is None or last[1] is not dataset or last[2].examples != view.examples:
            self._choose_examples()
        encodes = snapshot is None or snapshot.family.capabilities.encodes
        self._heading.setText("Held-out images" if encodes else _NO_ENCODER)
        if seen is None or seen.examples != view.examples:
            self._reconstruct()
        if seen is None or seen.selected != view.selected:
            self._draw_selected()

    def _choose_examples(self) -> None:
        dataset = self._dataset
        self._button.setEnabled(dataset is not None)
        if dataset is None:
            self._examples = None
        else:
            rows = [row for row in self._view.examples if 0 <= row < len(dataset.held_out_images)]
            self._examples = dataset.held_out_images[rows]
        self._pairs.set_images(self._examples)

    def _reconstruct(self) -> None:
        """Show the reconstructions of as many examples as fit."""
        if self._snapshot is None or self._examples is None or not self._pairs.fitting:
            self._pairs.set_reconstructions(None)
            return
        images = self._examples[: self._pairs.fitting]

        def show(found: tuple[Images, Codes] | None) -> None:
            self._pairs.set_reconstructions(None if found is None else found[0])
            if found is not None:
                place = "their codes z" if found[1][1] is None else "the mean of q(z|x)"
                self._pairs.setToolTip(_PAIRS_TIP.format(place=place))

        self._ask("examples", self._snapshot, lambda snapshot: _reconstructed(snapshot, images), show)

    def _reconstruct_more(self) -> None:
        """There is room for more: a panel on its way back on screen shows what it was last given, first."""
        if self.isVisible():
            self._draw()
            self._reconstruct()

    def _draw_selected(self) -> None:
        dataset, row = self._dataset, self._view.selected
        if dataset is None or row is None or not 0 <= row < len(dataset.train_images):
            self._selected.clear()
            return
        image = dataset.train_images[row]
        title = f"Class {dataset.class_names[dataset.train_labels[row]]}, training image {row:,}"
        if self._snapshot is None:
            self._selected.show_image(title, image)
            return

        def show(found: tuple[Images, Codes] | None) -> None:
            if self._view.selected != row:
                return  # another one was selected meanwhile
            drawn, codes = (None, None) if found is None else found
            self._selected.show_image(title, image, codes, None if drawn is None else drawn[0])

        self._ask("selected", self._snapshot, lambda snapshot: _reconstructed(snapshot, image[None]), show)


def _reconstructed(snapshot: Snapshot, images: Images) -> tuple[Images, Codes] | None:
    """The reconstructions of some images and their codes, or ``None`` where the model has no encoder."""
    codes = snapshot.encode(images)
    return None if codes is None else (as_grey_levels(snapshot.decode(codes[0])), codes)


class _SelectedImage(QWidget):
    """Reads as the model does: x, q(z|x), x̂; or a hint how to select an image."""

    def __init__(self) -> None:
        super().__init__()
        hint = QLabel("Click a point in the plane to see its image here.")
        hint.setObjectName("selectionHint")
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        hint.setWordWrap(True)
        hint.setForegroundRole(QPalette.ColorRole.PlaceholderText)

        self._title = QLabel()
        self._title.setTextFormat(Qt.TextFormat.PlainText)  # it names a class
        self._title.setObjectName("selectedTitle")
        self._title.setTextFormat(Qt.TextFormat.PlainText)  # class names come from folders: never markup
        self._title.setAccessibleName("Selected image")
        self._image = ImageWidget()
        self._image.setToolTip("x: the selected training image.")
        self._image.setAccessibleName("Selected image x")
        self._posterior = QLabel()
        self._posterior.setObjectName("selectedPosterior")
        self._posterior.setAccessibleName("Posterior of the selected image")
        self._posterior.setFont(tabular(self.font()))
        self._posterior.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._posterior.setWordWrap(True)  # between two numbers that are longer than usual
        self._decoded = ImageWidget()
        self._decoded.setAccessibleName("Reconstruction of the selected image")
        page = QWidget()
        grid = QGridLayout(page)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self._title, 0, 0, 1, 3)
        grid.addWidget(self._image, 1, 0)
        grid.addWidget(self._posterior, 1, 1)
        grid.addWidget(self._decoded, 1, 2)
        grid.addWidget(_Symbol(hat=False), 2, 0)
        grid.addWidget(_Symbol(hat=True), 2, 2)
        for widget in (self._image, self._decoded):
            widget.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self._size_images()
        self._pages = QStackedLayout(self)
        self._pages.addWidget(hint)
        self._pages.addWidget(page)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the images their share of the width."""
        super().resizeEvent(event)
        self._size_images()

    def _size_images(self) -> None:
        # A 28-pixel image enlarged, and its border; the third pixel keeps a factor of three at 150 % scaling.
        side = 28 * max(2, min(4, self.width() // 130)) + 3
        for widget in (self._image, self._decoded):
            widget.setMaximumSize(
                side, side
            )  # no minimum, which would keep the panel from becoming narrow again

    def clear(self) -> None:
        for label in (self._title, self._posterior):
            label.clear()  # or the page behind would go on taking their room
        self._pages.setCurrentIndex(0)

    def show_image(
        self, title: str, image: Images, codes: Codes | None = None, decoded: Images | None = None
    ) -> None:
        """Show an image, and what the model makes of it, if anything."""
        self._title.setText(title)
        self._image.set_image(image)
        loc, scale = (None, None) if codes is None else codes
        self._posterior.setText(
            "" if loc is None else posterior_text(loc[0], None if scale is None else scale[0])
        )
        of_points = loc is not None and scale is None
        self._posterior.setToolTip(_CODE_TIP if of_points else _POSTERIOR_TIP)
        self._posterior.setAccessibleName(f"{'Code' if of_points else 'Posterior'} of the selected image")
        place = "its code z" if of_points else "the posterior mean, z = loc"
        self._decoded.setToolTip(f"The reconstruction: the decoder's mean image at {place}.")
        self._decoded.set_image(decoded)
        self._pages.setCurrentIndex(1)


@dataclass(frozen=True)
class PairLayout:
    """How pairs fill a rectangle: ``columns`` by ``rows`` of them, each image ``width`` by ``height``."""

    columns: int
    rows: int
    width: int
    height: int


def pair_layout(room: QSize, image: QSize, count: int, gap: int, comfortable: int) -> PairLayout:
    """Choose how large to draw pairs: all lengths in device pixels.

    The largest whole factor at which ten pairs fit, or all if fewer; where images would be narrower than
    ``comfortable``, the largest at which four fit: few legible images rather than many tiny ones. Images
    too large for that are reduced.
    """

    def fits(width: int, height: int) -> PairLayout:
        columns = (room.width() + gap) // (width + gap)
        rows = (room.height() + 2 * gap) // (2 * height + 3 * gap)
        return PairLayout(columns, rows, width, height)

    largest = max(1, min(room.width() // image.width(), room.height() // (2 * image.height())))
    for wanted, least in ((10, comfortable), (4, 1)):
        for factor in range(largest, 0, -1):
            layout = fits(factor * image.width(), factor * image.height())
            enough = layout.columns * layout.rows >= min(count, wanted)
            if enough and layout.width >= least:
                return layout
    columns = min(count, 4)
    width = max(1, (room.width() - (columns - 1) * gap) // columns)
    scale = min(1.0, width / image.width(), max(1, room.height() - gap) / (2 * image.height()))
    return fits(max(1, int(scale * image.width())), max(1, int(scale * image.height())))


class _PairGrid(QWidget):
    """x above x̂, as many pairs as fit.

    Signals:
        more_fit: There is room for more pairs than there are reconstructions.
    """

    more_fit = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Held-out images and their reconstructions")
        self.setToolTip(_PAIRS_TIP.format(place="the mean of q(z|x)"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAutoFillBackground(True)  # else all that lies behind is painted anew each time
        self._images: list[QImage] = []
        self._drawn: list[QImage] = []

    def set_images(self, images: Images | None) -> None:
        """Show images ``(n, height, width)``, without reconstructions."""
        self._images = [] if images is None else [to_qimage(image) for image in images]
        self._drawn = []
        self.update()

    def set_reconstructions(self, drawn: Images | None) -> None:
        """Show the reconstructions of the first images, or none."""
        self._drawn = [] if drawn is None else [to_qimage(image) for image in drawn]
        self.update()

    @property
    def fitting(self) -> int:
        """How many of the images there is room for."""
        if not self._images:
            return 0
        layout, _, _ = self._plan()
        return min(len(self._images), layout.columns * layout.rows)

    def sizeHint(self) -> QSize:
        """Two rows of five pairs of 28-pixel images, twice as large."""
        return QSize(320, 240)

    def minimumSizeHint(self) -> QSize:
        """One row of three such pairs."""
        return QSize(200, 120)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for reconstructions that had no room before."""
        super().resizeEvent(event)
        if 0 < len(self._drawn) < self.fitting:
            self.more_fit.emit()

    def _plan(self) -> tuple[PairLayout, QSize, int]:
        """Where pairs go, in how much room, beside which margin; in device pixels."""
        ratio, pixel = self.devicePixelRatioF(), self._pixel()
        margin = math.ceil(ratio * (self.fontMetrics().horizontalAdvance("x") + 8))
        room = QSize(int(self.width() * ratio) - margin - pixel, int(self.height() * ratio) - 2 * pixel)
        image, count = self._images[0].size(), len(self._images)
        return pair_layout(room, image, count, 4 * pixel, round(48 * ratio)), room, margin

    def _pixel(self) -> int:
        """A border's width, device pixels."""
        return max(1, round(self.devicePixelRatioF()))

    def paintEvent(self, event: QPaintEvent) -> None:
        shown = self.fitting
        if shown == 0:
            return
        layout, room, margin = self._plan()
        ratio, pixel = self.devicePixelRatioF(), self._pixel()
        gap = 4 * pixel
        columns = math.ceil(shown / math.ceil(shown / layout.columns))  # 5 + 5 rather than 6 + 4
        spare = room.width() - columns * layout.width
        step = layout.width + min(spare // max(1, columns - 1), layout.width // 2)
        theme = theme_of(self.palette())
        painter = QPainter(self)
        painter.scale(1 / ratio, 1 / ratio)
        smaller = layout.width < self._images[0].width()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smaller)
        for i in range(shown):
            row, column = divmod(i, columns)
            place = QRect(margin, pixel, layout.width, layout.height)
            place.translate(column * step, row * (2 * layout.height + 3 * gap))
            for images in (self._images, self._drawn):
                painter.fillRect(place.adjusted(-pixel, -pixel, pixel, pixel), QColor(theme.border))
                if i < len(images):
                    painter.drawImage(place, images[i])
                else:
                    painter.fillRect(place, QColor(theme.window))
                place.translate(0, layout.height + gap)
        painter.resetTransform()
        painter.setPen(QColor(theme.muted))
        for row in range(math.ceil(shown / columns)):
            top = pixel + row * (2 * layout.height + 3 * gap)
            for hat in (False, True):
                box = QRectF(0, top / ratio, margin / ratio - 4, layout.height / ratio)
                draw_symbol(painter, box, hat)
                top += layout.height + gap


class _Symbol(QWidget):
    """The caption x, or x̂."""

    def __init__(self, hat: bool) -> None:
        super().__init__()
        self._hat = hat
        self._make_room()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._make_room()

    def _make_room(self) -> None:
        self.setFixedHeight(self.fontMetrics().height() + 6)  # room for the hat

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(QColor(theme_of(self.palette()).muted))
        draw_symbol(painter, QRectF(self.rect()), self._hat)


def draw_symbol(painter: QPainter, box: QRectF, hat: bool) -> None:
    """Write x or x̂ in the middle of ``box``. The hat is drawn: fonts put U+0302 beside the x or far above."""
    metrics = QFontMetricsF(painter.font())
    width, x_height = metrics.horizontalAdvance("x"), metrics.xHeight()
    middle, baseline = box.center().x(), box.center().y() + x_height / 2
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.drawText(QPointF(middle - width / 2, baseline), "x")
    if hat:
        low, high, half = baseline - 1.3 * x_height, baseline - 1.7 * x_height, 0.3 * width
        painter.drawPolyline(
            [QPointF(middle - half, low), QPointF(middle, high), QPointF(middle + half, low)]
        )


def posterior_text(loc: NDArray[np.float32], scale: NDArray[np.float32] | None) -> str:
    """q(z|x) in words, a line per coordinate such as "z₁ = 0.46 ± 0.05"; of many, the first two."""
    lines = ["q(z|x)" if scale is not None else "z"]
    for i in range(min(len(loc), 2)):
        mean = number_text(float(loc[i])).replace(" ", "\u00a0")
        spread = ""
        if scale is not None:
            deviation = number_text(float(scale[i])).replace(" ", "\u00a0")
            spread = f" ±\u00a0{deviation}"
        lines.append(f"z{'₁₂'[i]} = {mean}{spread}")
    if len(loc) > 2:
        lines.append(f"and {len(loc) - 2} more")
    return "\n".join(lines)
