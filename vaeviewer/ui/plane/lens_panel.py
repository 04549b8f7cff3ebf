"""The posterior lens: p(z|x) of one image beside q(z|x), what that costs in nats, and a chain that samples from it."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QHideEvent, QPalette, QShowEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from vaeviewer.analysis.lens import Asked, Lens
from vaeviewer.backend.config import pixels_text
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.counts import counted
from vaeviewer.session.lens_follower import LensFollower
from vaeviewer.session.sampler import ChainState, Sampler
from vaeviewer.ui.curves.value_axis import number_label
from vaeviewer.ui.images.decoded_image_view import tabular
from vaeviewer.ui.panel import Frame, Host
from vaeviewer.ui.plane.lens_map import LensMap
from vaeviewer.ui.plane.lens_picture import Scene
from vaeviewer.ui.widgets.labels import LiveLabel

NO_MODEL = "Train, then select a point: here stands where in the plane its image may come from."
OTHER_DIMENSIONS = (
    "The lens is for two latent dimensions, where all of p(z|x) can be seen and integrated. This model has {count}: "
    "choose 2 in Settings."
)
_MAP_TIP = (
    "<p>The shades are p(z|x), relative to its highest value; ✕ marks its modes. The ellipses are the encoder's q(z|x) "
    "at 1, 2 and 3 standard deviations. The blue line is its way to the best Gaussian for this image, the blue ellipse "
    "that one at 1 standard deviation. Green is the chain of Hamiltonian Monte Carlo: dots are samples, the line is "
    "its last trajectory, dotted where the proposal was refused.</p>"
)
_CHAIN_TIP = (
    "<p>Acceptance: the share of trajectories whose end was accepted. ESS, the effective sample size: so many "
    "independent samples would tell as much of the mean; more than there are samples where the chain tends to change "
    "sides.</p>"
)


class LensPanel(QWidget):
    """A map at the posterior's own scale, numbers, and buttons for the chain.

    It looks at an image of the user's own, else at the selected one, else at the image decoded at the handle.

    Args:
        host: The window.

    Signals:
        scene_changed: A ``Scene`` to draw in the latent plane, or ``None``.
    """

    scene_changed = Signal(object)

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("lens")
        self.setAccessibleName("Posterior lens")
        self._host = host
        self._key: tuple[object, ...] | None = None
        self._own: object = None  # keeps an array's id its own
        self._chosen = False  # it is one of the data's images, not one that moves on under the hand
        self.follower = LensFollower(host.decoder, self)
        self.sampler = Sampler(host.decoder, self)
        self._title, self._sum, self._gaps, self._unit, self._hmc = (
            LiveLabel(shrinks=True) for _ in range(5)
        )
        for label, name in ((self._sum, "lensSum"), (self._gaps, "lensGaps"), (self._hmc, "lensChain")):
            label.setObjectName(name)
            label.setFont(tabular(self.font()))
        self._title.setObjectName("lensTitle")
        self._hmc.setToolTip(_CHAIN_TIP)
        self._unit.setObjectName("lensUnit")
        self._unit.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.map = LensMap()
        self.map.setToolTip(_MAP_TIP)
        self._in_plane = QCheckBox("In the plane")
        self._in_plane.setObjectName("lensInPlane")
        self._in_plane.setToolTip("<p>Draw the same in the latent plane: the map beneath the points.</p>")
        self._in_plane.setChecked(True)
        self._in_plane.toggled.connect(self._show)
        self._run = QPushButton("Run HMC")
        self._run.setObjectName("lensRun")
        self._run.setToolTip(
            "<p>Sample from p(z|x) by Hamiltonian Monte Carlo. The lens stays with this model meanwhile.</p>"
        )
        self._run.clicked.connect(self._run_chain)
        self._step = QPushButton("Step")
        self._step.setObjectName("lensStep")
        self._step.setToolTip(
            "<p>One transition of the chain: a trajectory, and whether its end is accepted.</p>"
        )
        self._step.clicked.connect(self._step_chain)
        self._clear = QPushButton("Clear")
        self._clear.setObjectName("lensClear")
        self._clear.setToolTip("<p>Take the chain away, and follow training again.</p>")
        self._clear.clicked.connect(self._clear_chain)
        top, row = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self._title, 1)
        top.addWidget(self._in_plane)
        for button in (self._run, self._step, self._clear):
            button.setMinimumWidth(40)
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 8)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.map, 1)
        for label in (self._sum, self._gaps, self._unit, self._hmc):
            layout.addWidget(label)
        layout.addLayout(row)
        self.follower.changed.connect(self._show)
        self.sampler.changed.connect(self._show)
        host.decoder.forgotten.connect(self._forget)
        self._hint = NO_MODEL
        self._show()

    def update_frame(self, frame: Frame) -> None:
        """Look at what is to be seen now; while hidden, at nothing."""
        if not self.isVisible():
            return
        snapshot = frame.snapshot
        usable = snapshot is not None and snapshot.model.latent_dim == 2
        if snapshot is None or not usable:
            count = 0 if snapshot is None else snapshot.model.latent_dim
            self._hint = OTHER_DIMENSIONS.format(count=count) if count else NO_MODEL
            self._title.clear()
            if self._key is not None:
                self._forget()
                self.follower.forget()
            self._show()
            return
        key, title, asked = _asked(frame, snapshot)
        if key != self._key:
            self._key, self._own = key, asked.image
            self._chosen = key[0] == "row" or frame.view.held_out is not None
            self._title.setText(*title)
            self.sampler.forget()
        self.follower.held = self.sampler.begun
        self.follower.look(key, asked, snapshot)
        if self._is_awaited():
            self._show()

    def showEvent(self, event: QShowEvent) -> None:
        """Look again."""
        super().showEvent(event)
        self.update_frame(self._host.frame())
        self._show()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody looks; the plane shows nothing of it."""
        super().hideEvent(event)
        self.sampler.set_running(False)
        self.follower.stop()
        self._show()

    def _forget(self) -> None:
        """Another model, or other images, are there."""
        self._key, self._chosen = None, False
        self.sampler.forget()

    def _begun(self) -> bool:
        """Whether there is a chain, beginning one where there can be."""
        lens, asked, snapshot = self.follower.lens, self.follower.asked, self.follower.snapshot
        if self.sampler.begun:
            return True
        if lens is None or asked is None or snapshot is None or lens.covariance is None:
            return False
        if not self.follower.current:
            return False
        start = lens.modes[0] if lens.q is None else lens.q.loc
        self.sampler.begin(snapshot, asked, start, np.sqrt(np.diag(lens.covariance)))
        self.follower.hold()
        return True

    def _run_chain(self) -> None:
        self.sampler.set_running(not self.sampler.running and self._begun())

    def _step_chain(self) -> None:
        self.sampler.set_running(False)
        if self._begun():
            self.sampler.step()

    def _clear_chain(self) -> None:
        self.sampler.forget()
        self.update_frame(self._host.frame())

    def _is_awaited(self) -> bool:
        """Whether what is known is of another image than the one chosen: not to stand beneath its name."""
        return self._chosen and not self.follower.current

    def _show(self) -> None:
        follower = self.follower
        lens = None if self._is_awaited() else follower.lens
        self._run.setText("Stop HMC" if self.sampler.running else "Run HMC")
        ready = lens is not None and lens.log_px is not None and follower.current
        for button in (self._run, self._step):
            button.setEnabled(ready)
        self._clear.setEnabled(self.sampler.begun)
        scene = None if lens is None else Scene(lens, self.sampler.state)
        self.map.show_scene(scene, "…" if self._is_awaited() else follower.reason or self._hint)
        if lens is not None and lens.log_px is None:
            self.map.repaint()  # not when the event loop comes round to it: the hand is waiting
        self.scene_changed.emit(scene if self._in_plane.isChecked() and self.isVisible() else None)
        if lens is None or follower.snapshot is None:
            for label in (self._sum, self._gaps, self._unit, self._hmc):
                label.clear()
            return
        sees_classes = follower.snapshot.family.capabilities.uses_labels
        self._sum.setText(*sum_text(lens, "x|y" if sees_classes else "x"))
        self._gaps.setText(*gaps_text(lens))
        words, step = protocol_words(follower.snapshot), f"step {follower.snapshot.step:,}"
        held = f"{step}, held while there is a chain" if self.sampler.begun else step
        self._unit.setText(f"nats, {words}; {held}", f"nats, {words}; {step}", f"nats, {words}", "nats")
        self._hmc.setText(*chain_text(self.sampler.state))


def _asked(frame: Frame, snapshot: Snapshot) -> tuple[tuple[object, ...], tuple[str, ...], Asked]:
    """Which image: what tells it from others, its name and shorter ones, and the question."""
    view, dataset, y = frame.view, frame.dataset, frame.view.y
    own, row = view.own_image, view.selected
    if own is not None and own.shape == snapshot.image_shape:
        title = "Your own image"
        if view.held_out is not None and dataset is not None:
            title = f"Held-out image {view.held_out:,}"
            if dataset.labelled:
                title += f", class {dataset.class_names[dataset.held_out_labels[view.held_out]]}"
        return ("own", id(own), y), (title,), Asked(own, y)
    if (
        dataset is not None
        and row is not None
        and 0 <= row < len(dataset.train_images)
        and dataset.image_shape == snapshot.image_shape
    ):
        title, label = f"Training image {row:,}", int(dataset.train_labels[row])
        if dataset.labelled:
            title += f", class {dataset.class_names[label]}"
        table, q = snapshot.posterior, None
        if snapshot.family.capabilities.per_image and table is not None and table.scale is not None:
            q = table.loc[row], table.scale[row]  # which is its own, not the encoder's
        uses = snapshot.family.capabilities.uses_labels
        return ("row", row), (title,), Asked(dataset.train_images[row], label if uses else y, q)
    title = "The image decoded at the handle: which z would give it?"
    return ("handle", view.z, y), (title, "The image at the handle"), Asked(None, y, None, view.z)


def protocol_words(snapshot: Snapshot) -> str:
    """To which protocol the numbers belong."""
    words = snapshot.family.protocol(snapshot.model, pixels_text(snapshot.protocol))
    return f"{words}, here cut at ½" if snapshot.protocol == "dynamic" else words


def sum_text(lens: Lens, of: str = "x") -> tuple[str, ...]:
    """Log p(x), of a model that sees classes log p(x|y), and its two parts; shorter texts follow."""
    if lens.log_px is None:
        if lens.q is None:
            return (f"log p({of}) …",)
        elbo = "…" if math.isnan(lens.q.elbo) else _number(lens.q.elbo)
        return (f"log p({of}) … = ELBO {elbo} + KL(q‖p) …",)
    if lens.q is None:
        return (f"log p({of}) {_number(lens.log_px)}",)
    gap = _number(lens.log_px - lens.q.elbo)
    return (
        f"log p({of}) {_number(lens.log_px)} = ELBO {_number(lens.q.elbo)} + KL(q‖p) {gap}",
        f"log p({of}) {_short(lens.log_px)} = ELBO {_short(lens.q.elbo)} + KL {gap}",
        f"log p({of}) {_short(lens.log_px)}, ELBO {_short(lens.q.elbo)}",
    )


def gaps_text(lens: Lens) -> tuple[str, ...]:
    """KL(q‖p) and its two parts; shorter texts follow."""
    if lens.q is None:
        return ("q(z|x) is no diagonal Gaussian here, so there are no gaps to tell apart",)
    if lens.log_px is None:
        return ("",)
    whole = _number(lens.log_px - lens.q.elbo)
    if lens.best is None and lens.path:
        return (f"KL(q‖p) {whole}: looking for the best Gaussian …", f"KL(q‖p) {whole}: …")
    if lens.best is None:
        return (
            f"KL(q‖p) {whole}; its two parts come when training pauses",
            f"KL(q‖p) {whole}; pause for its parts",
        )
    parts = _number(lens.log_px - lens.best.elbo), _number(lens.best.elbo - lens.q.elbo)
    return (
        f"KL(q‖p) {whole} = approximation gap {parts[0]} + amortization gap {parts[1]}",
        f"{whole} = approximation {parts[0]} + amortization {parts[1]}",
        f"KL {whole}: approx. {parts[0]} + amort. {parts[1]}",
    )


def chain_text(state: ChainState | None) -> tuple[str, ...]:
    """How the chain does; shorter texts follow."""
    if state is None:
        return ("",)
    if math.isnan(state.acceptance):
        return (f"HMC: finding its step size, {state.step_size:.2f}",)
    effective = "…" if math.isnan(state.effective) else f"{state.effective:,.0f}"
    rate = f"{state.acceptance:.2f}"
    return (
        f"HMC: acceptance {rate}, ESS {effective} of {counted(state.count, 'sample')}",
        f"acceptance {rate}, ESS {effective} of {state.count:,}",
    )


def _number(value: float) -> str:
    return number_label(value, 2)


def _short(value: float) -> str:
    return number_label(value, 1)
