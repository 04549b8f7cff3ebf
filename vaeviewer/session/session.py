"""A session: what the window holds. It knows the state, passes wishes to the training thread and answers on signals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from vaeviewer.backend.config import Settings, suited, updated, value_of
from vaeviewer.backend.data import BUNDLED
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.data.catalog import title_of
from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.backend.training.findings import Origin, Remedy
from vaeviewer.backend.training.history import History
from vaeviewer.session import messages
from vaeviewer.session.data_loader import DataLoader
from vaeviewer.session.live_changes import LiveChanges
from vaeviewer.session.mailbox import Mailbox, Progress
from vaeviewer.session.states import BUTTONS, RESULT, Action, State
from vaeviewer.session.training_thread import TrainingThread

CLOSE_SECONDS = 1.0
"""How long closing waits for the training thread, which may be saving the run."""


class Session(QObject):
    """One model with its data, training thread and state. Lives on the UI thread.

    Attributes:
        folder: The run's folder, or ``None`` before training began.
        read_only: Why nothing is written to the folder, or empty.
        saved_step: The newest step on disk, or ``None``.
        save_problem: Why the newest save failed, or empty.
        suited_to: Size of the images whose defaults are the settings', or ``None`` before any were loaded.

    Signals:
        state_changed(State): The state is another one.
        opened(Opened): Another model or data set is in use, with its settings.
        saved(Saved): The run was written.
        save_failed(str): The run could not be written and why; it is tried again until ``saved``.
        problem(str, str, str, bool): A sentence for the user, details, a key that says what it is about, and whether
            a device failed that the CPU can stand in for, see :meth:`use_cpu`.
        exploding(Finding or None): Training makes no sense any more, or does again; see :meth:`treat`.
        changed(str): Recovering from a failure gave this setting another value, or other images another default.
        work_began(str, str, bool): Something that may take long: its key, what it is, and whether
            :meth:`cancel_loading` gives it up.
        fetching(str, Fetched): What is being fetched or read, and how far it has come; its work has the key ``DATA``.
        work_ended(str): The work of this key is done or given up.
        not_fetched(str): Data could not be fetched; a sentence says why.
        data_declined(): The data asked for last are not used after all.
        data_missing(Path, str): A run was not opened, as its images are not where it says; a sentence says so.
        left(str): What :meth:`leave` began has ended: nothing, or why the run cannot be saved.
        data_arrived(ImageDataset): Data were loaded while a trained model exists: keep the model, or start anew?
    """

    state_changed = Signal(object)
    opened = Signal(object)
    saved = Signal(object)
    save_failed = Signal(str)
    problem = Signal(str, str, str, bool)
    exploding = Signal(object)
    changed = Signal(str)
    work_began = Signal(str, str, bool)
    fetching = Signal(str, object)
    work_ended = Signal(str)
    not_fetched = Signal(str)
    data_declined = Signal()
    data_arrived = Signal(object)
    data_missing = Signal(object, str)
    left = Signal(str)

    _event = Signal(object)

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.settings = settings
        self.dataset: ImageDataset | None = None
        self.snapshot: Snapshot | None = None
        self.progress: Progress | None = None
        self.state = State.LOADING
        self.waiting_for = "PyTorch and the images"
        self.folder: Path | None = None
        self.read_only = ""
        self.saved_step: int | None = None
        self.save_problem = ""
        self.suited_to: ImageSpec | None = None
        self._coming: ImageDataset | None = None  # asked for last and not in use yet
        self._asked = 0  # the number of that command
        self._sent = 0
        self._works: dict[str, int] = {}  # key of work for the training thread, number of its command
        self._changes = LiveChanges()
        self._closed = False
        self._mailbox = Mailbox()
        # The thread emits, Qt queues the event, and it arrives on this object's thread.
        self._event.connect(self._on_event)
        self._thread = TrainingThread(self._mailbox, self._pass_on)
        self._loader = DataLoader(self)
        self._loader.loaded.connect(self._take_data)
        self._loader.failed.connect(self._on_data_failed)
        self._loader.progress.connect(
            lambda fetched: self.fetching.emit(
                _title(self._loader.last_key, self._loader.last_folder), fetched
            )
        )
        self._loader.ended.connect(lambda: self.work_ended.emit(messages.DATA))

    @property
    def history(self) -> History | None:
        """The metrics of the run, or ``None`` before there is one."""
        return self.progress.history if self.progress else None

    def start(self, run: Path | None = None, data: Path | None = None, *, choosing: bool = False) -> None:
        """Start the thread, and load the run given, or else the bundled digits.

        Args:
            run: A run folder.
            data: A folder or file of images, or where those of the run are now.
            choosing: Load nothing, as images are about to be chosen: :meth:`offer_data` or :meth:`load_something`
                comes next.
        """
        if self._closed:
            return
        self._thread.start()
        if choosing:
            return
        if run is not None:
            self._send(messages.OpenRun(run.absolute(), data and data.absolute()))  # the empty plane says so
        else:
            self._loader.load("folder" if data else BUNDLED, data)

    def drain(self) -> bool:
        """Take what training put into the mailbox; returns whether anything was new. Call once per frame."""
        snapshot, progress = self._mailbox.drain()
        self.snapshot = snapshot or self.snapshot
        self.progress = progress or self.progress
        return snapshot is not None or progress is not None

    # What the user asks for

    def request(self, action: Action) -> bool:
        """Do what a button asks, if the state allows it; returns whether it does."""
        if self._closed or action not in BUTTONS[self.state].allowed:
            return False
        match action:
            case Action.TRAIN:
                self._send(messages.Train(further=self.state is State.FINISHED))
            case Action.PAUSE:
                self._send(messages.Pause())
            case Action.STEP:
                self._send(messages.Step())
            case Action.STOP:
                self._send(messages.Stop())
            case Action.RESET:
                self.new_run()
                return True
        self._set_state(RESULT[action])
        return True

    def new_run(self) -> None:
        """Begin again with the settings there are: new weights from the seed, and a folder of its own.

        The run so far stays on disk.
        """
        if dataset := self._coming or self.dataset:
            self._build(dataset)
            # Nothing of the old model is shown or kept while the new one is made.
            self.snapshot = self.progress = None
            self._mailbox = Mailbox()
            self._set_state(RESULT[Action.RESET])

    def use_settings(self, settings: Settings) -> None:
        """Take the form's settings. Before the first step they make a new model, later Reset does."""
        changed = settings != self.settings
        self.settings = settings
        dataset = self._coming or self.dataset
        if changed and dataset and self.state in (State.READY, State.SOLVED, State.LOADING):
            self._build(dataset)

    def use_cpu(self) -> None:
        """After a failure of another device: go on from the last good state, or make the model, on the CPU."""
        if self.state is State.FAILED:
            self._send(messages.ContinueOnCpu())
            self._set_state(State.RUNNING)
        elif self.state is State.LOADING:
            self.use_settings(updated(self.settings, device="cpu"))

    def treat(self, remedy: Remedy) -> None:
        """Do what a finding suggests; choosing other images is the window's to do."""
        if self.state is State.LOADING:
            return
        match remedy.origin:
            case Origin.HERE:
                for field, value in remedy.changes.items():
                    self.change(field, value)
                    self.changed.emit(field)
                if self.state is not State.RUNNING:
                    self.request(Action.TRAIN)
            case Origin.GOOD:
                self._send(messages.GoBack(remedy.changes))
                self._set_state(State.RUNNING)
            case Origin.BEST:
                self._send(messages.GoBack(best=True))
                self._set_state(State.PAUSED)
            case Origin.NEW:
                self.use_settings(updated(self.settings, **remedy.changes))
                self.new_run()
                self._send(messages.Train())

    def change(self, field: str, value: Any) -> None:
        """Change a live setting, in the settings and in the run under way.

        Raises:
            SettingsError: The value is out of bounds.
        """
        if value_of(self.settings, field) == value:
            return
        self.settings = updated(self.settings, **{field: value})
        self._send(messages.Change(field, value))
        self._changes.note(self._sent, field, value)

    def set_steps_per_second(self, rate: float) -> None:
        """Slow motion; 0 is full speed."""
        self._thread.set_steps_per_second(rate)

    def load_data(self, key: str, folder: Path | None = None) -> None:
        """Load or fetch data in the background; training goes on meanwhile."""
        self._loader.load(key, folder)
        self.work_began.emit(messages.DATA, f"Loading {_title(key, folder)}…", self.dataset is not None)

    def cancel_loading(self) -> None:
        """Give up the loading or the download under way."""
        self._loader.cancel()
        self.data_declined.emit()

    def offer_data(self, dataset: ImageDataset) -> None:
        """Go over to data that are here, in place of any being loaded; a trained model is asked about first."""
        self._loader.cancel()
        self._take_data(dataset)

    def use_data(self, dataset: ImageDataset, *, keep_model: bool) -> None:
        """Go over to other data, with new weights or with those there are."""
        if keep_model:
            self._send(messages.UseData(dataset))
        else:
            before = self.settings, self.suited_to
            # What nobody set is to suit images of this size.
            self.settings = suited(self.settings, dataset.image, self.suited_to)
            self.suited_to = dataset.image
            self._build(dataset)
            if before != (self.settings, self.suited_to):
                self.changed.emit("hidden")
        if self.dataset is not None:
            self._work(messages.PREPARING, f"Preparing {dataset.name}…")

    def open_run(self, folder: Path, data: Path | None = None) -> None:
        """Open a saved run in place of what is there, with its images in the folder ``data`` if they moved."""
        self._send(messages.OpenRun(folder.absolute(), data and data.absolute()))
        self._work(messages.OPENING, f"Opening {folder.name}…")

    def save(self, folder: Path) -> None:
        """Write the run to a folder."""
        self._send(messages.Save(folder.absolute()))

    def forget_run(self) -> None:
        """Let training leave nothing on disk."""
        self._thread.run_keeper.keeps_run = False

    @property
    def unsaved_steps(self) -> int:
        """Steps that are not on disk, as far as is known here; while it trains at least one."""
        if not self._thread.run_keeper.keeps_run or self.snapshot is None:
            return 0
        if self.state is not State.RUNNING and (self.read_only or self.snapshot.step == self.saved_step):
            return 0
        newest = max(self.snapshot.step, self.progress.step if self.progress else 0)
        return max(newest - (self.saved_step or 0), int(self.state is State.RUNNING))

    def leave(self) -> str | None:
        """Save the run and end training, but do not wait for long.

        Returns:
            Nothing (an empty text) once that is done; why the run cannot be saved, and then it is still there, at
            rest; ``None`` where it takes longer: ``left`` tells.
        """
        return "" if self._closed else self._thread.leave(CLOSE_SECONDS)

    def close(self) -> bool:
        """End the threads, even if the run cannot be saved, and wait, but not for long; returns whether all ended."""
        if self._closed:
            return True
        self._closed = True
        self._loader.cancel()
        done = self._thread.close(CLOSE_SECONDS)
        return self._loader.close(0.2) and done

    # What the threads answer

    def _pass_on(self, event: messages.Event) -> None:
        if not self._closed:
            self._event.emit(event)

    def _send(self, command: messages.Command) -> None:
        if not self._closed:
            self._sent = self._thread.send(command)
            if isinstance(command, messages.Build | messages.UseData):
                self._coming, self._asked = command.dataset, self._sent

    def _work(self, key: str, sentence: str) -> None:
        """What was sent last may take long."""
        self._works[key] = self._sent
        self.work_began.emit(key, sentence, False)

    def _build(self, dataset: ImageDataset) -> None:
        self._send(messages.Build(self.settings, dataset))

    def _on_event(self, event: messages.Event) -> None:
        if self._closed:
            return
        match event:
            case messages.Entered(state, handled):
                for key in [key for key, number in self._works.items() if number <= handled]:
                    del self._works[key]
                    self.work_ended.emit(key)
                if handled >= self._asked and state is not State.LOADING:
                    self._coming = None
                # An answer older than the newest command tells of a state that is about to end.
                if handled == self._sent or state is State.FAILED:
                    self.drain()
                    if state is State.LOADING:  # the model could not be made
                        self.waiting_for = "other settings or other images"
                    self._set_state(state)
            case messages.Changed(field, value):
                self.settings = updated(self.settings, **{field: value})
                self.changed.emit(field)
            case messages.Exploding(finding):
                self.exploding.emit(finding)
            case messages.Opened():
                if event.handled >= self._asked:  # else what was asked for since then holds already
                    self._coming = None
                    self.settings = self._changes.onto(event.settings, event.handled)
                    self.suited_to = event.dataset.image
                self._mailbox = event.mailbox
                self.dataset = event.dataset
                self.folder = event.folder
                self.read_only = event.read_only
                self.save_problem = ""
                self.saved_step = event.snapshot.step if event.folder is not None else None
                self.snapshot = event.snapshot
                self.opened.emit(event)
            case messages.Saved(folder, step):
                self.folder = folder
                self.read_only = self.save_problem = ""
                self.saved_step = step
                self.saved.emit(event)
            case messages.SaveFailed(_, sentence):
                self.save_problem = sentence
                self.save_failed.emit(sentence)
            case messages.Left(problem):
                self.left.emit(problem)
            case messages.Problem(sentence, details, key, cpu_may_help):
                self.problem.emit(sentence, details, key, cpu_may_help)
                self.load_something()
            case messages.DataMissing(folder, sentence):
                self.data_missing.emit(folder, sentence)
                self.load_something()

    def load_something(self) -> None:
        """Where what was asked for first is not to be had, and nothing else is: the digits are always there."""
        if self.dataset is None and not self._loader.last_key:
            self._loader.load(BUNDLED, None)

    def _take_data(self, dataset: ImageDataset) -> None:
        if self.snapshot is not None and self.snapshot.step > 0:
            self.data_arrived.emit(dataset)
        else:
            self.use_data(dataset, keep_model=False)

    def _on_data_failed(self, sentence: str, not_fetched: bool) -> None:
        if not_fetched:
            self.not_fetched.emit(sentence)
        else:
            self.problem.emit(sentence, "", messages.DATA, False)
        if self.dataset is None and self._loader.last_key != BUNDLED:
            self._loader.load(BUNDLED, None)

    def _set_state(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self.state_changed.emit(state)


def _title(key: str, folder: Path | None) -> str:
    """What a user calls a data set."""
    if folder is not None:
        return folder.name
    return title_of(key)
