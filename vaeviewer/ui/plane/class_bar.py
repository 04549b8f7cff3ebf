"""Below the plane of a model that sees classes: what it decodes at the handle for each, to choose from."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QSignalBlocker, QSize, Qt, QTimer
from PySide6.QtGui import QIcon, QKeySequence, QPixmap, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QWidget,
)

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot, as_grey_levels
from vaeviewer.ui.panel import Frame, Host
from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.plain_text import plain_tip

CLASS_BAR_SECONDS = 0.27
"""Time between two redraws of the images while training runs, on average."""

FOLLOW_MS = 60
"""Between two redraws of the images while the handle is dragged; the decoded image follows every move."""

IMAGES = "images of the classes"
"""The kind of what it asks a GridDecoder for."""

_TIP = (
    "What the decoder draws at the handle for each {title}: the same z, so the same style, of another {title}.\n"
    "Click one, and the decoded image and the manifold are of that {title}.\n"
    "Keys, also while dragging: 0 to 9; C for the next, Shift+C for the one before."
)


class ClassBar(QWidget):
    """Chooses the class y of what is decoded; hidden for models that have none to choose.

    Args:
        host: The window.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("classBar")
        self._host = host
        self._names: tuple[str, ...] = ()
        self._drawn_of: Snapshot | None = (
            None  # by identity: comparing whole arrays would cost more than drawing
        )
        self._drawn: tuple[bytes, range] = (b"", range(0))
        self._title = QLabel()
        self._list = QListWidget()
        self._list.setObjectName("classChoice")
        self._list.setViewMode(QListView.ViewMode.IconMode)
        self._list.setFlow(QListView.Flow.LeftToRight)
        self._list.setWrapping(False)
        self._list.setMovement(QListView.Movement.Static)
        self._list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self._list.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self._list.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._title.setBuddy(self._list)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 3, 8, 3)
        layout.addWidget(self._title)
        layout.addWidget(self._list, 1)
        self._list.currentRowChanged.connect(self._choose)
        self._list.horizontalScrollBar().valueChanged.connect(lambda _: self.refresh())
        self._follow_timer = QTimer(self)
        self._follow_timer.setSingleShot(True)
        self._follow_timer.setInterval(FOLLOW_MS)
        self._follow_timer.timeout.connect(self.refresh)
        # Of no effect while this is hidden: then the keys are free.
        for digit in range(10):
            QShortcut(QKeySequence(str(digit)), self).activated.connect(partial(self._choose_by_digit, digit))
        for keys, by in (("C", 1), ("Shift+C", -1)):
            QShortcut(QKeySequence(keys), self).activated.connect(partial(self._step, by))
        host.decoder.forgotten.connect(self._forget)
        self.hide()

    def refresh(self) -> None:
        """Show what there is to choose, what is chosen, and the newest model's images of those in sight."""
        frame = self._host.frame()
        if frame.snapshot is None or frame.dataset is None:
            return  # a model is being made, most often of the kind there was: the plane is to stay where it is
        self._offer(frame.snapshot, frame.dataset)
        self.setVisible(bool(self._names))
        if not self._names:
            return
        with QSignalBlocker(self._list):
            if self._list.currentRow() != frame.view.y:
                self._list.setCurrentRow(frame.view.y)
        code = frame.view.code(frame.snapshot.model.latent_dim)
        rows = self._in_sight()
        drawn = code.tobytes(), rows
        if not self.isVisible() or (frame.snapshot is self._drawn_of and drawn == self._drawn):
            return
        self._drawn_of, self._drawn = frame.snapshot, drawn
        z, y = np.repeat(code[None], len(rows), axis=0), np.asarray(rows, np.int64)
        self._host.decoder.ask(
            IMAGES,
            frame.snapshot,
            lambda snapshot: as_grey_levels(snapshot.decode(z, y)),
            lambda images: self._show_images(rows, images),
        )

    def follow(self, _frame: Frame) -> None:
        """The handle was moved."""
        if self.isVisible() and not self._follow_timer.isActive():
            self._follow_timer.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """More or fewer of them are in sight."""
        super().resizeEvent(event)
        self._fit()
        self.follow(self._host.frame())

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self._follow_timer.start()

    def changeEvent(self, event: QEvent) -> None:
        """Take the room that another font needs."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()
            self._drawn_of = None  # images of another size, too
            self._follow_timer.start()

    def _offer(self, snapshot: Snapshot, dataset: ImageDataset) -> None:
        """List the classes of the model that is there now."""
        family = snapshot.family
        names = tuple(family.class_names(snapshot.model, dataset.class_names))
        if names == self._names:
            return
        self._names = names
        self._title.setText(f"{family.class_title} <i>y</i>")
        self._list.setAccessibleName(family.class_title)
        self._list.setToolTip(plain_tip(_TIP.format(title=family.class_title.lower())))
        with QSignalBlocker(self._list):
            self._list.clear()
            self._list.addItems(names)
        self._fit()

    def _fit(self) -> None:
        """Images are about as high as two lines of text; they share what room there is, but not more than they need."""
        metrics = self._list.fontMetrics()
        side, count = 2 * metrics.height() + 4, max(1, len(self._names))
        widest = max((metrics.horizontalAdvance(name) for name in self._names), default=0) + 12
        least, most = max(side + 8, min(widest, 2 * side)), max(2 * side, widest)
        room = self._list.width() - 2 * self._list.frameWidth()
        width = max(least, min(room // count, most))
        self._list.setIconSize(QSize(side, side))
        self._list.setGridSize(QSize(width, side + metrics.height() + 10))
        bar = self._list.horizontalScrollBar().sizeHint().height() if count * width > room else 0
        self._list.setFixedHeight(self._list.gridSize().height() + 2 * self._list.frameWidth() + bar)

    def _in_sight(self) -> range:
        width = self._list.gridSize().width()
        left = self._list.horizontalScrollBar().value()
        first = max(0, left // width)
        last = (left + self._list.viewport().width()) // width + 1
        return range(min(first, len(self._names)), min(last, len(self._names)))

    def _show_images(self, rows: range, images: NDArray[np.uint8]) -> None:
        for row, image in zip(rows, images, strict=True):
            item: QListWidgetItem | None = self._list.item(row)
            if item is not None:  # else other classes came in between
                item.setIcon(self._icon(QPixmap.fromImage(to_qimage(image))))

    def _icon(self, pixmap: QPixmap) -> QIcon:
        """Large enough for large text and fine screens, as Qt only ever reduces an icon; the chosen one untinted."""
        icon, side = QIcon(), round(self._list.iconSize().width() * self.devicePixelRatioF())
        sizes = [pixmap]
        if side >= 1.5 * max(pixmap.width(), pixmap.height()):
            keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            sizes.append(pixmap.scaled(side, side, keep, smooth))
        for size in sizes:
            icon.addPixmap(size)
            icon.addPixmap(size, QIcon.Mode.Selected)
        return icon

    def _choose(self, row: int) -> None:
        if row >= 0:
            self._host.set_view(y=row)

    def _choose_by_digit(self, digit: int) -> None:
        """The class of that name; where names are no digits, the first by 1, the tenth by 0."""
        row = self._names.index(str(digit)) if str(digit) in self._names else (digit - 1) % 10
        if row < len(self._names):
            self._list.setCurrentRow(row)

    def _step(self, by: int) -> None:
        self._list.setCurrentRow((self._list.currentRow() + by) % len(self._names))

    def _forget(self) -> None:
        self._drawn_of, self._drawn = None, (b"", range(0))
        for row in range(self._list.count()):
            self._list.item(row).setIcon(QIcon())
