"""Draws the panels: forty times a second what is due, at once what the user moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QWidget

from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.native.cores import available_cores
from vaeviewer.session.beside_the_points import GeneratedCodes, PriorInPlane
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.image_ledger import ImageLedger
from vaeviewer.session.mailbox import Progress
from vaeviewer.session.past_models import PastModels
from vaeviewer.session.session import Session
from vaeviewer.session.states import State
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.panel import EACH_SNAPSHOT, NEVER, Frame, Panel
from vaeviewer.ui.window.awaited import Awaited, awaited
from vaeviewer.ui.window.refresh import Schedule

FRAME_MS = 25
"""The mailbox is drained forty times a second; ten or eleven snapshots come, and the other frames draw panels."""

PLANE_MS = 80
"""After the plane was moved to another place in the latent space: what does not follow the handle is drawn then."""

EXAMPLES = 24
"""Held-out images chosen for the reconstructions; the panel shows as many as fit."""

MOST_WORKERS = 8
"""Threads that may compute beside everything else while training rests."""

W = TypeVar("W", bound=QWidget)


class Frames(QObject):
    """Makes the widgets of panels and draws them. What panels may ask of it is a :class:`~vaeviewer.ui.panel.Host`.

    Args:
        session: Whose newest model is drawn.
        panels: What is drawn, in this order.
        parent: The parent object.

    Attributes:
        view: What the user chose to look at.
        decoder: What decodes for the panels.
        past: Models of earlier steps, for panels that look at all of training.
        ledger: What computes the numbers of each image for them.
        panels: Each with its widget, in order.
    """

    def __init__(self, session: Session, panels: Iterable[Panel[Any]], parent: QObject) -> None:
        super().__init__(parent)
        self.view = ViewState()
        self.decoder = GridDecoder(self)
        self.past = PastModels(self.decoder, self)
        self._prior = PriorInPlane(self.decoder, self)
        self._generated = GeneratedCodes(self.decoder, self)
        self.ledger = ImageLedger(self.decoder, self._idle_cores, self)
        self.panels = [
            awaited(panel, self) if panel.on_demand else (panel, panel.make(self)) for panel in panels
        ]
        self._on_demand = {panel.key: widget for panel, widget in self.panels if isinstance(widget, Awaited)}
        self._session = session
        self._lacking: frozenset[str] = frozenset()
        self._latent_dim = session.settings.model.latent_dim
        self._example_draw = 0
        self._drawn: tuple[Snapshot | None, Progress | None] = (None, None)
        self._draws: dict[str, Callable[[], None]] = {}
        self._cadences: dict[str, float] = {}
        for panel, widget in self.panels:
            if EACH_SNAPSHOT < panel.cadence < NEVER:
                self.add(panel.key, panel.cadence, partial(self._draw_panel, panel, widget))
        self._at_each_snapshot = [entry for entry in self.panels if entry[0].cadence == EACH_SNAPSHOT]
        self._following: list[Callable[[Frame], None]] = [
            partial(panel.follow_handle, widget)
            for panel, widget in self.panels
            if panel.follow_handle is not None
        ]
        self._rest_timer = QTimer(self)
        self._rest_timer.setSingleShot(True)
        self._rest_timer.timeout.connect(self.draw)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.draw_due)
        for beside in (self._prior, self._generated, self.ledger):
            beside.found.connect(self._draw_beside)

    def add(
        self,
        key: str,
        cadence: float,
        draw: Callable[[], None],
        follow: Callable[[Frame], None] | None = None,
    ) -> None:
        """Draw something beside the panels, too, every so many seconds on average, and with the handle as panels do."""
        if follow is not None:
            self._following.append(follow)
        self._draws[key] = draw
        self._cadences[key] = cadence
        self._schedule = Schedule(self._cadences)

    def widget(self, kind: type[W]) -> W:
        """The widget of this class that one of the panels made."""
        return next(widget for _, widget in self.panels if isinstance(widget, kind))

    def start(self) -> None:
        """Draw from now on."""
        self._timer.start(FRAME_MS)

    def stop(self) -> None:
        """Draw no more of what is new."""
        self._timer.stop()
        self._rest_timer.stop()

    def frame(self) -> Frame:
        """What there is to draw now."""
        session = self._session
        timeline = session.progress.timeline if session.progress is not None else ()
        beside = self._prior.shape, self._generated.shown, self.ledger.known
        return Frame(session.snapshot, session.dataset, self.view, session.history, timeline, *beside)

    def set_view(self, **changes: Any) -> None:
        """Change the ViewState and draw what depends on it, now."""
        before, held_out = self.view, self.view.held_out
        if "own_image" in changes:
            held_out = changes.pop("held_out", None)
        self.view = replace(before, held_out=held_out, **changes)
        if changes.keys() & {"z", "second", "own_image"}:
            frame = self.frame()
            for follow in self._following:
                follow(frame)
            if held_out == before.held_out and changes.keys() <= {"z", "second", "plane", "own_image"}:
                if (
                    "plane" in changes and not self._rest_timer.isActive()
                ):  # what else is drawn of it may wait
                    self._rest_timer.start(PLANE_MS)
                return
        self.draw()

    def show_other_examples(self) -> None:
        """Choose other held-out images for the reconstructions."""
        self._example_draw += 1
        self.set_view(examples=self._choose_examples(self._session.dataset))

    def begin(self, dataset: ImageDataset | None, settings: Settings) -> dict[str, str]:
        """Another model or other images are there: nothing chosen or decoded before is of them.

        Returns:
            Why panels that need what the model's family lacks have nothing to draw, a sentence by key; of the others
            an empty text.
        """
        self.decoder.forget()
        family = settings.family
        classes = () if dataset is None else family.class_names(settings.model, dataset.class_names)
        self.view = replace(
            self.view,
            y=self.view.y if self.view.y < len(classes) else 0,
            selected=None,
            own_image=None,
            held_out=None,
            hidden_classes=frozenset(),
            examples=self._choose_examples(dataset),
            manifold_spacing=self.view.manifold_spacing if family.capabilities.generates else "equal",
        )
        latent_dim = settings.model.latent_dim
        if latent_dim != self._latent_dim:
            self._latent_dim = latent_dim
            self.view = replace(self.view, axes=(0, 1), z=(0.0, 0.0), second=None)
        self.view = replace(self.view, plane=None)
        reasons = {panel.key: panel.why_not(family) for panel, _ in self.panels}
        self._lacking = frozenset(key for key, sentence in reasons.items() if sentence)
        return reasons

    def draw(self) -> None:
        """Draw everything, now."""
        self._draw_snapshot()
        for draw in self._draws.values():
            draw()
        self._schedule.all_drawn()

    def draw_due(self) -> None:
        """Take what training has sent, and draw what is due."""
        session = self._session
        session.drain()
        # Asked by identity: an event may have emptied the mailbox before this frame did.
        snapshot_is_new = session.snapshot is not self._drawn[0]
        news = snapshot_is_new or session.progress is not self._drawn[1]
        self._drawn = (session.snapshot, session.progress)
        if session.state is not State.RUNNING:
            if news:
                self.draw()
        elif snapshot_is_new:
            self._draw_snapshot()
        else:  # the other panels in the frames between, so that none keeps the mouse waiting for long
            due = self._schedule.most_overdue(self._seen)
            if due is not None:
                self._draws[due]()

    def _draw_snapshot(self) -> None:
        """Draw the panels that follow each snapshot, all the same frame."""
        self._want_beside()
        frame = self.frame()
        for panel, widget in self._at_each_snapshot:
            if panel.key not in self._lacking:
                panel.update_frame(widget, frame)

    def _seen(self, key: str) -> bool:
        """Whether it is no panel on demand that nobody sees."""
        return key not in self._on_demand or self._on_demand[key].in_front

    def _idle_cores(self) -> int:
        """What may compute beside everything else; called on the decoder's thread."""
        return 1 if self._session.state is State.RUNNING else min(available_cores(), MOST_WORKERS)

    def _want_beside(self) -> None:
        """Ask for what is drawn beside the codes of images, where the newest model has such; keep that model."""
        session = self._session
        self.past.keep(session.snapshot)
        self._prior.follow(session.snapshot, self.view)
        self._generated.follow(session.snapshot, session.dataset)

    def _draw_beside(self) -> None:
        """Draw it; while training runs the next snapshot does."""
        if self._session.state is not State.RUNNING:
            self.draw()

    def _draw_panel(self, panel: Panel[Any], widget: QWidget) -> None:
        if panel.key not in self._lacking:
            panel.update_frame(widget, self.frame())

    def _choose_examples(self, dataset: ImageDataset | None) -> tuple[int, ...]:
        if dataset is None:
            return ()
        draw = np.random.default_rng(self._example_draw)
        count = len(dataset.held_out_images)
        return tuple(int(row) for row in draw.permutation(count)[:EXAMPLES])
