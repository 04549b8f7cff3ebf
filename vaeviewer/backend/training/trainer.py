"""The trainer: owns the live weights, the optimizer and the random generators, and takes gradient steps.

Whoever drives it (the command line's loop, a window's training thread) stays on one thread.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from vaeviewer.backend.config import Settings, live_fields, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Checkpoint, Snapshot
from vaeviewer.backend.training.batches import Batches
from vaeviewer.backend.training.cores import Cores
from vaeviewer.backend.training.device import (
    resolve_device,
    torch_threads,
    use_repeatable_kernels,
    use_threads,
)
from vaeviewer.backend.training.engines.choice import choose_engine
from vaeviewer.backend.training.engines.interface import Work
from vaeviewer.backend.training.evaluation import HeldOutImages, first_look
from vaeviewer.backend.training.findings import Finding
from vaeviewer.backend.training.health import Health
from vaeviewer.backend.training.history import History
from vaeviewer.backend.training.kept import Kept
from vaeviewer.backend.training.live_state import LiveState
from vaeviewer.backend.training.metric_block import MetricBlock
from vaeviewer.backend.training.overfitting import newest_is_best
from vaeviewer.backend.training.randomness import named_generator, named_seed, seed_torch
from vaeviewer.backend.training.records import PLANNED_EPOCHS, Change, HeldOut
from vaeviewer.backend.training.rows import SeenRows, rows_of
from vaeviewer.backend.training.saved_state import settings_after
from vaeviewer.errors import SettingsError


def refuse_unlabelled(settings: Settings, dataset: ImageDataset) -> None:
    """Say so where a family needs what the images have not.

    Raises:
        SettingsError: The family sees classes, and there are none.
    """
    if settings.family.sees_labels(settings.model) and not dataset.labelled:
        raise SettingsError(
            f"The model “{settings.family.title}” needs the class of each image, and these have none ({dataset.name}): "
            "choose images with labels, or another kind of model."
        )


class Trainer:
    """A model in training.

    Args:
        dataset: Its training images are copied to the device as one tensor.
        settings: Validated settings. ``threads`` and ``device`` are applied here.

    Attributes:
        initial_settings: As the run began; ``timeline`` leads from there to ``settings``, which hold now.
        family: Of the model.
        batches: Where training is among them.
        cores: On which of them its threads run.
        engine: How steps are computed.
        engine_reason: Why that engine was chosen, in words.
        history: Every step's metrics and the held-out figures. Other threads may read it.
        timeline: Changes made on the way, oldest first.
        threads: Processor threads in use.
        held_out: Figures of the newest evaluation, or ``None`` before the first.
        good: The last good state, to which a failure returns.
        best: The state with the best held-out figures so far, where that can be said, to go back to.

    Raises:
        SettingsError: The device cannot be used, or the images have no labels and the family needs them.
    """

    def __init__(self, dataset: ImageDataset, settings: Settings) -> None:
        refuse_unlabelled(settings, dataset)
        self.dataset = dataset
        self.initial_settings = settings
        self.threads = use_threads(settings.compute.threads)
        self.device = resolve_device(settings.compute.device)
        use_repeatable_kernels(self.device)
        self.family = settings.family
        self.history = History.empty(self.family.metrics)
        self.timeline: list[Change] = []
        self.held_out: HeldOut | None = None
        self.best: Kept | None = None
        self._held_out_step = -1

        seed = settings.train.seed
        seed_torch(named_seed(seed, "weights"))  # for layers that draw their weights as they are made
        self._model = self.family.build(settings.model, dataset.spec)
        self._model.initialize(named_generator(seed, "weights"))
        self._model.to(self.device)
        self._rows = rows_of(dataset, settings, self.device)
        self._prepare()
        self.batches = Batches(len(self._rows), settings.train.batch_size, seed, self.device)
        self.cores = Cores(self.threads, self.device)
        self._work = Work(
            settings=settings,
            model=self._model,
            device=self.device,
            rows=self._rows,
            batches=self.batches,
            noise=named_generator(seed, "noise", device=self.device),
            pixels=named_generator(seed, "pixels", device=self.device),
            cores=self.cores,
            planned_epochs=settings.train.epochs,
        )
        self.engine, self.engine_reason = choose_engine(self._work)
        self._held_out_images: HeldOutImages | None = None

        self._block = MetricBlock(self._work, len(self.family.metrics.stored))
        self._health = Health(first_look(self._work), dataset.image.values)
        self._live = LiveState(self._work, self.engine, dataset.spec, self._health)
        self.refresh_posterior()
        self.keep_good_state()

    # Where training is

    @property
    def settings(self) -> Settings:
        """Those in force."""
        return self._work.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._work.settings = settings

    @property
    def planned_epochs(self) -> int:
        """Where the run ends."""
        return self._work.planned_epochs

    @planned_epochs.setter
    def planned_epochs(self, epochs: int) -> None:
        self._work.planned_epochs = epochs

    @property
    def step_count(self) -> int:
        """Gradient steps taken."""
        return self.batches.step

    @property
    def mode(self) -> str:
        """How steps are computed, in words."""
        return self.engine.mode

    @property
    def mode_note(self) -> str:
        """What else there is to say about that, or empty."""
        reason = self.engine_reason[:1].upper() + self.engine_reason[1:]  # names keep their capitals
        return " ".join(filter(None, (f"{reason}.", self.engine.mode_note)))

    @property
    def batch_size(self) -> int:
        """Images per step: the setting, or all images where there are fewer."""
        return self.batches.size

    @property
    def epoch(self) -> float:
        """Passes over the training images so far, fractional."""
        return self.batches.epoch

    @property
    def finished(self) -> bool:
        """Whether the planned epochs are done, or there is nothing to train."""
        return not self.family.capabilities.trains or self.batches.passes >= self.planned_epochs

    @property
    def held_out_is_current(self) -> bool:
        """Whether the newest held-out figures are of this step."""
        return self._held_out_step == self.batches.step

    @property
    def finding(self) -> Finding | None:
        """What makes training senseless, if anything does: see :mod:`vaeviewer.backend.training.health`."""
        return self._health.finding(self.good.step)

    # Training

    def step(self, most: int = 1) -> None:
        """Take a gradient step on the next batch; its terms wait in the block for :meth:`finish_block`.

        Args:
            most: Where steps are faster together, take up to so many, but none of the next epoch or block.
        """
        self._block.add(self.engine.step(min(most, self._block.room)))

    @property
    def block_full(self) -> bool:
        """Whether :meth:`finish_block` must come before the next step."""
        return self._block.room == 0

    def finish_block(self) -> None:
        """Fetch the block's metrics, check them and append them to the history.

        Raises:
            NonFiniteError: A term is infinite or NaN; the finite steps before it are in the history.
        """
        found = self._block.fetch()
        if found is None:
            return
        self.history.training.append(found.steps, found.epochs, found.stored)
        terms = dict(zip(self.family.metrics.stored, found.stored.T, strict=True))
        self._health.look(found.steps, terms, self.settings)
        if found.broken_at is not None:
            raise self._health.broke(found.broken_at, self.settings)

    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return self._work.learning_rate()

    def change(self, field: str, value: Any) -> None:
        """Change a live setting from the next step on, and note it in the timeline.

        Raises:
            SettingsError: The value is out of bounds.
            ValueError: The field may not change during a run.
        """
        if field not in live_fields(self.settings):
            raise ValueError(f"{field} cannot change during a run")
        self.settings = updated(self.settings, **{field: value})
        if field == "epochs":
            self.planned_epochs = max(self.settings.train.epochs, math.ceil(self.epoch))
        self._note_change(field, value)

    def train_further(self) -> None:
        """Plan as many epochs again as the settings say, from where training is."""
        self.planned_epochs = math.ceil(self.epoch) + self.settings.train.epochs
        self._note_change(PLANNED_EPOCHS, self.planned_epochs)

    # Looking at the model

    def evaluate(self, *, record: bool = True) -> HeldOut | None:
        """Held-out metrics with fixed noise; ``None`` where no images are held out.

        Args:
            record: Whether they become a row of the history. Not where a run is only interrupted: resumed, it is to
                have the history of one that never was.

        Raises:
            NonFiniteError: A term is infinite or NaN.
        """
        if self._held_out_images is None:
            self._held_out_images = HeldOutImages(self.dataset, self.settings, self.device)
        with torch_threads(self.threads):
            found = self._held_out_images.evaluate(self._model, self.settings)
        if found is not None and not all(map(math.isfinite, found.values.values())):
            raise self._health.broke(self.step_count, self.settings)
        self.held_out, self._held_out_step = found, self.batches.step
        if record and found is not None:
            self.history.held_out.append_row(self.batches.step, self.epoch, found.values)
            if newest_is_best(self.family, self.history.held_out.view()):
                self.best = self._kept()
        return found

    def refresh_posterior(self) -> None:
        """Encode every training image again, so that all rows of the posterior table are of this step."""
        if not self.family.capabilities.encodes:
            return
        with torch_threads(self.threads):
            self._rows.encode(self._model, self.settings)
        self._rows.steps.fill_(self.batches.step)

    def snapshot(self) -> Snapshot:
        """A frozen copy of the model now. Call it after :meth:`finish_block`.

        Raises:
            NonFiniteError: A weight or a posterior is infinite or NaN.
        """
        return self._live.snapshot(posteriors=self.family.capabilities.encodes)

    # Keeping and restoring

    def checkpoint(self) -> Checkpoint:
        """Everything needed to go on from here bit for bit. Call it after :meth:`finish_block`.

        Raises:
            NonFiniteError: Something in it is infinite or NaN.
        """
        return self._live.checkpoint(posteriors=self.family.capabilities.encodes)

    def restore(
        self,
        checkpoint: Checkpoint,
        history: History,
        timeline: list[Change],
        held_out: HeldOut | None = None,
        best: Kept | None = None,
    ) -> None:
        """Go on from a checkpoint of the same settings and data, with its history, timeline and held-out figures.

        Raises:
            ValueError: The checkpoint or the timeline holds what no trainer can go on from; the text says what.
            NonFiniteError: The weights are finite but so large that what they compute is not.
        """
        settings = settings_after(self.initial_settings, timeline)
        for state in (checkpoint, *([best.checkpoint] if best else ())):
            self._live.check(state)
        self.history, self.best = history, best
        rows = history.held_out.view().step
        self.held_out, self._held_out_step = held_out, int(rows[-1]) if len(rows) else -1
        self.timeline = timeline
        self.settings = settings
        self._live.load(checkpoint)
        self.refresh_posterior()
        self._health.look_back(history.training.view(), self.settings)
        if self._health.sound:
            self.good = Kept(checkpoint, self.held_out, self._held_out_step)
        self.snapshot()

    def keep_good_state(self) -> None:
        """Remember this state as good, in ordinary memory, if its terms are. Call it after :meth:`finish_block`.

        Raises:
            NonFiniteError: A weight or the optimizer is infinite or NaN, as the metrics would say a step later.
        """
        state = self._kept()
        # The terms so far are of the weights before the last step, which may have thrown them far away.
        if self._health.sound and self._health.bears(first_look(self._work)):
            self.good = state

    def restore_good_state(self, batch_size: int | None = None) -> int:
        """Go back to the last good state; returns its step. Rows of the history after it are dropped.

        Settings changed since then stay, as changed from that step on.

        Args:
            batch_size: Take batches of this many images from there on, and note it in the timeline.
        """
        planned = self.planned_epochs
        self._live.load(self.good.checkpoint)
        self.planned_epochs = planned
        self.drop_after_good_state()
        self._health.restart()
        if batch_size is not None:
            self.batches.size = batch_size
            self.settings = updated(self.settings, batch_size=batch_size)
            self._note_change("batch_size", batch_size)
            self.keep_good_state()
        self.refresh_posterior()
        return self.batches.step

    def drop_after_good_state(self) -> None:
        """Forget metrics of later steps than the good state's; changes made since count from its step on."""
        step = self.good.step
        if self._held_out_step > step:
            self.held_out, self._held_out_step = self.good.held_out, self.good.held_out_step
        if self.best is not None and self.best.step > step:
            self.best = None
        self.history.training.truncate(step)
        self.history.held_out.truncate(step)
        self.timeline = [replace(change, step=min(change.step, step)) for change in self.timeline]

    # Inside

    @torch.no_grad()
    def _prepare(self) -> None:
        """Let the fresh model take from the training images what it begins with."""
        settings, rows = self.initial_settings, self._rows
        seen = SeenRows(rows, settings.train.protocol)
        with torch_threads(self.threads):
            draws = named_generator(settings.train.seed, "prepare")
            self.family.prepare(self._model, seen, rows.labels, settings.model, draws)

    def _kept(self) -> Kept:
        return Kept(self._live.checkpoint(posteriors=False), self.held_out, self._held_out_step)

    def _note_change(self, field: str, value: Any) -> None:
        """Add to the timeline; of several changes of a field at one step the last one counts."""
        change = Change(self.batches.step, field, value)
        if self.timeline and (self.timeline[-1].step, self.timeline[-1].field) == (change.step, field):
            self.timeline[-1] = change
        else:
            self.timeline.append(change)
