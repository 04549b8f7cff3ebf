"""The passes of a training step beside its matrix products, to be compiled.

A kernel does one chunk of its work: it is called with the address of its argument block, ``WORDS`` int64 counts and
addresses that its docstring lists in order, and with the chunk's index. No chunk reads what another one writes, so
there are no data races, and the result does not depend on which thread did which. Matrices are row-major, contiguous.

Reductions are in two passes: each chunk adds up its own rows, in order, into a row of partial sums, and ``fold`` adds
up these, in order. The chunk sizes are constants, so the order of a floating-point sum never depends on the threads.
In docstrings, pre-activations are a layer's x·Wᵀ + b, and slopes the activation's derivatives there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from vaeviewer.backend.training.engines.fused import stages
from vaeviewer.backend.training.engines.fused.kernels_at_z import back_through_z_kernel, through_z_kernel
from vaeviewer.backend.training.engines.fused.layout import CHUNK_COLUMNS as COLUMNS
from vaeviewer.backend.training.engines.fused.layout import CHUNK_NUMBERS as NUMBERS
from vaeviewer.backend.training.engines.fused.layout import CHUNK_ROWS as ROWS
from vaeviewer.backend.training.engines.fused.layout import Kernel
from vaeviewer.backend.training.engines.fused.vector_math import (
    ACTIVATIONS,
    BFLOAT16,
    FLOAT32,
    Format,
    sigmoid,
)
from vaeviewer.native import WORDS
from vaeviewer.native.memory import bytes_at, floats, integers, words_at

CHUNKS_OF_FACTORS = 100 // ROWS
"""Chunks whose probabilities are multiplied before the logarithm is taken. Each is at least one half, and 2⁻¹⁰⁰ is a
normal number."""

_f32 = np.float32
_ZERO, _ONE = _f32(0.0), _f32(1.0)
_LEVEL = _f32(1 / 255)
_EXPONENT = np.int32(0x7F800000)


def kernels(precision: str, activation: str, most_log_variance: str) -> dict[str, Kernel]:
    """All kernels of a step by name.

    Args:
        precision: Of the large products, ``bfloat16`` or ``float32``, ``low`` below; everything at z is in float32.
        activation: A name in ``ACTIVATIONS``.
        most_log_variance: Where log σ² is cut off, to both sides.
    """
    low = BFLOAT16 if precision == "bfloat16" else FLOAT32
    limit = _f32(most_log_variance)
    kind = ACTIVATIONS[activation]
    return {
        **stages.KERNELS,
        "levels": _levels(low),
        "activate": _activate(low, kind),
        "back": _back(low),
        "through_z": through_z_kernel(low, kind, limit),
        "back_through_z": back_through_z_kernel(low, limit),
        "fold": _fold(FLOAT32),
        "fold_low": _fold(low),
        "bernoulli": _bernoulli(low),
        "log_likelihood": _log_likelihood,
        "adam": _adam(FLOAT32, None),
        "adam_low": _adam(low, low),
        "keep": _keep,
    }


def _levels(low: Format) -> Kernel:
    at, write = low.at, low.write

    def levels(words: int, chunk: int, _: int) -> int:
        """Rows, columns, images of grey levels, which image each row is, their grey levels, and as pixels 0 … 1."""
        a = words_at(words, 0, WORDS)
        rows, columns = a[0], a[1]
        first = chunk * ROWS
        image = words_at(a[3], 0, rows)
        for row in range(first, min(rows, first + ROWS)):
            grey, kept = (
                bytes_at(a[2], image[row] * columns, columns),
                bytes_at(a[4], row * columns, columns),
            )
            pixel = at(a[5], row * columns, columns)
            for j in range(columns):
                kept[j] = grey[j]
                pixel[j] = write(_f32(grey[j]) * _LEVEL)
        return 0

    return levels


def _activate(low: Format, activation: Callable[[Any], Any]) -> Kernel:
    at, read, write = low.at, low.read, low.write

    def activate(words: int, chunk: int, _: int) -> int:
        """Rows, columns, products x·Wᵀ, bias, activations. The derivatives overwrite the products."""
        a = words_at(words, 0, WORDS)
        rows, columns = a[0], a[1]
        bias = floats(a[3], 0, columns)
        first = chunk * ROWS
        for row in range(first, min(rows, first + ROWS)):
            product, out = at(a[2], row * columns, columns), at(a[4], row * columns, columns)
            for j in range(columns):
                y, slope = activation(read(product[j]) + bias[j])
                out[j], product[j] = write(y), write(slope)
        return 0

    return activate


def _back(low: Format) -> Kernel:
    at, read, write = low.at, low.read, low.write

    def back(words: int, chunk: int, _: int) -> int:
        """Rows, columns, gradient at the activations, derivatives, partial sums of the gradient at the pre-activations.

        That gradient overwrites the other.
        """
        a = words_at(words, 0, WORDS)
        rows, columns = a[0], a[1]
        first = chunk * ROWS
        total = floats(a[4], chunk * columns, columns)
        for j in range(columns):
            total[j] = _ZERO
        for row in range(first, min(rows, first + ROWS)):
            slope, grad = at(a[3], row * columns, columns), at(a[2], row * columns, columns)
            for j in range(columns):
                d = read(grad[j]) * read(slope[j])
                grad[j] = write(d)
                total[j] += d
        return 0

    return back


def _fold(target: Format) -> Kernel:
    at, write = target.at, target.write

    def fold(words: int, chunk: int, _: int) -> int:
        """Rows, columns, partial sums, their sum over the rows, a float32 accumulator per column."""
        a = words_at(words, 0, WORDS)
        rows, columns = a[0], a[1]
        first = chunk * COLUMNS
        width = min(columns - first, COLUMNS)
        out, total = at(a[3], first, width), floats(a[4], first, width)
        for j in range(width):
            total[j] = _ZERO
        for row in range(rows):
            part = floats(a[2], row * columns + first, width)
            for j in range(width):
                total[j] += part[j]
        for j in range(width):
            out[j] = write(total[j])
        return 0

    return fold


def _bernoulli(low: Format) -> Kernel:
    at, read, write = low.at, low.read, low.write

    def bernoulli(words: int, chunk: int, _: int) -> int:
        """Rows, columns, products, bias, the images' grey levels, and three totals by chunk.

        The gradient at the logits overwrites the products: that of −log p(x|z) averaged over the rows. The totals
        are partial sums of x·l − max(l, 0), of that gradient, and the product of σ(|l|): see ``gradient._bernoulli``.
        """
        a = words_at(words, 0, WORDS)
        rows, columns = a[0], a[1]
        share = _ONE / _f32(rows)
        bias = floats(a[3], 0, columns)
        first = chunk * ROWS
        place = chunk * columns
        log_p, total, likelier = (
            floats(a[5], place, columns),
            floats(a[6], place, columns),
            floats(a[7], place, columns),
        )
        for j in range(columns):
            log_p[j], total[j], likelier[j] = _ZERO, _ZERO, _ONE
        for row in range(first, min(rows, first + ROWS)):
            start = row * columns
            product, grey = at(a[2], start, columns), bytes_at(a[4], start, columns)
            for j in range(columns):
                logit, x = read(product[j]) + bias[j], _f32(grey[j]) * _LEVEL
                p = sigmoid(logit)
                log_p[j] += x * logit - max(logit, _ZERO)
                likelier[j] *= max(p, _ONE - p)
                d = (p - x) * share
                product[j] = write(d)
                total[j] += d
        return 0

    return bernoulli


def _log_likelihood(words: int, chunk: int, _: int) -> int:
    """Chunks, columns, images, totals and products over the chunks, each column's share of log p(x|z), two floats each.

    The share is averaged over the images.
    """
    a = words_at(words, 0, WORDS)
    chunks, columns = a[0], a[1]
    share = _ONE / _f32(a[2])
    first = chunk * COLUMNS
    width = min(columns - first, COLUMNS)
    out, total, product = (
        floats(a[5], first, width),
        floats(a[6], first, width),
        floats(a[7], first, width),
    )
    for j in range(width):
        total[j], product[j] = _ZERO, _ONE
    for row in range(chunks):
        log_p, likelier = (
            floats(a[3], row * columns + first, width),
            floats(a[4], row * columns + first, width),
        )
        for j in range(width):
            total[j] += log_p[j]
            product[j] *= likelier[j]
        if row % CHUNKS_OF_FACTORS == CHUNKS_OF_FACTORS - 1 or row == chunks - 1:
            for j in range(width):
                total[j] += _f32(math.log(product[j]))
                product[j] = _ONE
    for j in range(width):
        out[j] = share * total[j]
    return 0


def _adam(grads: Format, copy: Format | None) -> Kernel:
    grads_at, read = grads.at, grads.read
    copies = copy is not None
    copy_at, write = (copy or grads).at, (copy or grads).write

    def adam(words: int, chunk: int, _: int) -> int:
        """Count, parameters, mean, square, gradient, the parameters' copy in low precision, six constants."""
        a = words_at(words, 0, WORDS)
        total, constants = a[0], floats(a[6], 0, 6)
        fresh, keep, fresh_square = constants[0], constants[1], constants[2]
        size, correction, epsilon = constants[3], constants[4], constants[5]
        start = chunk * NUMBERS
        count = min(total - start, NUMBERS)
        parameter, grad = floats(a[1], start, count), grads_at(a[4], start, count)
        mean, square = floats(a[2], start, count), floats(a[3], start, count)
        rounded = copy_at(a[5], start, count)
        for i in range(count):
            g = read(grad[i])
            m = mean[i] + fresh * (g - mean[i])
            v = keep * square[i] + fresh_square * g * g
            new = parameter[i] - size * m / (np.sqrt(v) * correction + epsilon)
            mean[i], square[i], parameter[i] = m, v, new
            if copies:
                rounded[i] = write(new)
        return 0

    return adam


def _keep(words: int, chunk: int, _: int) -> int:
    """Count, where the address of the numbers and that of their copy are written, and how many are bad by chunk.

    The numbers have 32 bits; bad are those that are infinite or NaN as floats. Two addresses written elsewhere are
    other ones in every call.
    """
    a = words_at(words, 0, WORDS)
    addresses, bad = words_at(a[1], 0, 2), words_at(a[2], chunk, 1)
    start = chunk * NUMBERS
    count = min(a[0] - start, NUMBERS)
    number, copy = integers(addresses[0], start, count), integers(addresses[1], start, count)
    found = 0
    for i in range(count):
        bits = number[i]
        copy[i] = bits
        found += (bits & _EXPONENT) == _EXPONENT  # all of its bits are set in these alone
    bad[0] = found
    return 0
