"""Convolutions that halve an image's sides, and their mirror, which double them: 4 × 4 kernels, stride 2."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

KERNEL = 4
STRIDE = 2
PADDING = 1


class Halving(nn.Conv2d):
    """Maps ``(n, inputs, 2h, 2w)`` to ``(n, outputs, h, w)``."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution."""
        return _by_products(x, self.weight, self.bias, False) if _in_bfloat16(x) else super().forward(x)


class Doubling(nn.ConvTranspose2d):
    """Maps ``(n, inputs, h, w)`` to ``(n, outputs, 2h, 2w)``."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """The transposed convolution."""
        if _in_bfloat16(x):
            return _by_products(x, self.weight, self.bias, True)
        return super().forward(x, output_size)


def _in_bfloat16(x: Tensor) -> bool:
    if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return False
    return torch.get_autocast_dtype("cpu") == torch.bfloat16


def _by_products(x: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool) -> Tensor:
    x, weight = x.bfloat16(), weight.bfloat16()
    with torch.autocast("cpu", enabled=False):
        y: Tensor = StridedByProducts.apply(x, weight, None if bias is None else bias.bfloat16(), transposed)
    return y


class StridedByProducts(torch.autograd.Function):
    """The same with the weights' gradient as one matrix product.

    For bfloat16 oneDNN computes that gradient a thousand times slower on processors that multiply bfloat16 without AMX
    (torch 2.14: one second for 128 images of 14 × 14 instead of a millisecond).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool) -> Tensor:
        """``y`` of ``x`` ``(n, c, h, w)``; the weights as ``nn.Conv2d`` or ``nn.ConvTranspose2d`` have them."""
        ctx.save_for_backward(x, weight)
        ctx.transposed = transposed
        convolve = functional.conv_transpose2d if transposed else functional.conv2d
        return convolve(x, weight, bias, STRIDE, PADDING)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of images, weights and biases; themselves differentiable."""
        (grad,) = grads
        x, weight = ctx.saved_tensors
        back = functional.conv2d if ctx.transposed else functional.conv_transpose2d
        d_x = back(grad, weight, None, STRIDE, PADDING) if ctx.needs_input_grad[0] else None
        large, small = (grad, x) if ctx.transposed else (x, grad)
        patches = _patches(large)  # (n·h·w, 4·4·c)
        rows = small.permute(0, 2, 3, 1).reshape(len(patches), -1)
        d_weight = (rows.mT @ patches).unflatten(1, (KERNEL, KERNEL, -1)).permute(0, 3, 1, 2)
        return d_x, d_weight, grad.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None, None


def _patches(x: Tensor) -> Tensor:
    """What each place of the smaller image sees of the larger one, ``(n·h·w, 4·4·c)``."""
    padded = functional.pad(x.permute(0, 2, 3, 1), (0, 0, PADDING, PADDING, PADDING, PADDING))
    windows = padded.unfold(1, KERNEL, STRIDE).unfold(2, KERNEL, STRIDE)  # (n, h, w, c, 4, 4)
    return windows.permute(0, 1, 2, 4, 5, 3).reshape(-1, KERNEL * KERNEL * x.shape[1])
