"""The left column beside the curves: legend, values in words, and what to show how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

from vaeviewer.backend.models.interface import Metric, Metrics
from vaeviewer.ui.curves.curves_item import metric_colors
from vaeviewer.ui.curves.value_axis import LONGEST_NUMBERS, number_label
from vaeviewer.ui.widgets.labels import ElidedLabel, NumberLabel, tint
from vaeviewer.ui.widgets.theme import theme_of

KINDS = ("training", "held_out")
"""The two columns of values."""

_SPACIOUS = 3
"""With more metrics than that their words share a line, so that a low panel holds the table."""

_LOG_HELP = "Logarithmic vertical axis"


class Readout(QWidget):
    """Check boxes that are the legend too, a table of values, and the choices of axes.

    Args:
        metrics: A row for each; one that is drawn nowhere has a name instead of a check box.
        parent: The parent widget.

    Signals:
        choices_changed: The user chose to see something else.
    """

    choices_changed = Signal()

    def __init__(self, metrics: Metrics, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._metrics = metrics
        self._turning = next((metric for metric in metrics if metric.loss_title), None)
        units = dict.fromkeys(metric.unit for metric in metrics)
        self._unit = next(iter(units)) if len(units) == 1 else ""
        self._hidden_elsewhere: tuple[str, ...] = ()  # metrics of other families
        self._warns = False
        self._checks = {
            metric.key: self._check_box(metric.key, metric.title, "") for metric in metrics if metric.plot
        }
        self._names: dict[str, QCheckBox | QLabel] = {
            metric.key: self._checks.get(metric.key) or QLabel(metric.title) for metric in metrics
        }
        self._kinds = {
            "training": self._check_box("training", "Training", ""),
            "held_out": self._check_box("heldOut", "Held-out", "Held-out images, evaluated once per epoch"),
        }
        self._values = {
            (kind, metric.key): NumberLabel(*LONGEST_NUMBERS) for metric in metrics for kind in KINDS
        }
        self._where = QLabel("Now")
        self._where.setObjectName("where")
        self._protocol = ElidedLabel(self._unit)
        self._protocol.setObjectName("protocol")
        self._verdict = ElidedLabel()
        self._verdict.setObjectName("verdict")
        self._x_box = self._choice("xAxis", (("Steps", "steps"), ("Epochs", "epochs")))
        self._x_box.setToolTip("Horizontal axis")
        turning = self._turning or metrics.headline
        self._y_box = self._choice(
            "yAxis", ((f"{turning.title} (rising)", "rising"), (turning.loss_title, "loss"))
        )
        self._y_box.setToolTip(
            f"The {turning.title}, which is maximised, or its negative, which is minimised"
        )
        self._log_box = self._check_box("logAxis", "Log axis", _LOG_HELP)
        self._log_box.setChecked(False)
        self._lay_out()
        self._y_box.setVisible(self._turning is not None)
        self._name_metrics()
        self._apply_theme()

    @property
    def axis(self) -> Literal["steps", "epochs"]:
        """What the horizontal axis counts."""
        return "epochs" if self._x_box.currentData() == "epochs" else "steps"

    @property
    def drawn(self) -> tuple[Metric, ...]:
        """The metrics to draw."""
        return tuple(m for m in self._metrics if m.key in self._checks and self._checks[m.key].isChecked())

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which of training and held-out to draw."""
        return tuple(kind for kind in KINDS if self._kinds[kind].isChecked())

    @property
    def log(self) -> bool:
        """Whether a logarithmic axis is chosen and possible."""
        return self._log_box.isChecked() and self._log_box.isEnabled()

    @property
    def title(self) -> str:
        """What the table and the curves show."""
        if self._turning is None:
            return "Metrics"
        return "Loss terms" if self.sign(self._turning) < 0 else f"{self._turning.title} terms"

    @property
    def loss_choice(self) -> str:
        """What one chooses to see metrics as losses; empty where none can be."""
        return self._turning.loss_title if self._turning is not None else ""

    def sign(self, metric: Metric) -> float:
        """-1.0 for a metric shown as a loss, else 1.0."""
        return -1.0 if metric.loss_title and self._y_box.currentData() == "loss" else 1.0

    def name(self, metric: Metric) -> str:
        """What a metric is called the way it is shown."""
        return metric.loss_title if self.sign(metric) < 0 else metric.title

    def unit(self, metrics: Sequence[Metric]) -> str:
        """What some metrics are measured in, where no unit stands for all of the family's."""
        return "" if self._unit else " / ".join(dict.fromkeys(m.unit for m in metrics if m.unit))

    def options(self) -> dict[str, Any]:
        """The choices as plain values."""
        return {
            "x": self._x_box.currentData(),
            "y": self._y_box.currentData(),
            "log": self._log_box.isChecked(),
            "training": self._kinds["training"].isChecked(),
            "held_out": self._kinds["held_out"].isChecked(),
            "hidden": [
                *self._hidden_elsewhere,
                *(key for key, check in self._checks.items() if not check.isChecked()),
            ],
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
            hidden = options.get("hidden")
            if isinstance(hidden, list):
                for key, check in self._checks.items():
                    check.setChecked(key not in hidden)
                self._hidden_elsewhere = tuple(
                    key for key in hidden if isinstance(key, str) and key not in self._checks
                )
            self._name_metrics()
        self.choices_changed.emit()

    def forbid_log(self, why: str) -> None:
        """Close the box of the logarithmic axis and say why in its tooltip; open it if ``why`` is empty."""
        self._log_box.setEnabled(not why)
        self._log_box.setToolTip(f"{_LOG_HELP}: {why}" if why else _LOG_HELP)

    def set_values(self, kind: str, values: Mapping[str, float] | None) -> None:
        """Write one column, by the key of the metric; ``None`` where there is no row yet."""
        for metric in self._metrics:
            text = "–" if values is None else number_label(self.sign(metric) * values[metric.key], 2)
            self._values[kind, metric.key].setText(text)

    def set_where(self, text: str) -> None:
        """Say where on the horizontal axis the values stand."""
        self._where.setText(text)

    def set_protocol_text(self, text: str) -> None:
        """Say which protocol the numbers belong to."""
        self._protocol.setText(" · ".join(filter(None, (self._unit, text))))

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
        self._name_metrics()
        self.choices_changed.emit()

    def _name_metrics(self) -> None:
        for metric in self._metrics:
            label = self._names[metric.key]
            label.setText(self.name(metric))
            sentence = f"The negative of {metric.title}. " if self.sign(metric) < 0 else ""
            unit = f"\nUnit: {metric.unit}" if metric.unit else ""
            label.setToolTip(sentence + metric.help + unit)

    def _lay_out(self) -> None:
        table = QGridLayout()
        table.setHorizontalSpacing(12)
        table.setVerticalSpacing(0)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        table.addWidget(self._where, 0, 0)
        for column, kind in enumerate(KINDS, start=1):
            table.addWidget(self._kinds[kind], 0, column, right)
            for row, key in enumerate(self._names, start=1):
                table.addWidget(self._values[kind, key], row, column, right)
        self._table = table
        self._make_room()
        table.setColumnStretch(0, 1)
        for row, label in enumerate(self._names.values(), start=1):
            table.addWidget(label, row, 0)
        axes = QHBoxLayout()
        axes.setSpacing(6)
        for box in (self._x_box, self._y_box, self._log_box):
            axes.addWidget(box)
        axes.addStretch(1)
        column_layout = QVBoxLayout(self)
        column_layout.setContentsMargins(0, 0, 0, 0)
        column_layout.setSpacing(2)
        column_layout.addLayout(table)
        words = QHBoxLayout() if len(self._metrics) > _SPACIOUS else QVBoxLayout()
        words.setSpacing(2 if isinstance(words, QVBoxLayout) else 10)
        words.addWidget(self._protocol)
        words.addWidget(self._verdict)
        column_layout.addLayout(words)
        column_layout.addLayout(axes)
        column_layout.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)

    def _apply_theme(self) -> None:
        theme = theme_of(self.palette())
        for key, color in metric_colors(self._metrics, theme).items():
            for label in (self._names[key], *(self._values[kind, key] for kind in KINDS)):
                tint(label, color)
        tint(self._where, theme.muted)
        tint(self._protocol, theme.muted)
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
