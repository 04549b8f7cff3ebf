"""All that training changes, copied out and put back: weights, posteriors, optimizers, generators, the position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaeviewer.backend.data.pixels import as_tensor
from vaeviewer.backend.models.interface import DataSpec
from vaeviewer.backend.snapshot import Checkpoint, PosteriorTable, Snapshot, TrainingState, snapshot_of
from vaeviewer.backend.training import saved_state
from vaeviewer.backend.training.copies import Copies
from vaeviewer.backend.training.engines.interface import StepEngine, Work
from vaeviewer.backend.training.health import Health
from vaeviewer.backend.training.randomness import named_seed
from vaeviewer.backend.training.saved_state import OPTIMIZER

Arrays = Mapping[str, NDArray[Any]]


class LiveState:
    """Copies what an engine steps, between two steps, and loads such copies.

    Args:
        work: What is stepped.
        engine: What steps it, and has the optimizers.
        data: What the model knows of its data.
        health: Is told of numbers that are infinite or NaN.
    """

    def __init__(self, work: Work, engine: StepEngine, data: DataSpec, health: Health) -> None:
        self._work = work
        self._engine = engine
        self._data = data
        self._health = health
        self._copies = Copies(engine.copy)
        # Those made since the last load that somebody holds.
        self._held: WeakSet[Checkpoint] = WeakSet()

    def snapshot(self, *, posteriors: bool) -> Snapshot:
        """The model, perhaps with the table of posteriors.

        Raises:
            NonFiniteError: A number is infinite or NaN.
        """
        rows = self._tables() if posteriors else {}
        weights, copies = self._weights(*rows.values())
        return self._snapshot(weights, dict(zip(rows, copies, strict=True)))

    def checkpoint(self, *, posteriors: bool) -> Checkpoint:
        """All that it takes to go on bit for bit, perhaps with the table of posteriors.

        As long as somebody holds one of this step, the next ones share what is large: weights and optimizers' moments.

        Raises:
            NonFiniteError: A number is infinite or NaN.
        """
        step = self._work.batches.step
        held = next((checkpoint for checkpoint in self._held if checkpoint.snapshot.step == step), None)
        if held is None:
            made = Checkpoint(self.snapshot(posteriors=posteriors), self._training_state())
        else:
            rows = self._tables() if posteriors else {}
            copies = dict(zip(rows, self._copied(*rows.values()), strict=True))
            snapshot = self._snapshot(held.snapshot.weights, copies)
            made = Checkpoint(snapshot, self._training_state(held.training.tensors))
        self._held.add(made)
        return made

    def _snapshot(self, weights: Arrays, rows: Arrays) -> Snapshot:
        work, table = self._work, None
        if rows:
            table = PosteriorTable(
                rows["loc"], rows.get("log_variance"), rows["row_steps"], rows.get("drawn")
            )
        return snapshot_of(
            work.settings.model,
            self._data,
            weights,
            step=work.batches.step,
            epoch=work.batches.epoch,
            posterior=table,
            protocol=work.settings.train.protocol,
        )

    def _training_state(self, tensors: Arrays | None = None) -> TrainingState:
        """What else it takes; of ``tensors``, where there are copies of this step."""
        if tensors is None:
            live = self._generators()
            live |= {f"{OPTIMIZER}{key}": value for key, value in self._engine.optimizer_state().items()}
            tensors = dict(zip(live, self._copied(*live.values()), strict=True))
        batches = self._work.batches
        values = {
            "step": batches.step,
            "epoch": batches.passes,
            "image": batches.image,
            "batch_size": batches.size,
            "planned_epochs": self._work.planned_epochs,
            "device": self._work.device.type,
        }
        return TrainingState(tensors, values)

    def check(self, checkpoint: Checkpoint) -> None:
        """Refuse what cannot be loaded.

        Raises:
            ValueError: The text says what is wrong with it.
        """
        same_device = checkpoint.training.values.get("device") == self._work.device.type
        generators = self._generators() if same_device else {}
        saved_state.check(
            checkpoint,
            optimizer=self._engine.optimizer_shapes(),
            generators={name: state.numpy() for name, state in generators.items()},
        )

    @torch.no_grad()
    def load(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint, but for its posteriors.

        Raises:
            ValueError: Its generators' states are none.
        """
        work, state = self._work, checkpoint.training
        self._held.clear()
        weights = checkpoint.snapshot.weights
        work.model.load_state_dict({name: as_tensor(array) for name, array in weights.items()})
        found = {
            key.removeprefix(OPTIMIZER): as_tensor(value)
            for key, value in state.tensors.items()
            if key.startswith(OPTIMIZER)
        }
        if state.values["device"] == work.device.type:
            try:
                work.noise.set_state(torch.tensor(state.tensors["generator.noise"]))
                work.pixels.set_state(torch.tensor(state.tensors["generator.pixels"]))
            except RuntimeError:  # torch checks the bytes themselves
                raise ValueError("its generators' states are none") from None
        else:  # another kind of device has another kind of generator: go on with fresh noise
            seed, step = work.settings.train.seed, state.values["step"]
            work.noise.manual_seed(named_seed(seed, "noise", step))
            work.pixels.manual_seed(named_seed(seed, "pixels", step))
        values = state.values
        work.batches.go_to(values["step"], values["epoch"], values["image"], values["batch_size"])
        self._engine.load_optimizer_state(found)
        work.planned_epochs = values["planned_epochs"]
        work.positions = []

    def _tables(self) -> dict[str, Tensor]:
        """The posteriors of the training images, by the names that :class:`PosteriorTable` has for them."""
        rows = self._work.rows
        found = {"loc": rows.loc, "row_steps": rows.steps}
        if rows.has_scale:
            found["log_variance"] = rows.log_variance
        if rows.drawn is not None:
            found["drawn"] = rows.drawn
        return found

    def _weights(self, *others: Tensor) -> tuple[dict[str, NDArray[Any]], list[NDArray[Any]]]:
        """The model's ``state_dict``, and copies of other tensors made in the same pass."""
        flat = self._engine.flat_state()
        if flat is not None:
            tensor, named = flat
            copy, *rest = self._copied(tensor, *others)
            return named(copy), rest
        state = self._work.model.state_dict()
        copies = self._copied(*state.values(), *others)
        return dict(zip(state, copies, strict=False)), copies[len(state) :]

    def _copied(self, *tensors: Tensor) -> list[np.ndarray[Any, Any]]:
        copies = self._copies.of(*tensors)
        if copies is None:
            raise self._health.broke(self._work.batches.step, self._work.settings)
        return copies

    def _generators(self) -> dict[str, Tensor]:
        return {
            "generator.noise": self._work.noise.get_state(),
            "generator.pixels": self._work.pixels.get_state(),
        }
