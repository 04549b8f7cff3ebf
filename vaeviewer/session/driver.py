"""What commands do to the model in training, on the training thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaeviewer.backend.config import Settings, live_fields
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.errors import DataError, UserError
from vaeviewer.session import messages
from vaeviewer.session.announcer import Announcer
from vaeviewer.session.inbox import Inbox
from vaeviewer.session.mailbox import Mailbox
from vaeviewer.session.pace import Pace
from vaeviewer.session.publisher import Publisher
from vaeviewer.session.run_keeper import RunKeeper
from vaeviewer.session.states import State

if TYPE_CHECKING:  # torch is imported by the thread itself, once the window is on screen
    from vaeviewer.backend.training.trainer import Trainer

log = logging.getLogger(__name__)


class Driver:
    """Has one trainer at a time, builds, opens, trains and rests it. Whoever calls it answers for what fails.

    Args:
        inbox: Has further commands, which are handled while it trains.
        handle: Handles one of these.
        pace: How fast it trains.
        announcer: Is told what the window is to know.
        publisher: Shows what training has to show.
        run_keeper: Where the run is saved.

    Attributes:
        trainer: The model in training, or ``None`` before the first.
        publisher: As given.
    """

    def __init__(
        self,
        inbox: Inbox,
        handle: Callable[[int, messages.Command], None],
        pace: Pace,
        announcer: Announcer,
        publisher: Publisher,
        run_keeper: RunKeeper,
    ) -> None:
        self.trainer: Trainer | None = None
        self.publisher = publisher
        self._inbox = inbox
        self._handle = handle
        self._pace = pace
        self._announcer = announcer
        self._run_keeper = run_keeper

    def current(self) -> Trainer:
        """The model in training.

        Raises:
            UserError: There is none yet.
        """
        if self.trainer is None:
            raise UserError("there is no model yet; choose data first.")
        return self.trainer

    def exchange(self, trainer: Trainer) -> None:
        """Go on with this one, which is of the same run and perhaps on another device."""
        if trainer is not self.trainer:
            self.trainer = trainer
            self._announcer.notify(messages.Changed("device", trainer.device.type))

    def perform(self, command: messages.Command) -> None:
        """Do what a command asks.

        Raises:
            UserError: Something the user can mend; all is as before.
        """
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
                self.rest(State.PAUSED)
            case messages.Stop():
                self.rest(State.FINISHED)
            case messages.Change(field, value):
                # A run of another family, opened since the change was sent, may not have the field.
                if self.trainer is not None and field in live_fields(self.trainer.settings):
                    self.trainer.change(field, value)
                    self._run_keeper.note(self.trainer, f"{field} = {value}")
                    self.publisher.progress(self.trainer)
                    if self._announcer.state is State.PAUSED and self.trainer.finished:
                        self.rest(State.FINISHED)  # so few epochs were asked for that nothing is left to do
                # Every command is answered: the window takes what was entered before it for outdated.
                self._announcer.enter(self._announcer.state)
            case messages.Save(folder):
                in_training = self._announcer.state is State.RUNNING
                self._run_keeper.save(self.current(), folder, in_training=in_training)
                self._announcer.enter(self._announcer.state)
            case messages.ContinueOnCpu():
                from vaeviewer.backend.runs.restore import moved_to_cpu

                if self.current().device.type != "cpu":
                    self.exchange(moved_to_cpu(self.current()))
                self._train(further=False)
            case messages.GoBack(changes, best):
                self._go_back(changes, best=best)

    def _build(self, settings: Settings, dataset: ImageDataset) -> None:
        from vaeviewer.backend.training.device import resolve_device
        from vaeviewer.backend.training.trainer import Trainer, refuse_unlabelled

        try:  # refused before anything is given up
            resolve_device(settings.compute.device)
            refuse_unlabelled(settings, dataset)
        except UserError:
            if self.trainer is not None:  # to a window that has cleared its panels for the new model
                self._announce(self.trainer)
                self.publisher.progress(self.trainer)
            raise
        try:
            self._run_keeper.leave(self.trainer)
        except UserError as error:  # a new model was asked for, so the old one is not kept
            self._announcer.problem(self.trainer, str(error))
        # The old trainer goes first: two copies of the data need not fit on the device.
        self.trainer = None
        self.trainer = trainer = Trainer(dataset, settings)
        self._announce(trainer)
        self.rest(_state_of(trainer))

    def _open(self, folder: Path, data: Path | None) -> None:
        notes: list[str] = []
        try:
            trainer = self._run_keeper.open(folder, self.trainer, notes.append, data)
        except DataError as error:
            log.warning("%s", error)
            self._announcer.notify(messages.DataMissing(folder, str(error)))
            self._announcer.enter(self._announcer.state if self.trainer is not None else State.LOADING)
            return
        self.trainer = trainer
        self._announce(trainer)
        for note in notes:  # after the run is on screen, which they are about
            log.warning("%s", note)
            self._announcer.problem(trainer, note, key=messages.OPENING)
        self.rest(_state_of(trainer))

    def _use_data(self, dataset: ImageDataset) -> None:
        from vaeviewer.backend.runs.restore import moved_to

        trainer = self.current()
        if trainer.dataset.same_images(dataset):  # the run goes on as it was, with its curves
            if trainer.dataset.source != dataset.source:
                trainer.dataset = dataset
                self._announce(trainer)
                self.publisher.progress(trainer)
            self._announcer.enter(self._announcer.state)
            return
        moved = moved_to(trainer, dataset)
        self._run_keeper.leave(trainer)
        self.trainer = moved
        self._announce(self.trainer)
        self.rest(_state_of(moved))

    def _train(self, further: bool) -> None:
        from vaeviewer.backend.training.loop import train

        trainer = self.current()
        trainer.cores.stay(give_way_to_window=True)
        if further and trainer.finished:
            trainer.train_further()
        self.publisher.begin(trainer)
        self._pace.begin()
        self._run_keeper.begin(trainer)
        self._announcer.enter(State.RUNNING)
        train(trainer, go_on=self._go_on, after_block=self._after_block)
        # A command that ended the run has entered its own state already.
        if self._announcer.state is State.RUNNING and not self._inbox.leaving and not self._inbox.deferring:
            self.rest(State.FINISHED)

    def _go_back(self, changes: Mapping[str, Any], *, best: bool) -> None:
        """Go back to the last good state and train on with some settings changed, or to the best one and rest."""
        trainer, was_running = self.current(), self._announcer.state is State.RUNNING
        if best:
            if trainer.best is None:
                raise UserError("the state of the best epoch is not kept.")
            trainer.good = trainer.best
        step = trainer.restore_good_state()
        self._run_keeper.note(trainer, f"went back to step {step:,}")
        for field, value in changes.items():
            trainer.change(field, value)
            self._run_keeper.note(trainer, f"{field} = {value}")
            self._announcer.notify(messages.Changed(field, value))
        self._announcer.finding(trainer, trainer.finding)
        if best:
            self.rest(_state_of(trainer))
            return
        self.publisher.begin(trainer)
        self.publisher.snapshot(trainer)
        self.publisher.progress(trainer)
        if was_running:
            self._announcer.enter(State.RUNNING)
        else:
            self._train(further=False)

    def _step_once(self) -> None:
        from vaeviewer.backend.training.loop import train

        trainer = self.current()
        if trainer.finished:
            trainer.train_further()
        before = trainer.step_count

        def go_on() -> int:
            # A step that waits for its compiler gives way to the next command.
            return int(trainer.step_count == before and (trainer.engine.ready or not self._inbox.wanted()))

        train(trainer, go_on=go_on, after_block=lambda: self.publisher.progress(trainer))
        self.rest(State.PAUSED, save=self._run_keeper.rest_after_step)

    def _go_on(self) -> int:
        """Handle what was asked since the last step, wait where the pace says so, and say how far to go on."""
        from vaeviewer.backend.training.loop import FREELY

        while not self._inbox.leaving:
            if not self._inbox.empty:
                # First, so that a command is not lost with the steps before it.
                self.current().finish_block()
                item = self._inbox.take()
                if item is None:  # only wakes
                    continue
                number, command = item
                if isinstance(command, messages.Build) and _can_be_built(command.settings):
                    self._inbox.defer(item)  # until none of the loop's frames holds the old model
                    return 0
                self._handle(number, command)
                if self._announcer.state is not State.RUNNING:
                    return 0
                continue
            self.publisher.before_step(self.current(), self._pace.steps_per_s)
            if self._pace.wait(self._inbox.wanted):
                return 1 if self._pace.steps_per_s else FREELY
        return 0

    def _after_block(self) -> None:
        trainer = self.current()
        self._announcer.finding(trainer, trainer.finding)
        self._run_keeper.after_block(trainer)
        self.publisher.after_block(trainer, self._pace.steps_per_s)

    def rest(self, state: State, save: Callable[[Trainer], None] | None = None) -> None:
        """Come to rest in ``state``, with a consistent snapshot published and this state kept as good and on disk."""
        trainer = self.current()
        trainer.finish_block()
        ended = state is State.SOLVED or (state is State.FINISHED and trainer.step_count)
        if ended and not trainer.held_out_is_current:
            trainer.evaluate()
        self.publisher.rest(trainer)
        trainer.keep_good_state()  # after publishing, which finds a posterior that is not finite
        self._announcer.finding(trainer, trainer.finding)
        self.publisher.end(trainer)
        (save or self._run_keeper.rest)(trainer)
        self._announcer.enter(state)
        if not self._inbox.leaving:
            trainer.engine.prepare(wait=False)  # while the processor has nothing else to do

    def _announce(self, trainer: Trainer) -> None:
        self.publisher.mailbox = Mailbox()
        self._announcer.opened(trainer, self.publisher.mailbox)


def _state_of(trainer: Trainer) -> State:
    """Where a model stands that was just made or opened."""
    if not trainer.family.capabilities.trains:
        return State.SOLVED
    if trainer.step_count == 0:
        return State.READY
    return State.FINISHED if trainer.finished else State.PAUSED


def _can_be_built(settings: Settings) -> bool:
    """Whether the device that a model is to be built on is there."""
    from vaeviewer.backend.training.device import resolve_device

    try:
        resolve_device(settings.compute.device)
    except UserError:
        return False
    return True
