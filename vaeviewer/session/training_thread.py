"""The training thread: the only one that touches the live model, and the only one that runs torch."""

from __future__ import annotations

import logging
import queue
import threading
import weakref
from collections.abc import Callable, Mapping

from vaeviewer.backend.runs.autosave import SAVE_SECONDS
from vaeviewer.backend.training.affinity import let_the_window_go_first
from vaeviewer.backend.training.failure import Failure, Kind, describe_failure
from vaeviewer.backend.training.recovery import Eased, in_good_state, with_smaller_batches
from vaeviewer.errors import UserError
from vaeviewer.session import failure_sentences, messages
from vaeviewer.session.announcer import Announcer
from vaeviewer.session.driver import Driver
from vaeviewer.session.inbox import Inbox
from vaeviewer.session.mailbox import Mailbox
from vaeviewer.session.pace import Pace
from vaeviewer.session.publisher import Publisher
from vaeviewer.session.run_keeper import RunKeeper
from vaeviewer.session.states import BUTTONS, Action, State
from vaeviewer.session.torch_import import import_beside_window

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
        self._pace = Pace()
        self._inbox = Inbox(self._pace)
        self._announcer = Announcer(notify, self.run_keeper)
        self._publisher = Publisher(mailbox)
        self._driver = Driver(
            self._inbox, self._handle, self._pace, self._announcer, self._publisher, self.run_keeper
        )
        self._topic = ""
        self._left: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ends_anyway = False
        self._ended = False
        self._imported = threading.Event()
        self._thread = threading.Thread(target=self._run, name="training", daemon=True)

    # From the UI thread

    def start(self) -> None:
        """Start the thread, which imports torch first."""
        self._thread.start()

    def send(self, command: messages.Command) -> int:
        """Queue a command; returns its number, which events refer to."""
        return self._inbox.send(command)

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
        self._inbox.ask_to_leave()
        if self._ended or not self._thread.is_alive() or not self._imported.is_set():
            return ""  # an import cannot be interrupted, and before it ends there is nothing to save
        try:
            return self._left.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def close(self, timeout_s: float) -> bool:
        """End the thread, even if the run cannot be saved, and wait for it; returns whether it ended in time."""
        self._ends_anyway = True
        self._inbox.ask_to_leave()
        if self._thread.ident is not None:
            self._thread.join(timeout_s if self._imported.is_set() else min(timeout_s, 0.2))
        return not self._thread.is_alive()

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
            while not self._inbox.leaving:
                item = self._inbox.take()
                if item is not None:
                    self._handle(*item)
            problem = self._keep_run()
            self._inbox.stay()
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
            self.run_keeper.finish(self._driver.trainer)
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
        if self._announcer.state is State.RUNNING:
            failure = self._attempt(lambda: self._driver.rest(State.PAUSED))
            if failure is None:
                return
            log.error("training could not come to rest\n%s", failure.details)
            self._announcer.state = State.FAILED
        self._announcer.enter(self._announcer.state)

    def _tell_left(self, problem: str) -> None:
        self._left.put(problem)
        self._announcer.notify(messages.Left(problem))

    def _handle(self, number: int, command: messages.Command) -> None:
        driver, self._announcer.handled = self._driver, number
        self._topic = TOPICS.get(type(command), "problem")
        if self._overtaken(command):
            self._announcer.enter(self._announcer.state)
            return
        # Weakly, as a model that is to be built needs the memory of the one before.
        before = None if driver.trainer is None else weakref.ref(driver.trainer)

        def perform() -> None:
            driver.perform(command)

        if isinstance(command, TRAINING):
            failure = with_smaller_batches(
                perform,
                driver.current,
                attempt=self._attempt,
                tell=self._tell_eased,
                go_on=lambda: not self._inbox.leaving,
            )
        else:
            failure = self._attempt(perform)
        if failure is None:
            return
        # What users bring about, and are told of, is no error of the program's.
        level = logging.ERROR if failure.kind is Kind.OTHER else logging.WARNING
        log.log(level, "%s failed\n%s", type(command).__name__, failure.details)
        if (
            isinstance(command, ASIDE)
            and failure.spares_weights
            and before is not None
            and before() is self._driver.trainer
        ):
            self._problem(failure_sentences.not_done(failure), failure.details, key=self._topic)
            self._announcer.enter(self._announcer.state)
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
            self._announcer.enter(
                self._announcer.state if self._driver.trainer is not None else State.LOADING
            )
        except Exception as error:  # the thread lives on; the window says what happened
            return describe_failure(error)
        return None

    def _overtaken(self, command: messages.Command) -> bool:
        """Whether a button does nothing any more: the state it was pressed in has given way to another one."""
        action = BUTTON_OF.get(type(command))
        return action is not None and action not in BUTTONS[self._announcer.state].allowed

    # When something goes wrong

    def _tell_eased(self, eased: Eased) -> None:
        log.warning("out of memory\n%s", eased.failure.details)
        self._announcer.notify(messages.Changed("batch_size", eased.batch_size))
        sentence = failure_sentences.eased(eased.failed_size, eased.batch_size, eased.step)
        self._problem(sentence, eased.failure.details)

    def _fail(self, command: messages.Command, failure: Failure) -> None:
        """Go back to the last good state, say so, and wait there."""
        trainer = self._driver.trainer
        if trainer is None:
            wanted = command.settings.compute.device if isinstance(command, messages.Build) else "cpu"
            self._problem(
                failure_sentences.unbuilt(failure, device=wanted),
                failure.details,
                key=messages.FAILURE,
                cpu_may_help=wanted != "cpu" and failure.kind in (Kind.MEMORY, Kind.DEVICE),
            )
            self._announcer.enter(State.LOADING)
            return
        self._announcer.state = State.FAILED
        device, batch_size, finding = trainer.device.type, trainer.batch_size, trainer.finding
        lost = failure.kind is Kind.DEVICE
        trainer = in_good_state(trainer, device_lost=lost, attempt=self._try_to_restore)
        self._driver.exchange(trainer)
        self._publisher.snapshot(trainer)
        self._publisher.end(trainer)
        told = finding if failure.kind is Kind.NON_FINITE else trainer.finding
        self._announcer.finding(trainer, told)
        self._problem(
            failure_sentences.stopped(failure, device=device, batch_size=batch_size, step=trainer.step_count),
            failure.details,
            key=messages.FAILURE,
            cpu_may_help=device != "cpu" and failure.kind in (Kind.MEMORY, Kind.DEVICE),
        )
        self.run_keeper.rest(trainer)
        self._announcer.enter(State.FAILED)

    def _try_to_restore(self, restore: Callable[[], None]) -> Failure | None:
        problem = self._attempt(restore)
        if problem is not None:
            log.error("the good state could not be restored in place\n%s", problem.details)
        return problem

    def _give_up(self, failure: Failure, worse: Failure) -> None:
        log.error("the good state could not be restored\n%s", worse.details)
        details = failure.details + "\n" + worse.details
        self._problem(failure_sentences.lost(failure, worse), details, key=messages.FAILURE)
        self._announcer.enter(State.FAILED if self._driver.trainer is not None else State.LOADING)

    def _problem(
        self, sentence: str, details: str = "", *, key: str = "problem", cpu_may_help: bool = False
    ) -> None:
        self._announcer.problem(self._driver.trainer, sentence, details, key=key, cpu_may_help=cpu_may_help)
