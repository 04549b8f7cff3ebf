"""How training works: the step that every family and every device can take.

Each player has a loss and an optimizer. A step asks every player for its loss on the next batch, lets autograd find the
gradient, and lets the optimizer descend it. ``training/loop.py`` has the loop around it. The other engines compute the
same faster where they can.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vaeviewer.backend.models.interface import Batch, Player
from vaeviewer.backend.training.device import product_dtype
from vaeviewer.backend.training.engines.interface import StepEngine, Work
from vaeviewer.backend.training.randomness import named_seed, seed_torch

STATE = {"adam": ("step", "exp_avg", "exp_avg_sq"), "adagrad": ("step", "sum"), "sgd": ()}
"""What ``torch.optim`` keeps for each parameter."""


class EagerEngine(StepEngine):
    """Autograd and ``torch.optim``.

    Args:
        work: The live model and what its steps read.
    """

    key = "eager"

    def __init__(self, work: Work) -> None:
        self._work = work
        family = work.settings.family
        self._players: list[Player[Any]] = list(family.players(work.model, work.settings.model))
        self._optimizers = {player.name: self._optimizer(player) for player in self._players}
        self._columns = family.metrics.stored
        # Products in bfloat16 where the hardware multiplies them; weights and sums stay float32.
        self._dtype = product_dtype(work.settings.compute.precision, work.device)
        self._seed = named_seed(work.settings.train.seed, "torch") >> 1
        names = {parameter: name for name, parameter in work.model.named_parameters()}
        self._names = {player.name: [names[p] for p in player.parameters] for player in self._players}

    @property
    def mode(self) -> str:
        """How steps are computed, in words."""
        return f"{'bfloat16 products' if self._dtype == torch.bfloat16 else 'float32'}, {self.key}"

    def step(self, most: int) -> Tensor:
        """Take one gradient step per player on the next batch."""
        work = self._work
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = work.learning_rate()
        batch = work.next_batch()
        self._seed_draws()
        terms = self._descend(batch)
        work.advance()
        return terms

    def _seed_draws(self) -> None:
        """What draws without a generator, as dropout does, draws the same wherever the next step is taken."""
        seed_torch(self._seed + self._work.batches.step, self._work.device)

    def _descend(self, batch: Batch) -> Tensor:
        """Let each player descend its loss on a batch; the stored metrics, ``(1, columns)``."""
        work = self._work
        terms: dict[str, Tensor] = {}
        for player in self._players:
            optimizer = self._optimizers[player.name]
            for _ in range(player.steps):
                with torch.autocast(work.device.type, self._dtype, enabled=self._dtype != torch.float32):
                    objective = player.loss(batch, work.settings.model)
                optimizer.zero_grad()
                objective.loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it so
                optimizer.step()
            terms.update({key: value.detach() for key, value in objective.terms.items()})
            if objective.posterior is not None:
                # The plane shows where each image was when its batch came by.
                work.rows.keep(batch.rows, objective.posterior)
                work.rows.steps[batch.rows] = batch.step
        return torch.stack([terms[key].float() for key in self._columns]).unsqueeze(0)

    def optimizer_state(self) -> Mapping[str, Tensor]:
        """The optimizers' live tensors by ``player.parameter.name``."""
        return {
            f"{player.name}.{name}.{key}": value
            for player in self._players
            for name, parameter in zip(self._names[player.name], player.parameters, strict=True)
            for key, value in self._optimizers[player.name].state[parameter].items()
        }

    def optimizer_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of all that :meth:`optimizer_state` has after a step."""
        keys = STATE[self._work.settings.train.optimizer]
        return {
            f"{player.name}.{name}.{key}": () if key == "step" else tuple(parameter.shape)
            for player in self._players
            for name, parameter in zip(self._names[player.name], player.parameters, strict=True)
            for key in keys
        }

    def load_optimizer_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over the optimizers' tensors; none means fresh optimizers."""
        for player in self._players:
            optimizer = self._optimizers[player.name] = self._optimizer(player)
            for name, parameter in zip(self._names[player.name], player.parameters, strict=True):
                prefix = f"{player.name}.{name}."
                found = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
                # torch.optim counts steps on the CPU unless its kernel is one for all of the update.
                on_device = bool(optimizer.defaults.get("fused"))
                places = {k: parameter.device if on_device or k != "step" else "cpu" for k in found}
                if found:
                    optimizer.state[parameter] = {k: v.to(places[k], copy=True) for k, v in found.items()}

    def _optimizer(self, player: Player[Any]) -> torch.optim.Optimizer:
        rate = self._work.settings.train.learning_rate
        match self._work.settings.train.optimizer:
            case "adam":
                fused = self._work.device.type in ("cpu", "cuda")
                return torch.optim.Adam(player.parameters, rate, (player.momentum, 0.999), fused=fused)
            case "adagrad":
                return torch.optim.Adagrad(player.parameters, rate)
            case _:
                return torch.optim.SGD(player.parameters, rate)
