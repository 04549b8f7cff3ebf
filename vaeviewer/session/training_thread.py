"""The training thread: the only one that touches the live model, and the only one that runs torch."""

from __future__ import annotations

import importlib
import logging
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vaeviewer.backend.autosave import SAVE_SECONDS
from vaeviewer.backend.config import Settings
from vaeviewer.backend.datasets.base import ImageDataset
from vaeviewer.errors import UserError
from vaeviewer.session import messages
from vaeviewer.session.mailbox import Mailbox, Progress
from vaeviewer.session.rate_meter import RateMeter
from vaeviewer.session.run_keeper import RunKeeper
from vaeviewer.session.states import State

if TYPE_CHECKING:  # torch is imported by the thread itself, once the window is on screen
    from vaeviewer.backend.trainer import Trainer

log = logging.getLogger(__name__)

NICENESS = 10
"""Of the training thread beside the window's 0, on Linux's scale from -20 to 19."""

PUBLISH_SECONDS = 1 / 15
"""Snapshots are published at most this often …"""

PUBLISH_SHARE = 0.05
"""… and cost training at most this share of its time."""

ENCODE_SHARE = 0.25
"""In slow motion all images are encoded again for every snapshot, as long as that takes at most this share."""


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
        self._mailbox = mailbox
        self._notify = notify
        self._commands: queue.SimpleQueue[tuple[int, messages.Command] | None] = queue.SimpleQueue()
        self._sent = 0
        self._handled = 0
        self._leave = threading.Event()
        self._imported = threading.Event()
        self._pace = threading.Condition()
        self._steps_per_s = 0.0
        self._state = State.LOADING
        self._trainer: Trainer | None = None
        self._meter = RateMeter()
        self._last_publish = 0.0
        self._publish_cost = 0.0
        self._encode_cost = 0.0
        self._next_step = 0.0
        self._thread = threading.Thread(target=self._run, name="training", daemon=True)

    # From the UI thread

    def start(self) -> None:
        """Start the thread, which imports torch first."""
        self._thread.start()

    def send(self, command: messages.Command) -> int:
        """Queue a command; returns its number, which events refer to."""
        self._sent += 1
        self._commands.put((self._sent, command))
        self._wake()
        return self._sent

    def set_steps_per_second(self, rate: float) -> None:
        """Slow training down to ``rate`` steps per second; 0 is full speed. Acts at once."""
        with self._pace:
            self._steps_per_s = rate
            self._next_step = 0.0
            self._pace.notify()

    def close(self, timeout_s: float) -> bool:
        """Ask the thread to leave and wait for it; returns whether it did in time."""
        self._leave.set()
        self._commands.put(None)
        self._wake()
        if self._thread.ident is not None:
            # An import cannot be interrupted, and before it ends there is nothing to save.
            self._thread.join(timeout_s if self._imported.is_set() else min(timeout_s, 0.2))
        return not self._thread.is_alive()

    # On the training thread

    def _run(self) -> None:
        _let_the_window_go_first()
        try:
            importlib.import_module("vaeviewer.backend.trainer")  # takes seconds, the window is up meanwhile
        except Exception as error:  # whatever keeps torch from loading is the user's to read
            self._problem(f"PyTorch could not be loaded: {_first_line(error)}")
            return
        self._imported.set()
        while not self._leave.is_set():
            item = self._commands.get()
            if item is not None:
                self._handle(*item)
        self._keep_run()

    def _keep_run(self) -> None:
        """Closing never asks: steps that are not on disk yet are saved."""
        try:
            self.run_keeper.leave(self._trainer)
        except Exception:  # nobody is left to tell but the log, and nothing must keep the program from ending
            log.exception("the run could not be saved while closing")

    def _handle(self, number: int, command: messages.Command) -> None:
        self._handled = number
        try:
            self._perform(command)
        except UserError as error:
            self._problem(str(error))
            self._enter(self._state)
        except Exception as error:  # the thread lives on; the window says what happened
            self._fail(error)

    def _perform(self, command: messages.Command) -> None:
        match command:
            case messages.Build(settings, dataset):
                self._build(settings, dataset)
            case messages.OpenRun(folder):
                self._open(folder)
            case messages.UseData(dataset):
                self._use_data(dataset)
            case messages.Train(further):
                self._train(further)
            case messages.Step():
                self._step_once()
            case messages.Pause():
                if self._state is State.RUNNING:
                    self._rest(State.PAUSED)
                else:
                    self._enter(self._state)
            case messages.Stop():
                self._rest(State.FINISHED)
            case messages.Change(field, value):
                if self._trainer is not None:
                    self._trainer.change(field, value)
                    self.run_keeper.note(self._trainer, f"{field} = {value}")
                    self._post_progress()
            case messages.Save(folder):
                in_training = self._state is State.RUNNING
                self.run_keeper.save(self._current(), folder, in_training=in_training)

    def _build(self, settings: Settings, dataset: ImageDataset) -> None:
        from vaeviewer.backend.trainer import Trainer

        try:
            self.run_keeper.leave(self._trainer)
        except UserError as error:  # a new model was asked for, so the old one is not kept
            self._problem(str(error))
        # The old trainer goes first: two copies of the data need not fit on the device.
        self._trainer = None
        self._trainer = trainer = Trainer(dataset, settings)
        self._announce(trainer)
        self._rest(State.READY)

    def _open(self, folder: Path) -> None:
        self._trainer = trainer = self.run_keeper.open(folder, self._trainer)
        self._announce(trainer)
        if trainer.step_count == 0:
            self._rest(State.READY)
        else:
            self._rest(State.FINISHED if trainer.finished else State.PAUSED)

    def _use_data(self, dataset: ImageDataset) -> None:
        from vaeviewer.backend.restore import moved_to

        trainer = self._current()
        moved = moved_to(trainer, dataset)
        self.run_keeper.leave(trainer)
        self._trainer = moved
        self._announce(self._trainer)
        self._rest(State.FINISHED if trainer.step_count else State.READY)

    def _train(self, further: bool) -> None:
        from vaeviewer.backend.loop import train

        trainer = self._current()
        if further and trainer.finished:
            trainer.train_further()
        self._meter.start(trainer.step_count)
        self._next_step = 0.0
        self.run_keeper.begin(trainer)
        self._enter(State.RUNNING)
        train(trainer, go_on=self._go_on, after_block=self._after_block)
        # A command that ended the run has entered its own state already.
        if self._state is State.RUNNING and not self._leave.is_set():
            self._rest(State.FINISHED)

    def _step_once(self) -> None:
        from vaeviewer.backend.loop import train

        trainer = self._current()
        if trainer.finished:
            trainer.train_further()
        steps = iter((True,))
        train(trainer, go_on=lambda: next(steps, False), after_block=lambda: None)
        self._rest(State.PAUSED, save=self.run_keeper.rest_after_step)

    def _go_on(self) -> bool:
        """Handle what was asked since the last step, wait where the pace says so, and say whether to go on."""
        while not self._leave.is_set():
            if not self._commands.empty():
                item = self._commands.get()
                if item is None:
                    return False
                self._current().finish_block()
                self._handle(*item)
                if self._state is not State.RUNNING:
                    return False
                continue
            if self._steps_per_s == 0.0:
                return True
            if self._waited_for_pace():
                return True
        return False

    def _waited_for_pace(self) -> bool:
        """Wait until the next step is due; ``False`` if something else wants attention first."""
        with self._pace:
            if self._steps_per_s == 0.0:
                return True
            now = time.perf_counter()
            wait = self._next_step - now
            if wait > 0:
                if self._commands.empty() and not self._leave.is_set():
                    self._pace.wait(wait)
                return False
            period = 1.0 / self._steps_per_s
            # Never catch up on missed steps in a burst.
            self._next_step = max(self._next_step + period, now)
            return True

    def _wake(self) -> None:
        with self._pace:
            self._pace.notify()

    def _after_block(self) -> None:
        trainer = self._current()
        self._meter.note(trainer.step_count)
        self._post_progress()
        self.run_keeper.after_block(trainer)
        now = time.perf_counter()
        interval = max(PUBLISH_SECONDS, self._publish_cost / PUBLISH_SHARE)
        if self._mailbox.snapshot_taken and now - self._last_publish >= interval:
            # In slow motion a step moves one batch only; encoding all images lets the whole plane move.
            slow = self._steps_per_s > 0.0
            if slow and self._encode_cost * self._steps_per_s <= ENCODE_SHARE:
                self._refresh_posterior(trainer)
            self._publish(trainer)

    def _publish(self, trainer: Trainer) -> None:
        start = time.perf_counter()
        self._mailbox.post(trainer.snapshot(), None)
        self._last_publish = time.perf_counter()
        self._publish_cost = self._last_publish - start

    def _refresh_posterior(self, trainer: Trainer) -> None:
        start = time.perf_counter()
        trainer.refresh_posterior()
        self._encode_cost = time.perf_counter() - start

    def _rest(self, state: State, save: Callable[[Trainer], None] | None = None) -> None:
        """Come to rest in ``state``, with a consistent snapshot published and this state kept as good and on disk."""
        trainer = self._current()
        trainer.finish_block()
        if state is State.FINISHED and trainer.step_count and not trainer.held_out_is_current:
            trainer.evaluate()
        self._refresh_posterior(trainer)
        trainer.keep_good_state()
        self._publish(trainer)
        self._meter.stop()
        self._post_progress()
        (save or self.run_keeper.rest)(trainer)
        self._enter(state)

    def _fail(self, error: Exception) -> None:
        from vaeviewer.backend.trainer import NonFiniteError

        details = "".join(traceback.format_exception(error))
        if self._trainer is None:
            self._problem(f"This could not be done: {_first_line(error)}", details)
            self._enter(State.LOADING)
            return
        step = self._trainer.restore_good_state()
        if isinstance(error, NonFiniteError):
            sentence = (
                f"Training stopped: {error}. The weights are back at step {step:,}; "
                "lower the learning rate, then press Continue."
            )
        else:
            sentence = f"Training stopped: {_first_line(error)}. The weights are back at step {step:,}."
        self._publish(self._trainer)
        self._post_progress()
        self._problem(sentence, details)
        self.run_keeper.rest(self._trainer)
        self._enter(State.FAILED)

    def _current(self) -> Trainer:
        if self._trainer is None:
            raise UserError("there is no model yet; choose data first.")
        return self._trainer

    def _announce(self, trainer: Trainer) -> None:
        self._notify(
            messages.Opened(
                trainer.settings,
                trainer.dataset,
                self.run_keeper.folder,
                trainer.device.type,
                trainer.threads,
                trainer.snapshot(),
                self.run_keeper.read_only,
            )
        )

    def _post_progress(self) -> None:
        trainer = self._current()
        rate = self._meter.steps_per_s
        left = (trainer.planned_epochs - trainer.epoch) * trainer.steps_per_epoch
        self._mailbox.post(
            None,
            Progress(
                step=trainer.step_count,
                epoch=trainer.epoch,
                epochs=trainer.planned_epochs,
                images_per_s=rate * trainer.batch_size if rate else None,
                seconds_left=max(0.0, left) / rate if rate else None,
                history=trainer.history,
            ),
        )

    def _enter(self, state: State) -> None:
        self._state = state
        self._notify(messages.Entered(state, self._handled))

    def _problem(self, sentence: str, details: str = "") -> None:
        self.run_keeper.note(self._trainer, sentence)
        self._notify(messages.Problem(sentence, details))


def _let_the_window_go_first() -> None:
    """Give this thread, and the torch threads it will start, a lower priority than the window's.

    A drag then need not wait for training to give up a core. Linux alone has priorities per thread.
    """
    if sys.platform.startswith("linux"):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")
