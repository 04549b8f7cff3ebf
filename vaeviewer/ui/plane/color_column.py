"""Beside the plane: what points are coloured by, and below that the legend or the scale."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QComboBox, QLabel, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from vaeviewer.ui.plane.color_choice import Choice
from vaeviewer.ui.plane.latent_legend import Legend
from vaeviewer.ui.plane.scale_bar import ScaleBar
from vaeviewer.ui.widgets.plain_text import shortened

_TIP = (
    "<p>What points are coloured by: their class, how dense they lie, a column of labels.csv, or a metric of each "
    "image by itself, with one draw of z.</p>"
)


class ColorColumn(QWidget):
    """The choice, and what colours stand for.

    Attributes:
        choice: What points are coloured by.
        legend: Where they are coloured by classes or words.
        scale: Where they are coloured by numbers.

    Signals:
        chosen(str): The user chose this key.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("colorColumn")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.choice = QComboBox()
        self.choice.setObjectName("colorBy")
        self.choice.setAccessibleName("Colour by")
        self.choice.setToolTip(_TIP)
        self.choice.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setMinimumContentsLength(7)
        self.choice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.choice.activated.connect(lambda row: self.chosen.emit(self.choice.itemData(row)))
        self.legend, self.scale = Legend(), ScaleBar()
        self._pages = QStackedLayout()
        self._pages.addWidget(self.legend)
        self._pages.addWidget(self.scale)
        top = QVBoxLayout()
        top.setContentsMargins(3, 3, 2, 0)
        top.setSpacing(1)
        label = QLabel("Colour by")
        label.setBuddy(self.choice)
        label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        top.addWidget(label)
        top.addWidget(self.choice)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addLayout(self._pages, 1)
        self.hide()

    def set_choices(self, among: Sequence[Choice]) -> None:
        """Offer these."""
        with QSignalBlocker(self.choice):
            self.choice.clear()
            for before, choice in zip((None, *among), among, strict=False):
                if before is not None and before.kind != choice.kind:
                    self.choice.insertSeparator(self.choice.count())
                self.choice.addItem(shortened(choice.title, 40), choice.key)
        self._fit_list()

    def show_choice(self, choice: Choice) -> None:
        """Show which one it is, and the page for it."""
        with QSignalBlocker(self.choice):
            self.choice.setCurrentIndex(self.choice.findData(choice.key))
        page = self.scale if choice.continuous else self.legend
        if self._pages.currentWidget() is not page:
            self._pages.setCurrentWidget(page)
            self.updateGeometry()

    def changeEvent(self, event: QEvent) -> None:
        """Take the room that another font needs."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit_list()

    def _fit_list(self) -> None:
        """The list is as wide as its titles, the field as narrow as the legend."""
        view = self.choice.view()
        view.setMinimumWidth(view.sizeHintForColumn(0) + 30 if self.choice.count() else 0)
