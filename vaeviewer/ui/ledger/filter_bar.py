"""Which images the ledger shows: of which set, of which class, and within which bounds of a column."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QSizePolicy, QWidget

from vaeviewer.analysis.ledger import Wanted
from vaeviewer.ui.ledger.columns import Column
from vaeviewer.ui.widgets.plain_text import shortened

_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")  # no group begins with 0: 0,125 is an eighth
_SETS = (("All images", "all"), ("Training", "train"), ("Held out", "held out"))


class FilterBar(QWidget):
    """Three choices and two numbers.

    Signals:
        changed: Others are wanted, or what is typed is no number any more, or is one again.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.set_box = _box(
            "ledgerSet", "Set of images", "Which images: those trained on, or those held out."
        )
        self.class_box = _box("ledgerClass", "Class", "Of which class.")
        self.column_box = _box(
            "ledgerColumn", "Column of the bounds", "Show images with a number within bounds."
        )
        self.low, self.high = (
            _field("ledgerFrom", "Least value", "any"),
            _field("ledgerTo", "Greatest value", "any"),
        )
        for title, value in _SETS:
            self.set_box.addItem(title, value)
        self.class_box.addItem("All classes", None)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.set_box)
        layout.addWidget(self.class_box)
        layout.addWidget(self.column_box)
        for word, field in (("from", self.low), ("to", self.high)):
            label = QLabel(word)
            label.setBuddy(field)
            layout.addWidget(label)
            layout.addWidget(field)
            field.editingFinished.connect(self.changed)
        layout.addStretch(1)
        for box in (self.set_box, self.class_box, self.column_box):
            box.activated.connect(self.changed)

    def offer(self, class_names: Sequence[str], columns: Sequence[Column], about: str) -> None:
        """Offer the classes of other images and the columns of another kind of model; nothing is left out.

        Args:
            class_names: Of the images, or none.
            columns: Of the ledger.
            about: The key of the column that bounds are of at first.
        """
        with QSignalBlocker(self.class_box), QSignalBlocker(self.set_box):
            self.set_box.setCurrentIndex(0)
            self.class_box.clear()
            self.class_box.addItem("All classes", None)
            for number, name in enumerate(class_names):
                self.class_box.addItem(f"Class {shortened(name, 30)}", number)
        self.class_box.setVisible(bool(class_names))
        self.column_box.clear()
        self.offer_columns(columns, about)

    def offer_columns(self, columns: Sequence[Column], about: str) -> None:
        """Offer other columns of the same images; bounds stay while there is the column that they are of."""
        before = self.column_box.currentData()
        with QSignalBlocker(self.column_box):
            self.column_box.clear()
            for column in columns:
                if column.numeric:
                    self.column_box.addItem(column.title, column.key)
            kept = self.column_box.findData(before)
            self.column_box.setCurrentIndex(kept if kept >= 0 else max(0, self.column_box.findData(about)))
        if kept < 0:
            self.low.clear()
            self.high.clear()

    def wanted(self) -> Wanted:
        """What is chosen; bounds that are no numbers do not count."""
        return Wanted(
            self.set_box.currentData(),
            self.class_box.currentData(),
            self.column_box.currentData() or "",
            _number(self.low.text()),
            _number(self.high.text()),
        )

    def problem(self) -> str:
        """What is wrong with the bounds, in a sentence; nothing where they are numbers."""
        for field in (self.low, self.high):
            text = field.text().strip()
            if text and _number(text) is None:
                return f"“{shortened(text, 20)}” is no number: type one such as −120.5, or nothing."
        low, high = _number(self.low.text()), _number(self.high.text())
        if low is not None and high is not None and low > high:
            return "No number is from the greater one to the smaller one: exchange them."
        return ""


def _number(text: str) -> float | None:
    """A number that somebody typed, with either minus and either decimal sign, or as the table writes thousands."""
    text = text.strip().replace("−", "-")
    text = text.replace(",", "" if _GROUPED.fullmatch(text) else ".")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value else None


def _box(name: str, title: str, tip: str) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setAccessibleName(title)
    box.setToolTip(tip)
    box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    return box


def _field(name: str, title: str, placeholder: str) -> QLineEdit:
    field = QLineEdit()
    field.setObjectName(name)
    field.setAccessibleName(title)
    field.setToolTip(f"{title}; empty for any.")
    field.setPlaceholderText(placeholder)
    field.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    field.setFixedWidth(field.fontMetrics().horizontalAdvance("−88888.88") + 14)
    return field
