"""The main window: places the panels, hands them what they draw, and passes what the user did to the session."""

from __future__ import annotations

import json
import logging
from typing import Any

from PySide6.QtCore import QEvent, QSettings, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QMouseEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QMainWindow, QToolBar, QVBoxLayout, QWidget

from vaeviewer.session.messages import FAILURE, Opened
from vaeviewer.session.session import Session
from vaeviewer.session.states import State
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.curves.curves_panel import CurvesPanel
from vaeviewer.ui.data.opening import Opening
from vaeviewer.ui.images.decoded_image_view import DecodedImageView
from vaeviewer.ui.images.manifold_panel import ManifoldPanel
from vaeviewer.ui.images.reconstruction_panel import ReconstructionPanel
from vaeviewer.ui.plane.class_bar import CLASS_BAR_SECONDS, ClassBar
from vaeviewer.ui.plane.latent_view import LatentView
from vaeviewer.ui.plane.plane_bar import PLANE_BAR_SECONDS, PlaneBar
from vaeviewer.ui.plane.underlay import UNDERLAY, Underlay
from vaeviewer.ui.runs.recent_runs import RecentRuns
from vaeviewer.ui.runs.run_status import RunStatus
from vaeviewer.ui.settings.config_form import ConfigForm
from vaeviewer.ui.settings.space_shortcut import install_space_shortcut
from vaeviewer.ui.settings.training_controls import TrainingControls
from vaeviewer.ui.window import panels
from vaeviewer.ui.window.closing import Closing
from vaeviewer.ui.window.data_messages import DataMessages
from vaeviewer.ui.window.dock_layout import DockLayout
from vaeviewer.ui.window.doctor_notice import DOCTOR_SECONDS, Doctor
from vaeviewer.ui.window.export import Exports
from vaeviewer.ui.window.first_size import first_size
from vaeviewer.ui.window.focus_keys import FieldKeys, next_seen
from vaeviewer.ui.window.frames import Frames
from vaeviewer.ui.window.lecture_hall import LectureHall
from vaeviewer.ui.window.message_bar import MessageBar
from vaeviewer.ui.window.messages import Kind
from vaeviewer.ui.window.panel_help import HelpButton, PanelTitle
from vaeviewer.ui.window.settings_exchange import SettingsExchange
from vaeviewer.ui.window.text_size import TextSize

log = logging.getLogger(__name__)

STATUS_SECONDS = 0.3
"""Time between two redraws of the numbers in the bars, on average."""

UNDERLAY_SECONDS = 0.5
"""Time between two redraws of the images behind the points, on average."""

EXPORT_SECONDS = 10.0
"""How long closing waits for an export under way."""

READY_HINT = "Press Train (Space) and watch the model organise its images"


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
        self._store = store
        self._shown_before = False
        self._not_decoded: set[str] = set()  # kinds of requests of which it was said, in this run

        self._frames = Frames(session, panels.PANELS, self)
        self.plane = self._frames.widget(LatentView)
        self.decoded = self._frames.widget(DecodedImageView)
        self.reconstructions = self._frames.widget(ReconstructionPanel)
        self.manifold = self._frames.widget(ManifoldPanel)
        self.elbo_terms = self._frames.widget(CurvesPanel)
        self.form = self._frames.widget(ConfigForm)
        self.controls = TrainingControls()
        self.message = MessageBar()
        self._plane_bar = PlaneBar(self._frames)
        self._class_bar = ClassBar(self._frames)
        self._place_panels()
        self.recent_runs = RecentRuns(session, store, self)
        self.run_status = RunStatus(self, session, self.message)
        self._closing = Closing(self, session, self.message, self.run_status)
        self.doctor = Doctor(session, self.message, self._frames.decoder)
        DataMessages(session, self.message)
        self.opening = Opening(self, session, store, self.message)
        self.exports = Exports(self, self.message)
        self.text_size = TextSize(self, store)
        self.lecture_hall = LectureHall(self, self._layout, self.text_size, self.plane, self.message)
        self._settings = SettingsExchange(session, self.form, self.controls, self.show_problem, self)
        self._frames.add("status", STATUS_SECONDS, self._show_status)
        self._frames.add("doctor", DOCTOR_SECONDS, self.doctor.look)
        self._frames.add("plane bar", PLANE_BAR_SECONDS, self._plane_bar.refresh)
        self._frames.add("class bar", CLASS_BAR_SECONDS, self._class_bar.refresh, self._class_bar.follow)
        self._frames.add(UNDERLAY, UNDERLAY_SECONDS, Underlay(self.plane, self._frames).request)
        self._connect()
        self._frames.start()
        self._on_state(session.state)
        self.elbo_terms.set_settings(session.settings)
        self._restore()  # last: it sends events that all of the window answers
        self.text_size.fit()
        self.text_size.chosen.connect(self._layout.fit)

    # What the user did

    @property
    def view(self) -> ViewState:
        """What the user chose to look at."""
        return self._frames.view

    @property
    def panels_wait(self) -> bool:
        """Whether panels are still to be told something that they asked of the model."""
        return self._frames.decoder.busy

    def set_view(self, **changes: Any) -> None:
        """Change the ViewState and draw what depends on it, now."""
        self._frames.set_view(**changes)

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
        for panel, widget in self._frames.panels:
            if panel.place == "centre":
                layout.addWidget(PanelTitle(panel.title, panel.explanation))
                layout.addWidget(self._plane_bar)
                layout.addWidget(widget, 1)
                layout.addWidget(self._class_bar)
        self.setCentralWidget(middle)
        self._layout = DockLayout(self, self._frames.panels)
        self.docks = self._layout.docks
        self.first_shown.connect(self._layout.raise_floating)

    def _connect(self) -> None:
        session = self.session
        session.state_changed.connect(self._on_state)
        session.changed.connect(lambda _: self.elbo_terms.set_settings(session.settings))
        session.opened.connect(self._on_opened)
        session.problem.connect(self.show_problem)
        self.controls.action_requested.connect(session.request)
        self.controls.steps_per_second_changed.connect(session.set_steps_per_second)
        self.reconstructions.examples_requested.connect(self._frames.show_other_examples)
        self._frames.decoder.failed.connect(self._on_not_decoded)
        install_space_shortcut(self, self.controls.press_train)
        FieldKeys(self, self.plane)
        self.plane.setFocus()  # its keys work from the start

    # What the session says

    def _on_state(self, state: State) -> None:
        session = self.session
        waiting = f"Waiting for {session.waiting_for}…" if state is State.LOADING else ""
        self.plane.set_hint(READY_HINT if state is State.READY else waiting)
        self.decoded.set_hint(waiting)
        self.manifold.set_hint(waiting)
        if state not in (State.FAILED, State.LOADING):
            self.message.take_back(FAILURE)  # it goes on, or anew
        if session.snapshot is None:
            self._frames.decoder.forget()
        if state is not State.RUNNING:
            self._frames.draw()

    def _on_opened(self, opened: Opened) -> None:
        self._not_decoded.clear()
        self.elbo_terms.set_settings(opened.settings)
        reasons = self._frames.begin(opened.dataset, opened.settings)
        self._layout.show_for(opened.settings)
        self._layout.say(reasons)
        self.plane.set_dataset(opened.dataset)
        family = opened.settings.family
        self.manifold.set_prior(family.capabilities)
        for button in self.findChildren(HelpButton):
            button.set_family(family)

    def _on_not_decoded(self, kind: str, sentence: str) -> None:
        """Said once in a run: what is asked of each new model fails with each."""
        if kind not in self._not_decoded:
            self._not_decoded.add(kind)
            self.show_problem(f"Decoding failed: {sentence}")

    def _show_status(self) -> None:
        self._settings.show_progress()
        self.run_status.update()

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
            self._frames.draw()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Closing asks only where the run cannot be saved."""
        if not self._closing.may_close():
            event.ignore()
            return
        self._frames.stop()
        self._layout.save(self._store)
        self._store.setValue("window/advanced_settings", self.form.advanced_open)
        self._store.setValue("window/curves", json.dumps(self.elbo_terms.options()))
        self._store.sync()
        self._frames.decoder.close(0.2)
        self.recent_runs.close(0.2)
        self.opening.close(0.2)
        self.exports.close(EXPORT_SECONDS)
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
