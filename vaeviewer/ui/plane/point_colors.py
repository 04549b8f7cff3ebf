"""Decides which colour each point has, and says beside the plane what colours stand for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QWidget

from vaeviewer.analysis.generated import Generated
from vaeviewer.analysis.ledger import Ledger
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.interface import Metric
from vaeviewer.backend.models.registry import AnyFamily
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.image_metrics import ImageMetrics
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.plane.color_choice import NO_LABELS, Choice, choices, chosen
from vaeviewer.ui.plane.color_column import ColorColumn
from vaeviewer.ui.plane.color_scale import density, number_text, palette, scale_of, steps_of
from vaeviewer.ui.plane.latent_points import PlanePoints
from vaeviewer.ui.plane.raster.point_raster import PointRaster
from vaeviewer.ui.widgets.theme import class_colors

_AREA, _LENGTH = "images per unit of area", "images per unit of z"


class PointColors(QObject):
    """Colours the points by class, density, a column, or a metric of each image.

    Args:
        plane: Its parent; while that is hidden nothing is computed.
        points: Where they lie.
        raster: Paints them.
        decoder: Where metrics are computed; without it there are none.

    Attributes:
        column: The choice with the legend or the scale.

    Signals:
        recolored: The points are to be painted again.
        chosen(str, bool): The user wants them coloured by this key; whether the same classes can stay hidden.
    """

    recolored = Signal()
    chosen = Signal(str, bool)

    def __init__(
        self, plane: QWidget, points: PlanePoints, raster: PointRaster, decoder: GridDecoder | None = None
    ) -> None:
        super().__init__(plane)
        self._plane, self._points, self._raster = plane, points, raster
        self._dataset: ImageDataset | None = None
        self._family: AnyFamily | None = None
        self._choices: tuple[Choice, ...] = ()
        self._choice = Choice("density")
        self._dark = False
        self._due = False  # the points moved while the plane was hidden
        self._values: NDArray[np.float32] | None = None
        self._ledger: Ledger | None = None
        self._more: tuple[Metric, ...] = ()
        self._metrics = None if decoder is None else ImageMetrics(decoder, self)
        if self._metrics is not None:
            self._metrics.changed.connect(self._metrics_changed)
        plane.installEventFilter(self)
        self.column = ColorColumn(plane)
        self.column.chosen.connect(self._on_chosen)

    def set_dataset(self, dataset: ImageDataset | None) -> None:
        """Colour the points of other images in the usual way."""
        self._dataset, self._family, self._values = dataset, None, None
        if self._metrics is not None:
            self._metrics.set_dataset(dataset)
        if dataset is None:
            self.column.hide()
            self._raster.set_classes(np.zeros(0, np.int64), class_colors(1))
            return
        self._offer(None)
        self._choice = self._choices[0]
        self._group()
        self._show()
        self.column.show()

    def take_generated(self, generated: Generated) -> ImageDataset:
        """Generated images are the points now; returns them in the form of a data set of the same classes."""
        assert self._dataset is not None, "there are images whose like is generated"
        self._dataset = replace(
            self._dataset,
            train_images=generated.images,
            train_labels=generated.classes,
            train_files=(),
            columns=(),
        )
        names = self._dataset.class_names
        self._points.set_groups(generated.classes, names)
        self._points.take_generated(generated.table)
        self._raster.set_classes(generated.classes, class_colors(max(1, len(names))))
        self.column.legend.set_counts(generated.classes)
        if self._choice.continuous:
            self._recolor()
        return self._dataset

    def choose(self, snapshot: Snapshot | None, view: ViewState, ledger: Ledger | None = None) -> bool:
        """Colour the points as the user wants to; returns whether they are parted into other groups than before.

        Numbers that a ledger has of this very model are taken from there.
        """
        if self._dataset is None:
            return False
        before, more = self._choice, () if ledger is None else ledger.more
        offered_anew = more != self._more or (snapshot is not None and snapshot.family is not self._family)
        self._more = more
        if offered_anew:
            self._offer(self._family if snapshot is None else snapshot.family)
        if ledger is not self._ledger:
            self._ledger = ledger
            self._metrics_changed()
        if offered_anew:
            self.column.show_choice(self._choice)
        choice = chosen(self._choices, view.color_by)
        regrouped = choice.key != before.key and _words(choice) != _words(before)
        if choice.key != before.key:
            self._choice = choice
            if regrouped:
                self._group()
            if self._metrics is not None and choice.kind != "metric":
                self._metrics.stop()
            self._show()
        in_ledger = ledger is not None and snapshot is not None and ledger.step == snapshot.step
        if choice.kind == "metric" and snapshot is not None and self._plane.isVisible() and not in_ledger:
            assert self._metrics is not None, "else no metric is offered"
            self._metrics.want(snapshot)
        return regrouped

    def points_moved(self) -> None:
        """They lie elsewhere now, and perhaps denser."""
        if self._choice.kind == "density":
            self._due = not self._plane.isVisible()
            if not self._due:
                self._recolor()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Compute nothing while nobody sees the plane, and catch up afterwards."""
        if watched is self._plane and event.type() == QEvent.Type.Show:
            if self._due:
                self._due = False
                self._recolor()
            if self._metrics is not None:
                self._metrics.resume()
        elif watched is self._plane and event.type() == QEvent.Type.Hide and self._metrics is not None:
            self._metrics.pause()
        return False

    def hide(self, hidden: frozenset[int]) -> None:
        """Show beside the plane which classes are hidden."""
        self.column.legend.set_hidden(hidden)
        names = self._dataset.class_names if self._dataset is not None else ()
        self.column.scale.show_hidden(len(hidden), len(names))

    def set_dark(self, dark: bool) -> None:
        """Take the palette of a scheme."""
        if dark != self._dark:
            self._dark = dark
            if self._choice.continuous and self._dataset is not None:
                self._recolor()

    def value_text(self, row: int) -> str:
        """What an image's colour stands for, where that is not its class: "KL 7.3 nats per image"."""
        choice = self._choice
        if choice.column is not None and choice.column.words:
            return f"{choice.title}: {choice.column.words[choice.column.values[row]]}"
        if not choice.continuous or self._values is None or row >= len(self._values):
            return ""
        value = float(self._values[row])
        number = number_text(value) if np.isfinite(value) else "no value"
        return f"{choice.title} {number} {self._unit() if np.isfinite(value) else ''}".strip()

    def _offer(self, family: AnyFamily | None) -> None:
        assert self._dataset is not None, "there are images to colour"
        self._family = family
        self._choices = choices(self._dataset, family if self._metrics is not None else None, self._more)
        self.column.set_choices(self._choices)

    def _on_chosen(self, key: str) -> None:
        choice = chosen(self._choices, key)
        self.chosen.emit(key, _words(choice) == _words(self._choice))

    def _group(self) -> None:
        """Part the points by class, or by the words of a column."""
        assert self._dataset is not None, "there are images to colour"
        labels, names = self._dataset.train_labels, self._dataset.class_names
        column = self._choice.column
        if column is not None and column.words:
            labels, names = column.values.astype(np.int64), column.words
        self._points.set_groups(labels, names)
        colors = class_colors(max(1, len(names)))
        self._raster.set_classes(labels, colors)
        self.column.legend.set_classes(names, colors[: len(names)], labels)

    def _show(self) -> None:
        self.column.show_choice(self._choice)
        if self._choice.continuous:
            self._recolor()
        else:
            self._values = None
            self._raster.recolor_by_class()
            self.recolored.emit()

    def _recolor(self) -> None:
        """Colour by numbers."""
        self._values, notes = self._numbers()
        scale = None if self._values is None else scale_of(self._values)
        colors = palette(self._dark)
        count = len(self._dataset.train_labels) if self._dataset is not None else 0
        values = self._values if self._values is not None else np.full(count, np.nan, np.float32)
        if len(values) == count:
            self._raster.recolor(steps_of(values, scale), colors)
        self.column.scale.show_scale(scale, colors[:-1], self._unit(), notes)
        self.recolored.emit()

    def _numbers(self) -> tuple[NDArray[np.float32] | None, tuple[str, ...]]:
        """A number for each image, and what is to be said of them."""
        choice = self._choice
        notes: tuple[str, ...] = ()
        if choice.kind == "density":
            if self._dataset is not None and not self._dataset.labelled:
                notes = (NO_LABELS,)
            positions = self._points.positions
            return (None if positions is None else density(positions, self._points.line)), notes
        if choice.column is not None:
            return choice.column.values.astype(np.float32), notes
        ledger = self._ledger
        if choice.kind == "ledger":
            if ledger is None or choice.name not in ledger.values:
                return None, ("The ledger computes these, while it is open.",)
            return ledger.values[choice.name][: ledger.trained], (f"of step {ledger.step:,}",)
        metrics = self._metrics
        assert metrics is not None, "else no metric is offered"
        known, step = None if metrics.values is None else metrics.values.get(choice.name), metrics.step
        if ledger is not None and choice.name in ledger.values and (known is None or ledger.step >= step):
            known, step = ledger.values[choice.name][: ledger.trained], ledger.step
        if metrics.share is not None:
            notes = (f"Computing… {100 * metrics.share:.0f}\u00a0%",)
        if known is not None:
            notes = (f"of step {step:,}", *notes)
        return known, notes

    def _unit(self) -> str:
        if self._choice.kind == "density":
            return _LENGTH if self._points.line else _AREA
        return self._choice.unit

    def _metrics_changed(self) -> None:
        if self._choice.kind in ("metric", "ledger"):
            self._recolor()


def _words(choice: Choice) -> str:
    """Which column's words part the points, or none's: their classes do."""
    return choice.name if choice.column is not None and choice.column.words else ""
