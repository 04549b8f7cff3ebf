"""Principal components against NumPy's singular value decomposition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.networks import components
from vaeviewer.backend.models.networks.components import Components, principal_components


class Images:
    """As training gives them, without a trainer."""

    def __init__(self, images: Tensor) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        return self._images[rows]


def found(images: Tensor, count: int) -> Components:
    return principal_components(Images(images), count, torch.Generator().manual_seed(0))


def decomposed(images: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean, directions and variances."""
    x = images.permute(0, 2, 3, 1).flatten(1).numpy().astype(np.float64)
    _, lengths, directions = np.linalg.svd(x - x.mean(0), full_matrices=False)
    return x.mean(0), directions, lengths**2 / len(x)


def aligned(ours: Tensor, theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions have no sign."""
    signs = np.sign((ours.numpy() * theirs).sum(1, keepdims=True))
    flipped: NDArray[np.float64] = ours.numpy() * signs
    return flipped


@pytest.mark.slow
@pytest.mark.parametrize("exact", [components.EXACT_VALUES, 10])
def test_they_are_those_of_the_singular_value_decomposition(
    digits: ImageDataset, monkeypatch: pytest.MonkeyPatch, exact: int
) -> None:
    monkeypatch.setattr(components, "EXACT_VALUES", exact)
    images = torch.tensor(digits.train_images[:, None]) / 255
    mean, directions, variances = decomposed(images)
    ours = found(images, 5)
    np.testing.assert_allclose(ours.mean.numpy(), mean, atol=1e-7)
    np.testing.assert_allclose(ours.variances.numpy(), variances[:5], rtol=1e-5)
    assert ours.total == pytest.approx(variances.sum(), rel=1e-6)
    tolerance = 1e-5 if exact >= 784 else 1e-3
    np.testing.assert_allclose(aligned(ours.directions, directions[:5]), directions[:5], atol=tolerance)
    largest = ours.directions.abs().max(1).values
    assert torch.equal(ours.directions.max(1).values, largest), "no picture is upside down"


def test_colours_lie_pixel_by_pixel() -> None:
    images = torch.rand(40, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    _, directions, variances = decomposed(images)
    ours = found(images, 3)
    np.testing.assert_allclose(ours.variances.numpy(), variances[:3], rtol=1e-5)
    np.testing.assert_allclose(aligned(ours.directions, directions[:3]), directions[:3], atol=1e-5)


def test_of_large_images_some_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "EXACT_VALUES", 10)
    monkeypatch.setattr(components, "MOST_NUMBERS", 16 * 300)
    along = torch.randn(1000, 1, 1, 1, generator=torch.Generator().manual_seed(1))
    direction = torch.full((1, 1, 4, 4), 0.25)
    (ours,) = found(0.5 + along * direction, 1).directions
    torch.testing.assert_close(ours, direction.flatten().double(), atol=1e-5, rtol=0)
    looked_at = found(0.5 + along * direction, 1).variances
    assert 0.5 < float(looked_at) < 2.0
    assert float(looked_at) != pytest.approx(float(along.var(correction=0)), rel=1e-6)


@pytest.mark.parametrize("exact", [components.EXACT_VALUES, 1])
@pytest.mark.parametrize("count", [1, 3])
def test_more_components_than_there_are(monkeypatch: pytest.MonkeyPatch, exact: int, count: int) -> None:
    monkeypatch.setattr(components, "EXACT_VALUES", exact)
    images = torch.rand(count, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    ours = found(images, 20)
    assert ours.directions.shape == (4, 4)
    torch.testing.assert_close(
        ours.directions @ ours.directions.T, torch.eye(4, dtype=torch.float64), atol=1e-5, rtol=0
    )
    assert (ours.variances >= 0).all()
    assert (ours.variances > 1e-6).sum() == count - 1
