"""The passes of a training step beside its matrix products, to be compiled.

A kernel is called by every thread of a team with the address of the same ``WORDS`` whole numbers of 64 bits: a
counter that starts at 0, then counts and addresses, which its first line names. The threads take chunks of the work by
the counter until none is left; no chunk reads what another one writes, so the result does not depend on who did what.
Matrices lie row by row without gaps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import carray

from vaeviewer.backend.fused import CHUNK_ROWS as ROWS
from vaeviewer.backend.fused import OPERATION_WORDS
from vaeviewer.backend.fused.vector_math import (
    ACTIVATIONS,
    BFLOAT16,
    FLOAT32,
    Activation,
    Format,
    exp,
    sigmoid,
)
from vaeviewer.native import WORDS
from vaeviewer.native.memory import bytes_at, call, claim, floats, words_at

Kernel = Callable[[Any], None]

NUMBERS, COLUMNS = 16_384, 128
"""Sizes of a chunk of a flat array, and of a matrix by columns; by rows it is ``CHUNK_ROWS``."""

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
        "run": _run,
        "levels": _levels(low),
        "activate": _activate(low, low, kind),
        "activate_to_z": _activate(low, FLOAT32, kind),
        "activate_from_z": _activate(FLOAT32, low, kind),
        "back": _back(low, low, low, kind),
        "back_to_z": _back(low, FLOAT32, FLOAT32, kind),
        "back_from_z": _back(FLOAT32, low, low, kind),
        "fold": _fold(FLOAT32),
        "fold_low": _fold(low),
        "sample": _sample(limit),
        "back_sample": _back_sample(limit),
        "bernoulli": _bernoulli(low),
        "log_likelihood": _log_likelihood,
        "adam": _adam(FLOAT32, None),
        "adam_low": _adam(low, low),
    }


def _run(program: Any) -> None:
    """Operations, their address, GOMP_parallel, threads, errors: for the calling thread alone, see ``program``."""
    a = carray(program, (WORDS,), np.int64)
    operations = words_at(a[2], 0, a[1] * OPERATION_WORDS)
    for i in range(a[1]):
        at = i * OPERATION_WORDS
        function, first, second, third = (
            operations[at],
            operations[at + 1],
            operations[at + 2],
            operations[at + 3],
        )
        if function == a[3]:  # a kernel and its words
            words_at(second, 0, 1)[0] = 0
            call(function, first, second, a[4], 0)
        elif call(function, first, second, third, 0) != 0:
            a[5] += 1


def _levels(low: Format) -> Kernel:
    at, write = low.at, low.write

    def levels(words: Any) -> None:
        """Count, grey levels 0 … 255, pixels 0 … 1."""
        a = carray(words, (WORDS,), np.int64)
        total = a[1]
        while True:
            start = claim(words) * NUMBERS
            if start >= total:
                break
            count = min(total - start, NUMBERS)
            grey, pixel = bytes_at(a[2], start, count), at(a[3], start, count)
            for i in range(count):
                pixel[i] = write(_f32(grey[i]) * _LEVEL)

    return levels


def _activate(source: Format, target: Format, activation: Activation) -> Kernel:
    source_at, read, target_at, write = source.at, source.read, target.at, target.write
    value = activation.value

    def activate(words: Any) -> None:
        """Rows, columns, products x·Wᵀ, bias, activations."""
        a = carray(words, (WORDS,), np.int64)
        rows, columns = a[1], a[2]
        bias = floats(a[4], 0, columns)
        while True:
            first = claim(words) * ROWS
            if first >= rows:
                break
            for row in range(first, min(rows, first + ROWS)):
                product, out = (
                    source_at(a[3], row * columns, columns),
                    target_at(a[5], row * columns, columns),
                )
                for j in range(columns):
                    out[j] = write(value(read(product[j]) + bias[j]))

    return activate


def _back(above: Format, source: Format, target: Format, activation: Activation) -> Kernel:
    above_at, read_above, source_at, read = above.at, above.read, source.at, source.read
    target_at, write = target.at, target.write
    slope = activation.slope
    in_place = above is target

    def back(words: Any) -> None:
        """Rows, columns, gradient at the activations, products, bias, gradient at the sums, its totals over chunks.

        The gradients are in the same memory where they are of the same format.
        """
        a = carray(words, (WORDS,), np.int64)
        rows, columns = a[1], a[2]
        bias = floats(a[5], 0, columns)
        while True:
            chunk = claim(words)
            first = chunk * ROWS
            if first >= rows:
                break
            total = floats(a[7], chunk * columns, columns)
            for j in range(columns):
                total[j] = _ZERO
            for row in range(first, min(rows, first + ROWS)):
                start = row * columns
                product, grad = source_at(a[4], start, columns), above_at(a[3], start, columns)
                # Only of the very same array does the compiler know that it overlaps nothing.
                out = grad if in_place else target_at(a[6], start, columns)
                for j in range(columns):
                    d = read_above(grad[j]) * slope(read(product[j]) + bias[j])
                    out[j] = write(d)
                    total[j] += d

    return back


def _fold(target: Format) -> Kernel:
    at, write = target.at, target.write

    def fold(words: Any) -> None:
        """Rows, columns, what to add up, its total over the rows, a float per column."""
        a = carray(words, (WORDS,), np.int64)
        rows, columns = a[1], a[2]
        while True:
            first = claim(words) * COLUMNS
            if first >= columns:
                break
            width = min(columns - first, COLUMNS)
            out, total = at(a[4], first, width), floats(a[5], first, width)
            for j in range(width):
                total[j] = _ZERO
            for row in range(rows):
                part = floats(a[3], row * columns + first, width)
                for j in range(width):
                    total[j] += part[j]
            for j in range(width):
                out[j] = write(total[j])

    return fold


def _sample(limit: np.float32) -> Kernel:
    def sample(words: Any) -> None:
        """Rows, latent dimension, products at the head, bias, noise, raw log σ², μ, log σ², σ·ε, z, KL/n by row."""
        a = carray(words, (WORDS,), np.int64)
        rows, dim = a[1], a[2]
        bias, share = floats(a[4], 0, 2 * dim), _ONE / _f32(rows)
        while True:
            first = claim(words) * ROWS
            if first >= rows:
                break
            for row in range(first, min(rows, first + ROWS)):
                head, noise = floats(a[3], row * 2 * dim, 2 * dim), floats(a[5], row * dim, dim)
                raw, mean, log_variance = (
                    floats(a[6], row * dim, dim),
                    floats(a[7], row * dim, dim),
                    floats(a[8], row * dim, dim),
                )
                spread, z, kl = (
                    floats(a[9], row * dim, dim),
                    floats(a[10], row * dim, dim),
                    floats(a[11], row, 1),
                )
                total = _ZERO
                for j in range(dim):
                    mu, r = head[j] + bias[j], head[dim + j] + bias[dim + j]
                    bounded = min(max(r, -limit), limit) if r == r else r
                    deviation = exp(_HALF * bounded)
                    raw[j], mean[j], log_variance[j] = r, mu, bounded
                    spread[j] = deviation * noise[j]
                    z[j] = mu + spread[j]
                    total += deviation * deviation - _ONE + mu * mu - bounded
                kl[0] = _HALF * share * total

    return sample


def _back_sample(limit: np.float32) -> Kernel:
    def back_sample(words: Any) -> None:
        """Rows, latent dimension, β/n, gradient at z, raw log-variance, μ, log σ², σ·ε, gradient at the head."""
        a = carray(words, (WORDS,), np.int64)
        rows, dim = a[1], a[2]
        share = floats(a[3], 0, 1)[0]
        while True:
            first = claim(words) * ROWS
            if first >= rows:
                break
            for row in range(first, min(rows, first + ROWS)):
                dz, raw = floats(a[4], row * dim, dim), floats(a[5], row * dim, dim)
                mean, log_variance = floats(a[6], row * dim, dim), floats(a[7], row * dim, dim)
                spread, head = floats(a[8], row * dim, dim), floats(a[9], row * 2 * dim, 2 * dim)
                for j in range(dim):
                    head[j] = dz[j] + share * mean[j]
                    inside = -limit < raw[j] < limit
                    d = _HALF * (dz[j] * spread[j] + share * (exp(log_variance[j]) - _ONE))
                    head[dim + j] = d if inside else _ZERO

    return back_sample


def _bernoulli(low: Format) -> Kernel:
    at, read, write = low.at, low.read, low.write

    def bernoulli(words: Any) -> None:
        """Rows, columns, products, bias, grey levels, and three totals over each chunk.

        The gradient at the logits takes the products' place: that of −log p(x|z) averaged over the rows. The totals
        are of x·l − max(l, 0), of that gradient, and the product of σ(|l|): see ``backend.models.gradient``.
        """
        a = carray(words, (WORDS,), np.int64)
        rows, columns = a[1], a[2]
        share = _ONE / _f32(rows)
        bias = floats(a[4], 0, columns)
        while True:
            chunk = claim(words)
            first = chunk * ROWS
            if first >= rows:
                break
            place = chunk * columns
            log_p, total, likelier = (
                floats(a[6], place, columns),
                floats(a[7], place, columns),
                floats(a[8], place, columns),
            )
            for j in range(columns):
                log_p[j], total[j], likelier[j] = _ZERO, _ZERO, _ONE
            for row in range(first, min(rows, first + ROWS)):
                start = row * columns
                product, grey = at(a[3], start, columns), bytes_at(a[5], start, columns)
                for j in range(columns):
                    logit, x = read(product[j]) + bias[j], _f32(grey[j]) * _LEVEL
                    p = sigmoid(logit)
                    log_p[j] += x * logit - max(logit, _ZERO)
                    likelier[j] *= max(p, _ONE - p)
                    d = (p - x) * share
                    product[j] = write(d)
                    total[j] += d

    return bernoulli


def _log_likelihood(words: Any) -> None:
    """Chunks, columns, images, totals and products over the chunks, each column's share of log p(x|z), two floats each.

    The share is averaged over the images.
    """
    a = carray(words, (WORDS,), np.int64)
    chunks, columns = a[1], a[2]
    share = _ONE / _f32(a[3])
    while True:
        first = claim(words) * COLUMNS
        if first >= columns:
            break
        width = min(columns - first, COLUMNS)
        out, total, product = (
            floats(a[6], first, width),
            floats(a[7], first, width),
            floats(a[8], first, width),
        )
        for j in range(width):
            total[j], product[j] = _ZERO, _ONE
        for chunk in range(chunks):
            log_p, likelier = (
                floats(a[4], chunk * columns + first, width),
                floats(a[5], chunk * columns + first, width),
            )
            for j in range(width):
                total[j] += log_p[j]
                product[j] *= likelier[j]
            if chunk % CHUNKS_OF_FACTORS == CHUNKS_OF_FACTORS - 1 or chunk == chunks - 1:
                for j in range(width):
                    total[j] += _f32(math.log(product[j]))
                    product[j] = _ONE
        for j in range(width):
            out[j] = share * total[j]


def _adam(grads: Format, copy: Format | None) -> Kernel:
    grads_at, read = grads.at, grads.read
    copies = copy is not None
    copy_at, write = (copy or grads).at, (copy or grads).write

    def adam(words: Any) -> None:
        """Count, parameters, mean, square, gradient, the parameters' copy in low precision, six constants."""
        a = carray(words, (WORDS,), np.int64)
        total, constants = a[1], floats(a[7], 0, 6)
        fresh, keep, fresh_square = constants[0], constants[1], constants[2]
        size, correction, epsilon = constants[3], constants[4], constants[5]
        while True:
            start = claim(words) * NUMBERS
            if start >= total:
                break
            count = min(total - start, NUMBERS)
            parameter, grad = floats(a[2], start, count), grads_at(a[5], start, count)
            mean, square = floats(a[3], start, count), floats(a[4], start, count)
            rounded = copy_at(a[6], start, count)
            for i in range(count):
                g = read(grad[i])
                m = mean[i] + fresh * (g - mean[i])
                v = keep * square[i] + fresh_square * g * g
                new = parameter[i] - size * m / (np.sqrt(v) * correction + epsilon)
                mean[i], square[i], parameter[i] = m, v, new
                if copies:
                    rounded[i] = write(new)

    return adam
