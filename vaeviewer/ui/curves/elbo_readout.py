"""The left column of the ELBO panel: legend, values in words, and what to show how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from PySide6.QtCore import QEvent, QPointF, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from vaeviewer.ui.curves.elbo_curves import TERMS
from vaeviewer.ui.curves.value_axis import LONGEST_NUMBERS, number_label
from vaeviewer.ui.widgets.labels import ElidedLabel, NumberLabel, tint
from vaeviewer.ui.widgets.theme import theme_of

KINDS = ("training", "held_out")
"""The two columns of values."""

_NAMES = {"elbo": "ELBO", "reconstruction": "Reconstruction", "kl": "KL"}
_LOSS_NAMES = {"elbo": "Loss (−ELBO)", "reconstruction": "Reconstruction error", "kl": "KL"}
_TERM_HELP = {
    "elbo": "Evidence lower bound: reconstruction − KL",
    "reconstruction": "E[log p(x|z)] under q(z|x): how probable each image is given its code",
    "kl": "KL(q(z|x) ‖ p(z)): how far the posteriors are from the prior",
}
_LOSS_HELP = {
    "elbo": "Loss: reconstruction error + KL, the negative of the ELBO",
    "reconstruction": "−E[log p(x|z)] under q(z|x): how improbable each image is given its code",
    "kl": _TERM_HELP["kl"],
}
_LOG_HELP = "Logarithmic vertical axis"


class ElboReadout(QWidget):
    """Check boxes that are the legend too, a table of values, and the choices of axes.

    Signals:
        choices_changed: The user chose to see something else.
    """

    choices_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._warns = False
        self._terms = {term: self._check_box(term, "", _TERM_HELP[term]) for term in TERMS}
        self._kinds = {
            "training": self._check_box("training", "Training", ""),
            "held_out": self._check_box("heldOut", "Held-out", "Held-out images, evaluated once per epoch"),
        }
        self._values = {(kind, term): NumberLabel(*LONGEST_NUMBERS) for term in TERMS for kind in KINDS}
        self._where = QLabel("Now")
        self._where.setObjectName("where")
        self._protocol = ElidedLabel("nats per image")
        self._protocol.setObjectName("protocol")
        self._verdict = ElidedLabel()
        self._verdict.setObjectName("verdict")
        self._x_box = self._choice("xAxis", (("Steps", "steps"), ("Epochs", "epochs")))
        self._x_box.setToolTip("Horizontal axis")
        self._y_box = self._choice("yAxis", (("ELBO (rising)", "elbo"), ("Loss (−ELBO)", "loss")))
        self._y_box.setToolTip("The ELBO, which is maximised, or its negative, which is minimised")
        self._log_box = self._check_box("logAxis", "Log axis", _LOG_HELP)
        self._log_box.setChecked(False)
        self._lay_out()
        self._name_terms()
        self._apply_theme()

    @property
    def axis(self) -> Literal["steps", "epochs"]:
        """What the horizontal axis counts."""
        return "epochs" if self._x_box.currentData() == "epochs" else "steps"

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms to draw."""
        return tuple(term for term in TERMS if self._terms[term].isChecked())

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which of training and held-out to draw."""
        return tuple(kind for kind in KINDS if self._kinds[kind].isChecked())

    @property
    def log(self) -> bool:
        """Whether a logarithmic axis is chosen and possible."""
        return self._log_box.isChecked() and self._log_box.isEnabled()

    def sign(self, term: str) -> float:
        """-1.0 for a term shown as part of the loss, else 1.0."""
        return -1.0 if self._y_box.currentData() == "loss" and term != "kl" else 1.0

    def name(self, term: str) -> str:
        """What a term is called the way it is shown."""
        return (_NAMES if self.sign("elbo") > 0 else _LOSS_NAMES)[term]

    def options(self) -> dict[str, Any]:
        """The choices as plain values."""
        return {
            "x": self._x_box.currentData(),
            "y": self._y_box.currentData(),
            "log": self._log_box.isChecked(),
            "training": self._kinds["training"].isChecked(),
            "held_out": self._kinds["held_out"].isChecked(),
            "terms": list(self.terms),
        }

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Take over choices from :meth:`options`; what is missing or damaged stays as it is."""
        with QSignalBlocker(self):
            for box, key in ((self._x_box, "x"), (self._y_box, "y")):
                index = box.findData(options.get(key))
                if index >= 0:
                    box.setCurrentIndex(index)
            for key, check in {"log": self._log_box, **self._kinds}.items():
                if isinstance(options.get(key), bool):
                    check.setChecked(options[key])
            terms = options.get("terms")
            if isinstance(terms, list):
                for term, check in self._terms.items():
                    check.setChecked(term in terms)
            self._name_terms()
        self.choices_changed.emit()

    def forbid_log(self, why: str) -> None:
        """Close the box of the logarithmic axis and say why in its tooltip; open it if ``why`` is empty."""
        self._log_box.setEnabled(not why)
        self._log_box.setToolTip(f"{_LOG_HELP}: {why}" if why else _LOG_HELP)

    def set_values(self, kind: str, values: Mapping[str, float] | None) -> None:
        """Write one column, nats per image by term; ``None`` where there is no row yet."""
        for term in TERMS:
            text = "–" if values is None else number_label(self.sign(term) * values[term], 2)
            self._values[kind, term].setText(text)

    def set_where(self, text: str) -> None:
        """Say where on the horizontal axis the values stand."""
        self._where.setText(text)

    def set_protocol_text(self, text: str) -> None:
        """Say which protocol the numbers belong to."""
        self._protocol.setText(f"nats per image · {text}" if text else "nats per image")

    def set_verdict(self, text: str, *, warns: bool) -> None:
        """Say what the curves show."""
        self._verdict.setText(text)
        if warns != self._warns:
            self._warns = warns
            self._apply_theme()

    def set_smoothing(self, rows: int) -> None:
        """Say over how many steps the newest training value is a mean."""
        steps = "step" if rows == 1 else f"{rows} steps"
        self._kinds["training"].setToolTip(f"Training batches: each step, faint, and means; the last {steps}")

    def changeEvent(self, event: QEvent) -> None:
        """Take over the colours of a new scheme, and another size of text."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._apply_theme()
        elif event.type() == QEvent.Type.FontChange:
            self._make_room()

    def _make_room(self) -> None:
        """For the longest there will be in the first column, so that nothing moves while numbers run."""
        self._table.setColumnMinimumWidth(0, self.fontMetrics().horizontalAdvance("Step 123,456") + 8)

    def _check_box(self, name: str, text: str, tip: str) -> QCheckBox:
        box = QCheckBox(text)
        box.setObjectName(name)
        box.setToolTip(tip)
        box.setChecked(True)
        box.toggled.connect(self._chosen)
        return box

    def _choice(self, name: str, choices: tuple[tuple[str, str], ...]) -> QComboBox:
        box = QComboBox()
        box.setObjectName(name)
        for text, value in choices:
            box.addItem(text, value)
        box.currentIndexChanged.connect(self._chosen)
        return box

    def _chosen(self) -> None:
        self._name_terms()
        self.choices_changed.emit()

    def _name_terms(self) -> None:
        help_texts = _TERM_HELP if self.sign("elbo") > 0 else _LOSS_HELP
        for term, box in self._terms.items():
            box.setText(self.name(term))
            box.setToolTip(help_texts[term])

    def _lay_out(self) -> None:
        table = QGridLayout()
        table.setHorizontalSpacing(12)
        table.setVerticalSpacing(0)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        table.addWidget(self._where, 0, 0)
        for column, kind in enumerate(KINDS, start=1):
            table.addWidget(self._kinds[kind], 0, column, right)
            for row, term in enumerate(TERMS, start=1):
                table.addWidget(self._values[kind, term], row, column, right)
        self._table = table
        self._make_room()
        table.setColumnStretch(0, 1)
        for row, term in enumerate(TERMS, start=1):
            table.addWidget(self._terms[term], row, 0)
        axes = QHBoxLayout()
        axes.setSpacing(6)
        for box in (self._x_box, self._y_box, self._log_box):
            axes.addWidget(box)
        axes.addStretch(1)
        column_layout = QVBoxLayout(self)
        column_layout.setContentsMargins(0, 0, 0, 0)
        column_layout.setSpacing(2)
        column_layout.addLayout(table)
        column_layout.addWidget(self._protocol)
        column_layout.addWidget(self._verdict)
        column_layout.addLayout(axes)
        column_layout.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)

    def _apply_theme(self) -> None:
        theme = theme_of(self.palette())
        for term, box in self._terms.items():
            tint(box, getattr(theme, term))
            for kind in KINDS:
                tint(self._values[kind, term], getattr(theme, term))
        for label in (self._where, self._protocol):
            tint(label, theme.muted)
        tint(self._verdict, theme.warning if self._warns else theme.ink)
        for kind, box in self._kinds.items():
            box.setIcon(_line_sample(theme.muted, kind))


def _line_sample(color: str, kind: str) -> QIcon:
    """How the curves of a column are drawn: a thin line, or a thick one with a dot."""
    scale = 3  # finer than the screen's usual pixels
    pixmap = QPixmap(16 * scale, 16 * scale)
    pixmap.setDevicePixelRatio(scale)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(color), 2.0 if kind == "held_out" else 1.0))
    painter.drawLine(QPointF(0, 8), QPointF(16, 8))
    if kind == "held_out":
        painter.setBrush(QColor(color))
        painter.drawEllipse(QPointF(8, 8), 2.0, 2.0)
    painter.end()
    return QIcon(pixmap)
