"""The trainer: owns the live weights, the optimizer and the random generators, and takes gradient steps.

Whoever drives it (the command line's loop, a window's training thread) stays on one thread.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaeviewer.backend.chunks import parts, rows_at_once
from vaeviewer.backend.config import Settings, live_fields, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.data.pixels import as_tensor, pixels
from vaeviewer.backend.models.interface import Batch
from vaeviewer.backend.snapshot import Checkpoint, PosteriorTable, Snapshot, TrainingState, snapshot_of
from vaeviewer.backend.training import saved_state
from vaeviewer.backend.training.batches import Batches
from vaeviewer.backend.training.copies import Copies
from vaeviewer.backend.training.cores import Cores
from vaeviewer.backend.training.device import resolve_device, torch_threads, use_threads
from vaeviewer.backend.training.engines.choice import choose_engine
from vaeviewer.backend.training.engines.interface import Work
from vaeviewer.backend.training.evaluation import HeldOutImages
from vaeviewer.backend.training.health import COLLAPSE_STEPS, Finding, Health
from vaeviewer.backend.training.history import History
from vaeviewer.backend.training.randomness import named_generator, named_seed
from vaeviewer.backend.training.records import PLANNED_EPOCHS, Change, HeldOut
from vaeviewer.backend.training.rows import TrainingRows
from vaeviewer.backend.training.saved_state import OPTIMIZER

BLOCK_STEPS = 256
"""Most steps whose metrics wait on the device before they are fetched and checked."""

LOOK_ROWS = 32
"""Images that tell how good the untrained network is, and whether a state is worth keeping."""


class NonFiniteError(Exception):
    """A metric or a weight became infinite or NaN; ``step`` is the first step it was seen at."""

    def __init__(self, step: int) -> None:
        super().__init__(f"the loss became infinite or undefined at step {step:,}")
        self.step = step


class Trainer:
    """A model in training.

    Args:
        dataset: Its training images are copied to the device as one tensor.
        settings: Validated settings. ``threads`` and ``device`` are applied here.

    Attributes:
        initial_settings: As the run began; ``timeline`` leads from there to ``settings``, which hold now.
        family: Of the model.
        engine_reason: Why the engine in use was chosen, in words.
        history: Every step's metrics and the held-out figures. Other threads may read it.
        timeline: Changes made on the way, oldest first.
        threads: Processor threads in use.
        held_out: Figures of the newest evaluation, or ``None`` before the first.

    Raises:
        SettingsError: The device cannot be used.
    """

    def __init__(self, dataset: ImageDataset, settings: Settings) -> None:
        self.dataset = dataset
        self.initial_settings = self._settings = settings
        self.threads = use_threads(settings.compute.threads)
        self.device = resolve_device(settings.compute.device)
        self.family = settings.family
        self.history = History.empty(self.family.metrics)
        self.timeline: list[Change] = []
        self.held_out: HeldOut | None = None
        self._held_out_step = -1

        seed = settings.train.seed
        self._model = self.family.build(settings.model, dataset.image, len(dataset.class_names))
        self._model.initialize(named_generator(seed, "weights"))
        self._model.to(self.device)
        # On a CPU the data set's own memory, which nothing here writes to.
        images = as_tensor(dataset.train_images.reshape(-1, dataset.image.values)).to(self.device)
        labels = None
        if self.family.capabilities.uses_labels:
            labels = torch.tensor(dataset.train_labels, device=self.device)
        self._rows = TrainingRows(images, labels, dataset.image, settings.model.latent_dim)
        self._noise = named_generator(seed, "noise", device=self.device)
        self._binarisation = named_generator(seed, "pixels", device=self.device)
        self._batches = Batches(len(images), settings.train.batch_size, seed, self.device)
        self._work = Work(
            settings=settings,
            model=self._model,
            device=self.device,
            rows=self._rows,
            batches=self._batches,
            noise=self._noise,
            pixels=self._binarisation,
            cores=Cores(self.threads),
            planned_epochs=settings.train.epochs,
        )
        self._engine, self.engine_reason = choose_engine(self._work)
        self._held_out_images: HeldOutImages | None = None
        self._copies = Copies(self._engine.copy)

        self._block = torch.zeros(BLOCK_STEPS, len(self.family.metrics.stored), device=self.device)
        self._health = Health(self._look(), dataset.image.values)
        self.refresh_posterior()
        self.keep_good_state()

    # Where training is

    @property
    def settings(self) -> Settings:
        """Those in force."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = self._work.settings = settings

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
        return self._batches.step

    @property
    def mode(self) -> str:
        """How steps are computed, in words."""
        return self._engine.mode

    @property
    def mode_note(self) -> str:
        """What else there is to say about that, or empty."""
        return " ".join(filter(None, (f"{self.engine_reason.capitalize()}.", self._engine.mode_note)))

    @property
    def batch_size(self) -> int:
        """Images per step: the setting, or all images where there are fewer."""
        return self._batches.size

    @property
    def steps_per_epoch(self) -> int:
        """Steps in one pass. Images beyond the last whole batch wait for the next epoch's order."""
        return self._batches.per_epoch

    @property
    def epoch(self) -> float:
        """Passes over the training images so far, fractional."""
        return self._batches.epoch

    def steps_until(self, epoch: float) -> int:
        """Steps from here to an epoch, which may be fractional or infinite."""
        return self._batches.until(epoch)

    @property
    def finished(self) -> bool:
        """Whether the planned epochs are done."""
        return self._batches.passes >= self.planned_epochs

    @property
    def held_out_is_current(self) -> bool:
        """Whether the newest held-out figures are of this step."""
        return self._held_out_step == self._batches.step

    @property
    def finding(self) -> Finding | None:
        """What makes training senseless, if anything does: see :mod:`vaeviewer.backend.training.health`."""
        return self._health.finding(self._good.snapshot.step)

    @property
    def at_epoch_start(self) -> bool:
        """Whether the next step begins an epoch."""
        return self._batches.image == 0

    @property
    def at_full_speed(self) -> bool:
        """Whether the engine has come to the step from which its steps are fast."""
        return self.step_count >= self._engine.fast_from

    # Training

    def prepare(self, *, wait: bool) -> None:
        """Begin to compile what makes steps fast, unless that was done, and perhaps wait for it.

        Training needs neither: it begins at once and becomes fast when it can.
        """
        self._engine.prepare(wait=wait)

    @property
    def ready(self) -> bool:
        """Whether the next step can be taken at once; it may need code that is still being compiled."""
        return self._engine.ready

    def wait(self, timeout_s: float) -> None:
        """Wait until :attr:`ready`, but no longer than that."""
        self._engine.wait(timeout_s)

    def stay_on_cores(self, *, give_way_to_window: bool) -> None:
        """Keep the threads of training on a core each, where they use all.

        Args:
            give_way_to_window: A window of this program is to go first there.
        """
        if self.device.type == "cpu":
            self._work.cores.stay(give_way_to_window=give_way_to_window)

    def share_cores(self, share: bool) -> None:
        """Leave to other busy programs what is theirs, or use all cores again; the numbers stay the same."""
        if self.device.type == "cpu":
            self._work.cores.share(share)

    def step(self, most: int = 1) -> None:
        """Take a gradient step on the next batch; its terms wait in the block for :meth:`finish_block`.

        Args:
            most: Where steps are faster together, take up to so many, but none of the next epoch or block.
        """
        first = len(self._work.positions)
        terms = self._engine.step(min(most, BLOCK_STEPS - first))
        self._block[first : first + len(terms)] = terms

    @property
    def block_full(self) -> bool:
        """Whether :meth:`finish_block` must come before the next step."""
        return len(self._work.positions) >= BLOCK_STEPS

    def finish_block(self) -> None:
        """Fetch the block's metrics, check them and append them to the history.

        Raises:
            NonFiniteError: A term is infinite or NaN; the finite steps before it are in the history.
        """
        n = len(self._work.positions)
        if n == 0:
            return
        values = self._block[:n].cpu().numpy()  # the one synchronisation per block
        positions, self._work.positions = self._work.positions, []
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        good = int(bad[0]) if len(bad) else n
        steps = np.array([step for step, _ in positions[:good]], dtype=np.int32)
        epochs = np.array([epoch for _, epoch in positions[:good]], dtype=np.float32)
        stored = values[:good].copy()
        self.history.training.append(steps, epochs, stored)
        self._health.look(steps, dict(zip(self.family.metrics.stored, stored.T, strict=True)), self.settings)
        if good < n:
            raise self._broken(positions[good][0])

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
            raise self._broken(self._batches.step)
        self.held_out, self._held_out_step = found, self._batches.step
        if record and found is not None:
            self.history.held_out.append_row(self._batches.step, self.epoch, found.values)
        return found

    @torch.no_grad()
    def refresh_posterior(self) -> None:
        """Encode every training image again, so that all rows of the posterior table are of this step."""
        if not self.family.capabilities.encodes:
            return
        rows = self._rows
        self._model.eval()
        with torch_threads(self.threads):
            for part in parts(len(rows), rows_at_once(self.settings.model.widest(rows.image.values))):
                x = pixels(rows.images[part], self.settings.train.protocol)  # without draws
                found = self._model.encode(rows.shaped(x), None if rows.labels is None else rows.labels[part])
                assert found is not None, "the family says that it encodes"
                rows.keep(part, found)
        self._model.train()
        rows.steps.fill_(self._batches.step)

    def snapshot(self) -> Snapshot:
        """A frozen copy of the model now. Call it after :meth:`finish_block`.

        Raises:
            NonFiniteError: A weight or a posterior is infinite or NaN.
        """
        rows = self._rows
        if not self.family.capabilities.encodes:
            return self._snapshot()
        scales = (rows.log_variance,) if rows.has_scale else ()
        return self._snapshot(rows.loc, rows.steps, *scales)

    # Keeping and restoring

    def checkpoint(self) -> Checkpoint:
        """Everything needed to go on from here bit for bit. Call it after :meth:`finish_block`.

        Raises:
            NonFiniteError: Something in it is infinite or NaN.
        """
        return Checkpoint(self.snapshot(), self._training_state())

    def restore(
        self,
        checkpoint: Checkpoint,
        history: History,
        timeline: list[Change],
        held_out: HeldOut | None = None,
    ) -> None:
        """Go on from a checkpoint of the same settings and data, with its history, timeline and held-out figures.

        Raises:
            ValueError: The checkpoint or the timeline holds what no trainer can go on from; the text says what.
            NonFiniteError: The weights are finite but so large that what they compute is not.
        """
        same_device = checkpoint.training.values.get("device") == self.device.type
        generators = self._generator_states() if same_device else {}
        saved_state.check(
            checkpoint,
            timeline,
            settings=self.initial_settings,
            optimizer=self._engine.optimizer_shapes(),
            generators={name: state.numpy() for name, state in generators.items()},
        )
        self.history = history
        rows = history.held_out.view().step
        self.held_out, self._held_out_step = held_out, int(rows[-1]) if len(rows) else -1
        self.timeline = timeline
        changed = {change.field: change.value for change in timeline if change.field != PLANNED_EPOCHS}
        self.settings = updated(self.initial_settings, **changed)
        self._load(checkpoint)
        self.refresh_posterior()
        self._look_back()
        if self._health.sound:
            self._good, self._good_held_out = checkpoint, (self.held_out, self._held_out_step)
        self.snapshot()

    def keep_good_state(self) -> None:
        """Remember this state as good, in ordinary memory, if its terms are. Call it after :meth:`finish_block`.

        Raises:
            NonFiniteError: A weight or the optimizer is infinite or NaN, as the metrics would say a step later.
        """
        state = Checkpoint(self._snapshot(), self._training_state())
        # The terms so far are of the weights before the last step, which may have thrown them far away.
        if self._health.sound and self._health.bears(self._look()):
            self._good, self._good_held_out = state, (self.held_out, self._held_out_step)

    @property
    def good_checkpoint(self) -> Checkpoint:
        """The last good state, without a posterior table. Reading it does not touch the device."""
        return self._good

    def restore_good_state(self, batch_size: int | None = None) -> int:
        """Go back to the last good state; returns its step. Rows of the history after it are dropped.

        Settings changed since then stay, as changed from that step on.

        Args:
            batch_size: Take batches of this many images from there on, and note it in the timeline.
        """
        planned = self.planned_epochs
        self._load(self._good)
        self.planned_epochs = planned
        self.drop_after_good_state()
        self._health.restart()
        if batch_size is not None:
            self._batches.size = batch_size
            self.settings = updated(self.settings, batch_size=batch_size)
            self._note_change("batch_size", batch_size)
            self.keep_good_state()
        self.refresh_posterior()
        return self._batches.step

    def drop_after_good_state(self) -> None:
        """Forget metrics of later steps than the good state's; changes made since count from its step on."""
        step = self._good.snapshot.step
        if self._held_out_step > step:
            self.held_out, self._held_out_step = self._good_held_out
        self.history.training.truncate(step)
        self.history.held_out.truncate(step)
        self.timeline = [replace(change, step=min(change.step, step)) for change in self.timeline]

    # Inside

    def _note_change(self, field: str, value: Any) -> None:
        """Add to the timeline; of several changes of a field at one step the last one counts."""
        change = Change(self._batches.step, field, value)
        if self.timeline and (self.timeline[-1].step, self.timeline[-1].field) == (change.step, field):
            self.timeline[-1] = change
        else:
            self.timeline.append(change)

    @torch.no_grad()
    def _look(self) -> float:
        """The objective of the weights now, averaged over a few images."""
        rows, settings = self._rows, self.settings
        few = torch.arange(min(LOOK_ROWS, len(rows)), device=self.device)
        x = rows.shaped(pixels(rows.images[: len(few)], settings.train.protocol))
        labels = None if rows.labels is None else rows.labels[: len(few)]
        noise = torch.zeros(1, len(few), settings.model.latent_dim, device=self.device)
        batch = Batch(x, labels, few, named_generator(0, "first look", device=self.device))
        self._model.eval()
        terms = self.family.evaluate(self._model, batch, noise, settings.model)
        self._model.train()
        means = {key: float(values.mean()) for key, values in terms.items()}
        return float(self.family.objective(settings.model, means))

    def _look_back(self) -> None:
        """Judge the state by the end of its history."""
        self._health.restart()
        rows = self.history.training.view()
        last = slice(max(0, len(rows) - COLLAPSE_STEPS), None)
        stored = {key: column[last] for key, column in rows.stored.items()}
        self._health.look(rows.step[last], stored, self.settings)

    def _snapshot(self, *posterior: Tensor) -> Snapshot:
        weights, table = self._copied_weights(*posterior)
        return snapshot_of(
            self.settings.model,
            self.dataset.image,
            weights,
            step=self._batches.step,
            epoch=self.epoch,
            posterior=PosteriorTable(table[0], table[2] if len(table) > 2 else None, table[1])
            if table
            else None,
            protocol=self.settings.train.protocol,
            classes=len(self.dataset.class_names),
        )

    def _copied_weights(self, *others: Tensor) -> tuple[dict[str, NDArray[Any]], list[NDArray[Any]]]:
        """The model's ``state_dict``, and copies of other tensors made in the same pass."""
        flat = self._engine.flat_state()
        if flat is not None:
            tensor, named = flat
            copy, *rest = self._copied(tensor, *others)
            return named(copy), rest
        state = self._model.state_dict()
        copies = self._copied(*state.values(), *others)
        return dict(zip(state, copies, strict=False)), copies[len(state) :]

    def _copied(self, *tensors: Tensor) -> list[np.ndarray[Any, Any]]:
        copies = self._copies.of(*tensors)
        if copies is None:
            raise self._broken(self._batches.step)
        return copies

    def _broken(self, step: int) -> NonFiniteError:
        self._health.broke(step, self.settings)
        return NonFiniteError(step)

    def _training_state(self) -> TrainingState:
        live = self._generator_states()
        live.update({f"{OPTIMIZER}{key}": value for key, value in self._engine.optimizer_state().items()})
        tensors = dict(zip(live, self._copied(*live.values()), strict=True))
        batches = self._batches
        values = {
            "step": batches.step,
            "epoch": batches.passes,
            "image": batches.image,
            "batch_size": batches.size,
            "planned_epochs": self.planned_epochs,
            "device": self.device.type,
        }
        return TrainingState(tensors, values)

    def _generator_states(self) -> dict[str, Tensor]:
        return {
            "generator.noise": self._noise.get_state(),
            "generator.pixels": self._binarisation.get_state(),
        }

    @torch.no_grad()
    def _load(self, checkpoint: Checkpoint) -> None:
        state = checkpoint.training
        weights = checkpoint.snapshot.weights
        self._model.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
        found = {
            key.removeprefix(OPTIMIZER): torch.tensor(value)
            for key, value in state.tensors.items()
            if key.startswith(OPTIMIZER)
        }
        if state.values["device"] == self.device.type:
            try:
                self._noise.set_state(torch.tensor(state.tensors["generator.noise"]))
                self._binarisation.set_state(torch.tensor(state.tensors["generator.pixels"]))
            except RuntimeError:  # torch checks the bytes themselves
                raise ValueError("its generators' states are none") from None
        else:  # another kind of device has another kind of generator: go on with fresh noise
            seed, step = self.settings.train.seed, state.values["step"]
            self._noise.manual_seed(named_seed(seed, "noise", step))
            self._binarisation.manual_seed(named_seed(seed, "pixels", step))
        values = state.values
        self._batches.go_to(values["step"], values["epoch"], values["image"], values["batch_size"])
        self._engine.load_optimizer_state(found)
        self.planned_epochs = values["planned_epochs"]
        self._work.positions = []
