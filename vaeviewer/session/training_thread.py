"""The training thread: the only one that touches the live model, and the only one that runs torch."""

from __future__ import annotations

import logging
import queue
import threading
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs.autosave import SAVE_SECONDS
from vaeviewer.backend.training.affinity import let_the_window_go_first
from vaeviewer.backend.training.failure import Failure, Kind, describe_failure, smaller_batches
from vaeviewer.errors import DataError, UserError
from vaeviewer.session import failure_sentences, messages
from vaeviewer.session.mailbox import Mailbox
from vaeviewer.session.pace import Pace
from vaeviewer.session.publisher import Publisher
from vaeviewer.session.run_keeper import RunKeeper
from vaeviewer.session.states import BUTTONS, Action, State
from vaeviewer.session.torch_import import import_beside_window

if TYPE_CHECKING:  # torch is imported by the thread itself, once the window is on screen
    from vaeviewer.backend.training.health import Finding
    from vaeviewer.backend.training.trainer import Trainer

log = logging.getLogger(__name__)

TRAINING = (messages.Train, messages.Step, messages.ContinueOnCpu, messages.GoBack)
"""Commands that are done again with smaller batches when memory does not suffice."""

ASIDE = (messages.OpenRun, messages.UseData, messages.Save, messages.Change)
"""Commands that leave the model in training as it is when they fail."""

TOPICS = {messages.OpenRun: messages.OPENING, messages.UseData: messages.DATA, messages.Save: "saving"}
"""What there is to say of a command is about, where nothing else is said."""

BUTTON_OF: Mapping[type, Action] = {
    messages.Train: Action.TRAIN,
    messages.ContinueOnCpu: Action.TRAIN,
    messages.Pause: Action.PAUSE,
    messages.Step: Action.STEP,
    messages.Stop: Action.STOP,
}
"""Commands that the table of states allows or not. The window looked there too, but perhaps some commands ago."""


class TrainingThread:
    """Runs one trainer at a time on a thread of its own, driven by commands.

    Args:
        mailbox: Where snapshots and progress go.
        notify: Called with each event on the thread it happened on; it must only pass the event on.
        save_seconds: While training, the run is saved this often at most.

    Attributes:
        run_keeper: Where the run is saved.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        notify: Callable[[messages.Event], None],
        save_seconds: float = SAVE_SECONDS,
    ) -> None:
        self.run_keeper = RunKeeper(notify, save_seconds)
        self._publisher = Publisher(mailbox)
        self._notify = notify
        self._commands: queue.SimpleQueue[tuple[int, messages.Command] | None] = queue.SimpleQueue()
        self._sent = 0
        self._handled = 0
        self._topic = ""
        self._leave = threading.Event()
        self._left: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ends_anyway = False
        self._ended = False
        self._imported = threading.Event()
        self._deferred: tuple[int, messages.Build] | None = None
        self._pace = Pace()
        self._state = State.LOADING
        self._told: Finding | None = None
        self._trainer: Trainer | None = None
        self._thread = threading.Thread(target=self._run, name="training", daemon=True)

    # From the UI thread

    def start(self) -> None:
        """Start the thread, which imports torch first."""
        self._thread.start()

    def send(self, command: messages.Command) -> int:
        """Queue a command; returns its number, which events refer to."""
        self._sent += 1
        self._commands.put((self._sent, command))
        self._pace.wake()
        return self._sent

    def set_steps_per_second(self, rate: float) -> None:
        """Slow training down to ``rate`` steps per second; 0 is full speed. Acts at once."""
        self._pace.set(rate)

    def leave(self, timeout_s: float) -> str | None:
        """Ask the thread to save the run and to end.

        Returns:
            Nothing (an empty text) if it does so; why the run cannot be saved, and then the thread goes on, at rest;
            ``None`` if it has not come so far in time: :class:`messages.Left` tells later.
        """
        while not self._left.empty():
            self._left.get()
        self._ask_to_leave()
        if self._ended or not self._thread.is_alive() or not self._imported.is_set():
            return ""  # an import cannot be interrupted, and before it ends there is nothing to save
        try:
            return self._left.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def close(self, timeout_s: float) -> bool:
        """End the thread, even if the run cannot be saved, and wait for it; returns whether it ended in time."""
        self._ends_anyway = True
        self._ask_to_leave()
        if self._thread.ident is not None:
            self._thread.join(timeout_s if self._imported.is_set() else min(timeout_s, 0.2))
        return not self._thread.is_alive()

    def _ask_to_leave(self) -> None:
        self._leave.set()
        self._commands.put(None)
        self._pace.wake()

    # On the training thread

    def _run(self) -> None:
        let_the_window_go_first()
        try:
            import_beside_window(
                "vaeviewer.backend.training.trainer"
            )  # takes seconds, the window is up meanwhile
        except Exception as error:  # whatever keeps torch from loading is the user's to read
            log.exception("PyTorch could not be loaded")
            self._problem(f"PyTorch could not be loaded: {error}".rstrip("."))
            return
        self._imported.set()
        while True:
            while not self._leave.is_set():
                item = self._deferred or self._commands.get()
                self._deferred = None
                if item is not None:
                    self._handle(*item)
            problem = self._keep_run()
            self._leave.clear()
            if not problem or self._ends_anyway:
                break
            self._stay()
            self._tell_left(problem)
        self._ended = True
        self._tell_left("")

    def _keep_run(self) -> str:
        """Save the steps that are not on disk yet and let go of the folder; why that cannot be done, or nothing."""
        problem = ""
        try:
            self.run_keeper.finish(self._trainer)
        except UserError as error:
            log.warning("closing: %s", error)
            problem = str(error)
        except Exception as error:  # whatever it is, the user decides what becomes of the run
            log.exception("the run could not be saved while closing")
            problem = f"the run was not saved: {type(error).__name__}: {error}."
        if not problem or self._ends_anyway:
            self.run_keeper.leave(None)  # as it is on disk
        return problem

    def _stay(self) -> None:
        """What was asked to leave and could not is there again, at rest."""
        if self._state is State.RUNNING:
            failure = self._attempt(lambda: self._rest(State.PAUSED))
            if failure is None:
                return
            log.error("training could not come to rest\n%s", failure.details)
            self._state = State.FAILED
        self._enter(self._state)

    def _tell_left(self, problem: str) -> None:
        self._left.put(problem)
        self._notify(messages.Left(problem))

    def _handle(self, number: int, command: messages.Command) -> None:
        self._handled = number
        self._topic = TOPICS.get(type(command), "problem")
        if self._overtaken(command):
            self._enter(self._state)
            return
        # Weakly, as a model that is to be built needs the memory of the one before.
        before = None if self._trainer is None else weakref.ref(self._trainer)
        failure = self._attempt(lambda: self._perform(command))
        if failure is not None and isinstance(command, TRAINING):
            failure = self._retry_with_smaller_batches(command, failure)
        if failure is None:
            return
        # What users bring about, and are told of, is no error of the program's.
        level = logging.ERROR if failure.kind is Kind.OTHER else logging.WARNING
        log.log(level, "%s failed\n%s", type(command).__name__, failure.details)
        if (
            isinstance(command, ASIDE)
            and failure.spares_weights
            and before is not None
            and before() is self._trainer
        ):
            self._problem(failure_sentences.not_done(failure), failure.details, key=self._topic)
            self._enter(self._state)
            return
        worse = self._attempt(lambda: self._fail(command, failure))
        if worse is not None:
            self._give_up(failure, worse)

    def _attempt(self, action: Callable[[], None]) -> Failure | None:
        """Do something; ``None``, or what went wrong that the user is not told yet.

        Whoever recovers does so after this returned: the exception, and with it the memory that its frames
        hold, is gone by then.
        """
        try:
            action()
        except UserError as error:
            log.warning("%s", error)
            self._problem(str(error), key=self._topic)
            self._enter(self._state if self._trainer is not None else State.LOADING)
        except Exception as error:  # the thread lives on; the window says what happened
            return describe_failure(error)
        return None

    def _perform(self, command: messages.Command) -> None:
        match command:
            case messages.Build(settings, dataset):
                self._build(settings, dataset)
            case messages.OpenRun(folder, data):
                self._open(folder, data)
            case messages.UseData(dataset):
                self._use_data(dataset)
            case messages.Train(further):
                self._train(further)
            case messages.Step():
                self._step_once()
            case messages.Pause():
                self._rest(State.PAUSED)
            case messages.Stop():
                self._rest(State.FINISHED)
            case messages.Change(field, value):
                if self._trainer is not None:
                    self._trainer.change(field, value)
                    self.run_keeper.note(self._trainer, f"{field} = {value}")
                    self._publisher.progress(self._trainer)
                    if self._state is State.PAUSED and self._trainer.finished:
                        self._rest(State.FINISHED)  # so few epochs were asked for that nothing is left to do
                # Every command is answered: the window takes what was entered before it for outdated.
                self._enter(self._state)
            case messages.Save(folder):
                in_training = self._state is State.RUNNING
                self.run_keeper.save(self._current(), folder, in_training=in_training)
                self._enter(self._state)
            case messages.ContinueOnCpu():
                if self._current().device.type != "cpu":
                    self._move_to_cpu()
                self._train(further=False)
            case messages.GoBack(learning_rate, beta):
                self._go_back(learning_rate=learning_rate, beta=beta)

    def _overtaken(self, command: messages.Command) -> bool:
        """Whether a button does nothing any more: the state it was pressed in has given way to another one."""
        action = BUTTON_OF.get(type(command))
        return action is not None and action not in BUTTONS[self._state].allowed

    def _build(self, settings: Settings, dataset: ImageDataset) -> None:
        from vaeviewer.backend.training.device import resolve_device
        from vaeviewer.backend.training.trainer import Trainer

        try:
            resolve_device(settings.compute.device)  # refused before anything is given up
        except UserError:
            if self._trainer is not None:  # to a window that has cleared its panels for the new model
                self._announce(self._trainer)
                self._publisher.progress(self._trainer)
            raise
        try:
            self.run_keeper.leave(self._trainer)
        except UserError as error:  # a new model was asked for, so the old one is not kept
            self._problem(str(error))
        # The old trainer goes first: two copies of the data need not fit on the device.
        self._trainer = None
        self._trainer = trainer = Trainer(dataset, settings)
        self._announce(trainer)
        self._rest(State.READY)

    def _open(self, folder: Path, data: Path | None) -> None:
        notes: list[str] = []
        try:
            trainer = self.run_keeper.open(folder, self._trainer, notes.append, data)
        except DataError as error:
            log.warning("%s", error)
            self._notify(messages.DataMissing(folder, str(error)))
            self._enter(self._state if self._trainer is not None else State.LOADING)
            return
        self._trainer = trainer
        self._announce(trainer)
        for note in notes:  # after the run is on screen, which they are about
            log.warning("%s", note)
            self._problem(note, key=messages.OPENING)
        if trainer.step_count == 0:
            self._rest(State.READY)
        else:
            self._rest(State.FINISHED if trainer.finished else State.PAUSED)

    def _use_data(self, dataset: ImageDataset) -> None:
        from vaeviewer.backend.runs.restore import moved_to

        trainer = self._current()
        if trainer.dataset.same_images(dataset):  # the run goes on as it was, with its curves
            if trainer.dataset.source != dataset.source:
                trainer.dataset = dataset
                self._announce(trainer)
                self._publisher.progress(trainer)
            self._enter(self._state)
            return
        moved = moved_to(trainer, dataset)
        self.run_keeper.leave(trainer)
        self._trainer = moved
        self._announce(self._trainer)
        self._rest(State.FINISHED if trainer.step_count else State.READY)

    def _train(self, further: bool) -> None:
        from vaeviewer.backend.training.loop import train

        trainer = self._current()
        trainer.cores.stay(give_way_to_window=True)
        if further and trainer.finished:
            trainer.train_further()
        self._publisher.begin(trainer)
        self._pace.begin()
        self.run_keeper.begin(trainer)
        self._enter(State.RUNNING)
        train(trainer, go_on=self._go_on, after_block=self._after_block)
        # A command that ended the run has entered its own state already.
        if self._state is State.RUNNING and not self._leave.is_set() and self._deferred is None:
            self._rest(State.FINISHED)

    def _go_back(self, **changes: float | None) -> None:
        """Go back to the last good state and train on with some settings changed."""
        trainer, was_running = self._current(), self._state is State.RUNNING
        step = trainer.restore_good_state()
        self.run_keeper.note(trainer, f"went back to step {step:,}")
        for field, value in changes.items():
            if value is not None:
                trainer.change(field, value)
                self.run_keeper.note(trainer, f"{field} = {value}")
                self._notify(messages.Changed(field, value))
        self._tell(trainer.finding)
        self._publisher.begin(trainer)
        self._publisher.snapshot(trainer)
        self._publisher.progress(trainer)
        if was_running:
            self._enter(State.RUNNING)
        else:
            self._train(further=False)

    def _tell(self, finding: Finding | None) -> None:
        """Say what makes training senseless, once, and once that it is over."""
        if finding == self._told:
            return
        self._told = finding
        if finding is not None:
            sentence = failure_sentences.senseless(finding)
            log.warning("%s", sentence)
            self.run_keeper.note(self._trainer, sentence)
        self._notify(messages.Exploding(finding))

    def _step_once(self) -> None:
        from vaeviewer.backend.training.loop import train

        trainer = self._current()
        if trainer.finished:
            trainer.train_further()
        before = trainer.step_count

        def go_on() -> int:
            # A step that waits for its compiler gives way to the next command.
            return int(trainer.step_count == before and (trainer.engine.ready or not self._wanted()))

        train(trainer, go_on=go_on, after_block=lambda: self._publisher.progress(trainer))
        self._rest(State.PAUSED, save=self.run_keeper.rest_after_step)

    def _go_on(self) -> int:
        """Handle what was asked since the last step, wait where the pace says so, and say how far to go on."""
        from vaeviewer.backend.training.loop import FREELY

        while not self._leave.is_set():
            if not self._commands.empty():
                # First, so that a command is not lost with the steps before it.
                self._current().finish_block()
                item = self._commands.get()
                if item is None:  # only wakes
                    continue
                number, command = item
                if isinstance(command, messages.Build) and _can_be_built(command.settings):
                    self._deferred = number, command  # until none of the loop's frames holds the old model
                    return 0
                self._handle(number, command)
                if self._state is not State.RUNNING:
                    return 0
                continue
            self._publisher.before_step(self._current(), self._pace.steps_per_s)
            if self._pace.wait(self._wanted):
                return 1 if self._pace.steps_per_s else FREELY
        return 0

    def _wanted(self) -> bool:
        return not self._commands.empty() or self._leave.is_set()

    def _after_block(self) -> None:
        trainer = self._current()
        self._tell(trainer.finding)
        self.run_keeper.after_block(trainer)
        self._publisher.after_block(trainer, self._pace.steps_per_s)

    def _rest(self, state: State, save: Callable[[Trainer], None] | None = None) -> None:
        """Come to rest in ``state``, with a consistent snapshot published and this state kept as good and on disk."""
        trainer = self._current()
        trainer.finish_block()
        if state is State.FINISHED and trainer.step_count and not trainer.held_out_is_current:
            trainer.evaluate()
        self._publisher.rest(trainer)
        trainer.keep_good_state()  # after publishing, which finds a posterior that is not finite
        self._tell(trainer.finding)
        self._publisher.end(trainer)
        (save or self.run_keeper.rest)(trainer)
        self._enter(state)
        if not self._leave.is_set():
            trainer.engine.prepare(wait=False)  # while the processor has nothing else to do

    # When something goes wrong

    def _retry_with_smaller_batches(self, command: messages.Command, failure: Failure) -> Failure | None:
        """Where memory ran out, do ``command`` again with half the batch, and so on; what is left to answer."""
        remaining: Failure | None = failure
        for batch_size in smaller_batches(self._current().batch_size):
            if remaining is None or remaining.kind is not Kind.MEMORY or self._leave.is_set():
                break
            log.warning("out of memory\n%s", remaining.details)
            remaining = self._attempt(partial(self._retry, command, batch_size, remaining.details))
        return remaining

    def _retry(self, command: messages.Command, batch_size: int, details: str) -> None:
        import torch

        torch.cuda.empty_cache()  # does nothing where there is no CUDA
        trainer = self._current()
        failed_size = trainer.batch_size
        step = trainer.restore_good_state(batch_size)
        self._notify(messages.Changed("batch_size", batch_size))
        self._problem(failure_sentences.eased(failed_size, batch_size, step), details)
        self._perform(command)

    def _fail(self, command: messages.Command, failure: Failure) -> None:
        """Go back to the last good state, say so, and wait there."""
        trainer = self._trainer
        if trainer is None:
            wanted = command.settings.compute.device if isinstance(command, messages.Build) else "cpu"
            self._problem(
                failure_sentences.unbuilt(failure, device=wanted),
                failure.details,
                key=messages.FAILURE,
                cpu_may_help=wanted != "cpu" and failure.kind in (Kind.MEMORY, Kind.DEVICE),
            )
            self._enter(State.LOADING)
            return
        self._state = State.FAILED
        device, batch_size, finding = trainer.device.type, trainer.batch_size, trainer.finding
        if failure.kind is Kind.DEVICE or not self._restored(trainer):
            self._move_to_cpu()  # from what was kept in ordinary memory: the device may not answer any more
            trainer = self._current()
        self._publisher.snapshot(trainer)
        self._publisher.end(trainer)
        self._tell(finding if failure.kind is Kind.NON_FINITE else trainer.finding)
        self._problem(
            failure_sentences.stopped(failure, device=device, batch_size=batch_size, step=trainer.step_count),
            failure.details,
            key=messages.FAILURE,
            cpu_may_help=device != "cpu" and failure.kind in (Kind.MEMORY, Kind.DEVICE),
        )
        self.run_keeper.rest(trainer)
        self._enter(State.FAILED)

    def _restored(self, trainer: Trainer) -> bool:
        def restore() -> None:
            trainer.restore_good_state()

        problem = self._attempt(restore)
        if problem is not None:
            log.error("the good state could not be restored in place\n%s", problem.details)
        return problem is None

    def _give_up(self, failure: Failure, worse: Failure) -> None:
        log.error("the good state could not be restored\n%s", worse.details)
        details = failure.details + "\n" + worse.details
        self._problem(failure_sentences.lost(failure, worse), details, key=messages.FAILURE)
        self._enter(State.FAILED if self._trainer is not None else State.LOADING)

    def _move_to_cpu(self) -> None:
        from vaeviewer.backend.runs.restore import moved_to_cpu

        self._trainer = moved_to_cpu(self._current())
        self._notify(messages.Changed("device", "cpu"))

    def _current(self) -> Trainer:
        if self._trainer is None:
            raise UserError("there is no model yet; choose data first.")
        return self._trainer

    def _announce(self, trainer: Trainer) -> None:
        self._publisher.mailbox = Mailbox()
        self._notify(
            messages.Opened(
                trainer.settings,
                trainer.dataset,
                self.run_keeper.folder,
                trainer.device.type,
                trainer.threads,
                trainer.snapshot(),
                self._publisher.mailbox,
                self._handled,
                self.run_keeper.read_only,
            )
        )

    def _enter(self, state: State) -> None:
        self._state = state
        self._notify(messages.Entered(state, self._handled))

    def _problem(
        self, sentence: str, details: str = "", *, key: str = "problem", cpu_may_help: bool = False
    ) -> None:
        self.run_keeper.note(self._trainer, sentence)
        self._notify(messages.Problem(sentence, details, key, cpu_may_help))


def _can_be_built(settings: Settings) -> bool:
    """Whether the device that a model is to be built on is there."""
    from vaeviewer.backend.training.device import resolve_device

    try:
        resolve_device(settings.compute.device)
    except UserError:
        return False
    return True
