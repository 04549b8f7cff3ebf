"""The ledger: every image with its numbers, sorted and filtered; the worst and the best; a click selects."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import (
    QGuiApplication,
    QHideEvent,
    QKeySequence,
    QResizeEvent,
    QShortcut,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from vaeviewer.analysis.image_evidence import evidence_metrics, is_quick, why_no_evidence
from vaeviewer.analysis.ledger import Ledger, in_order
from vaeviewer.backend.config import pixels_text
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.fields import FamilyConfig
from vaeviewer.backend.models.registry import AnyFamily
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.counts import counted
from vaeviewer.ui.ledger.columns import Column, columns_of, headline, table_text
from vaeviewer.ui.ledger.csv_file import save_csv
from vaeviewer.ui.ledger.ends_view import EndsView
from vaeviewer.ui.ledger.filter_bar import FilterBar
from vaeviewer.ui.ledger.table_view import LedgerTable
from vaeviewer.ui.panel import Frame, Host
from vaeviewer.ui.plane.selection import go_to_held_out, go_to_trained
from vaeviewer.ui.widgets.labels import ElidedLabel, tint
from vaeviewer.ui.widgets.theme import theme_of

BESIDE = 640
"""Logical pixels from which on the worst and the best stand beside the table, not below it."""
QWIDGETSIZE_MAX = 16_777_215  # Qt's own name for "as wide as it likes"
_EXACT_TIP = (
    "log p(x) of every image by quadrature over z, and its gap to the ELBO, KL(q‖p), in the background: 10,000 images "
    "of 28×28 pixels take half a minute, longer beside training. Uncheck to give up."
)


class LedgerPanel(QWidget):
    """The table with its filters.

    The numbers are computed when the panel is first shown and whenever somebody wants newer ones: it follows no
    training.

    Args:
        host: The window.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("ledger")
        self.setAccessibleName("Ledger")
        self._host = host
        self._computed = host.ledger
        self._snapshot: Snapshot | None = None
        self._dataset: ImageDataset | None = None
        self._family: AnyFamily | None = None
        self._model: FamilyConfig | None = None
        self._blank: Ledger | None = None  # before there are numbers
        self._columns: tuple[Column, ...] = ()
        self._sorted_by = ("row", False)
        self._current: int | None = None  # the entry selected
        self._said = ""  # of what was saved, until there is something else to say
        self._exact_wish: bool | None = None  # the user's, once they have said so
        self.filters = FilterBar()
        self.table = LedgerTable()
        self.ends = EndsView()
        self.note = ElidedLabel()
        self.note.setObjectName("ledgerNote")
        self.note.setAccessibleName("State of the ledger")
        self.color = _button(
            "ledgerColor",
            "Colour the plane",
            "Colour the points by the column that the rows are in order of.",
        )
        self.refresh = _button(
            "ledgerRefresh", "Refresh", "Compute the numbers of the model as it is now (F5)."
        )
        self.save = _button(
            "ledgerSave",
            "Save as CSV…",
            "Write the rows shown, in this order, with all columns. Ctrl+C copies.",
        )
        self.exact = QCheckBox("log p(x)")
        self.exact.setObjectName("ledgerExact")
        self._lay_out()
        self._connect()

    def update_frame(self, frame: Frame) -> None:
        """Show a frame; while hidden, only remember what there is."""
        anew = frame.dataset is not self._dataset or (
            frame.snapshot is not None and frame.snapshot.family is not self._family
        )
        self._snapshot, self._dataset = frame.snapshot, frame.dataset
        if not self.isVisible():
            self._family = None if anew else self._family  # the columns are to be made again
            return
        if anew and self._snapshot is not None:
            self._begin()
        elif self._snapshot is not None and self._snapshot.model is not self._model:
            self._offer_exact()
        self._follow_selection(frame)
        if self._computed.known is None and self._computed.share is None:
            self._compute()
        self._say()

    def showEvent(self, event: QShowEvent) -> None:
        """Compute what nobody has asked for yet, and catch up."""
        super().showEvent(event)
        self._computed.resume()
        self.update_frame(self._host.frame())

    def hideEvent(self, event: QHideEvent) -> None:
        """What is not finished waits."""
        super().hideEvent(event)
        self._computed.pause()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the worst and the best where there is room for them."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Beside the table, which takes no more than its columns need, or below it; the buttons likewise."""
        beside, ways = self.width() >= BESIDE, QBoxLayout.Direction
        for box in (self._body, self._head):
            box.setDirection(ways.LeftToRight if beside else ways.TopToBottom)
        self._body.setStretch(0, max(3, len(self._columns) - 3) if beside else 4)
        self._body.setStretch(1, 2 if beside else 1)
        self.table.setMaximumWidth(self.table.whole_width() if beside else QWIDGETSIZE_MAX)

    def changeEvent(self, event: Any) -> None:
        """Write a problem in the colour of the scheme."""
        super().changeEvent(event)
        if event.type() == event.Type.PaletteChange:
            self._say()

    def sizeHint(self) -> QSize:
        """A few rows of all columns, and images beside them."""
        return QSize(900, 240)

    @property
    def ledger(self) -> Ledger | None:
        """The numbers that there are, of these images."""
        known = self._computed.known
        return known if known is not None and known.dataset is self._dataset else self._blank

    def _begin(self) -> None:
        """Another model or other images."""
        assert self._snapshot is not None, "there is a model"
        self._family = self._snapshot.family
        if self._dataset is None:
            return
        self._blank, self._current = Ledger(self._dataset), None
        self._columns = columns_of(self._dataset, self._family)
        best = headline(self._columns, self._family)
        self._sorted_by = (best.key, best.worst_descends)
        self.filters.offer(self._dataset.class_names, self._columns, best.key)
        self._offer_exact()
        self._show()

    def _offer_exact(self) -> None:
        """Other settings of the model: log p(x) can be had now, or can't."""
        assert self._snapshot is not None, "there is a model"
        self._model = self._snapshot.model
        reason, wished = why_no_evidence(self._snapshot), self._exact_wish
        if wished is None:
            wished = self._blank is not None and is_quick(self._snapshot, len(self._blank))
        self.exact.setEnabled(not reason)
        self.exact.setChecked(wished and not reason)
        self.exact.setToolTip(f"<p>{reason or _EXACT_TIP}</p>")
        self.exact.setAccessibleDescription(reason or _EXACT_TIP)
        self._take_columns()

    def _take_columns(self) -> None:
        """Those of the family, with log p(x) and the gap where the user wants them."""
        if self._snapshot is None or self._dataset is None or self._family is None:
            return
        more = evidence_metrics(self._snapshot) if self.exact.isChecked() else ()
        columns = columns_of(self._dataset, self._family, more)
        if columns != self._columns:
            self._columns = columns
            best = headline(columns, self._family)
            if self._sorted_by[0] not in (column.key for column in columns):
                self._sorted_by = (best.key, best.worst_descends)
            self.filters.offer_columns(columns, best.key)
            self._show()
        self._computed.want_exact(bool(more))

    def _wish_exact(self, wished: bool) -> None:
        self._exact_wish = wished
        self._take_columns()

    def _compute(self) -> None:
        newest = self._host.frame()  # than this panel was drawn of
        if newest.snapshot is not None and newest.dataset is not None and newest.dataset is self._dataset:
            self._said = ""
            self._computed.want(newest.snapshot, newest.dataset)

    def _show(self) -> None:
        """The rows wanted, in order."""
        ledger = self.ledger
        if (
            ledger is None or self._family is None
        ):  # until it is shown again, after other images or models came
            self.table.show_entries(None, (), np.zeros(0, np.intp), self._sorted_by, None)
            return
        entries = in_order(ledger, self.filters.wanted().entries(ledger), *self._sorted_by)
        self.table.show_entries(ledger, self._columns, entries, self._sorted_by, self._current)
        self._fit()
        column = self._column()
        self.ends.show_ends(ledger, entries, column, self.table.entries_model.decimals(column.key))
        self._say()

    def _column(self) -> Column:
        """Of which the ends are shown: that of the order, if it has numbers, else what says how good a model is."""
        assert self._family is not None, "there are columns"
        sorted_by = next(column for column in self._columns if column.key == self._sorted_by[0])
        return sorted_by if sorted_by.numeric else headline(self._columns, self._family)

    def _sort(self, key: str) -> None:
        """By a column, the worst first; once more, the other way round."""
        if key == self._sorted_by[0]:
            self._sorted_by = (key, not self._sorted_by[1])
        else:
            column = next(column for column in self._columns if column.key == key)
            self._sorted_by = (key, column.numeric and column.better != "higher")
        self._show()

    def _select(self, entry: int) -> None:
        """Show an image in the plane."""
        ledger = self.ledger
        if ledger is None or self._snapshot is None:
            return
        self._current = entry
        self.table.select(entry, max(0, self.table.currentIndex().column()), in_sight=True)
        go = go_to_held_out if ledger.is_held_out(entry) else go_to_trained
        go(self._host, ledger.row(entry))

    def _follow_selection(self, frame: Frame) -> None:
        """Mark what is selected, here or elsewhere."""
        ledger, current = self.ledger, frame.view.selected
        if ledger is not None and frame.view.held_out is not None:
            current = ledger.trained + frame.view.held_out
        if current != self._current:
            self._current = current
            self.table.select(current)

    def _color(self) -> None:
        """Colour the plane by the column of the order."""
        key = self._sorted_by[0]
        view = self._host.frame().view
        hidden = frozenset() if view.color_by.startswith("column:") else view.hidden_classes
        ours = (
            any(metric.key == key for metric in self._family.metrics) if self._family is not None else False
        )
        kind = "metric" if ours else "ledger"
        self._host.set_view(color_by=key if key == "class" else f"{kind}:{key}", hidden_classes=hidden)

    def _copy(self) -> None:
        ledger = self.ledger
        if ledger is not None:
            rows = self.table.selected_entries()
            QGuiApplication.clipboard().setText("".join(table_text(ledger, rows, self._columns, "\t")))
            self._tell(f"Copied: {counted(len(rows), 'row')}")

    def _save(self) -> None:
        ledger = self.ledger
        if ledger is not None and self._snapshot is not None:
            lines = table_text(ledger, self.table.entries_model.entries, self._columns)
            save_csv(self.window(), self._host.decoder, self._snapshot, lines, self._tell)

    def _tell(self, sentence: str) -> None:
        self._said = sentence
        self._say()

    def _say(self) -> None:
        """How many images are shown, of which step, and what else there is to know."""
        problem, theme = self.filters.problem(), theme_of(self.palette())
        tint(self.note, theme.warning if problem else theme.muted)
        self.note.setText(problem or " · ".join(filter(None, self._notes())))
        known, now = self._computed.known, self._snapshot
        self.refresh.setEnabled(
            now is not None and self._computed.share is None and (known is None or known.step != now.step)
        )
        self.save.setEnabled(known is not None)
        column = next((column for column in self._columns if column.key == self._sorted_by[0]), None)
        colors = column is not None and (column.numeric or column.key == "class")
        self.color.setEnabled(colors and now is not None)
        self.color.setText(f"Colour the plane by {column.title}" if column and colors else "Colour the plane")

    def _notes(self) -> list[str]:
        if self._snapshot is None or self.ledger is None:
            return ["The numbers come with a model."]
        shown, all_of_them = len(self.table.entries_model.entries), len(self.ledger)
        known, share, exact = self._computed.known, self._computed.share, self._computed.exact.share
        step = "" if known is None else f"of step {known.step:,}"
        if known is not None and known.step != self._snapshot.step:
            step += f", the model is at {self._snapshot.step:,}"
        return [
            self._said,
            "" if share is None else f"Computing… {100 * share:.0f}\u00a0%",
            "" if exact is None else f"log p(x): {100 * exact:.0f}\u00a0%",
            ("" if shown == all_of_them else f"{shown:,} of ") + counted(all_of_them, "image"),
            step,
            self._snapshot.family.protocol(self._snapshot.model, pixels_text(self._snapshot.protocol)),
            "one draw of z, but for log p(x) and the gap"
            if self.exact.isChecked()
            else "one draw of z for each",
        ]

    def _lay_out(self) -> None:
        self._body = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._body.setSpacing(10)
        self._body.addWidget(self.table)
        self._body.addWidget(self.ends)
        buttons = QHBoxLayout()
        for button in (self.color, self.exact, self.refresh, self.save):
            buttons.addWidget(button)
        buttons.addStretch(1)
        self._head = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._head.addWidget(self.filters)
        self._head.addLayout(buttons, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(3)
        layout.addLayout(self._head)
        layout.addLayout(self._body, 1)
        layout.addWidget(self.note)

    def _connect(self) -> None:
        self._computed.changed.connect(self._say)
        self._computed.found.connect(self._show)
        self._host.decoder.forgotten.connect(self._show)
        self.filters.changed.connect(self._show)
        self.table.sort_wanted.connect(self._sort)
        self.table.picked.connect(self._select)
        self.table.copy_wanted.connect(self._copy)
        self.ends.chosen.connect(self._select)
        self.color.clicked.connect(self._color)
        self.refresh.clicked.connect(self._compute)
        self.exact.clicked.connect(self._wish_exact)
        self.save.clicked.connect(self._save)
        key = QShortcut(
            QKeySequence(Qt.Key.Key_F5), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut
        )
        key.activated.connect(self.refresh.click)


def _button(name: str, text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setToolTip(tip)
    return button
