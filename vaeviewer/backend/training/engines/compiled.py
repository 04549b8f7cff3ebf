"""The eager step through ``torch.compile``: the same numbers up to rounding."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch

from vaeviewer.backend.models.interface import Batch, Objective
from vaeviewer.backend.training.engines.eager import EagerEngine
from vaeviewer.backend.training.engines.interface import Work

Loss = Callable[[Batch, Any], Objective]


class CompiledEngine(EagerEngine):
    """Compiles each player's loss at its first step, which takes from seconds to a minute.

    On CUDA the kernels of a step are replayed as a graph, which spares a small network the launching of each. For a
    batch of another size and a setting that changes while it trains it is compiled anew; after eight times torch
    leaves it at eager steps.

    Args:
        work: The live model and what its steps read.
    """

    key = "compiled"

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        mode = "reduce-overhead" if work.device.type == "cuda" else None
        self._players = [
            dataclasses.replace(
                player, loss=_counting_in_tensors(torch.compile(player.loss, mode=mode, dynamic=False))
            )
            for player in self._players
        ]


def _counting_in_tensors(loss: Loss) -> Loss:
    """The same loss, given the number of the step as a tensor: what is a plain number is compiled anew for each."""

    def counted(batch: Batch, config: Any) -> Objective:
        step: Any = torch.tensor(batch.step, device=batch.x.device)  # computes as the number it stands for
        return loss(dataclasses.replace(batch, step=step), config)

    return counted
