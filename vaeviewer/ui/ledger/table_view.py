"""The table of the ledger: what is in sight is painted, thumbnails straight from the images' arrays."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QFrame,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from vaeviewer.analysis.ledger import Ledger, Rows
from vaeviewer.ui.ledger.columns import Column
from vaeviewer.ui.ledger.table_model import IMAGE, Index, LedgerModel
from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.theme import theme_of

THUMBNAIL = 28
"""Side of a thumbnail, logical pixels."""


class LedgerTable(QTableView):
    """Rows are images. Arrow keys go from one to the next; Enter sorts by the column they are in.

    Signals:
        picked(int): The user went to this entry.
        sort_wanted(str): The user wants the rows in the order of this column.
        copy_wanted: The selected rows are to be copied.
    """

    picked = Signal(int)
    sort_wanted = Signal(str)
    copy_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._by_hand = False  # the current row is the user's wish, not this program's
        self.setObjectName("ledgerTable")
        self.setAccessibleName("Images and their numbers")
        self.setAccessibleDescription(
            "Up and down go from image to image and select it in the plane; Enter sorts by the column."
        )
        self.entries_model = LedgerModel(self)
        self.setModel(self.entries_model)
        self.setItemDelegateForColumn(IMAGE, _Thumbnails(self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setWordWrap(False)
        self.setCornerButtonEnabled(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setSectionsClickable(True)
        header.setHighlightSections(False)
        header.setSortIndicatorShown(True)
        header.sectionClicked.connect(self._sort_by)
        self.setMinimumSize(160, 70)

    def show_entries(
        self,
        ledger: Ledger | None,
        columns: tuple[Column, ...],
        entries: Rows,
        sorted_by: tuple[str, bool],
        current: int | None,
    ) -> None:
        """Show entries of a ledger.

        Args:
            ledger: The numbers.
            columns: Which of them.
            entries: Which images, from top to bottom.
            sorted_by: The column that they are in the order of, and whether it descends.
            current: The entry that is selected, if it is among them.
        """
        model, bar = self.entries_model, self.verticalScrollBar()
        anew, top = columns != model.columns or ledger is not model.ledger, bar.value()
        column = max(0, self.currentIndex().column())
        model.show_ledger(ledger, columns, entries)
        self._fit_rows()
        if anew:
            self._fit_columns()
        keys = [found.key for found in columns]
        if sorted_by[0] in keys:
            order = Qt.SortOrder.DescendingOrder if sorted_by[1] else Qt.SortOrder.AscendingOrder
            self.horizontalHeader().setSortIndicator(1 + keys.index(sorted_by[0]), order)
        bar.setValue(top)
        self.select(current, column, in_sight=False)

    def select(self, entry: int | None, column: int = 0, *, in_sight: bool = True) -> None:
        """Mark an entry as the one selected, without telling anybody; scroll to it."""
        row = self.entries_model.position(entry)
        if row is None:
            self.selectionModel().clear()
        elif row != self.currentIndex().row() or not self.selectionModel().isRowSelected(row):
            index = self.entries_model.index(row, column)
            self.selectionModel().setCurrentIndex(
                index,
                self.selectionModel().SelectionFlag.ClearAndSelect | self.selectionModel().SelectionFlag.Rows,
            )
            if in_sight:
                self.scrollTo(index)

    def whole_width(self) -> int:
        """In which all columns can be seen, logical pixels."""
        return self.horizontalHeader().length() + self.verticalScrollBar().sizeHint().width() + 2

    def selected_entries(self) -> Rows:
        """Those selected, from top to bottom; all that are shown where none is."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        entries = self.entries_model.entries
        return entries[rows] if rows else entries

    def currentChanged(self, current: Index, previous: Index) -> None:
        """Tell where the user went."""
        super().currentChanged(current, previous)
        if self._by_hand and current.isValid() and current.row() != previous.row():
            self.picked.emit(int(self.entries_model.entries[current.row()]))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click selects, again too."""
        index = self.indexAt(event.position().toPoint())
        again = index.isValid() and index.row() == self.currentIndex().row()
        self._by_hand = True
        super().mousePressEvent(event)
        self._by_hand = False
        if again:
            self.picked.emit(int(self.entries_model.entries[index.row()]))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from row to row, sort, or copy."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_wanted.emit()
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._sort_by(self.currentIndex().column())
            return
        self._by_hand = True
        super().keyPressEvent(event)
        self._by_hand = False

    def keyboardSearch(self, search: str) -> None:
        """Letters are the window's."""

    def changeEvent(self, event: QEvent) -> None:
        """Take the room that another font needs."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit_rows()
            self._fit_columns()

    def _fit_rows(self) -> None:
        height = max(THUMBNAIL + 4, self.fontMetrics().height() + 6)
        if self.verticalHeader().defaultSectionSize() != height:
            self.verticalHeader().setDefaultSectionSize(height)

    def _fit_columns(self) -> None:
        """As wide as what stands above them, and the longest of what may stand in them."""
        metrics, bold = self.fontMetrics(), self.horizontalHeader().fontMetrics()
        mark = QApplication.style().pixelMetric(QStyle.PixelMetric.PM_HeaderMarkSize) + 14
        self.setColumnWidth(IMAGE, THUMBNAIL + 10)
        for number, column in enumerate(self.entries_model.columns, 1):
            longest = {"set": ["held out"], "class": ["a class"]}.get(column.key, ["−8,888.88"])
            longest += self.entries_model.ends(column.key)
            width = bold.horizontalAdvance(column.title) + mark
            width = max(width, *(metrics.horizontalAdvance(text) + 16 for text in longest))
            self.setColumnWidth(number, width)

    def _sort_by(self, section: int) -> None:
        if section > IMAGE:
            self.sort_wanted.emit(self.entries_model.columns[section - 1].key)


class _Thumbnails(QStyledItemDelegate):
    """Paints the image of a row."""

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: Index,
    ) -> None:
        """The ground of the row, and the image on it."""
        super().paint(painter, option, index)
        model = index.model()
        if not isinstance(model, LedgerModel) or model.ledger is None:
            return
        picture = to_qimage(model.ledger.image(int(model.entries[index.row()])))
        scale = THUMBNAIL / max(picture.width(), picture.height())
        scale = max(1.0, scale // 1) if scale >= 1 else scale
        width, height = scale * picture.width(), scale * picture.height()
        area = QRectF(option.rect)
        place = QRectF(
            round(area.center().x() - width / 2), round(area.center().y() - height / 2), width, height
        )
        painter.save()
        painter.fillRect(place.adjusted(-1, -1, 1, 1), QColor(theme_of(option.palette).border))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 1)
        painter.drawImage(place, picture)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """The thumbnail's."""
        return QSize(THUMBNAIL + 10, THUMBNAIL + 4)
