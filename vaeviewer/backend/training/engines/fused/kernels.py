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
from vaeviewer.backend.training.engines.fused.layout import CHUNK_COLUMNS as COLUMNS
from vaeviewer.backend.training.engines.fused.layout import CHUNK_NUMBERS as NUMBERS
from vaeviewer.backend.training.engines.fused.layout import CHUNK_ROWS as ROWS
from vaeviewer.backend.training.engines.fused.vector_math import (
    ACTIVATIONS,
    BFLOAT16,
    FLOAT32,
    Format,
    add_rows,
    exp,
    rows_times,
    sigmoid,
)
from vaeviewer.native import WORDS
from vaeviewer.native.memory import bytes_at, floats, integers, words_at

Kernel = Callable[[int, int, int], int]

CHUNKS_OF_FACTORS = 100 // ROWS
"""Chunks whose probabilities are multiplied before the logarithm is taken. Each is at least one half, and 2⁻¹⁰⁰ is a
normal number."""

_f32 = np.float32
_ZERO, _HALF, _ONE = _f32(0.0), _f32(0.5), _f32(1.0)
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
        "through_z": _through_z(low, kind, limit),
        "back_through_z": _back_through_z(low, limit),
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


def _through_z(low: Format, activation: Callable[[Any], Any], limit: np.float32) -> Kernel:
    at, read, write = low.at, low.read, low.write

    def through_z(words: int, chunk: int, _: int) -> int:
        """From the pre-activations of the encoder's last hidden layer to the activations of the decoder's first one.

        Rows, latent dimension, width of the layers. The first one's products, bias and activations; the head's
        weight, bias and sums. Noise, μ, log σ², σ·ε, z, and KL/n by row. Which image each row is, the tables of μ,
        of log σ² and of the step they are of by image, and this step. The weight of the second layer, a row for each
        latent variable, its bias, derivatives and activations. The first one's derivatives overwrite its products.
        """
        a = words_at(words, 0, WORDS)
        rows, dim, width = a[0], a[1], a[2]
        share = _ONE / _f32(rows)
        bias, head_bias, bias_from_z = (
            floats(a[4], 0, width),
            floats(a[7], 0, 2 * dim),
            floats(a[21], 0, width),
        )
        image, step = words_at(a[15], 0, rows), words_at(a[19], 0, 1)[0]
        first = chunk * ROWS
        for row in range(first, min(rows, first + ROWS)):
            product, h = at(a[3], row * width, width), floats(a[5], row * width, width)
            for j in range(width):
                y, slope = activation(read(product[j]) + bias[j])
                h[j], product[j] = y, write(slope)

            head = floats(a[8], row * 2 * dim, 2 * dim)
            rows_times(a[6], 2 * dim, h, head)
            for k in range(2 * dim):
                head[k] += head_bias[k]
            noise, mean, log_variance = (
                floats(a[9], row * dim, dim),
                floats(a[10], row * dim, dim),
                floats(a[11], row * dim, dim),
            )
            spread, z, kl = (
                floats(a[12], row * dim, dim),
                floats(a[13], row * dim, dim),
                floats(a[14], row, 1),
            )
            table_mean = floats(a[16], image[row] * dim, dim)
            table_log_variance = floats(a[17], image[row] * dim, dim)
            integers(a[18], image[row], 1)[0] = step
            total = _ZERO
            for k in range(dim):
                mu, r = head[k], head[dim + k]
                bounded = min(max(r, -limit), limit) if r == r else r
                deviation = exp(_HALF * bounded)
                mean[k], log_variance[k] = mu, bounded
                table_mean[k], table_log_variance[k] = mu, bounded
                spread[k] = deviation * noise[k]
                z[k] = mu + spread[k]
                total += deviation * deviation - _ONE + mu * mu - bounded
            kl[0] = _HALF * share * total

            sums, out = floats(a[22], row * width, width), at(a[23], row * width, width)
            for j in range(width):
                sums[j] = bias_from_z[j]
            add_rows(a[20], dim, z, sums)
            for j in range(width):
                y, slope = activation(sums[j])
                out[j], sums[j] = write(y), slope
        return 0

    return through_z


def _back_through_z(low: Format, limit: np.float32) -> Kernel:
    at, read, write = low.at, low.read, low.write

    def back_through_z(words: int, chunk: int, _: int) -> int:
        """Backward pass of ``through_z``, from the gradient at its last activations to its first pre-activations.

        Rows, latent dimension, width, β/n. The incoming gradient, the derivatives there, the gradient at those
        pre-activations and its partial sums, the weight from z. The head's pre-activations, μ, log σ², σ·ε, gradient at
        the head, its weight, and a scratch row per chunk. The derivatives of the layer below, the gradient at its
        pre-activations and the partial sums of that.
        """
        a = words_at(words, 0, WORDS)
        rows, dim, width = a[0], a[1], a[2]
        share = floats(a[3], 0, 1)[0]
        first = chunk * ROWS
        total, total_below = floats(a[7], chunk * width, width), floats(a[18], chunk * width, width)
        back = floats(a[15], chunk * width, width)
        for j in range(width):
            total[j] = total_below[j] = _ZERO
        for row in range(first, min(rows, first + ROWS)):
            above, slope, grad = (
                at(a[4], row * width, width),
                floats(a[5], row * width, width),
                floats(a[6], row * width, width),
            )
            for j in range(width):
                d = read(above[j]) * slope[j]
                grad[j] = d
                total[j] += d

            raw, mean = floats(a[9], row * 2 * dim + dim, dim), floats(a[10], row * dim, dim)
            log_variance, spread = floats(a[11], row * dim, dim), floats(a[12], row * dim, dim)
            head = floats(a[13], row * 2 * dim, 2 * dim)
            rows_times(a[8], dim, grad, head)  # the gradient at z
            for k in range(dim):
                inside = -limit < raw[k] < limit
                d = _HALF * (head[k] * spread[k] + share * (exp(log_variance[k]) - _ONE))
                head[k] += share * mean[k]
                head[dim + k] = d if inside else _ZERO

            for j in range(width):
                back[j] = _ZERO
            add_rows(a[14], 2 * dim, head, back)
            slope_below, out = at(a[16], row * width, width), at(a[17], row * width, width)
            for j in range(width):
                d = back[j] * read(slope_below[j])
                out[j] = write(d)
                total_below[j] += d
        return 0

    return back_through_z


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
