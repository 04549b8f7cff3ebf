"""Whole training steps as a program of matrix products and kernels, written once and run again and again."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vaeviewer.backend.config import Settings
from vaeviewer.backend.fused import KERNELS, torch_functions
from vaeviewer.backend.fused.layout import CHUNK_COLUMNS, CHUNK_NUMBERS, CHUNK_ROWS
from vaeviewer.backend.fused.program import Program
from vaeviewer.backend.fused.team import Team
from vaeviewer.backend.models.forward import MAX_LOG_VARIANCE
from vaeviewer.backend.models.gradient import ElboGradient
from vaeviewer.backend.optimizers import Adam, Optimizer
from vaeviewer.backend.training_rows import TrainingRows
from vaeviewer.native.object_code import MachineCode, machine_code

MOST_TOGETHER = 16
"""Most steps that are taken without coming back to Python."""

WORK_TOGETHER = 2_400_000_000
"""Images times weights of such steps: some hundredths of a second, so that nobody waits for a pause."""


def can_fuse(settings: Settings, device: torch.device) -> bool:
    """Whether a run's steps are of the kind written here: the default one, on a processor."""
    return (
        device.type == "cpu"
        and settings.model.likelihood == "bernoulli"
        and settings.train.optimizer == "adam"
        and settings.train.samples == 1
        and sys.platform.startswith("linux")
        and torch_functions.available()
    )


def step_code(products: torch.dtype, activation: str) -> MachineCode:
    """The kernels of a step with large products in float32 or bfloat16."""
    precision = "bfloat16" if products == torch.bfloat16 else "float32"
    return machine_code(f"{__package__}.kernels", KERNELS, precision, activation, str(MAX_LOG_VARIANCE))


@dataclass(frozen=True)
class Training:
    """What steps change.

    Attributes:
        gradient: Holds the weights, in both precisions, and the memory for their gradients.
        optimizer: Adam of the same weights.
        rows: The training images and their posteriors.
        hidden_layers: In each network.
    """

    gradient: ElboGradient
    optimizer: Optimizer
    rows: TrainingRows
    hidden_layers: int


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
        self._own_order = torch.arange(most * batch).view(most, batch)
        self._terms = torch.zeros(most, 2)
        self._share = np.zeros((most, 1), np.float32)  # β/n
        first, second = Adam.BETAS
        fixed = [1 - first, second, 1 - second, 0, 0, Adam.EPSILON]
        self._constants = np.tile(np.array(fixed, np.float32), (most, 1))
        self._numbers = np.zeros((most, 1), np.int64)
        self._memory: dict[str, Tensor] = {}

        self._team = Team(kernels, threads)
        self._program = Program(self._team, threads)
        self._ends = []  # tasks up to the end of each step
        for slot in range(most):
            self._write(slot)
            self._ends.append(self._program.length)

    def stay_on_cores(self) -> None:
        """Keep each thread on a core of its own, where there are as many."""
        self._team.stay_on_cores()

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

    # What a step does

    def _write(self, slot: int) -> None:
        """Write down the step that reads and writes what is at place ``slot``."""
        training = self._training
        gradient, table, last = training.gradient, training.rows, training.hidden_layers
        flat, rows = gradient.parameters, self.batch
        dim, pixels = table.loc.shape[1], table.images.shape[1]
        exact = flat.views(flat.values.detach())
        order = self._order[slot]

        if slot == 0:
            self._levels(slot)
        x = self._pixels(slot)
        inputs, products = {}, {}  # of each layer, by its name

        # The inference network.
        h = x
        for i in range(last):
            name = f"encoder.{i}"
            width = len(exact[f"{name}.weight"])
            inputs[name], products[name] = h, self._low(f"{name} products", rows, width)
            h = (self._new if i == last - 1 else self._low)(f"{name} activations", rows, width)
            self._forward(name, inputs[name], products[name])
            kernel = "activate_to_z" if i == last - 1 else "activate"
            self._by_rows(kernel, rows, width, products[name], exact[f"{name}.bias"], h)

        # The sample z = μ + σ·ε.
        head = f"encoder.{last}"
        inputs[head], sums = h, self._new("head", rows, 2 * dim)
        self._forward(head, h, sums)
        raw, loc, log_variance, spread, z = (
            self._new(name, rows, dim) for name in ("raw", "loc", "log variance", "spread", "z")
        )
        kl = self._new("kl", rows)
        self._by_rows(
            "sample",
            rows,
            dim,
            sums,
            exact[f"{head}.bias"],
            self.noise[slot],
            raw,
            loc,
            log_variance,
            spread,
            z,
            kl,
            order,
            table.loc,
            table.log_variance,
            table.steps,
            self._numbers[slot],
        )

        # The generative network.
        h = z
        for i in range(last):
            name = f"decoder.{i}"
            width = len(exact[f"{name}.weight"])
            inputs[name] = h
            products[name] = (self._new if i == 0 else self._low)(f"{name} products", rows, width)
            if i == 0:
                # Products with so thin a matrix are several times faster where it lies on its side.
                from_z = self._new("from z", dim, width)
                self._program.copy(gradient.weights[f"{name}.weight"].t(), from_z, beside=True)
                self._program.multiply(z, from_z, products[name])
            else:
                self._forward(name, h, products[name])
            h = self._low(f"{name} activations", rows, width)
            kernel = "activate_from_z" if i == 0 else "activate"
            self._by_rows(kernel, rows, width, products[name], exact[f"{name}.bias"], h)
        name = f"decoder.{last}"
        inputs[name], grad = h, self._low("logits", rows, pixels)
        self._forward(name, h, grad)
        chunks = -(-rows // CHUNK_ROWS)
        totals = [self._new(f"logits {number}", chunks, pixels) for number in range(3)]
        self._by_rows("bernoulli", rows, pixels, grad, exact[f"{name}.bias"], self._grey(slot), *totals)

        # And back. Of what may be computed at the same time, the shortest in the middle: threads come from both sides.
        last_totals = totals[1]
        for i in range(last - 1, -1, -1):
            above, name = f"decoder.{i + 1}", f"decoder.{i}"
            above_grad = self._like(inputs[above], f"{above} gradient")
            self._input_grad(above, grad, above_grad)
            self._fold(last_totals, gradient.grads[f"{above}.bias"])
            if i == last - 1:
                log_p = self._new("log p", pixels)
                room = self._new("log p total", pixels), self._new("log p product", pixels)
                self._by_columns(
                    "log_likelihood", pixels, chunks, pixels, rows, totals[0], totals[2], log_p, *room
                )
                if slot + 1 < self.most:  # memory that has not been used lately is waited for beside products
                    self._levels(slot + 1, beside=True)
            self._weight_grad(above, grad, inputs[above])
            kernel = "back_to_z" if i == 0 else "back"
            grad, last_totals = self._back(kernel, name, above_grad, products[name])
        dz = self._new("dz", rows, dim)
        from_z_grad = self._like(from_z, "from z gradient")
        self._program.multiply(grad, from_z.t(), dz)
        self._program.multiply(z.t(), grad, from_z_grad, beside=True)
        self._fold(last_totals, gradient.grads["decoder.0.bias"])
        grad = self._new("head gradient", rows, 2 * dim)
        self._by_rows("back_sample", rows, dim, self._share[slot], dz, raw, loc, log_variance, spread, grad)
        self._program.copy(from_z_grad.t(), gradient.grads["decoder.0.weight"], beside=True)
        last_totals = grad
        for i in range(last - 1, -1, -1):
            above, name = f"encoder.{i + 1}", f"encoder.{i}"
            above_grad = self._like(inputs[above], f"{above} gradient")
            self._input_grad(above, grad, above_grad)
            self._fold(last_totals, gradient.grads[f"{above}.bias"])
            self._weight_grad(above, grad, inputs[above])
            kernel = "back_from_z" if i == last - 1 else "back"
            grad, last_totals = self._back(kernel, name, above_grad, products[name])
        self._program.multiply(grad.t(), x, gradient.grads["encoder.0.weight"])
        self._fold(last_totals, gradient.grads["encoder.0.bias"])

        self._fold(log_p.unsqueeze(1), self._terms[slot, :1])
        self._fold(kl.unsqueeze(1), self._terms[slot, 1:])
        self._adam(slot)

    def _levels(self, slot: int, *, beside: bool = False) -> None:
        """Fetch the pixels of a step's images."""
        pixels = self._pixels(slot)
        self._by_rows("levels", *pixels.shape, *self._seen(slot), self._grey(slot), pixels, beside=beside)

    def _pixels(self, slot: int) -> Tensor:
        """Memory for the pixels of a step, which is not that of the next one."""
        return self._low(f"x {slot % 2}", self.batch, self._training.rows.images.shape[1])

    def _grey(self, slot: int) -> Tensor:
        """Memory for the grey levels of a step's images in a row: from all over the table, they are waited for once."""
        shape = self.batch, self._training.rows.images.shape[1]
        return self._allocated(f"grey {slot % 2}", shape, torch.uint8)

    def _seen(self, slot: int) -> tuple[Tensor, Tensor]:
        """Grey levels, and which of them a step looks at."""
        if self.levels is None:
            return self._training.rows.images, self._order[slot]
        return self.levels, self._own_order[slot]

    def _forward(self, layer: str, x: Tensor, out: Tensor) -> None:
        weight = self._training.gradient.weights[f"{layer}.weight"]
        self._program.multiply(x, weight.t(), out)

    def _input_grad(self, layer: str, grad: Tensor, out: Tensor) -> None:
        self._program.multiply(grad, self._training.gradient.weights[f"{layer}.weight"], out, one_of=2)

    def _weight_grad(self, layer: str, grad: Tensor, x: Tensor) -> None:
        """Beside the gradient of the layer's input."""
        out = self._training.gradient.grads[f"{layer}.weight"]
        self._program.multiply(grad.t(), x, out, beside=True, one_of=2)

    def _back(self, kernel: str, layer: str, above: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
        """From the gradient at a layer's activations that at its sums, and its totals over chunks of rows."""
        grad = above if above.dtype == slopes.dtype else self._like(slopes, f"{layer} sums gradient")
        rows, width = slopes.shape
        totals = self._new(f"{layer} totals", -(-rows // CHUNK_ROWS), width)
        self._by_rows(kernel, rows, width, above, slopes, grad, totals)
        return grad, totals

    def _fold(self, rows: Tensor, out: Tensor) -> None:
        """The sum of all rows, beside the operation before."""
        kernel = "fold" if out.dtype == rows.dtype else "fold_low"
        room = self._new(f"fold {rows.data_ptr()}", len(out))
        self._by_columns(kernel, rows.shape[1], *rows.shape, rows, out, room)

    def _adam(self, slot: int) -> None:
        gradient, state = self._training.gradient, self._state
        values, grad, rounded = (
            gradient.parameters.values.detach(),
            gradient.parameters.grad,
            gradient.rounded,
        )
        mean, square, constants = state["exp_avg"], state["exp_avg_sq"], self._constants[slot]
        rest, beside = 0, False
        if rounded.dtype != values.dtype:
            rest, beside = len(rounded), True
            self._flat("adam_low", rest, values, mean, square, gradient.rounded_grad, rounded, constants)
        self._flat(
            "adam",
            len(values) - rest,
            values[rest:],
            mean[rest:],
            square[rest:],
            grad[rest:],
            grad[rest:],
            constants,
            beside=beside,
        )

    # How it is written

    def _flat(self, kernel: str, numbers: int, *arguments: Tensor | np.ndarray, beside: bool = False) -> None:
        chunks = -(-numbers // CHUNK_NUMBERS)
        self._program.kernel(self._kernels[kernel], chunks, numbers, *arguments, beside=beside)

    def _by_rows(
        self, kernel: str, rows: int, *arguments: int | Tensor | np.ndarray, beside: bool = False
    ) -> None:
        chunks = -(-rows // CHUNK_ROWS)
        self._program.kernel(self._kernels[kernel], chunks, rows, *arguments, beside=beside)

    def _by_columns(self, kernel: str, columns: int, *arguments: int | Tensor) -> None:
        """Beside the operation before."""
        self._program.kernel(self._kernels[kernel], -(-columns // CHUNK_COLUMNS), *arguments, beside=True)

    def _new(self, name: str, *shape: int) -> Tensor:
        """Memory in float32, the same for every step."""
        return self._allocated(name, shape, torch.float32)

    def _low(self, name: str, *shape: int) -> Tensor:
        """Memory in the precision of the large products."""
        return self._allocated(name, shape, self._training.gradient.rounded.dtype)

    def _like(self, tensor: Tensor, name: str) -> Tensor:
        return self._allocated(name, tuple(tensor.shape), tensor.dtype)

    def _allocated(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        if name not in self._memory:
            self._memory[name] = torch.empty(shape, dtype=dtype)
        return self._memory[name]
