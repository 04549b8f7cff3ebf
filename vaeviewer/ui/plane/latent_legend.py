"""The legend of the latent plane: a slim column that names the classes, hides them and singles them out."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QPalette, QResizeEvent
from PySide6.QtWidgets import QLabel, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from vaeviewer.ui.plane.class_groups import groups_of
from vaeviewer.ui.plane.class_list import ClassList

SEARCHED_FROM = 20
"""With so many classes there is a field to search them by name."""


class Legend(QWidget):
    """All classes; scrolls where there are more than fit, groups many, and finds them by name.

    For Tab it is one stop. Where there is a field to search, letters typed go there.

    Attributes:
        list: The classes.
    """

    hidden_changed = Signal(object)
    """``frozenset`` of the classes the user wants hidden."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("latentLegend")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self._search = QLineEdit()
        self._search.setObjectName("legendSearch")
        self._search.setAccessibleName("Search classes")
        self._search.setPlaceholderText("Search")
        self._search.setClearButtonEnabled(True)
        self._search.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._search.textChanged.connect(self._find)
        self._nothing = QLabel("No class has this in its name.")
        self._nothing.setObjectName("legendNothing")
        self._nothing.setWordWrap(True)
        self._nothing.setContentsMargins(6, 6, 4, 6)
        self._nothing.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self._nothing.hide()
        self.list = ClassList()
        self.list.toggled.connect(self._toggle)
        self.list.soloed.connect(self._solo)
        self.list.typed.connect(self._type)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 4, 0, 4)
        layout.setSpacing(2)
        layout.addWidget(self._search)
        layout.addWidget(self._nothing)
        layout.addWidget(self.list, 1)
        self._names: tuple[str, ...] = ()
        self._content = QSize()
        self._hidden: frozenset[int] = frozenset()
        self._before_click: frozenset[int] = frozenset()

    def set_classes(
        self, names: tuple[str, ...], colors: NDArray[np.uint8], labels: NDArray[np.int64]
    ) -> None:
        """List these classes, all shown.

        Args:
            names: A name per class.
            colors: RGB, uint8, shape ``(classes, 3)``.
            labels: Class of each image, shape ``(n,)``; tool tips say how many each class has.
        """
        self._names, self._hidden = names, frozenset()
        searched = len(names) >= SEARCHED_FROM
        self.list.searchable = searched
        self._search.clear()
        self._search.setVisible(searched)
        counts = np.bincount(labels, minlength=len(names)).tolist() if names else []
        self.list.set_classes(names, colors, counts, groups_of(names))
        self._measure()

    def set_counts(self, labels: NDArray[np.int64]) -> None:
        """Say of other images of the same classes how many each has."""
        self.list.set_counts(np.bincount(labels, minlength=len(self._names)).tolist())

    def sizeHint(self) -> QSize:
        """As wide as the names, and a scroll bar where one is needed."""
        width, height = self._content.width() + 2, self._content.height() + 8
        if len(self._names) >= SEARCHED_FROM:
            width = max(width, self.fontMetrics().horizontalAdvance("Search") + 40)
        scrolls = height > self.list.height()
        return QSize(width + (self.list.verticalScrollBar().sizeHint().width() if scrolls else 0), height)

    def minimumSizeHint(self) -> QSize:
        """The width that is wanted; fewer entries may be in view."""
        return QSize(self.sizeHint().width(), 60)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A scroll bar may come or go."""
        super().resizeEvent(event)
        self.updateGeometry()

    def changeEvent(self, event: QEvent) -> None:
        """Take the room that another font needs."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._measure()

    def set_hidden(self, hidden: Set[int]) -> None:
        """Show which classes are hidden; emits nothing."""
        if self._hidden != hidden:
            self._hidden = frozenset(hidden)
            self.list.set_hidden(self._hidden)

    def _measure(self) -> None:
        self._content = self.list.content_size()
        self.updateGeometry()

    # Searching

    def _type(self, text: str) -> None:
        if text == "\x1b":
            self._search.clear()
        elif text == "\b":
            self._search.setText(self._search.text()[:-1])
        else:
            self._search.setText(self._search.text() + text)

    def _find(self, text: str) -> None:
        """List only the classes whose names hold a text, or say that none has it."""
        self._nothing.setVisible(bool(self._names) and not self.list.list_only(text))

    # Choosing

    def _toggle(self, classes: tuple[int, ...]) -> None:
        """Hide these, or show them if none of them is."""
        self._before_click = self._hidden
        some = frozenset(classes)
        self._choose(self._hidden - some if some <= self._hidden else self._hidden | some)

    def _solo(self, classes: tuple[int, ...], after_click: bool) -> None:
        """Only these; all again where they already were the only ones."""
        before = self._before_click if after_click else self._hidden
        others = frozenset(range(len(self._names))) - frozenset(classes)
        self._choose(frozenset() if before == others else others)

    def _choose(self, hidden: frozenset[int]) -> None:
        self.set_hidden(hidden)
        self.hidden_changed.emit(hidden)
