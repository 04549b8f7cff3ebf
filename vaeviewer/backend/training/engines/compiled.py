"""The step through ``torch.compile``: the same numbers up to rounding."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch

from vaeviewer.backend.models.interface import Batch, Objective, Player
from vaeviewer.backend.training.engines.captured import CapturedEngine
from vaeviewer.backend.training.engines.eager import EagerEngine
from vaeviewer.backend.training.engines.interface import Work

Loss = Callable[[Batch, Any], Objective]


class CompiledEngine(EagerEngine):
    """Compiles each player's loss at its first step, which takes from seconds to a minute.

    For a batch of another size and a setting that changes while it trains it is compiled anew; after eight times torch
    leaves it at eager steps.

    Args:
        work: The live model and what its steps read.
    """

    key = "compiled"

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._players = _compiled(self._players)


class CapturedCompiledEngine(CapturedEngine):
    """The same on CUDA, where the whole step is captured besides.

    Args:
        work: The live model and what its steps read.
    """

    key = "compiled"

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._players = _compiled(self._players)


def _compiled(players: Sequence[Player[Any]]) -> list[Player[Any]]:
    return [
        dataclasses.replace(player, loss=_counting_in_tensors(torch.compile(player.loss, dynamic=False)))
        for player in players
    ]


def _counting_in_tensors(loss: Loss) -> Loss:
    """The same loss, given the number of the step as a tensor: what is a plain number is compiled anew for each."""

    def counted(batch: Batch, config: Any) -> Objective:
        step: Any = torch.as_tensor(batch.step, device=batch.x.device)  # computes as the number it stands for
        return loss(dataclasses.replace(batch, step=step), config)

    return counted
