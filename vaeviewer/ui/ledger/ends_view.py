"""Beside the table: the images of the lowest and of the highest numbers of a column."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from vaeviewer.analysis.ledger import Ledger, Rows, ends
from vaeviewer.ui.images.image_strip import ImageStrip, Shown
from vaeviewer.ui.ledger.columns import Column, cell_text, title_of

_STRIP = 24  # images of either end, of which as many are painted as fit


class EndsView(QWidget):
    """Two strips of images, the worst first where a column says which these are.

    Attributes:
        strips: Both.

    Signals:
        chosen(int): The user went to this entry.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.strips = (
            ImageStrip("Images with the lowest numbers"),
            ImageStrip("Images with the highest numbers"),
        )
        self._titles = QLabel("\n"), QLabel("\n")  # two lines from the start
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for row, (title, strip) in enumerate(zip(self._titles, self.strips, strict=True)):
            title.setTextFormat(Qt.TextFormat.PlainText)
            title.setAlignment(Qt.AlignmentFlag.AlignTop)
            title.setForegroundRole(QPalette.ColorRole.PlaceholderText)
            layout.addWidget(title, row, 0)
            layout.addWidget(strip, row, 1)
            strip.chosen.connect(self.chosen)
        layout.setColumnStretch(1, 1)

    def show_ends(self, ledger: Ledger, entries: Rows, column: Column, decimals: int) -> None:
        """Show those of these entries.

        Args:
            ledger: The numbers.
            entries: Which images count.
            column: Of which numbers.
            decimals: How many of them are written.
        """
        found = ends(ledger, entries, column.key, _STRIP)
        pairs = list(zip(column.ends, found, strict=True))
        if pairs[1][0] == "Worst":
            pairs.reverse()  # the worst first
        for title, strip, (word, some) in zip(self._titles, self.strips, pairs, strict=True):
            title.setText(f"{word}\n{column.title}" if len(some) else "\n")
            strip.setAccessibleName(f"{word}: {column.title}")
            shown = []
            for entry in some.tolist():
                number = cell_text(ledger, entry, column.key, decimals)
                sentence = f"{title_of(ledger, entry)}: {column.title} {number}"
                shown.append(Shown(entry, ledger.image(entry), number, sentence))
            strip.show_images(shown)
