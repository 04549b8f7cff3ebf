"""Whole training steps as a program of matrix products and kernels, written once and run again and again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from vaeviewer.backend.models.latent_model import MAX_LOG_VARIANCE
from vaeviewer.backend.training.engines.fused import KERNELS
from vaeviewer.backend.training.engines.fused.adam import Adam
from vaeviewer.backend.training.engines.fused.copier import Copier
from vaeviewer.backend.training.engines.fused.program import Program
from vaeviewer.backend.training.engines.fused.step_writer import StepMemory, StepWriter, Training
from vaeviewer.backend.training.engines.fused.team import Team
from vaeviewer.native.object_code import MachineCode, machine_code

MOST_TOGETHER = 24
"""Most steps that are taken without coming back to Python."""

WORK_TOGETHER = 3_600_000_000
"""Images times weights of such steps: some hundredths of a second, so that nobody waits for a pause."""


def step_code(products: torch.dtype, activation: str) -> MachineCode:
    """The kernels of a step with large products in float32 or bfloat16."""
    precision = "bfloat16" if products == torch.bfloat16 else "float32"
    return machine_code(f"{__package__}.kernels", KERNELS, precision, activation, str(MAX_LOG_VARIANCE))


class FusedSteps:
    """Steps the weights, one batch after the other, and leaves the optimizer's state as that would.

    It keeps ``gradient.rounded`` up to date itself; whoever else changes the weights rounds them.

    Args:
        training: What it works on.
        kernels: Addresses of machine code by name.
        batch: Images per step.
        threads: That go through a step.
        protocol: Of the pixels; all but ``grey`` are seen as :attr:`levels` says.

    Attributes:
        batch: Images per step.
        most: Steps that can be taken together.
        noise: Standard normal, ``(most, batch, latent_dim)``, to be filled before they are taken.
        levels: uint8 grey levels, ``(most, batch, pixels)``, likewise, or ``None`` where images are seen as they are.
        copy: Copies what lies in memory, between steps, with the threads that go through them.
    """

    def __init__(
        self, training: Training, kernels: Mapping[str, int], batch: int, threads: int, protocol: str
    ) -> None:
        self._training, self._kernels, self.batch = training, kernels, batch
        self._state = training.optimizer.state
        rows = training.rows
        pixels, dim = rows.images.shape[1], rows.loc.shape[1]
        work = batch * len(training.gradient.parameters.values)
        self.most = most = max(1, min(MOST_TOGETHER, WORK_TOGETHER // work))
        self.noise = torch.zeros(most, batch, dim)
        self.levels = None if protocol == "grey" else torch.zeros(most, batch, pixels, dtype=torch.uint8)
        self._order = torch.zeros(most, batch, dtype=torch.int64)
        self._terms = torch.zeros(most, 2)
        self._share = np.zeros((most, 1), np.float32)  # β/n
        first, second = Adam.BETAS
        fixed = [1 - first, second, 1 - second, 0, 0, Adam.EPSILON]
        self._constants = np.tile(np.array(fixed, np.float32), (most, 1))
        self._numbers = np.zeros((most, 1), np.int64)

        self._team = Team(kernels, threads)
        self.copy = Copier(self._team, kernels, threads)
        self._program = Program(self._team, threads)
        self._ends = []  # tasks up to the end of each step
        writer = StepWriter(training, kernels, batch, self._program)
        steps = [self._step_memory(place) for place in range(most)]
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            writer.write(step, following)
            self._ends.append(self._program.length)

    def stay_on_cores(self, *, give_way_to_window: bool) -> None:
        """Keep each thread on a core of its own, where there are as many: see :class:`Team`."""
        self._team.stay_on_cores(give_way_to_window=give_way_to_window)

    def share_cores(self, share: bool) -> None:
        """Leave to busy programs what is theirs, or use all cores again."""
        self._team.rest(share)

    @torch.no_grad()
    def __call__(self, number: int, order: Tensor, beta: float, learning_rates: Sequence[float]) -> Tensor:
        """Take as many steps as there are learning rates.

        Args:
            number: Steps taken before.
            order: Which images the batches consist of, one batch after the other, int64.
            beta: Weight of the KL term.
            learning_rates: Of the steps.

        Returns:
            Reconstruction and KL of each step, ``(steps, 2)``, means over the batch in nats per image, which the next
            call writes over.
        """
        count = len(learning_rates)
        self._order[:count] = order.view(count, self.batch)
        self._share[:] = beta / self.batch
        first, second = Adam.BETAS
        before = self._state["step"].item()
        for slot, rate in enumerate(learning_rates):
            step = before + slot + 1
            self._constants[slot, 3] = rate / (1 - first**step)
            self._constants[slot, 4] = 1 / math.sqrt(1 - second**step)
            self._numbers[slot] = number + slot
        self._state["step"].fill_(before + count)
        torch.set_num_threads(1)  # in this thread, whose helpers have the other cores
        self._program(self._ends[count - 1])
        return self._terms[:count]

    def _step_memory(self, place: int) -> StepMemory:
        images, order = self._training.rows.images, self._order[place]
        if self.levels is not None:
            images = self.levels[place]
        return StepMemory(
            place=place,
            order=order,
            images=images,
            seen=order if self.levels is None else torch.arange(self.batch),
            noise=self.noise[place],
            number=self._numbers[place],
            share=self._share[place],
            constants=self._constants[place],
            terms=self._terms[place],
        )
