"""The ledger as Qt asks for it: no object for a row, only an array that says in which order they are shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from vaeviewer.analysis.ledger import Ledger, Rows
from vaeviewer.ui.curves.value_axis import number_label
from vaeviewer.ui.ledger.columns import Column, cell_text, decimals_of, title_of
from vaeviewer.ui.widgets.plain_text import plain_tip

Index = QModelIndex | QPersistentModelIndex
_ROLE = Qt.ItemDataRole
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_MIDDLE = Qt.AlignmentFlag.AlignCenter

IMAGE = 0
"""The column of thumbnails; those of numbers follow."""


class LedgerModel(QAbstractTableModel):
    """Some entries of a ledger, in some order.

    Attributes:
        ledger: The numbers, or ``None`` where there are no images.
        columns: What stands beside the thumbnails.
        entries: Which images are shown, from top to bottom.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.ledger: Ledger | None = None
        self.columns: tuple[Column, ...] = ()
        self.entries: Rows = np.zeros(0, np.intp)
        self._decimals: dict[str, int] = {}

    def show_ledger(self, ledger: Ledger | None, columns: tuple[Column, ...], entries: Rows) -> None:
        """Show these entries of a ledger."""
        self.beginResetModel()
        if ledger is not self.ledger or columns != self.columns:
            self.ledger, self.columns = ledger, columns
            self._decimals = (
                {}
                if ledger is None
                else {column.key: decimals_of(ledger, column) for column in columns if column.numeric}
            )
        self.entries = entries
        self.endResetModel()

    def position(self, entry: int | None) -> int | None:
        """In which row an entry is shown."""
        found = np.flatnonzero(self.entries == entry)  # nowhere where there is none
        return int(found[0]) if len(found) else None

    def decimals(self, key: str) -> int:
        """How many the numbers of a column have."""
        return self._decimals.get(key, 2)

    def text(self, entry: int, key: str) -> str:
        """What a cell says."""
        assert self.ledger is not None, "there is an entry"
        return cell_text(self.ledger, entry, key, self.decimals(key))

    def ends(self, key: str) -> list[str]:
        """The least and the greatest number of a column, as its cells say them; nothing of other columns."""
        if self.ledger is None or key not in self._decimals:
            return []
        values = self.ledger.column(key)
        known = values[np.isfinite(values)]
        found = (float(known.min()), float(known.max())) if len(known) else ()
        return [number_label(value, self._decimals[key]) for value in found]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """How many entries."""
        return 0 if parent.isValid() else len(self.entries)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """The thumbnails and the others."""
        return 0 if parent.isValid() else 1 + len(self.columns)

    def data(self, index: Index, role: int = _ROLE.DisplayRole) -> Any:
        """A cell."""
        if self.ledger is None or not index.isValid():
            return None
        entry = int(self.entries[index.row()])
        if role == _ROLE.ToolTipRole:
            return plain_tip(title_of(self.ledger, entry))
        if role == _ROLE.AccessibleTextRole and index.column() == IMAGE:
            return title_of(self.ledger, entry)
        if index.column() == IMAGE:
            return None
        column = self.columns[index.column() - 1]
        if role in (_ROLE.DisplayRole, _ROLE.AccessibleTextRole):
            return self.text(entry, column.key)
        if role == _ROLE.TextAlignmentRole:
            return int(_MIDDLE if column.key in ("set", "class") else _RIGHT)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole) -> Any:
        """What stands above a column."""
        if orientation != Qt.Orientation.Horizontal or not 0 <= section <= len(self.columns):
            return None
        if section == IMAGE:
            return "x" if role == _ROLE.DisplayRole else None
        column = self.columns[section - 1]
        if role == _ROLE.DisplayRole:
            return column.title
        if role == _ROLE.ToolTipRole:
            unit = f" In {column.unit}." if column.unit else ""
            return f"{column.help or column.title}{unit}\nClick to sort; click again to turn it round."
        if role == _ROLE.TextAlignmentRole:
            return int(_MIDDLE if column.key in ("set", "class") else _RIGHT)
        return None
