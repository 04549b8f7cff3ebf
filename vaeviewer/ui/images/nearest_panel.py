"""The nearest images: real ones near the handle, in z and in pixels, and whether the decoder was ever trained there."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QHideEvent, QPalette, QShowEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from vaeviewer.analysis.nearest import Found, Reach
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.session.nearest_images import NearestImages
from vaeviewer.ui.curves.value_axis import number_label
from vaeviewer.ui.images.image_strip import ImageStrip, Shown
from vaeviewer.ui.panel import Frame, Host
from vaeviewer.ui.plane.color_scale import number_text
from vaeviewer.ui.plane.selection import go_to_trained
from vaeviewer.ui.widgets.labels import ElidedLabel, tint
from vaeviewer.ui.widgets.theme import theme_of

_IN_Z = "Training images whose codes are nearest to the handle, with the distance. Click one to select it."
_IN_PIXELS = (
    "Training images that look most like the decoded one, with the distance of the pixels, each 0 … 1: "
    "√Σ(x − g(z))². Click one to select it."
)


class NearestPanel(QWidget):
    """Two rows of images and a sentence, while the handle moves. Nothing is looked for while it is hidden.

    Args:
        host: The window.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("nearest")
        self.setAccessibleName("Nearest images")
        self._host = host
        self._dataset: ImageDataset | None = None
        self.nearest = NearestImages(host.decoder, self)
        self.nearest.found.connect(self._show)
        host.decoder.forgotten.connect(self._show)
        self.verdict, self.distance = ElidedLabel(), ElidedLabel()
        self.verdict.setAccessibleName("Whether data lie at the handle")
        self.distance.setAccessibleName("Distance to the data")
        self.distance.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.in_codes, self.in_pixels = (ImageStrip("Nearest in z"), ImageStrip("Nearest in pixels"))
        self._code_title = _title("In z", _IN_Z)
        rows = QGridLayout()
        rows.setSpacing(6)
        rows.addWidget(self._code_title, 0, 0)
        rows.addWidget(self.in_codes, 0, 1)
        rows.addWidget(_title("In pixels", _IN_PIXELS), 1, 0)
        rows.addWidget(self.in_pixels, 1, 1)
        rows.setColumnStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 8)
        layout.setSpacing(3)
        layout.addWidget(self.verdict)
        layout.addWidget(self.distance)
        layout.addLayout(rows, 1)
        for strip in (self.in_codes, self.in_pixels):
            strip.chosen.connect(lambda row: go_to_trained(host, row))

    def update_frame(self, frame: Frame) -> None:
        """Look for those near the handle."""
        self._dataset = frame.dataset
        snapshot, dataset = frame.snapshot, frame.dataset
        if self.isVisible() and snapshot is not None and dataset is not None:
            self.nearest.follow(snapshot, dataset, frame.view.code(snapshot.model.latent_dim), frame.view.y)

    def showEvent(self, event: QShowEvent) -> None:
        """Look for what was not looked for while hidden."""
        super().showEvent(event)
        self.nearest.resume()
        self.update_frame(self._host.frame())

    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody sees them."""
        super().hideEvent(event)
        self.nearest.pause()

    def changeEvent(self, event: Any) -> None:
        """Take the colours of another scheme."""
        super().changeEvent(event)
        if event.type() == event.Type.PaletteChange:
            self._show()

    def sizeHint(self) -> QSize:
        """Two rows of four images."""
        return QSize(300, 210)

    def _show(self) -> None:
        found, dataset = self.nearest.found_there, self._dataset
        if found is None or dataset is None:
            for strip in (self.in_codes, self.in_pixels):
                strip.show_images(())
            self.verdict.clear()
            self.distance.clear()
            return
        has_codes = found.in_codes is not None
        self._code_title.setVisible(has_codes)
        self.in_codes.setVisible(has_codes)
        if found.in_codes is not None:
            self.in_codes.show_images(_shown(dataset, found.in_codes))
        self.in_pixels.show_images(_shown(dataset, found.in_pixels))
        reach, theme = found.reach, theme_of(self.palette())
        verdict, *shorter = _verdict(reach) if reach is not None else ("",)
        tint(self.verdict, theme.warning if reach is not None and reach.extrapolates else theme.ink)
        self.verdict.setText(verdict, *shorter)
        self.distance.setText(*(_distances(reach) if reach is not None else ("",)))


def _verdict(reach: Reach) -> tuple[str, ...]:
    """Whether training decodes there, and shorter ways to say so."""
    if reach.extrapolates:
        return (
            "Far from all images: here the decoder extrapolates",
            "Here the decoder extrapolates",
            "Extrapolates",
        )
    return "Images lie here: training decodes such z", "Images lie here"


def _distances(reach: Reach) -> tuple[str, ...]:
    """How far the nearest code is, beside how far codes are from each other."""
    usual, distance = _short(reach.spacing.median), _short(reach.distance)
    middle = f"Nearest code {distance} away; codes are mostly {usual} apart"
    long = middle
    if reach.deviations is not None:
        deviations = "0" if reach.deviations < 0.05 else number_label(reach.deviations, 1)
        long += f"; {deviations} σ from a posterior"
    return long, middle, f"Nearest code {distance} away", f"{distance} away"


def _short(distance: float) -> str:
    """As below the images, but two digits at least where it is small."""
    return f"{distance:.2f}" if distance >= 1 else number_text(float(f"{distance:.2g}"))


def _shown(dataset: ImageDataset, found: Found) -> list[Shown]:
    images = []
    for row, distance in zip(found.rows.tolist(), found.distances.tolist(), strict=True):
        label = f", class {dataset.class_names[dataset.train_labels[row]]}" if dataset.labelled else ""
        text = number_label(distance, 3 if distance < 1 else 2)
        images.append(
            Shown(row, dataset.train_images[row], text, f"Training image {row:,}{label}: {text} away")
        )
    return images


def _title(text: str, tip: str) -> QLabel:
    label = QLabel(text)
    label.setToolTip(f"<p>{tip}</p>")
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
    return label
