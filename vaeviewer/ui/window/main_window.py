"""The main window: places the panels, hands them what they draw, and passes what the user did to the session."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QSettings, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QMouseEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QMainWindow, QToolBar, QVBoxLayout, QWidget

from vaeviewer.analysis.manifold import grid_points, mosaic
from vaeviewer.backend.config import Settings, live_fields, protocol_text, value_of
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot, as_grey_levels
from vaeviewer.errors import SettingsError
from vaeviewer.session.data_loader import Fetched
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.mailbox import Progress
from vaeviewer.session.messages import DATA, FAILURE, Opened
from vaeviewer.session.session import Session
from vaeviewer.session.states import State
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.curves.loss_panel import LossPanel
from vaeviewer.ui.images.decoded_image_view import DecodedImageView
from vaeviewer.ui.images.manifold_panel import ManifoldPanel
from vaeviewer.ui.images.reconstruction_panel import ReconstructionPanel
from vaeviewer.ui.plane.latent_view import LatentView
from vaeviewer.ui.runs.recent_runs import RecentRuns
from vaeviewer.ui.runs.run_status import RunStatus
from vaeviewer.ui.settings.config_form import ConfigForm
from vaeviewer.ui.settings.training_controls import TrainingControls, install_space_shortcut
from vaeviewer.ui.window.closing import Closing
from vaeviewer.ui.window.dock_layout import DockLayout
from vaeviewer.ui.window.first_size import first_size
from vaeviewer.ui.window.focus_keys import FieldKeys, next_seen
from vaeviewer.ui.window.health_notice import HealthNotice
from vaeviewer.ui.window.lecture_hall import LectureHall
from vaeviewer.ui.window.message_bar import MessageBar
from vaeviewer.ui.window.messages import Kind
from vaeviewer.ui.window.panel_help import HelpButton, PanelTitle
from vaeviewer.ui.window.refresh import Schedule
from vaeviewer.ui.window.text_size import TextSize
from vaeviewer.ui.window.work_row import fetching_text

log = logging.getLogger(__name__)

FRAME_MS = 25
"""The mailbox is drained forty times a second; ten or eleven snapshots come, and the other frames draw panels."""

DRAG_SECONDS = 1 / 150
"""During a drag at most one decode in this time; the first move decodes at once."""

EXAMPLES = 24
"""Held-out images chosen for the reconstructions; the panel shows as many as fit."""

HINTS = {
    State.READY: "Press Train (Space) and watch the model organise its images",
    State.RUNNING: "",
    State.PAUSED: "",
    State.FINISHED: "",
    State.FAILED: "",
}


class MainWindow(QMainWindow):
    """Docks around the latent plane.

    Args:
        session: What is trained and shown.
        store: Where the window's layout and choices are remembered.

    Signals:
        first_shown(): The window is on screen; slow work may begin.
        closed(): The window was closed and the session has been told to end.
    """

    first_shown = Signal()
    closed = Signal()

    def __init__(self, session: Session, store: QSettings) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.session = session
        self.view = ViewState()
        self._store = store
        self._schedule = Schedule()
        self._panels: Mapping[str, Callable[[], None]] = {
            "status": self._show_status,
            "decoded": self._draw_decoded,
            "curves": self._draw_curves,
            "reconstructions": self._draw_reconstructions,
            "manifold": self._request_manifold,
            "underlay": self._request_underlay,
        }
        self._decoder = GridDecoder(self)
        self._example_draw = 0
        self._shown_before = False
        self._drawn: tuple[Snapshot | None, Progress | None] = (None, None)
        self._last_decode = 0.0

        self.plane = LatentView()
        self.decoded = DecodedImageView(self._decoder.ask)
        self.reconstructions = ReconstructionPanel(self._decoder.ask)
        self.manifold = ManifoldPanel()
        self.elbo_terms = LossPanel()
        self.controls = TrainingControls()
        self.form = ConfigForm()
        self.message = MessageBar()
        self._place_panels()
        self.recent_runs = RecentRuns(session, store, self)
        self.run_status = RunStatus(self, session, self.message)
        self._closing = Closing(self, session, self.message, self.run_status)
        HealthNotice(session, self.message)
        self.text_size = TextSize(self, store)
        self.lecture_hall = LectureHall(self, self._layout, self.text_size, self.plane, self.message)
        self._connect()

        self._frame = QTimer(self)
        self._frame.setTimerType(Qt.TimerType.PreciseTimer)
        self._frame.timeout.connect(self._on_frame)
        self._frame.start(FRAME_MS)
        self._drag = QTimer(self)
        self._drag.setSingleShot(True)
        self._drag.setTimerType(Qt.TimerType.PreciseTimer)
        self._drag.timeout.connect(self._decode_handle)
        self._on_state(session.state)
        self.form.set_settings(session.settings)
        self.controls.set_live_settings(session.settings)
        self._restore()  # last: it sends events that all of the window answers
        self.text_size.fit()

    # What the user did

    def set_view(self, **changes: Any) -> None:
        """Change the ViewState and draw what depends on it, now."""
        self.view = replace(self.view, **changes)
        if "z" in changes:
            self._move_handle()
            if len(changes) == 1:
                return
        self._draw()

    def show_other_examples(self) -> None:
        """Choose other held-out images for the reconstructions."""
        self._example_draw += 1
        self.set_view(examples=self._choose_examples())

    def close_anyway(self) -> None:
        """Close, even if the run cannot be saved."""
        self._closing.close_anyway()

    def reset_layout(self) -> None:
        """Put every dock back where it was at first."""
        self._layout.reset()

    def show_problem(
        self, sentence: str, details: str = "", key: str = "problem", cpu_may_help: bool = False
    ) -> None:
        """Show a message above the plane, without stopping anything; one of the same key goes."""
        answers = [("Continue on the C&PU", self.session.use_cpu)] if cpu_may_help else []
        self.message.show_message(sentence, answers, key=key, kind=Kind.PROBLEM, details=details)

    # Building

    def _place_panels(self) -> None:
        bar = QToolBar("Training")
        bar.setObjectName("trainingBar")
        bar.setMovable(False)
        bar.toggleViewAction().setEnabled(False)
        bar.addWidget(self.controls)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, bar)

        middle = QWidget()
        layout = QVBoxLayout(middle)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.message)
        layout.addWidget(PanelTitle("Latent plane"))
        layout.addWidget(self.plane, 1)
        self.setCentralWidget(middle)

        self._layout = DockLayout(
            self,
            left={"Reconstructions": self.reconstructions, "Settings": self.form},
            right={"Decoded image": self.decoded, "Manifold": self.manifold},
            bottom={"ELBO terms": self.elbo_terms},
        )
        self.docks = self._layout.docks

    def _connect(self) -> None:
        session = self.session
        session.state_changed.connect(self._on_state)
        session.opened.connect(self._on_opened)
        session.changed.connect(self._on_changed)
        session.problem.connect(self.show_problem)
        session.data_arrived.connect(self._offer_to_keep_model)
        session.work_began.connect(self._on_work_began)
        session.fetching.connect(self._on_fetching)
        session.work_ended.connect(self.message.work.end)
        self.controls.action_requested.connect(session.request)
        self.controls.steps_per_second_changed.connect(session.set_steps_per_second)
        self.controls.live_setting_changed.connect(self._change_live)
        self.form.settings_changed.connect(self._take_settings)
        self.plane.handle_moved.connect(lambda a, b: self.set_view(z=(a, b)))
        self.plane.image_selected.connect(lambda row: self.set_view(selected=row if row >= 0 else None))
        self.plane.hidden_classes_changed.connect(lambda hidden: self.set_view(hidden_classes=hidden))
        self.plane.range_settled.connect(self._request_underlay)
        self.reconstructions.examples_requested.connect(self.show_other_examples)
        self.manifold.handle_moved.connect(lambda a, b: self.set_view(z=(a, b)))
        self.manifold.spacing_changed.connect(lambda spacing: self.set_view(manifold_spacing=spacing))
        self.manifold.size_changed.connect(lambda size: self.set_view(manifold_size=size))
        self.manifold.images_wanted.connect(self._request_manifold)
        self._decoder.decoded.connect(self._on_decoded)
        self._decoder.failed.connect(lambda text: self.show_problem(f"Decoding failed: {text}"))
        install_space_shortcut(self, self.controls.press_train)
        FieldKeys(self, self.plane)
        self.plane.setFocus()  # its keys work from the start

    # What the session says

    def _on_state(self, state: State) -> None:
        session = self.session
        waiting = f"Waiting for {session.waiting_for}…" if state is State.LOADING else ""
        self.controls.set_state(state, session.waiting_for)
        hint = waiting or HINTS[state]
        self.plane.set_hint(hint)
        self.decoded.set_hint(waiting)
        self.manifold.set_hint(waiting)
        if state not in (State.FAILED, State.LOADING):
            self.message.take_back(FAILURE)  # it goes on, or anew
        active = state not in (State.LOADING, State.READY)
        self.form.set_run_active(active, "Greyed settings are fixed during a run: press Reset first.")
        if session.snapshot is None:
            self._forget_pictures()
        if state is not State.RUNNING:
            self._draw()

    def _on_opened(self, opened: Opened) -> None:
        dataset = opened.dataset
        self.form.set_settings(opened.settings)
        self.controls.set_live_settings(opened.settings)
        self.elbo_terms.set_protocol_text(protocol_text(opened.settings))
        self._forget_pictures()
        self.plane.set_dataset(dataset)
        family = opened.settings.family
        generates = family.capabilities.generates
        self.manifold.set_prior(generates)
        for button in self.findChildren(HelpButton):
            button.set_family(family)
        self.view = replace(
            self.view,
            selected=None,
            hidden_classes=frozenset(),
            examples=self._choose_examples(),
            manifold_spacing=self.view.manifold_spacing if generates else "equal",
        )

    def _on_changed(self, _field: str) -> None:
        self.form.set_settings(self.session.settings)
        self.controls.set_live_settings(self.session.settings)

    def _offer_to_keep_model(self, dataset: ImageDataset) -> None:
        use = self.session.use_data
        same_size = (
            self.session.dataset is not None and dataset.image_shape == self.session.dataset.image_shape
        )
        answers = [("Start &anew", lambda: use(dataset, keep_model=False))]
        if same_size:
            answers.insert(0, ("&Keep the trained model", lambda: use(dataset, keep_model=True)))
        self.message.show_message(
            _loaded_text(dataset, self.session.dataset),
            answers,
            key=DATA,
            closing=("Dis&miss", self.session.data_declined.emit),
        )

    def _on_work_began(self, key: str, sentence: str, can_cancel: bool) -> None:
        self.message.take_back(key)  # what was said of the same work before
        self.message.work.begin(key, sentence, self.session.cancel_loading if can_cancel else None)

    def _on_fetching(self, title: str, fetched: Fetched) -> None:
        self.message.work.advance(DATA, fetching_text(title, fetched), fetched.done, fetched.total)

    def _change_live(self, field: str, value: object) -> None:
        try:
            self.session.change(field, value)
        except SettingsError as error:
            self.show_problem(str(error))
        self.form.set_settings(self.session.settings)

    def _take_settings(self, settings: Settings) -> None:
        if settings.model.family == self.session.settings.model.family:
            for field in live_fields(settings):
                self.session.change(field, value_of(settings, field))
        self.session.use_settings(settings)
        self.controls.set_live_settings(settings)

    # Drawing

    def _on_frame(self) -> None:
        session = self.session
        session.drain()
        # Asked by identity: an event may have emptied the mailbox before this frame did.
        snapshot_is_new = session.snapshot is not self._drawn[0]
        news = snapshot_is_new or session.progress is not self._drawn[1]
        self._drawn = (session.snapshot, session.progress)
        if session.state is not State.RUNNING:
            if news:
                self._draw()
        elif snapshot_is_new:
            self.plane.update_frame(self.session.snapshot, self.view)
        else:  # the other panels in the frames between, so that none keeps the mouse waiting for long
            panel = self._schedule.most_overdue()
            if panel is not None:
                self._panels[panel]()

    def _forget_pictures(self) -> None:
        """What the decoder drew, or is about to, is of another run."""
        self._decoder.forget()
        self.manifold.show_images(None)
        self.plane.set_underlay(None, (0.0, 0.0, 0.0, 0.0))

    def _draw(self) -> None:
        self.plane.update_frame(self.session.snapshot, self.view)
        for draw in self._panels.values():
            draw()
        self._schedule.all_drawn()

    def _draw_decoded(self) -> None:
        if not self._drag.isActive():
            self.decoded.update_frame(self.session.snapshot, self.view)

    def _draw_reconstructions(self) -> None:
        self.reconstructions.update_frame(self.session.snapshot, self.session.dataset, self.view)

    def _draw_curves(self) -> None:
        progress = self.session.progress
        timeline = progress.timeline if progress is not None else ()
        self.elbo_terms.update_frame(self.session.history, timeline=timeline)

    def _move_handle(self) -> None:
        self.plane.update_frame(self.session.snapshot, self.view)
        self.manifold.set_handle(self.view.z)
        wait = self._last_decode + DRAG_SECONDS - time.perf_counter()
        if wait <= 0:
            self._decode_handle()
        elif not self._drag.isActive():
            self._drag.start(max(1, round(wait * 1000)))

    def _decode_handle(self) -> None:
        self._last_decode = time.perf_counter()
        self.decoded.update_frame(self.session.snapshot, self.view)
        self.decoded.paint_now()

    def _request_manifold(self) -> None:
        self.manifold.update_frame(self.view)
        snapshot = self.session.snapshot
        if snapshot is not None and self.manifold.isVisible():
            self._decoder.request(
                "manifold", snapshot, self.manifold.wanted(self.view), self.view.manifold_spacing
            )

    def _request_underlay(self) -> None:
        snapshot = self.session.snapshot
        if not self.view.underlay or snapshot is None:
            return
        xs, ys = self.plane.underlay_grid()
        width, height = xs[1] - xs[0], ys[1] - ys[0]
        rect = (xs[0] - width / 2, ys[0] - height / 2, width * len(xs), height * len(ys))
        self._decoder.request("underlay", snapshot, grid_points(xs, ys), (rect, len(xs)))

    def _on_decoded(self, kind: str, images: np.ndarray[Any, Any], tag: Any) -> None:
        if kind == "manifold":
            self.manifold.show_images(images, tag)
        elif self.view.underlay:
            rect, columns = tag
            self.plane.set_underlay(mosaic(as_grey_levels(images), columns), rect)

    def _show_status(self) -> None:
        progress = self.session.progress
        if progress is None:
            self.controls.set_progress(0.0, self.session.settings.train.epochs, None)
            self.controls.set_learning_rate(self.session.settings.train.learning_rate)
            self.form.set_learning_rate(self.session.settings.train.learning_rate)
        else:
            left = progress.seconds_left if self.session.state is State.RUNNING else None
            self.controls.set_progress(progress.epoch, progress.epochs, left)
            self.controls.set_learning_rate(progress.learning_rate)
            self.form.set_learning_rate(progress.learning_rate)
        self.run_status.update()

    def _choose_examples(self) -> tuple[int, ...]:
        dataset = self.session.dataset
        if dataset is None:
            return ()
        draw = np.random.default_rng(self._example_draw)
        count = len(dataset.held_out_images)
        return tuple(int(row) for row in draw.permutation(count)[:EXAMPLES])

    # Being a window

    def sizeHint(self) -> QSize:
        """The size the layout was designed for."""
        return QSize(1280, 800)

    def showEvent(self, event: QShowEvent) -> None:
        """Begin slow work only once the window is on screen."""
        super().showEvent(event)
        if not self._shown_before:
            self._shown_before = True
            self._layout.fit()
            # After this turn of the event loop the first frame is painted.
            QTimer.singleShot(0, self.first_shown.emit)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let the docks grow with the window, until somebody drags one of their edges."""
        super().resizeEvent(event)
        if self._shown_before:
            self._layout.fit()

    def event(self, event: QEvent) -> bool:
        """Notice a drag of the edges between docks: the only part of a main window that takes the mouse."""
        if (
            isinstance(event, QMouseEvent)
            and event.type() == QEvent.Type.MouseButtonPress
            and self.childAt(event.position().toPoint()) is None
        ):
            self._layout.by_hand = True
        return super().event(event)

    def focusNextPrevChild(self, next: bool) -> bool:  # noqa: A002
        """Tab goes only where somebody can see what they type."""
        return next_seen(self, lambda: super(MainWindow, self).focusNextPrevChild(next))

    def changeEvent(self, event: QEvent) -> None:
        """Nothing is drawn while minimised; catch up afterwards."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange and not self.isMinimized():
            self._draw()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Closing asks only where the run cannot be saved."""
        if not self._closing.may_close():
            event.ignore()
            return
        self._frame.stop()
        self._drag.stop()
        self._layout.save(self._store)
        self._store.setValue("window/advanced_settings", self.form.advanced_open)
        self._store.setValue("window/curves", json.dumps(self.elbo_terms.options()))
        self._store.sync()
        self._decoder.close(0.2)
        self.recent_runs.close(0.2)
        self.session.close()
        event.accept()
        self.closed.emit()

    def _restore(self) -> None:
        """As the user left it; what cannot be restored stays as it is at first, and is logged."""
        self.resize(first_size(self.sizeHint(), self.minimumSizeHint(), self.screen().availableSize()))
        try:
            self._layout.restore(self._store)
        except Exception:  # nothing remembered is worth a window that does not open
            log.exception("the window's layout could not be restored")
            self._layout.reset()
        try:
            self.elbo_terms.set_options(json.loads(str(self._store.value("window/curves", "{}"))))
        except Exception:  # a damaged note of choices: the curves are shown as at first
            log.warning("what the curves showed could not be restored")
        self.form.set_advanced_open(self._store.value("window/advanced_settings") in (True, "true"))


def _loaded_text(loaded: ImageDataset, present: ImageDataset | None) -> str:
    """What to ask when images have come while a trained model is there."""
    if present is None or loaded.image_shape == present.image_shape:
        return f"Loaded: {loaded.name}. Look at them with the model you trained, or start a new one?"
    size, other = ("{} × {}".format(*images.image_shape) for images in (loaded, present))
    return f"Loaded: {loaded.name}. These images have another size ({size}, not {other}), so they need a new model."
