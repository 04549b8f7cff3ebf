"""Images are damaged as Vincent et al. (2008) have it, and what is lowered is the error of the whole ones."""

from __future__ import annotations

import pytest
import torch
from helpers_gradients import agrees_with_finite_differences
from torch.nn import functional

from vaeviewer.backend.config import Settings, protocol_text, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.denoising import FAMILY, DenoisingConfig, corrupted
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer


def made(config: DenoisingConfig) -> LatentModel:
    model = FAMILY.build(config, DataSpec(ImageSpec(4, 3)))
    model.initialize(named_generator(1, "weights"))
    return model


def batch_of(x: torch.Tensor, seed: int = 5) -> Batch:
    return Batch(x, None, torch.arange(len(x)), torch.Generator().manual_seed(seed))


def test_masking_noise_blackens_each_pixel_with_that_probability_and_leaves_the_others() -> None:
    x = torch.rand(50, 1, 40, 40) * 0.9 + 0.1
    seen = corrupted(batch_of(x), DenoisingConfig(noise="masking", noise_level=0.3))
    black = seen == 0
    assert torch.equal(seen[~black], x[~black])
    # Binomial: 80,000 pixels in all, 50 for each place in the image.
    assert black.float().mean().item() == pytest.approx(0.3, abs=4 * (0.21 / 80_000) ** 0.5)
    assert black.float().mean(0).std().item() == pytest.approx((0.21 / 50) ** 0.5, rel=0.1), "independently"
    assert not torch.equal(black[0], black[1])
    for level, share in ((0.0, 0.0), (1.0, 1.0)):
        all_or_none = corrupted(batch_of(x), DenoisingConfig(noise_level=level)) == 0
        assert all_or_none.float().mean() == share


def test_gaussian_noise_has_that_deviation_and_stays_within_grey_levels() -> None:
    grey = torch.full((50, 1, 40, 40), 0.5)
    added = corrupted(batch_of(grey), DenoisingConfig(noise="gaussian", noise_level=0.1)) - grey
    assert added.std().item() == pytest.approx(0.1, rel=0.02)
    assert added.mean().item() == pytest.approx(0.0, abs=4 * 0.1 / 80_000**0.5)
    # Of a standard normal 68.27 % lie within one deviation.
    assert (added.abs() < 0.1).float().mean().item() == pytest.approx(0.6827, abs=0.01)
    seen = corrupted(batch_of(torch.rand(9, 1, 40, 40)), DenoisingConfig(noise="gaussian", noise_level=1.0))
    assert seen.min() == 0.0
    assert seen.max() == 1.0


@pytest.mark.parametrize("error", ["cross-entropy", "squared"])
def test_what_is_lowered_compares_the_image_drawn_from_the_damaged_one_with_the_whole_one(error: str) -> None:
    config = DenoisingConfig(hidden=(5,), activation="tanh", error=error)  # type: ignore[arg-type]
    model, x = made(config), torch.rand(6, 1, 4, 3)
    (player,) = FAMILY.players(model, config)
    objective = player.loss(batch_of(x), config)
    code = model.encode(corrupted(batch_of(x), config))
    assert code is not None
    drawn = model.decode(code.mean).mean
    whole = functional.binary_cross_entropy if error == "cross-entropy" else functional.mse_loss
    assert objective.loss.item() == pytest.approx(whole(drawn, x, reduction="sum").item() / 6, rel=1e-5)
    assert not torch.equal(drawn, model.decode(model.encode(x).mean).mean)  # type: ignore[union-attr]
    # The plane shows whole images.
    assert objective.posterior is not None
    assert torch.equal(objective.posterior.mean, model.encode(x).mean)  # type: ignore[union-attr]

    model, x = model.double(), x.double()
    agrees_with_finite_differences(lambda: player.loss(batch_of(x), config).loss, player.parameters)


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "level"), [("masking", 0.5), ("gaussian", 0.6)])
def test_it_learns_to_draw_whole_images_from_damaged_ones(
    small: Settings, digits: ImageDataset, noise: str, level: float
) -> None:
    settings = updated(small, family="denoising", noise=noise, noise_level=level, epochs=6)
    said = "50 % of them blackened" if noise == "masking" else "Gaussian noise of deviation 0.6"
    assert protocol_text(settings) == f"grey levels, {said}"
    trainer = Trainer(digits, settings)
    before = trainer.evaluate()
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    assert before is not None
    assert trainer.held_out is not None
    found = trainer.held_out.values
    assert found["corruption"] == pytest.approx(before.values["corruption"], rel=1e-6), (
        "the same damage each time"
    )
    assert found["squared_error"] < 0.7 * before.values["squared_error"]
    if noise == "gaussian":  # of which most is in the black that surrounds a digit
        assert found["squared_error"] < 0.7 * found["corruption"]
