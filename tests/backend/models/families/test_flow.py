"""The VAE with a flow posterior: its gradient, its terms, and that it bends where that pays."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers_gradients import agrees_with_finite_differences
from torch import Tensor

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.flow import FAMILY, FlowConfig, elbo_terms
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer

FLOWS = pytest.mark.parametrize("flow", ["autoregressive", "planar"])


def tiny(flow: str, **settings: float) -> tuple[LatentModel, FlowConfig, Tensor]:
    torch.manual_seed(1)
    config = FlowConfig(hidden=(6,), activation="tanh", flow=flow, flow_steps=2, flow_hidden=7, **settings)
    model = FAMILY.build(config, DataSpec(ImageSpec(2, 3)))
    model.initialize(named_generator(1, "weights"))
    return model.double(), config, torch.rand(4, 1, 2, 3, dtype=torch.float64)


@FLOWS
def test_the_gradient_agrees_with_finite_differences(flow: str) -> None:
    model, config, x = tiny(flow, beta=0.7)
    (player,) = FAMILY.players(model, config)

    def loss() -> Tensor:
        return player.loss(Batch(x, None, torch.arange(4), torch.Generator().manual_seed(5)), config).loss

    agrees_with_finite_differences(loss, player.parameters)


@pytest.mark.slow
@FLOWS
def test_the_elbo_and_the_gap_make_the_evidence(flow: str) -> None:
    """On a grid over z: log p(x) = ELBO + KL(q(z|x) ‖ p(z|x)), with q's density by inverting the flow."""
    model, _, x = tiny(flow)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
        side = torch.linspace(-7, 7, 400, dtype=torch.float64)
        grid, log_cell = torch.cartesian_prod(side, side)[:, None], 2 * math.log(14 / 399)
        log_joint = model.decode(grid).log_prob(x) + model.prior().log_prob(grid)
        evidence = log_joint.logsumexp(0) + log_cell
        log_q = model.encode(x).log_prob(grid)  # type: ignore[union-attr]
        gap = ((log_q + log_cell).exp() * (log_q - (log_joint - evidence))).sum(0)
        terms, _ = elbo_terms(model, x, torch.randn(40_000, 4, 2, dtype=torch.float64))
    elbo = terms["reconstruction"] - terms["kl"]
    assert (gap > 0).all()
    torch.testing.assert_close(elbo + gap, evidence, rtol=0, atol=0.03)


@pytest.mark.slow
@FLOWS
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_it_learns_and_is_resumed_with_its_flow(
    digits: ImageDataset, small: Settings, flow: str, network: str
) -> None:
    chosen = updated(
        small, family="flow", flow=flow, network=network, conv_channels=4, epochs=2, learning_rate=0.01
    )
    trainer = Trainer(digits, chosen)
    before = trainer.evaluate()
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    assert before is not None
    assert trainer.held_out is not None
    assert trainer.held_out.values["elbo"] > before.values["elbo"] + 50
    table, codes = trainer.snapshot().posterior, trainer.snapshot().encode(digits.train_images[:5])
    assert table is not None
    assert codes is not None
    trainer.refresh_posterior()
    refreshed = trainer.snapshot().posterior
    assert refreshed is not None
    torch.testing.assert_close(torch.tensor(refreshed.loc[:5]), torch.tensor(codes[0]), rtol=1e-3, atol=1e-4)
    assert refreshed.scale is not None
    torch.testing.assert_close(
        torch.tensor(refreshed.scale[:5]), torch.tensor(codes[1]), rtol=1e-2, atol=1e-4
    )
    first = table.drawn
    assert first is not None
    assert refreshed.drawn is not None
    away = (refreshed.drawn - refreshed.loc) / refreshed.scale
    np.testing.assert_allclose(away.mean(0), 0.0, atol=0.25)
    np.testing.assert_allclose(away.std(0), 1.0, atol=0.25)
    trainer.refresh_posterior()
    again = trainer.snapshot().posterior
    assert again is not None
    np.testing.assert_array_equal(again.drawn, refreshed.drawn)
    assert np.corrcoef(first[:, 0], refreshed.drawn[:, 0])[0, 1] > 0.9, "each keeps its noise"
