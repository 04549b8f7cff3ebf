"""Principal components of many images, some of which are looked at at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vaeviewer.backend.chunks import parts, rows_at_once
from vaeviewer.backend.models.interface import TrainingImages

EXACT_VALUES = 1024
"""Up to so many numbers an image's covariances are all computed, and their eigenvectors by LAPACK."""

BLOCK = 128
"""Rows of these covariances that are computed together."""

MOST_NUMBERS = 2**28
"""Of larger images only as many are looked at as have so many numbers together …"""

MORE = 16
"""… and so many more directions are followed than are asked for …"""

MOST_PASSES = 20
"""… in this many passes over the images at most …"""

STILL = 1e-6
"""… until no variance grows by more than this share of itself."""


@dataclass(frozen=True)
class Components:
    """The directions along which images differ most.

    Attributes:
        mean: Of the images, ``(values,)``, in the order of ``(H, W, C)``.
        directions: Of length 1 and at right angles, a row each, ``(k, values)``.
        variances: Along each, falling, ``(k,)``.
        total: Of all directions together.
    """

    mean: Tensor
    directions: Tensor
    variances: Tensor
    total: float


def principal_components(images: TrainingImages, count: int, generator: torch.Generator) -> Components:
    """The first components of images, computed on the CPU in float64, of products in float32.

    Args:
        images: At least one.
        count: How many; as many as an image has numbers, where that is less.
        generator: Draws where large images are looked at.
    """
    values = images[:1].numel()
    shown = _Shown(images, None if values <= EXACT_VALUES else _few(len(images), values, generator))
    mean = torch.zeros(values, dtype=torch.float64)
    for x in shown:
        mean += x.sum(0, dtype=torch.float64)
    mean /= len(shown)
    find = _by_covariances if values <= EXACT_VALUES else _by_subspace
    directions, variances, total = find(shown, mean.float(), min(count, values), generator)
    # The largest number of each is positive, so that no picture is upside down on another machine.
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return Components(mean, directions * largest.sign(), variances.clamp(min=0.0), total)


class _Shown:
    """The images looked at, flat, some at a time."""

    def __init__(self, images: TrainingImages, rows: Tensor | None) -> None:
        self._images = images
        self._rows = rows

    def __len__(self) -> int:
        return len(self._images) if self._rows is None else len(self._rows)

    def __iter__(self) -> Iterator[Tensor]:
        at_once = rows_at_once(self._images[:1].numel())
        for part in parts(len(self), at_once):
            x = self._images[part if self._rows is None else self._rows[part]]
            yield x.permute(0, 2, 3, 1).flatten(1).cpu()


def _few(images: int, values: int, generator: torch.Generator) -> Tensor | None:
    most = max(1, MOST_NUMBERS // values)
    return None if images <= most else torch.randperm(images, generator=generator)[:most].sort().values


def _by_covariances(
    shown: _Shown, mean: Tensor, count: int, _generator: torch.Generator
) -> tuple[Tensor, Tensor, float]:
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for x in shown:
        centred = x - mean
        for start in range(0, len(mean), BLOCK):  # the half below the diagonal is the same
            some = slice(start, start + BLOCK)
            covariance[some, start:] += centred[:, some].T @ centred[:, start:]
    covariance /= len(shown)
    variances, directions = torch.linalg.eigh(covariance, UPLO="U")  # rising
    return directions.T.flip(0)[:count], variances.flip(0)[:count], float(covariance.trace())


def _by_subspace(
    shown: _Shown, mean: Tensor, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, float]:
    """Subspace iteration: Halko, Martinsson & Tropp, "Finding structure with randomness" (2011), algorithm 4.4."""
    followed = min(count + MORE, len(mean))
    basis = torch.linalg.qr(torch.randn(len(mean), followed, generator=generator)).Q
    before = torch.zeros(count, dtype=torch.float64)
    for _ in range(MOST_PASSES):
        total, image = 0.0, torch.zeros(basis.shape, dtype=torch.float64)
        covariance = torch.zeros(followed, followed, dtype=torch.float64)
        for x in shown:
            centred = x - mean
            along = centred @ basis
            image += centred.T @ along
            covariance += along.T @ along
            total += float(centred.square().sum(dtype=torch.float64))
        found, turn = torch.linalg.eigh(covariance / len(shown))
        variances = found.flip(0)[:count]
        directions = (basis.double() @ turn).T.flip(0)[:count]
        if bool(((variances - before) <= STILL * variances).all()):
            break
        before = variances
        basis = torch.linalg.qr(image).Q.float()
    return directions, variances, total / len(shown)
