"""ReconstructionPanel: images above their reconstructions, and the selected image with its posterior."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QPalette, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from vaeviewer.backend.asked import Classes
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot, as_grey_levels
from vaeviewer.session.grid_decoder import Ask, at_once
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.images.pair_grid import Images, PairGrid
from vaeviewer.ui.images.selected_image import Codes, SelectedImage

_NO_ENCODER = "Held-out images (no encoder)"
_NONE_HELD_OUT = "No images are held out"


class ReconstructionPanel(QWidget):
    """Held-out images above their reconstructions; below, the selected image with its own.

    A reconstruction is the decoder's mean image at the posterior mean.

    Signals:
        examples_requested: The user wants to see other held-out images.
    """

    examples_requested = Signal()

    def __init__(self, ask: Ask = at_once, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ask = ask
        self.setObjectName("reconstructions")
        self.setAccessibleName("Reconstructions")
        self._snapshot: Snapshot | None = None
        self._dataset: ImageDataset | None = None
        self._view = ViewState()
        self._drawn: tuple[Snapshot | None, ImageDataset | None, ViewState] | None = None
        self._examples: Images | None = None
        self._classes: Classes | None = None  # of these

        self._heading = heading = QLabel("Held-out images")
        heading.setForegroundRole(QPalette.ColorRole.PlaceholderText)  # the theme's muted ink
        self._button = QPushButton("Other examples")
        self._button.setObjectName("examplesButton")
        self._button.setToolTip("Show other held-out images, drawn at random.")
        self._button.clicked.connect(self.examples_requested)
        top = QHBoxLayout()
        top.addWidget(heading, 1)
        top.addWidget(self._button)

        self._pairs = PairGrid()
        self._pairs.setObjectName("pairs")
        self._pairs.more_fit.connect(self._reconstruct_more)
        self._selected = SelectedImage()
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        line.setForegroundRole(QPalette.ColorRole.Mid)  # the theme's border
        line.setFrameShadow(QFrame.Shadow.Plain)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(self._pairs, 1)
        layout.addWidget(line)
        layout.addWidget(self._selected)

    def update_frame(self, snapshot: Snapshot | None, dataset: ImageDataset | None, view: ViewState) -> None:
        """Reconstruct what changed; while hidden, only remember the arguments.

        Uses rows ``view.examples`` and ``view.held_out`` of ``dataset.held_out_images`` and row ``view.selected`` of
        ``dataset.train_images``. A Snapshot for images of another shape counts as none.
        """
        if snapshot is not None and dataset is not None and snapshot.image_shape != dataset.image_shape:
            snapshot = None
        self._snapshot, self._dataset, self._view = snapshot, dataset, view
        if self.isVisible():
            self._draw()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self._draw()

    def _draw(self) -> None:
        snapshot, dataset, view = self._snapshot, self._dataset, self._view
        last, self._drawn = self._drawn, (snapshot, dataset, view)
        # By identity: comparing whole arrays would cost more than drawing them.
        same = last is not None and last[0] is snapshot and last[1] is dataset
        seen = last[2] if last is not None and same else None
        if last is None or last[1] is not dataset or last[2].examples != view.examples:
            self._choose_examples()
        encodes = snapshot is None or snapshot.family.capabilities.encodes
        none_held_out = dataset is not None and not len(dataset.held_out_images)
        self._heading.setText(
            _NO_ENCODER if not encodes else _NONE_HELD_OUT if none_held_out else "Held-out images"
        )
        if seen is None or seen.examples != view.examples:
            self._reconstruct()
        if seen is None or (seen.selected, seen.held_out) != (view.selected, view.held_out):
            self._draw_selected()

    def _choose_examples(self) -> None:
        dataset = self._dataset
        self._button.setEnabled(dataset is not None and len(dataset.held_out_images) > 0)
        if dataset is None:
            self._examples = None
        else:
            rows = [row for row in self._view.examples if 0 <= row < len(dataset.held_out_images)]
            self._examples, self._classes = dataset.held_out_images[rows], dataset.held_out_labels[rows]
        self._pairs.set_images(self._examples)

    def _reconstruct(self) -> None:
        """Show the reconstructions of as many examples as fit."""
        if self._snapshot is None or self._examples is None or not self._pairs.fitting:
            self._pairs.set_reconstructions(None)
            return
        images, classes = self._examples[: self._pairs.fitting], self._classes
        y = None if classes is None else classes[: len(images)]

        def show(found: tuple[Images, Codes] | None) -> None:
            self._pairs.set_reconstructions(None if found is None else found[0])
            if found is not None:
                self._pairs.set_place("their codes z" if found[1][1] is None else "the mean of q(z|x)")

        self._ask("examples", self._snapshot, lambda snapshot: _reconstructed(snapshot, images, y), show)

    def _reconstruct_more(self) -> None:
        """There is room for more: a panel on its way back on screen shows what it was last given, first."""
        if self.isVisible():
            self._draw()
            self._reconstruct()

    def _draw_selected(self) -> None:
        dataset, view = self._dataset, self._view
        if dataset is None:
            self._selected.clear()
            return
        title, row, images, labels = (
            ("training image", view.selected, dataset.train_images, dataset.train_labels)
            if view.held_out is None
            else ("held-out image", view.held_out, dataset.held_out_images, dataset.held_out_labels)
        )
        if row is None or not 0 <= row < len(images):
            self._selected.clear()
            return
        image, y, title = images[row], labels[row : row + 1], f"{title} {row:,}"
        if dataset.labelled:
            title = f"class {dataset.class_names[labels[row]]}, {title}"
        title = title[0].upper() + title[1:]
        if self._snapshot is None:
            self._selected.show_image(title, image)
            return

        def show(found: tuple[Images, Codes] | None) -> None:
            if (self._view.selected, self._view.held_out) != (view.selected, view.held_out):
                return  # another one was selected meanwhile
            drawn, codes = (None, None) if found is None else found
            self._selected.show_image(title, image, codes, None if drawn is None else drawn[0])

        self._ask("selected", self._snapshot, lambda snapshot: _reconstructed(snapshot, image[None], y), show)


def _reconstructed(snapshot: Snapshot, images: Images, y: Classes | None) -> tuple[Images, Codes] | None:
    """The reconstructions of some images of classes ``y`` and their codes; ``None`` where there is no encoder."""
    codes = snapshot.encode(images, y)
    return None if codes is None else (as_grey_levels(snapshot.decode(codes[0], y)), codes)
