"""Writes training steps down as matrix products and kernels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vaeviewer.backend.training.engines.fused.adam import Adam
from vaeviewer.backend.training.engines.fused.gradient import ElboGradient
from vaeviewer.backend.training.engines.fused.layout import CHUNK_COLUMNS, CHUNK_NUMBERS, CHUNK_ROWS
from vaeviewer.backend.training.engines.fused.program import Program
from vaeviewer.backend.training.rows import TrainingRows


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
    optimizer: Adam
    rows: TrainingRows
    hidden_layers: int


@dataclass(frozen=True)
class StepMemory:
    """What one step of a program reads and writes that the next one does not.

    Attributes:
        place: Of the step in the program, from 0.
        order: Which training images the batch consists of, ``(batch,)``.
        images: uint8 grey levels, a row for each image.
        seen: Which of those rows the step looks at, ``(batch,)``.
        noise: Standard normal, ``(batch, latent_dim)``.
        number: Steps taken before, ``(1,)``.
        share: β over the batch size, ``(1,)``.
        constants: Of Adam, six as its kernel takes them.
        terms: Reconstruction and KL, which the step writes, ``(2,)``.
    """

    place: int
    order: Tensor
    images: Tensor
    seen: Tensor
    noise: Tensor
    number: np.ndarray
    share: np.ndarray
    constants: np.ndarray
    terms: Tensor


class StepWriter:
    """Writes steps at the end of a program, one after the other; all use the same memory for what lies between.

    Layers are called as their parameters are: ``encoder.0`` up to the head ``encoder.n``, and ``decoder.0`` up to the
    logits ``decoder.n``, with n hidden layers in each network. From the activations of ``encoder.n-1`` to the
    pre-activations of ``decoder.0`` all is in float32.

    Args:
        training: What the steps work on.
        kernels: Addresses of machine code by name.
        batch: Images per step.
        program: To be written.
    """

    def __init__(self, training: Training, kernels: Mapping[str, int], batch: int, program: Program) -> None:
        self._training, self._kernels, self._batch, self._program = training, kernels, batch, program
        gradient, last = training.gradient, training.hidden_layers
        self._low = gradient.rounded.dtype
        flat = gradient.parameters
        self._parameters = parameters = flat.views(flat.values.detach())
        self._dim, pixels = training.rows.loc.shape[1], training.rows.images.shape[1]
        self._chunks = -(-batch // CHUNK_ROWS)
        self._last, self._head, self._logits = f"encoder.{last - 1}", f"encoder.{last}", f"decoder.{last}"
        # Each layer with the one before it.
        self._inference = [(f"encoder.{i}", f"encoder.{i - 1}") for i in range(1, last)]
        self._generation = [(f"decoder.{i}", f"decoder.{i - 1}") for i in range(1, last + 1)]

        # Double-buffered, as a step prefetches the images of the next: grey levels and pixels.
        self._seen = [
            (self._new(pixels, dtype=torch.uint8), self._new(pixels, dtype=self._low)) for _ in range(2)
        ]
        # By layer: products with the weight, overwritten by the activation's derivatives; activations; the gradient at
        # these, overwritten by that at the pre-activations; its partial sums by chunk of rows. At the logits there is
        # no activation: the gradient itself overwrites the products.
        self._products: dict[str, Tensor] = {}
        self._activations: dict[str, Tensor] = {}
        self._grads: dict[str, Tensor] = {}
        self._totals: dict[str, Tensor] = {}
        for name in [
            "encoder.0",
            *(name for name, _ in self._inference),
            *(below for _, below in self._generation),
        ]:
            width = len(parameters[f"{name}.bias"])
            self._products[name] = self._new(width, dtype=torch.float32 if name == "decoder.0" else self._low)
            self._activations[name] = self._new(
                width, dtype=torch.float32 if name == self._last else self._low
            )
            self._grads[name] = self._new(width, dtype=self._low)
            self._totals[name] = self._new(width, rows=self._chunks)
        self._products[self._logits] = self._grads[self._logits] = self._new(pixels, dtype=self._low)
        self._totals[self._logits] = self._new(pixels, rows=self._chunks)
        self._log_p = [
            self._new(pixels, rows=self._chunks) for _ in range(2)
        ]  # partial sums, and products whose logarithm is taken later
        self._log_p_parts = self._new(pixels, rows=3)
        width = len(parameters["decoder.0.bias"])
        self._head_sums, self._head_grad = self._new(2 * self._dim), self._new(2 * self._dim)
        self._loc, self._log_variance, self._spread, self._z = (self._new(self._dim) for _ in range(4))
        self._kl = self._new(1)
        # Products with so thin a matrix are several times faster where it is stored transposed.
        self._from_z, self._from_z_grad = self._new(width, rows=self._dim), self._new(width, rows=self._dim)
        self._sums_from_z_grad = self._new(width)
        self._row = self._new(width, rows=self._chunks)

    def write(self, memory: StepMemory, following: StepMemory | None) -> None:
        """Write the next step.

        Args:
            memory: Of this step.
            following: Of the one to be written after it, whose images this one fetches.
        """
        if memory.place == 0:
            self._fetch(memory)
        grey, x = self._seen[memory.place % 2]
        self._infer(x)
        self._through_z(memory)
        self._generate(grey)
        # Backward. Within a stage the shortest tasks in the middle: threads claim from both ends (see ``stages``).
        self._back_to_z(following)
        self._back_through_z(memory)
        self._back_to_weights(memory, x)

    def _fetch(self, memory: StepMemory, *, beside: bool = False) -> None:
        """Gather a step's images into contiguous memory."""
        grey, x = self._seen[memory.place % 2]
        self._by_rows("levels", x.shape[1], memory.images, memory.seen, grey, x, beside=beside)

    def _infer(self, x: Tensor) -> None:
        """Forward pass of the encoder, up to the products of its last hidden layer."""
        self._forward("encoder.0", x)
        self._program.copy(self._parameters["decoder.0.weight"].t(), self._from_z, beside=True)
        for name, below in self._inference:
            self._activate(below)
            self._forward(name, self._activations[below])

    def _through_z(self, memory: StepMemory) -> None:
        """The reparameterised sample z = μ + σ·ε, and the layers before and after it."""
        parameters, rows = self._parameters, self._training.rows
        self._by_rows(
            "through_z",
            self._dim,
            len(parameters["decoder.0.bias"]),
            self._products[self._last],
            parameters[f"{self._last}.bias"],
            self._activations[self._last],
            parameters[f"{self._head}.weight"],
            parameters[f"{self._head}.bias"],
            self._head_sums,
            memory.noise,
            self._loc,
            self._log_variance,
            self._spread,
            self._z,
            self._kl,
            memory.order,
            rows.loc,
            rows.log_variance,
            rows.steps,
            memory.number,
            self._from_z,
            parameters["decoder.0.bias"],
            self._products["decoder.0"],
            self._activations["decoder.0"],
        )

    def _generate(self, grey: Tensor) -> None:
        """Forward pass of the rest of the decoder, and the gradient at the logits."""
        for name, below in self._generation:
            self._forward(name, self._activations[below])
            if name != self._logits:
                self._activate(name)
        products, bias = self._products[self._logits], self._parameters[f"{self._logits}.bias"]
        sums, factors = self._log_p
        totals = sums, self._totals[self._logits], factors
        self._by_rows("bernoulli", grey.shape[1], products, bias, grey, *totals)

    def _back_to_z(self, following: StepMemory | None) -> None:
        """Backward pass from the logits to the activations of the decoder's first hidden layer."""
        for name, below in reversed(self._generation):
            self._input_grad(name, below)
            self._fold_bias(name)
            if name == self._logits:
                counts = self._chunks, self._log_p_parts.shape[1], self._batch
                self._by_columns("log_likelihood", counts[1], *counts, *self._log_p, *self._log_p_parts)
                if following is not None:
                    self._fetch(following, beside=True)  # cache misses overlap with matrix products
            self._weight_grad(name, self._activations[below])
            if below != "decoder.0":
                self._back(below)

    def _back_through_z(self, memory: StepMemory) -> None:
        """From there to the pre-activations of the encoder's last hidden layer."""
        self._by_rows(
            "back_through_z",
            self._dim,
            self._from_z.shape[1],
            memory.share,
            self._grads["decoder.0"],
            self._products["decoder.0"],
            self._sums_from_z_grad,
            self._totals["decoder.0"],
            self._from_z,
            self._head_sums,
            self._loc,
            self._log_variance,
            self._spread,
            self._head_grad,
            self._parameters[f"{self._head}.weight"],
            self._row,
            self._products[self._last],
            self._grads[self._last],
            self._totals[self._last],
        )

    def _back_to_weights(self, memory: StepMemory, x: Tensor) -> None:
        """Backward pass of the rest of the encoder, and Adam's update."""
        if not self._inference:
            self._grads_around_z(beside=False)
        for name, below in reversed(self._inference):
            self._input_grad(name, below)
            self._fold_bias(name)
            if name == self._last:
                self._grads_around_z(beside=True)
            self._weight_grad(name, self._activations[below])
            self._back(below)

        # The gradients of most other weights are complete by now, so their update fills the idle time of this product.
        grads, grad = self._training.gradient.grads, self._grads["encoder.0"]
        out = grads["encoder.0.weight"]
        half, begin = -(-len(out) // 2), out.numel()
        end = int(self._parameters["encoder.0.bias"].storage_offset())
        self._program.multiply(grad[:, :half].t(), x, out[:half], one_of=2)
        self._adam(memory, begin, end, beside=True)
        self._fold_bias("encoder.0")
        self._fold(self._log_p_parts[0].unsqueeze(1), memory.terms[:1])
        self._fold(self._kl, memory.terms[1:])
        self._program.copy(self._from_z_grad.t(), grads["decoder.0.weight"], beside=True)
        if half < len(out):
            self._program.multiply(grad[:, half:].t(), x, out[half:], beside=True, one_of=2)

        self._adam(memory, 0, begin)
        self._adam(memory, end, len(self._training.gradient.parameters.values), beside=True)

    def _grads_around_z(self, *, beside: bool) -> None:
        """Gradients of the weights that ``_through_z`` takes."""
        grads = self._training.gradient.grads
        self._program.multiply(
            self._z.t(), self._sums_from_z_grad, self._from_z_grad, beside=beside, one_of=2
        )
        to_head, head_grad = self._activations[self._last], grads[f"{self._head}.weight"]
        self._program.multiply(self._head_grad.t(), to_head, head_grad, beside=True, one_of=2)
        self._fold(self._head_grad, grads[f"{self._head}.bias"])
        self._fold_bias("decoder.0")

    # Parts of that

    def _forward(self, layer: str, x: Tensor) -> None:
        weight = self._training.gradient.weights[f"{layer}.weight"]
        self._program.multiply(x, weight.t(), self._products[layer])

    def _activate(self, layer: str) -> None:
        products, bias = self._products[layer], self._parameters[f"{layer}.bias"]
        self._by_rows("activate", products.shape[1], products, bias, self._activations[layer])

    def _input_grad(self, layer: str, below: str) -> None:
        """The gradient at the activations of the layer below."""
        weight = self._training.gradient.weights[f"{layer}.weight"]
        self._program.multiply(self._grads[layer], weight, self._grads[below], one_of=2)

    def _weight_grad(self, layer: str, x: Tensor) -> None:
        """Beside the gradient at the activations below."""
        out = self._training.gradient.grads[f"{layer}.weight"]
        self._program.multiply(self._grads[layer].t(), x, out, beside=True, one_of=2)

    def _back(self, layer: str) -> None:
        """From the gradient at a layer's activations to that at its pre-activations."""
        grad, slopes = self._grads[layer], self._products[layer]
        self._by_rows("back", grad.shape[1], grad, slopes, self._totals[layer])

    def _fold_bias(self, layer: str) -> None:
        self._fold(self._totals[layer], self._training.gradient.grads[f"{layer}.bias"])

    def _fold(self, rows: Tensor, out: Tensor) -> None:
        """Second pass of a reduction: the sum of all rows of partial sums, beside the operation before."""
        kernel = "fold" if out.dtype == rows.dtype else "fold_low"
        self._by_columns(kernel, len(out), *rows.shape, rows, out, torch.empty(len(out)))

    def _adam(self, memory: StepMemory, begin: int, end: int, *, beside: bool = False) -> None:
        """The new weights from one place among all to another."""
        gradient, state = self._training.gradient, self._training.optimizer.state
        flat, low = gradient.parameters, 0 if self._low == torch.float32 else len(gradient.rounded)
        parts = (
            ("adam_low", slice(begin, min(end, low)), gradient.rounded_grad, gradient.rounded),
            ("adam", slice(max(begin, low), end), flat.grad, flat.grad),  # without a copy
        )
        for kernel, part, grad, copy in parts:
            if part.start < part.stop:
                moments = state["exp_avg"][part], state["exp_avg_sq"][part]
                arrays = flat.values.detach()[part], *moments, grad[part], copy[part]
                chunks = -(-len(arrays[0]) // CHUNK_NUMBERS)
                self._kernel(kernel, chunks, len(arrays[0]), *arrays, memory.constants, beside=beside)
                beside = True

    # How it is written

    def _by_rows(self, kernel: str, *arguments: int | Tensor | np.ndarray, beside: bool = False) -> None:
        self._kernel(kernel, self._chunks, self._batch, *arguments, beside=beside)

    def _by_columns(self, kernel: str, columns: int, *arguments: int | Tensor) -> None:
        """Beside the operation before."""
        self._kernel(kernel, -(-columns // CHUNK_COLUMNS), *arguments, beside=True)

    def _kernel(self, name: str, chunks: int, *arguments: int | Tensor | np.ndarray, beside: bool) -> None:
        self._program.kernel(self._kernels[name], chunks, *arguments, beside=beside)

    def _new(self, width: int, *, rows: int | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        """Memory with a row for each image unless said otherwise."""
        return torch.empty(self._batch if rows is None else rows, width, dtype=dtype)
