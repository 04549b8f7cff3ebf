"""Forward and backward passes of fully connected networks, written out, in memory that every step uses again.

Outputs, activations and their gradients are allocated once for a number of rows; casts between dtypes are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

aten = torch.ops.aten

# From its input, into ``out``.
FORWARD: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "tanh": lambda x, out: torch.tanh(x, out=out),
    "relu": lambda x, out: torch.clamp_min(x, 0.0, out=out),
    "silu": lambda x, out: aten.silu.out(x, out=out),
}

# Turns the gradient at an activation's output, given its input and its output, in place into that at its input.
BACKWARD: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "tanh": lambda grad, _before, after: aten.tanh_backward.grad_input(grad, after, grad_input=grad),
    "relu": lambda grad, before, _after: aten.threshold_backward.grad_input(grad, before, 0, grad_input=grad),
    "silu": lambda grad, before, _after: aten.silu_backward.grad_input(grad, before, grad_input=grad),
}


class Layer:
    """One linear layer: its weights, and where their gradients go, perhaps in a lower precision.

    Args:
        name: Such as ``encoder.0``.
        weights: The parameters by name.
        grads: Their gradients by name, of the same dtypes.
    """

    def __init__(self, name: str, weights: Mapping[str, Tensor], grads: Mapping[str, Tensor]) -> None:
        self.weight = weights[f"{name}.weight"]
        self.dtype = self.weight.dtype
        self._transposed = self.weight.t()
        self._bias = weights[f"{name}.bias"]
        self._weight_grad = grads[f"{name}.weight"]
        self._bias_grad = grads[f"{name}.bias"]

    def empty(self, rows: int) -> Tensor:
        """Memory for the layer's output, or the gradient there."""
        return self.weight.new_empty(rows, len(self.weight))

    def forward(self, x: Tensor, out: Tensor) -> None:
        """Write x·Wᵀ + b."""
        torch.addmm(self._bias, x, self._transposed, out=out)

    def backward(self, grad: Tensor, x: Tensor) -> None:
        """Write the gradients of the weights from that at the output, ``(n, out)``."""
        torch.mm(grad.t(), x, out=self._weight_grad)
        if self.dtype == torch.bfloat16:  # sums of these are slow, products fast
            ones = grad.new_ones(1, len(grad))
            torch.mm(ones, grad, out=self._bias_grad.unsqueeze(0))
        else:
            torch.sum(grad, 0, out=self._bias_grad)


class Network:
    """Layers with an activation between them; the last one is linear.

    Args:
        layers: From input to output; the products may differ in dtype from layer to layer.
        activation: A name in :data:`FORWARD`.
        dtype: Of the activations.
    """

    def __init__(self, layers: Sequence[Layer], activation: str, dtype: torch.dtype) -> None:
        self.layers = layers
        self._activate, self._activate_back = FORWARD[activation], BACKWARD[activation]
        self._dtype = dtype
        self._rows = -1

    def forward(self, x: Tensor) -> Tensor:
        """The output for ``x`` of ``(n, in)``, in the last layer's dtype. The next pass writes over it."""
        if self._rows != len(x):
            self._allocate(len(x))
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = self._inputs[i] = x.to(layer.dtype)
            layer.forward(x, self._outputs[i])
            if i < last:
                self._pre_activations[i] = self._outputs[i].to(self._dtype)
                x = self._activate(self._pre_activations[i], self._activations[i])
        return self._outputs[last]

    def backward(self, grad: Tensor) -> Tensor:
        """From the gradient at the output write all layers' gradients; returns that at the first pre-activations."""
        for i in range(len(self.layers) - 1, 0, -1):
            layer = self.layers[i]
            grad = grad.to(layer.dtype)
            layer.backward(grad, self._inputs[i])
            grad = torch.mm(grad, layer.weight, out=self._grads[i]).to(self._dtype)
            grad = self._activate_back(grad, self._pre_activations[i - 1], self._activations[i - 1])
        first = grad.to(self.layers[0].dtype)
        self.layers[0].backward(first, self._inputs[0])
        return first

    def _allocate(self, rows: int) -> None:
        self._rows = rows
        self._outputs = [layer.empty(rows) for layer in self.layers]
        self._pre_activations = self._outputs[:-1]
        self._inputs = self._outputs[:]  # replaced at every pass
        self._activations = [output.to(self._dtype).clone() for output in self._outputs[:-1]]
        self._grads = [layer.weight.new_empty(rows, layer.weight.shape[1]) for layer in self.layers]
