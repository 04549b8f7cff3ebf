"""The eager step through ``torch.compile``: the same numbers up to rounding."""

from __future__ import annotations

import dataclasses

import torch

from vaeviewer.backend.training.engines.eager import EagerEngine
from vaeviewer.backend.training.engines.interface import Work


class CompiledEngine(EagerEngine):
    """Compiles each player's loss at its first step, which takes from seconds to a minute.

    On CUDA the kernels of a step are replayed as a graph, which spares a small network the launching of each. A
    batch of another size is compiled anew.

    Args:
        work: The live model and what its steps read.
    """

    key = "compiled"

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        mode = "reduce-overhead" if work.device.type == "cuda" else None
        self._players = [
            dataclasses.replace(player, loss=torch.compile(player.loss, mode=mode, dynamic=False))
            for player in self._players
        ]
