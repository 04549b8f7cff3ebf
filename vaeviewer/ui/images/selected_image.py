"""The selected image, its approximate posterior and its reconstruction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QStackedLayout, QWidget

from vaeviewer.ui.images.decoded_image_view import number_text, tabular
from vaeviewer.ui.images.image_widget import ImageWidget
from vaeviewer.ui.images.symbols import Symbol

Image = NDArray[np.uint8]
Codes = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""As ``Snapshot.encode`` gives them."""

_POSTERIOR_TIP = (
    "The approximate posterior that the encoder gives this image,\n"
    "q(z|x) = N(loc, diag(scale²)): loc ± scale of each coordinate."
)
_CODE_TIP = "The code z that the encoder gives this image: one point."


class SelectedImage(QWidget):
    """Reads as the model does: x, q(z|x), x̂; or a hint how to select an image."""

    def __init__(self) -> None:
        super().__init__()
        hint = QLabel("Click a point in the plane to see its image here.")
        hint.setObjectName("selectionHint")
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        hint.setWordWrap(True)
        hint.setForegroundRole(QPalette.ColorRole.PlaceholderText)

        self._title = QLabel()
        self._title.setObjectName("selectedTitle")
        self._title.setTextFormat(Qt.TextFormat.PlainText)  # class names come from folders: never markup
        self._title.setAccessibleName("Selected image")
        self._image = ImageWidget()
        self._image.setToolTip("x: the selected image.")
        self._image.setAccessibleName("Selected image x")
        self._posterior = QLabel()
        self._posterior.setObjectName("selectedPosterior")
        self._posterior.setAccessibleName("Posterior of the selected image")
        self._posterior.setFont(tabular(self.font()))
        self._posterior.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._posterior.setWordWrap(True)  # between two numbers that are longer than usual
        self._decoded = ImageWidget()
        self._decoded.setAccessibleName("Reconstruction of the selected image")
        page = QWidget()
        grid = QGridLayout(page)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self._title, 0, 0, 1, 3)
        grid.addWidget(self._image, 1, 0)
        grid.addWidget(self._posterior, 1, 1)
        grid.addWidget(self._decoded, 1, 2)
        grid.addWidget(Symbol(hat=False), 2, 0)
        grid.addWidget(Symbol(hat=True), 2, 2)
        for widget in (self._image, self._decoded):
            widget.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self._size_images()
        self._pages = QStackedLayout(self)
        self._pages.addWidget(hint)
        self._pages.addWidget(page)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the images their share of the width."""
        super().resizeEvent(event)
        self._size_images()

    def _size_images(self) -> None:
        # A 28-pixel image enlarged, and its border; the third pixel keeps a factor of three at 150 % scaling.
        side = 28 * max(2, min(4, self.width() // 130)) + 3
        for widget in (self._image, self._decoded):
            # No minimum, which would keep the panel from becoming narrow again.
            widget.setMaximumSize(side, side)

    def clear(self) -> None:
        """Show the hint."""
        for label in (self._title, self._posterior):
            label.clear()  # or the page behind would go on taking their room
        self._pages.setCurrentIndex(0)

    def show_image(
        self, title: str, image: Image, codes: Codes | None = None, decoded: Image | None = None
    ) -> None:
        """Show an image, and what the model makes of it, if anything."""
        self._title.setText(title)
        self._image.set_image(image)
        loc, scale = (None, None) if codes is None else codes
        self._posterior.setText(
            "" if loc is None else posterior_text(loc[0], None if scale is None else scale[0])
        )
        of_points = loc is not None and scale is None
        self._posterior.setToolTip(_CODE_TIP if of_points else _POSTERIOR_TIP)
        self._posterior.setAccessibleName(f"{'Code' if of_points else 'Posterior'} of the selected image")
        place = "its code z" if of_points else "the posterior mean, z = loc"
        self._decoded.setToolTip(f"The reconstruction: the decoder's mean image at {place}.")
        self._decoded.set_image(decoded)
        self._pages.setCurrentIndex(1)


def posterior_text(loc: NDArray[np.float32], scale: NDArray[np.float32] | None) -> str:
    """q(z|x) in words, a line per coordinate such as "z₁ = 0.46 ± 0.05"; of many, the first two."""
    lines = ["q(z|x)" if scale is not None else "z"]
    for i in range(min(len(loc), 2)):
        mean = number_text(float(loc[i])).replace(" ", "\u00a0")
        spread = ""
        if scale is not None:
            deviation = number_text(float(scale[i])).replace(" ", "\u00a0")
            spread = f" ±\u00a0{deviation}"
        lines.append(f"z{'₁₂'[i]} = {mean}{spread}")
    if len(loc) > 2:
        lines.append(f"and {len(loc) - 2} more")
    return "\n".join(lines)
