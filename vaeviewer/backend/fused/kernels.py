"""The passes of a training step beside its matrix products, to be compiled.

A kernel does one chunk of its work: it is called with the address of ``WORDS`` whole numbers of 64 bits, counts and
addresses that its first line names, and with the number of the chunk. No chunk reads what another one writes, so the
result does not depend on which thread did which. Matrices lie row by row without gaps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from vaeviewer.backend.fused import stages
from vaeviewer.backend.fused.layout import CHUNK_COLUMNS as COLUMNS
from vaeviewer.backend.fused.layout import CHUNK_NUMBERS as NUMBERS
from vaeviewer.backend.fused.layout import CHUNK_ROWS as ROWS
from vaeviewer.backend.fused.vector_math import (
    ACTIVATIONS,
    BFLOAT16,
    FLOAT32,
    Format,
    exp,
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
        "activate": _activate(low, low, kind),
        "activate_to_z": _activate(low, FLOAT32, kind),
        "activate_from_z": _activate(FLOAT32, low, kind),
        "back": _back(low, low, low),
        "back_to_z": _back(low, FLOAT32, FLOAT32),
        "back_from_z": _back(FLOAT32, low, low),
        "fold": _fold(FLOAT32),
        "fold_low": _fold(low),
        "sample": _sample(limit),
        "back_sample": _back_sample(limit),
        "bernoulli": _bernoulli(low),
        "log_likelihood": _log_likelihood,
        "adam": _adam(FLOAT32, None),
        "adam_low": _adam(low, low),
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


def _activate(source: Format, target: Format, activation: Callable[[Any], Any]) -> Kernel:
    source_at, read, keep = source.at, source.read, source.write
    target_at, write = target.at, target.write
    both = activation

    def activate(words: int, chunk: int, _: int) -> int:
        """Rows, columns, products x·Wᵀ, bias, activations. Their slopes take the products' place."""
        a = words_at(words, 0, WORDS)
        rows, columns = a[0], a[1]
        bias = floats(a[3], 0, columns)
        first = chunk * ROWS
        for row in range(first, min(rows, first + ROWS)):
            product, out = (
                source_at(a[2], row * columns, columns),
                target_at(a[4], row * columns, columns),
            )
            for j in range(columns):
                y, slope = both(read(product[j]) + bias[j])
                out[j] = write(y)
                product[j] = keep(slope)
        return 0

    return activate


def _back(above: Format, source: Format, target: Format) -> Kernel:
    above_at, read_above, source_at, read = above.at, above.read, source.at, source.read
    target_at, write = target.at, target.write
    in_place = above is target

    def back(words: int, chunk: int, _: int) -> int:
        """Rows, columns, gradient at the activations, their slopes, gradient at the sums, its totals over chunks.

        The gradients are in the same memory where they are of the same format.
        """
        a = words_at(words, 0, WORDS)
        rows, columns = a[0], a[1]
        first = chunk * ROWS
        total = floats(a[5], chunk * columns, columns)
        for j in range(columns):
            total[j] = _ZERO
        for row in range(first, min(rows, first + ROWS)):
            start = row * columns
            slope, grad = source_at(a[3], start, columns), above_at(a[2], start, columns)
            # Only of the very same array does the compiler know that it overlaps nothing.
            out = grad if in_place else target_at(a[4], start, columns)
            for j in range(columns):
                d = read_above(grad[j]) * read(slope[j])
                out[j] = write(d)
                total[j] += d
        return 0

    return back


def _fold(target: Format) -> Kernel:
    at, write = target.at, target.write

    def fold(words: int, chunk: int, _: int) -> int:
        """Rows, columns, what to add up, its total over the rows, a float per column."""
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


def _sample(limit: np.float32) -> Kernel:
    def sample(words: int, chunk: int, _: int) -> int:
        """Rows, latent dimension, products at the head, bias, noise, raw log σ², μ, log σ², σ·ε, z, KL/n by row.

        And which image each row is, the tables of μ, of log σ² and of the step they are of by image, and this step.
        """
        a = words_at(words, 0, WORDS)
        rows, dim = a[0], a[1]
        bias, share = floats(a[3], 0, 2 * dim), _ONE / _f32(rows)
        image, step = words_at(a[11], 0, rows), words_at(a[15], 0, 1)[0]
        first = chunk * ROWS
        for row in range(first, min(rows, first + ROWS)):
            head, noise = floats(a[2], row * 2 * dim, 2 * dim), floats(a[4], row * dim, dim)
            raw, mean, log_variance = (
                floats(a[5], row * dim, dim),
                floats(a[6], row * dim, dim),
                floats(a[7], row * dim, dim),
            )
            spread, z, kl = (
                floats(a[8], row * dim, dim),
                floats(a[9], row * dim, dim),
                floats(a[10], row, 1),
            )
            table_mean = floats(a[12], image[row] * dim, dim)
            table_log_variance = floats(a[13], image[row] * dim, dim)
            integers(a[14], image[row], 1)[0] = step
            total = _ZERO
            for j in range(dim):
                mu, r = head[j] + bias[j], head[dim + j] + bias[dim + j]
                bounded = min(max(r, -limit), limit) if r == r else r
                deviation = exp(_HALF * bounded)
                raw[j], mean[j], log_variance[j] = r, mu, bounded
                table_mean[j], table_log_variance[j] = mu, bounded
                spread[j] = deviation * noise[j]
                z[j] = mu + spread[j]
                total += deviation * deviation - _ONE + mu * mu - bounded
            kl[0] = _HALF * share * total
        return 0

    return sample


def _back_sample(limit: np.float32) -> Kernel:
    def back_sample(words: int, chunk: int, _: int) -> int:
        """Rows, latent dimension, β/n, gradient at z, raw log-variance, μ, log σ², σ·ε, gradient at the head."""
        a = words_at(words, 0, WORDS)
        rows, dim = a[0], a[1]
        share = floats(a[2], 0, 1)[0]
        first = chunk * ROWS
        for row in range(first, min(rows, first + ROWS)):
            dz, raw = floats(a[3], row * dim, dim), floats(a[4], row * dim, dim)
            mean, log_variance = floats(a[5], row * dim, dim), floats(a[6], row * dim, dim)
            spread, head = floats(a[7], row * dim, dim), floats(a[8], row * 2 * dim, 2 * dim)
            for j in range(dim):
                head[j] = dz[j] + share * mean[j]
                inside = -limit < raw[j] < limit
                d = _HALF * (dz[j] * spread[j] + share * (exp(log_variance[j]) - _ONE))
                head[dim + j] = d if inside else _ZERO
        return 0

    return back_sample


def _bernoulli(low: Format) -> Kernel:
    at, read, write = low.at, low.read, low.write

    def bernoulli(words: int, chunk: int, _: int) -> int:
        """Rows, columns, products, bias, the images' grey levels, and three totals by chunk.

        The gradient at the logits takes the products' place: that of −log p(x|z) averaged over the rows. The totals
        are of x·l − max(l, 0), of that gradient, and the product of σ(|l|): see ``backend.models.gradient``.
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
