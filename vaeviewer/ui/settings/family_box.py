"""The chooser of the kind of model: by kinship, each with a line that says what it is."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from vaeviewer.backend.models.interface import KIN
from vaeviewer.backend.models.registry import families
from vaeviewer.ui.settings.number_fields import ignore_wheel_unless_focused
from vaeviewer.ui.widgets.theme import theme_of

_SENTENCE = Qt.ItemDataRole.UserRole + 1
_MARGIN = 4
_WIDEST = 760  # logical pixels of the opened list, whatever its sentences


class FamilyBox(QComboBox):
    """Lists the families below headings of their kin. The keys of an item are those of the families."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("familyBox")
        self.setAccessibleName("Kind of model")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMaxVisibleItems(100)  # as many as the screen has room for
        self.setItemDelegate(_TwoLines(self))
        ignore_wheel_unless_focused(self)
        self._fill()

    def showPopup(self) -> None:
        """Open the list, wide enough for its sentences where the screen is."""
        view, metrics = self.view(), self.fontMetrics()
        widest = max(
            metrics.horizontalAdvance(str(self.itemData(i, _SENTENCE) or "")) for i in range(self.count())
        )
        room = round(0.9 * self.screen().availableSize().width())
        view.setMinimumWidth(min(widest + 8 * _MARGIN, _WIDEST, room))
        super().showPopup()

    def _fill(self) -> None:
        model = self.model()
        assert isinstance(model, QStandardItemModel), "as every QComboBox has at first"
        kin = None
        for key, family in families().items():
            if family.kin != kin:
                kin = family.kin
                self.addItem(KIN[kin])
                model.item(self.count() - 1).setEnabled(False)  # keys pass it by
            self.addItem(family.title, key)
            row = self.count() - 1
            self.setItemData(row, family.sentence, _SENTENCE)
            self.setItemData(row, f"{family.title}. {family.sentence}", Qt.ItemDataRole.AccessibleTextRole)
            self.setItemData(row, family.source, Qt.ItemDataRole.ToolTipRole)


class _TwoLines(QStyledItemDelegate):
    """A title, and below it a sentence; headings are one line."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        line = option.fontMetrics.height()
        return QSize(120, line + 2 * _MARGIN + (line if index.data(_SENTENCE) else 0))

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        theme = theme_of(option.palette)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        line, sentence = option.fontMetrics.height(), index.data(_SENTENCE)
        inset = 3 * _MARGIN if sentence else _MARGIN
        text = option.rect.adjusted(inset, _MARGIN, -_MARGIN, -_MARGIN)
        painter.save()
        if chosen:
            painter.fillRect(option.rect, option.palette.highlight())
        ink = option.palette.highlightedText().color() if chosen else QColor(theme.ink)
        font = QFont(option.font)
        font.setBold(not sentence)
        painter.setFont(font)
        painter.setPen(ink if sentence else QColor(theme.muted))
        painter.drawText(text, Qt.AlignmentFlag.AlignTop, str(index.data()))
        if sentence:
            below = QRect(text.left(), text.top() + line, text.width(), line)
            painter.setFont(option.font)
            painter.setPen(ink if chosen else QColor(theme.muted))
            shortened = option.fontMetrics.elidedText(sentence, Qt.TextElideMode.ElideRight, below.width())
            painter.drawText(below, Qt.AlignmentFlag.AlignTop, shortened)
        painter.restore()
