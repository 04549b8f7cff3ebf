"""Between the session's settings and the widgets that show and change them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from vaeviewer.backend.config import Settings, live_fields, value_of
from vaeviewer.errors import SettingsError
from vaeviewer.session.session import Session
from vaeviewer.session.states import State
from vaeviewer.ui.settings.config_form import ConfigForm
from vaeviewer.ui.settings.training_controls import TrainingControls


class SettingsExchange(QObject):
    """Keeps the form and the bar of controls true to the session's settings, and takes what the user changes there.

    Args:
        session: Whose settings they are.
        form: All of them.
        controls: Those that may change during a run.
        show_problem: Says why a change is not taken.
        parent: The parent object.
    """

    def __init__(
        self,
        session: Session,
        form: ConfigForm,
        controls: TrainingControls,
        show_problem: Callable[[str], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._session, self._form, self._controls = session, form, controls
        self._show_problem = show_problem
        session.opened.connect(self.show_settings)
        session.changed.connect(self.show_settings)
        session.state_changed.connect(self._on_state)
        controls.live_setting_changed.connect(self._change_live)
        form.settings_changed.connect(self._take)
        self.show_settings()
        self._on_state(session.state)

    def show_settings(self) -> None:
        """Show the settings there are."""
        if self._session.suited_to is not None:
            self._form.set_image(self._session.suited_to)
        self._form.set_settings(self._session.settings)
        self._controls.set_live_settings(self._session.settings)

    def show_progress(self) -> None:
        """Show how far training is, and the learning rate that the schedule has come to."""
        progress, train = self._session.progress, self._session.settings.train
        rate = train.learning_rate
        if progress is None:
            self._controls.set_progress(0.0, train.epochs, None)
        else:
            left = progress.seconds_left if self._session.state is State.RUNNING else None
            self._controls.set_progress(progress.epoch, progress.epochs, left)
            rate = progress.learning_rate
        self._controls.set_learning_rate(rate)
        self._form.set_learning_rate(rate)

    def _on_state(self, state: State) -> None:
        self._controls.set_state(state, self._session.waiting_for)
        active = state not in (State.LOADING, State.READY, State.SOLVED)
        self._form.set_run_active(active, "Greyed settings are fixed during a run: press Reset first.")

    def _change_live(self, field: str, value: object) -> None:
        try:
            self._session.change(field, value)
        except SettingsError as error:
            self._show_problem(str(error))
        self._form.set_settings(self._session.settings)

    def _take(self, settings: Settings) -> None:
        if settings.model.family == self._session.settings.model.family:
            for field in live_fields(settings):
                self._session.change(field, value_of(settings, field))
        self._session.use_settings(settings)
        self._controls.set_live_settings(settings)
