"""The list of classes in the legend: a swatch and a name each, in groups that fold, a thousand of them at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtCore import Signal as QtSignal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPen,
    QResizeEvent,
    QStandardItem,
    QStandardItemModel,
)
from PySide6.QtWidgets import (
    QFrame,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QTreeView,
    QWidget,
)

from vaeviewer.counts import counted
from vaeviewer.ui.plane.class_groups import Group
from vaeviewer.ui.widgets.plain_text import plain_tip
from vaeviewer.ui.widgets.theme import theme_of
from vaeviewer.ui.window.focus_keys import is_command

Index = QModelIndex | QPersistentModelIndex

LONGEST_NAME = 120
"""Logical pixels that a name may take; of a longer one the middle is left out, and its tool tip has it whole."""
SWATCH = 10
"""Logical pixels."""

_LONGEST_TITLE = 70  # logical pixels that a group's may take
_INDENT = 13  # logical pixels, of classes in a group
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_MOVES = (
    Qt.Key.Key_Up,
    Qt.Key.Key_Down,
    Qt.Key.Key_PageUp,
    Qt.Key.Key_PageDown,
    Qt.Key.Key_Home,
    Qt.Key.Key_End,
)
_FOLDS = (Qt.Key.Key_Left, Qt.Key.Key_Right)
_HELP = (
    "Click: hide or show {them}. Double-click: show only {these}.\n"
    "Keys: arrows, Space or Enter to hide or show, with Shift to show only {these}."
)
_ROWS = Qt.ItemDataRole.UserRole
_LIMIT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


class ClassList(QTreeView):
    """Classes in groups, or one below the other. Which are hidden it shows, and leaves to whoever listens."""

    toggled = QtSignal(object)
    """A ``tuple`` of classes is to be hidden, or shown where all of them are hidden."""
    soloed = QtSignal(object, bool)
    """Only these classes are wanted; true where a double-click's first half has toggled them."""
    typed = QtSignal(str)
    """Letters were typed; ``"\\b"`` takes the last one back, and ``"\\x1b"`` all."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("legendClasses")
        self.setAccessibleName("Classes")
        self.setAccessibleDescription(
            "Arrow keys go from class to class; Space or Enter hides or shows one, with Shift it is shown alone."
        )
        self.searchable = False
        """Whether letters typed are of use."""
        self.search_is_empty = True
        self._pressed: tuple[int, ...] = ()
        self._items: list[QStandardItem] = []  # by class
        self._groups: list[QStandardItem] = []
        self._names: Sequence[str] = ()
        self._counts: Sequence[int] = ()
        self._model = QStandardItemModel(self)
        self.setModel(self._model)
        self.setItemDelegate(_Row(self))
        self.setHeaderHidden(True)
        self.header().setMinimumSectionSize(10)
        self.header().setStretchLastSection(False)  # a hidden one is stretched too late
        self.setUniformRowHeights(True)
        self.setIndentation(_INDENT)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setSelectionMode(QTreeView.SelectionMode.NoSelection)
        self.setEditTriggers(QTreeView.EditTrigger.NoEditTriggers)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setExpandsOnDoubleClick(False)
        self.viewport().setAutoFillBackground(False)

    def set_classes(
        self, names: Sequence[str], colors: NDArray[np.uint8], counts: Sequence[int], groups: Sequence[Group]
    ) -> None:
        """List these classes, all shown.

        Args:
            names: A name per class.
            colors: RGB, uint8, shape ``(classes, 3)``.
            counts: Images of each class.
            groups: All classes.
        """
        self._names, self._counts = names, counts
        self._items = [QStandardItem() for _ in names]
        self._groups = []
        for item, color in zip(self._items, colors.tolist(), strict=True):
            item.setData(QColor(*color), Qt.ItemDataRole.DecorationRole)
        self._model.clear()
        root = self._model.invisibleRootItem()
        rows: list[QStandardItem] = []
        for group in groups:
            children = [self._items[number] for number in group.members]
            for item, number, name in zip(children, group.members, group.names, strict=True):
                _fill(item, name, (number,))
            if group.title:
                parent = QStandardItem()
                _fill(parent, group.title, group.members)
                parent.appendRows(children)
                self._groups.append(parent)
                rows.append(parent)
            else:
                rows += children
        root.appendRows(rows)
        self.setRootIsDecorated(bool(self._groups))
        self.setColumnWidth(0, self.viewport().width())
        self.expandAll()
        self.setCurrentIndex(self._model.index(0, 0))

    def set_counts(self, counts: Sequence[int]) -> None:
        """Images of each class, of which tool tips tell."""
        self._counts = counts

    def set_hidden(self, hidden: frozenset[int]) -> None:
        """Show which classes are hidden."""
        self._model.blockSignals(True)  # one repaint for all of them
        for number, item in enumerate(self._items):
            item.setCheckState(Qt.CheckState.Unchecked if number in hidden else Qt.CheckState.Checked)
        for item in self._groups:
            members = item.data(_ROWS)
            away = len(hidden.intersection(members))
            state = Qt.CheckState.PartiallyChecked if away else Qt.CheckState.Checked
            item.setCheckState(Qt.CheckState.Unchecked if away == len(members) else state)
        self._model.blockSignals(False)
        self.viewport().update()

    def list_only(self, text: str) -> int:
        """List only the classes whose names hold a text; returns how many."""
        wanted = text.strip().casefold()
        shown = [wanted in name.casefold() for name in self._names]
        for number, item in enumerate(self._items):
            parent = item.parent()
            self.setRowHidden(item.row(), parent.index() if parent else QModelIndex(), not shown[number])
        for item in self._groups:
            self.setRowHidden(item.row(), QModelIndex(), not any(shown[n] for n in item.data(_ROWS)))
        self.search_is_empty = not wanted
        if wanted:
            self.expandAll()
        current = self.currentIndex()
        first = next((item for item, there in zip(self._items, shown, strict=True) if there), None)
        if first is not None and (not current.isValid() or self.visualRect(current).isEmpty()):
            self.setCurrentIndex(first.index())
        return sum(shown)

    def item_of(self, number: int) -> QStandardItem:
        """The row of a class."""
        return self._items[number]

    def listed(self) -> list[str]:
        """What the rows that are not folded away or left out by the search say, from top to bottom."""
        found = []
        index = self._model.index(0, 0)
        while index.isValid():
            if not self.isRowHidden(index.row(), index.parent()):
                found.append(str(index.data()))
            index = self.indexBelow(index)
        return found

    def content_size(self) -> QSize:
        """Room for all rows as they are unfolded."""
        metrics = self.fontMetrics()
        names = max((metrics.horizontalAdvance(str(item.text())) for item in self._items), default=0)
        indent = _INDENT if self._groups else 0
        titles = max((metrics.horizontalAdvance(item.text()) for item in self._groups), default=0)
        titles = min(titles, _LONGEST_TITLE) + 10  # with the number of classes behind it
        width = min(max(names + indent, titles), LONGEST_NAME) + SWATCH + 22 + indent
        return QSize(width, (len(self._items) + len(self._groups)) * self._row_height())

    def _row_height(self) -> int:
        return self.fontMetrics().height() + 7

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Rows are as wide as there is room."""
        super().resizeEvent(event)
        self.setColumnWidth(0, self.viewport().width())

    # The mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A press on a row is for its classes; on the arrow of a group it folds that."""
        index = self.indexAt(event.position().toPoint())
        self._pressed = ()
        if event.button() != Qt.MouseButton.LeftButton or not index.isValid():
            event.accept()
        elif event.position().x() < self.visualRect(index).left():
            super().mousePressEvent(event)
        else:
            self.setCurrentIndex(index)
            if event.modifiers() & _LIMIT:
                self.soloed.emit(index.data(_ROWS), False)
            else:
                self._pressed = tuple(index.data(_ROWS))
            event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click hides or shows."""
        pressed, self._pressed = self._pressed, ()
        index = self.indexAt(event.position().toPoint())
        event.accept()
        if pressed and index.isValid() and tuple(index.data(_ROWS)) == pressed:
            self.toggled.emit(pressed)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Single the classes out."""
        index = self.indexAt(event.position().toPoint())
        event.accept()
        if event.button() == Qt.MouseButton.LeftButton and index.isValid():
            self.soloed.emit(tuple(index.data(_ROWS)), True)

    def viewportEvent(self, event: QEvent) -> bool:
        """A tool tip says the whole name and what a click does."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            index = self.indexAt(event.pos())
            QToolTip.showText(event.globalPos(), self.tip(index) if index.isValid() else "", self)
            return True
        return super().viewportEvent(event)

    def tip(self, index: Index) -> str:
        """What the tool tip of a row says."""
        members = index.data(_ROWS)
        images = sum(self._counts[number] for number in members)
        if len(members) == 1:
            title, words = self._names[members[0]], {"them": "them", "these": "these"}
        else:
            title = f"{index.data()}: {len(members)} classes"
            words = {"them": "the group", "these": "it"}
        return plain_tip(f"{title}: {counted(images, 'image')}\n{_HELP.format(**words)}")

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from class to class, fold groups, hide and show, or search."""
        if not self._uses(event):
            event.ignore()  # Qt's own search would take every letter
        elif event.key() in (*_ENTER, Qt.Key.Key_Space):
            index = self.currentIndex()
            if not index.isValid() or self.isIndexHidden(index) or self.visualRect(index).isEmpty():
                return
            members = tuple(index.data(_ROWS))
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.soloed.emit(members, False)
            else:
                self.toggled.emit(members)
        elif event.key() == Qt.Key.Key_Escape:
            self.typed.emit("\x1b")
        elif event.key() == Qt.Key.Key_Backspace:
            self.typed.emit("\b")
        elif event.key() in (*_MOVES, *_FOLDS):
            super().keyPressEvent(event)
        else:
            self.typed.emit(event.text())

    def event(self, event: QEvent) -> bool:
        """Keep the keys used here from being taken as the window's shortcuts."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            if self._uses(event):
                event.accept()
            return True
        return super().event(event)

    def _uses(self, event: QKeyEvent) -> bool:
        key = event.key()
        if is_command(event):
            return False
        if key in (*_MOVES, *_ENTER, Qt.Key.Key_Space) or (key in _FOLDS and self._groups):
            return True
        if key in (Qt.Key.Key_Escape, Qt.Key.Key_Backspace):
            return not self.search_is_empty
        return self.searchable and event.text().isprintable() and event.text() != ""

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show which row the keys are for."""
        super().focusInEvent(event)
        self.scrollTo(self.currentIndex())
        self.viewport().update()


def _fill(item: QStandardItem, text: str, rows: tuple[int, ...]) -> None:
    item.setText(text)
    item.setData(rows, _ROWS)
    item.setCheckState(Qt.CheckState.Checked)
    item.setEditable(False)


class _Row(QStyledItemDelegate):
    """Paints a disc as in the plane, hollow when hidden, then the name; of a group its title and how many it has."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(40, option.fontMetrics.height() + 7)

    def editorEvent(
        self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index
    ) -> bool:
        return False  # there is no check box, though a screen reader is told of one

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        view = option.widget
        assert isinstance(view, ClassList), "it is the list's"
        theme = theme_of(option.palette)
        state, members = index.data(Qt.ItemDataRole.CheckStateRole), index.data(_ROWS)
        color = index.data(Qt.ItemDataRole.DecorationRole)
        shown = Qt.CheckState(state) != Qt.CheckState.Unchecked
        area = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = area.adjusted(1, 1, -1, -1)
        if option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.grid))
            painter.drawRoundedRect(frame, 4, 4)
        if view.hasFocus() and view.currentIndex() == index:
            painter.setPen(QPen(QColor(theme.accent), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(frame, 4, 4)
        centre, reach = QPointF(area.left() + 7 + SWATCH / 2, area.center().y()), SWATCH / 2 - 1
        disc = QColor(theme.ink) if color is None else color
        painter.setPen(QPen(disc if shown else QColor(theme.muted), 1.5))
        full = shown and Qt.CheckState(state) == Qt.CheckState.Checked
        painter.setBrush(disc if full else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(centre, reach, reach)
        if shown and not full:
            half = QPainterPath(centre)
            half.arcTo(QRectF(centre.x() - reach, centre.y() - reach, 2 * reach, 2 * reach), 90, 180)
            painter.fillPath(half, disc)
        painter.setPen(QColor(theme.ink if shown else theme.muted))
        text = option.rect.adjusted(13 + SWATCH, 0, -5, 0)
        metrics, aside = option.fontMetrics, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        if len(members) > 1:
            count = f"{len(members)}"
            painter.drawText(text, aside, count)
            text.adjust(0, 0, -metrics.horizontalAdvance(count) - 6, 0)
        name = metrics.elidedText(str(index.data()), Qt.TextElideMode.ElideMiddle, text.width() + 1)
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        painter.restore()
