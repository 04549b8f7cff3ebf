"""A whole training step as a program of matrix products and kernels, written once and run at every step."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from vaeviewer.backend import openmp
from vaeviewer.backend.config import Settings
from vaeviewer.backend.fused import CHUNK_ROWS, KERNELS, torch_functions
from vaeviewer.backend.fused.program import Call, Program
from vaeviewer.backend.models.forward import MAX_LOG_VARIANCE
from vaeviewer.backend.models.gradient import ElboGradient, StepTerms
from vaeviewer.backend.optimizers import Adam, Optimizer
from vaeviewer.native.object_code import MachineCode, machine_code


def can_fuse(settings: Settings, device: torch.device) -> bool:
    """Whether a run's steps are of the kind written here: the default one, on a processor."""
    return (
        device.type == "cpu"
        and settings.model.likelihood == "bernoulli"
        and settings.train.optimizer == "adam"
        and settings.train.samples == 1
        and openmp.torch_runtime() is not None
        and torch_functions.available()
    )


def step_code(products: torch.dtype, activation: str) -> MachineCode:
    """The kernels of a step with large products in float32 or bfloat16."""
    precision = "bfloat16" if products == torch.bfloat16 else "float32"
    return machine_code(f"{__package__}.kernels", KERNELS, precision, activation, str(MAX_LOG_VARIANCE))


class FusedStep:
    """Steps the weights that a gradient and an optimizer hold, and leaves their state as they would.

    It keeps ``gradient.rounded`` up to date itself; whoever else changes the weights rounds them.

    Args:
        gradient: Whose weights, in both precisions, and whose memory for their gradients are used.
        optimizer: Adam of the same weights.
        kernels: Addresses of machine code by name.
        hidden_layers: In each network.
    """

    def __init__(
        self, gradient: ElboGradient, optimizer: Optimizer, kernels: Mapping[str, int], hidden_layers: int
    ) -> None:
        self._gradient, self._state, self._kernels = gradient, optimizer.state, kernels
        self._last = hidden_layers
        self._rows = -1
        self._share = np.zeros(1, np.float32)  # β/n
        first, second = Adam.BETAS
        self._constants = np.array([1 - first, second, 1 - second, 0, 0, Adam.EPSILON], np.float32)
        self._terms = torch.zeros(2)

    @torch.no_grad()
    def __call__(self, levels: Tensor, noise: Tensor, beta: float, learning_rate: float) -> StepTerms:
        """Take one step; the terms are written over by the next one.

        Args:
            levels: uint8 grey levels, ``(n, pixels)``.
            noise: Standard normal, ``(1, n, latent_dim)``.
            beta: Weight of the KL term.
            learning_rate: Of this step.
        """
        if self._rows != len(levels):
            self._plan(len(levels), noise.shape[2])
        self._levels.put(1, levels)
        self._likelihood.put(4, levels)
        self._sample.put(4, noise)
        self._share[0] = beta / self._rows
        step = self._state["step"].add_(1.0).item()
        first, second = Adam.BETAS
        self._constants[3] = learning_rate / (1 - first**step)
        self._constants[4] = 1 / math.sqrt(1 - second**step)
        self._program()
        return StepTerms(self._terms[0], self._terms[1], self._loc, self._log_variance)

    def _plan(self, rows: int, dim: int) -> None:
        """Allocate for so many rows and write down what a step does."""
        self._rows = rows
        runtime = openmp.torch_runtime()
        assert runtime is not None, "asked before"
        self._program = Program(self._kernels["run"], runtime, torch.get_num_threads())
        flat = self._gradient.parameters
        exact = flat.views(flat.values.detach())
        pixels = exact["encoder.0.weight"].shape[1]
        low = self._gradient.rounded.new_empty
        new = exact["encoder.0.weight"].new_empty

        x = low(rows, pixels)
        self._levels = self._call("levels", rows * pixels, x, x)
        inputs, products = {}, {}  # of each layer, by its name

        # The inference network.
        last = self._last
        h = x
        for i in range(last):
            name = f"encoder.{i}"
            width = len(exact[f"{name}.weight"])
            inputs[name], products[name] = h, low(rows, width)
            h = new(rows, width) if i == last - 1 else low(rows, width)
            self._forward(name, inputs[name], products[name])
            kernel = "activate_to_z" if i == last - 1 else "activate"
            self._call(kernel, rows, width, products[name], exact[f"{name}.bias"], h)

        # The sample z = μ + σ·ε.
        head = f"encoder.{last}"
        inputs[head], sums = h, new(rows, 2 * dim)
        self._forward(head, h, sums)
        raw, loc, log_variance, spread, z = (new(rows, dim) for _ in range(5))
        kl = new(rows)
        self._loc, self._log_variance = loc, log_variance
        self._sample = self._call(
            "sample", rows, dim, sums, exact[f"{head}.bias"], raw, raw, loc, log_variance, spread, z, kl
        )

        # The generative network.
        h = z
        for i in range(last):
            name = f"decoder.{i}"
            width = len(exact[f"{name}.weight"])
            inputs[name], products[name] = h, (new if i == 0 else low)(rows, width)
            if i == 0:
                # Products with so thin a matrix are several times faster where it lies on its side.
                from_z = new(dim, width)
                self._program.copy(self._gradient.weights[f"{name}.weight"].t(), from_z)
                self._program.multiply(z, from_z, products[name])
            else:
                self._forward(name, h, products[name])
            h = low(rows, width)
            kernel = "activate_from_z" if i == 0 else "activate"
            self._call(kernel, rows, width, products[name], exact[f"{name}.bias"], h)
        name = f"decoder.{last}"
        inputs[name], grad = h, low(rows, pixels)
        self._forward(name, h, grad)
        chunks = -(-rows // CHUNK_ROWS)
        totals = [new(chunks, pixels) for _ in range(3)]
        bias, log_p = exact[f"{name}.bias"], new(pixels)
        self._likelihood = self._call("bernoulli", rows, pixels, grad, bias, x, *totals)
        self._call(
            "log_likelihood", chunks, pixels, rows, totals[0], totals[2], log_p, new(pixels), new(pixels)
        )
        self._fold(totals[1], self._gradient.grads[f"{name}.bias"])

        # And back.
        for i in range(last - 1, -1, -1):
            above, name = f"decoder.{i + 1}", f"decoder.{i}"
            self._weight_grad(above, grad, inputs[above])
            above_grad = torch.empty_like(inputs[above])
            self._input_grad(above, grad, above_grad)
            grad = self._back("back_to_z" if i == 0 else "back", name, above_grad, products[name])
        dz = new(rows, dim)
        from_z_grad = torch.empty_like(from_z)
        self._program.multiply(z.t(), grad, from_z_grad)
        self._program.copy(from_z_grad.t(), self._gradient.grads["decoder.0.weight"])
        self._program.multiply(grad, from_z.t(), dz)
        grad = new(rows, 2 * dim)
        self._call("back_sample", rows, dim, self._share, dz, raw, loc, log_variance, spread, grad)
        self._fold(grad, self._gradient.grads[f"{head}.bias"])
        for i in range(last - 1, -1, -1):
            above, name = f"encoder.{i + 1}", f"encoder.{i}"
            self._weight_grad(above, grad, inputs[above])
            above_grad = torch.empty_like(inputs[above])
            self._input_grad(above, grad, above_grad)
            grad = self._back("back_from_z" if i == last - 1 else "back", name, above_grad, products[name])
        self._weight_grad("encoder.0", grad, x)

        self._fold(log_p.unsqueeze(1), self._terms[:1])
        self._fold(kl.unsqueeze(1), self._terms[1:])
        self._adam()

    def _adam(self) -> None:
        flat, rounded = self._gradient.parameters, self._gradient.rounded
        state = self._state
        rest = 0
        if rounded.dtype != flat.values.dtype:
            rest = len(rounded)
            self._call(
                "adam_low",
                rest,
                flat.values.detach(),
                state["exp_avg"],
                state["exp_avg_sq"],
                self._gradient.rounded_grad,
                rounded,
                self._constants,
            )
        self._call(
            "adam",
            len(flat.values) - rest,
            flat.values.detach()[rest:],
            state["exp_avg"][rest:],
            state["exp_avg_sq"][rest:],
            flat.grad[rest:],
            flat.grad[rest:],
            self._constants,
        )

    def _call(self, kernel: str, *arguments: int | Tensor | np.ndarray) -> Call:
        return self._program.kernel(self._kernels[kernel], *arguments)

    def _forward(self, layer: str, x: Tensor, out: Tensor) -> None:
        weight = self._gradient.weights[f"{layer}.weight"]
        self._program.multiply(x, weight.t(), out)

    def _weight_grad(self, layer: str, grad: Tensor, x: Tensor) -> None:
        out = self._gradient.grads[f"{layer}.weight"]
        self._program.multiply(grad.t(), x, out)

    def _input_grad(self, layer: str, grad: Tensor, out: Tensor) -> None:
        weight = self._gradient.weights[f"{layer}.weight"]
        self._program.multiply(grad, weight, out)

    def _back(self, kernel: str, layer: str, above: Tensor, products: Tensor) -> Tensor:
        """From the gradient at a layer's activations that at its sums."""
        grad = above if above.dtype == products.dtype else torch.empty_like(products)
        rows, width = products.shape
        flat = self._gradient.parameters
        bias = flat.views(flat.values.detach())[f"{layer}.bias"]
        totals = bias.new_empty(-(-rows // CHUNK_ROWS), width)
        self._call(kernel, rows, width, above, products, bias, grad, totals)
        self._fold(totals, self._gradient.grads[f"{layer}.bias"])
        return grad

    def _fold(self, rows: Tensor, out: Tensor) -> None:
        """The sum of all rows."""
        kernel = "fold" if out.dtype == rows.dtype else "fold_low"
        self._call(kernel, *rows.shape, rows, out, rows.new_empty(len(out)))
