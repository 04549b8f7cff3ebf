"""The passes around the latent variable, from the encoder's last hidden layer to the decoder's first, and back.

These layers are narrow at z, so that their products are taken row by row within the pass, in float32. What a kernel
is called with, see :mod:`~vaeviewer.backend.training.engines.fused.kernels`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vaeviewer.backend.training.engines.fused.layout import CHUNK_ROWS as ROWS
from vaeviewer.backend.training.engines.fused.layout import Kernel
from vaeviewer.backend.training.engines.fused.vector_math import Format, add_rows, exp, rows_times
from vaeviewer.native import WORDS
from vaeviewer.native.memory import floats, integers, words_at

_f32 = np.float32
_ZERO, _HALF, _ONE = _f32(0.0), _f32(0.5), _f32(1.0)


def through_z_kernel(low: Format, activation: Callable[[Any], Any], limit: np.float32) -> Kernel:
    """The forward pass; ``limit`` is where log σ² is cut off."""
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


def back_through_z_kernel(low: Format, limit: np.float32) -> Kernel:
    """The backward pass of :func:`through_z_kernel`."""
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
