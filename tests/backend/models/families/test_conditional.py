"""The conditional VAE: its bound against importance sampling and plain layers, and the class on all its ways."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import same_arrays
from helpers_gradients import agrees_with_finite_differences
from torch import Tensor
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence
from torch.nn import functional

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.conditional import FAMILY, ConditionalConfig
from vaeviewer.backend.models.families.vae import elbo_terms
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.runs.restore import moved_to
from vaeviewer.backend.snapshot import NumpySnapshot, TorchSnapshot
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import DataError, SettingsError

DATA = DataSpec(ImageSpec(3, 2), classes=4, images=8)
TINY = ConditionalConfig(hidden=(5,), activation="tanh", beta=0.7)
Y = torch.tensor([2, 0, 3, 3])


def built(config: ConditionalConfig = TINY) -> LatentModel:
    model = FAMILY.build(config, DATA)
    model.initialize(named_generator(1, "weights"))
    return model.double()


def trained(digits: ImageDataset, settings: Settings) -> Trainer:
    trainer = Trainer(digits, settings)
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    return trainer


def test_the_gradient_agrees_with_finite_differences() -> None:
    torch.manual_seed(1)
    model, x = built(), torch.rand(4, 1, 3, 2, dtype=torch.float64)
    (player,) = FAMILY.players(model, TINY)

    def loss() -> Tensor:
        return player.loss(Batch(x, Y, torch.arange(4), torch.Generator().manual_seed(5)), TINY).loss

    agrees_with_finite_differences(loss, player.parameters)


def test_its_terms_are_those_of_layers_that_see_a_one_hot_class() -> None:
    """Written out with linear layers on [x, e_y] and [z, e_y], and torch.distributions."""
    torch.manual_seed(2)
    model, x, noise = built(), torch.rand(4, 1, 3, 2).double(), torch.randn(1, 4, 2).double()
    w = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    one_hot = torch.eye(4, dtype=torch.float64)[Y]

    def layers(side: str, seen: Tensor) -> Tensor:
        hidden = functional.linear(torch.cat([seen, one_hot], 1), w[f"{side}.0.weight"], w[f"{side}.0.bias"])
        return functional.linear(hidden.tanh(), w[f"{side}.1.weight"], w[f"{side}.1.bias"])

    loc, log_variance = layers("encoder", x.flatten(1)).chunk(2, 1)
    q = Independent(Normal(loc, log_variance.exp().sqrt()), 1)
    pixels = Bernoulli(logits=layers("decoder", loc + log_variance.exp().sqrt() * noise[0]))
    reconstruction = (x.flatten(1) * pixels.probs.log() + (1 - x.flatten(1)) * (1 - pixels.probs).log()).sum(
        1
    )
    prior = Independent(Normal(torch.zeros(4, 2).double(), 1.0), 1)
    terms, _ = elbo_terms(model, x, noise, Y)
    torch.testing.assert_close(terms["kl"], kl_divergence(q, prior))
    torch.testing.assert_close(terms["reconstruction"], reconstruction)


@pytest.mark.slow
def test_it_bounds_the_evidence_of_an_image_given_its_class(digits: ImageDataset, small: Settings) -> None:
    model = trained(digits, updated(small, family="conditional", epochs=8))._model
    x = torch.tensor(digits.held_out_images).unsqueeze(1) / 255
    y = torch.tensor(digits.held_out_labels)
    torch.manual_seed(0)
    with torch.no_grad():
        terms, q = elbo_terms(model, x, torch.randn(200, 100, 2), y)
        z = q.sample((2000,))
        joint = model.decode(z, y).log_prob(x) + Normal(0.0, 1.0).log_prob(z).sum(-1)
        evidence = torch.logsumexp(joint - q.log_prob(z).sum(-1), 0) - math.log(2000)
        # Told a wrong class it finds the images less probable.
        wrong = elbo_terms(model, x, torch.randn(200, 100, 2), (y + 1) % 10)[0]
    bound = (terms["reconstruction"] - terms["kl"]).mean()
    assert bound <= evidence.mean()
    assert (wrong["reconstruction"] - wrong["kl"]).mean() < bound - 5


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_its_snapshot_sees_the_class_as_the_model_does(
    digits: ImageDataset, small: Settings, network: str
) -> None:
    chosen = updated(small, family="conditional", network=network, conv_channels=2, dense=16, epochs=1)
    trainer = trained(digits, chosen)
    snapshot = trainer.snapshot()
    assert isinstance(snapshot, NumpySnapshot if network == "mlp" else TorchSnapshot)
    z, y = np.float32([[0.3, -1.0], [0.3, -1.0], [2.0, 0.0]]), np.array([7, 1, 1])
    with torch.no_grad():
        drawn = trainer._model.eval().decode(torch.tensor(z), torch.tensor(y)).mean[:, 0].numpy()
    images = snapshot.decode(z, y)
    np.testing.assert_allclose(images, drawn, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(snapshot.decode(z[1:2], 1)[0], drawn[1], rtol=1e-4, atol=1e-5)
    assert np.abs(images[0] - images[1]).max() > 1e-3, "another class of the same z"
    with pytest.raises(ValueError, match="class y"):
        snapshot.decode(z)


def test_the_plane_has_each_image_where_its_own_class_puts_it(digits: ImageDataset, small: Settings) -> None:
    """After a step, at rest, and where the class is another one, elsewhere."""
    trainer = trained(digits, updated(small, family="conditional"))
    trainer.refresh_posterior()
    table = trainer.snapshot().posterior
    own = trainer.snapshot().encode(digits.train_images, digits.train_labels)
    other = trainer.snapshot().encode(digits.train_images, (digits.train_labels + 1) % 10)
    assert table is not None
    assert own is not None
    assert other is not None
    assert table.scale is not None
    np.testing.assert_allclose(table.loc, own[0], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(table.scale, own[1], rtol=1e-3, atol=1e-4)
    assert np.abs(table.loc - other[0]).max() > 0.05
    before = trainer.snapshot().encode(digits.train_images, digits.train_labels)
    trainer.train_further()
    rows = trainer.batches.next()[:50].numpy()
    trainer.step()
    trainer.finish_block()
    live = trainer.snapshot().posterior
    assert before is not None
    assert live is not None
    # bfloat16 products, where the processor has them, round.
    np.testing.assert_allclose(live.loc[rows], before[0][rows], rtol=0.05, atol=0.05)


def test_images_without_labels_are_refused_in_one_sentence(digits: ImageDataset, small: Settings) -> None:
    bare = replace(digits, train_labels=np.zeros(600, np.int64), class_names=())
    with pytest.raises(SettingsError) as refused:
        Trainer(bare, updated(small, family="conditional"))
    assert str(refused.value) == (
        "The model “Conditional VAE” needs the class of each image, and these have none (600 digits): "
        "choose images with labels, or another kind of model."
    )


def test_a_model_goes_over_to_images_of_as_many_classes_only(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, updated(small, family="conditional"))
    half = replace(digits, train_labels=digits.train_labels % 5, class_names=digits.class_names[:5])
    with pytest.raises(DataError, match="has 5 classes, but the model was made for 10"):
        moved_to(trainer, half)
    same = replace(digits, train_labels=digits.train_labels[::-1].copy())
    assert same_arrays(moved_to(trainer, same).snapshot().weights, trainer.snapshot().weights)
