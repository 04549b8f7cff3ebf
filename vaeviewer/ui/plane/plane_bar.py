"""Above the plane of more than two latent dimensions: which plane through them it is, and how much that shows."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from vaeviewer.analysis.latent_plane import LatentPlane
from vaeviewer.backend.snapshot import PosteriorTable
from vaeviewer.session.plane_choice import choose_axes, follow_codes, rest_at_centre, shown_share, with_axis
from vaeviewer.ui.panel import Frame, Host
from vaeviewer.ui.plane.axis_names import dimension_name
from vaeviewer.ui.widgets.labels import LiveLabel

PLANE_BAR_SECONDS = 1.0
"""Time between two looks at the codes while training runs: a plane of principal axes turns as often."""

_PRINCIPAL_TIP = (
    "<p>Show the plane in which the codes vary most: their first two principal components. While it trains the plane "
    "turns after them.</p>"
)
_SHARE_TIP = "<p>How much of the variance of all codes this plane shows; what is left lies across it.</p>"
_REST_TIP = (
    "<p>A drag changes only where the handle is in the plane. All else of z stays as it is: as in the image clicked "
    "last, or as typed. This puts it to {centre}.</p>"
)


class PlaneBar(QWidget):
    """Chooses two axes or the principal ones; hidden where the plane is all there is.

    Args:
        host: The window.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("planeBar")
        self.setAccessibleName("Axes of the plane")
        self._host = host
        self._known: tuple[PosteriorTable | None, LatentPlane | None] = (None, None)
        self._across, self._up = _axis_box("planeAcross", "Horizontal"), _axis_box("planeUp", "Vertical")
        self._principal = QToolButton()
        self._principal.setObjectName("planePrincipal")
        self._principal.setText("Principal axes")
        self._principal.setCheckable(True)
        self._principal.setToolTip(_PRINCIPAL_TIP)
        self._share = LiveLabel(shrinks=True)
        self._share.setObjectName("planeShare")
        self._share.setAccessibleName("Share of the variance shown")
        self._share.setToolTip(_SHARE_TIP)
        self._share.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._rest = QToolButton()
        self._rest.setObjectName("planeRest")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 3, 8, 3)
        for name, box in (("→", self._across), ("↑", self._up)):
            label = QLabel(name)
            label.setBuddy(box)
            layout.addWidget(label)
            layout.addWidget(box)
        layout.addWidget(self._principal)
        layout.addWidget(self._share, 1)
        layout.addWidget(self._rest)
        self._across.activated.connect(lambda: self._choose(self._across))
        self._up.activated.connect(lambda: self._choose(self._up))
        self._principal.toggled.connect(self._choose_principal)
        self._rest.clicked.connect(self._rest_at_centre)
        self.hide()

    def refresh(self) -> None:
        """Show which plane it is now; one of principal axes turns after the codes."""
        frame = self._host.frame()
        snapshot = frame.snapshot
        if snapshot is None or snapshot.model.latent_dim <= 2:
            self.hide()
            return
        plane = frame.view.plane_of(snapshot.model.latent_dim)
        if self._known[0] is not snapshot.posterior:
            changes = follow_codes(frame.view, snapshot)
            if changes:
                self._host.set_view(**changes)
                frame = self._host.frame()
                plane = frame.view.plane_of(snapshot.model.latent_dim)
        if self._known[0] is not snapshot.posterior or not _parallel(self._known[1], plane):
            share = shown_share(frame.view, snapshot)
            self._share.setText("" if share is None else f"{share_text(share)} of the variance")
        self._known = snapshot.posterior, plane
        self._show_choice(frame, snapshot.model.latent_dim)
        self.show()

    def _show_choice(self, frame: Frame, latent_dim: int) -> None:
        axes = frame.view.axes
        for box, number in ((self._across, 0), (self._up, 1)):
            with QSignalBlocker(box):
                if box.count() != latent_dim:
                    box.clear()
                    box.addItems([dimension_name(dimension) for dimension in range(latent_dim)])
                box.setCurrentIndex(-1 if axes is None else axes[number])
        with QSignalBlocker(self._principal):
            self._principal.setChecked(axes is None)
        assert frame.snapshot is not None, "else the bar is hidden"
        self._principal.setEnabled(frame.snapshot.posterior is not None)
        self._rest.setText("Rest to 0" if axes is not None else "Rest to the mean")
        self._rest.setToolTip(_REST_TIP.format(centre="0" if axes is not None else "the mean of all codes"))

    def _choose(self, box: QComboBox) -> None:
        self._take(with_axis(self._host.frame().view.axes, box.currentIndex(), box is self._up))

    def _choose_principal(self, on: bool) -> None:
        self._take(None if on else (0, 1))

    def _take(self, axes: tuple[int, int] | None) -> None:
        frame = self._host.frame()
        if frame.snapshot is not None:
            self._host.set_view(**choose_axes(frame.view, frame.snapshot, axes))

    def _rest_at_centre(self) -> None:
        frame = self._host.frame()
        if frame.snapshot is not None:
            changes: dict[str, Any] = rest_at_centre(frame.view, frame.snapshot)
            self._host.set_view(z=frame.view.z, **changes)


def share_text(share: float) -> str:
    """A share in 0 … 1, such as ``"24 %"``; small ones with a decimal."""
    return f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:.0f} %"


def _parallel(before: LatentPlane | None, plane: LatentPlane) -> bool:
    return before is not None and before.parallel_to(plane)


def _axis_box(name: str, way: str) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setAccessibleName(f"{way} axis")
    box.setToolTip(f"<p>The number of z that the {way.lower()} axis shows.</p>")
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(4)
    box.setPlaceholderText("–")
    box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return box
