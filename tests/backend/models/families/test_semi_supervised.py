"""M2 and M1+M2: their bounds against sums over classes and importance sampling, and which labels they may read."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import same_arrays
from helpers_gradients import agrees_with_finite_differences
from run_folders import save
from torch import Tensor
from torch.distributions import Categorical, Independent, Normal

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import DataSource, ImageDataset
from vaeviewer.backend.models.families.semi_supervised import FAMILY, SemiSupervisedConfig
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.networks import semi_supervised
from vaeviewer.backend.models.networks.semi_supervised import M1M2, SemiSupervised, balanced_rows
from vaeviewer.backend.runs import restore
from vaeviewer.backend.snapshot import NumpySnapshot, TorchSnapshot
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer

DATA = DataSpec(ImageSpec(3, 2), classes=3, images=12)
MODELS = ("M2", "M1+M2")


def config_of(model: str, **more: object) -> SemiSupervisedConfig:
    small = {"hidden": (4,), "features": 3, "feature_hidden": 4, "labels": 5}
    return SemiSupervisedConfig.model_validate({"variant": model, "activation": "tanh", **small, **more})


def built(config: SemiSupervisedConfig) -> SemiSupervised:
    """With labelled images, in float64."""
    torch.manual_seed(0)
    model = FAMILY.build(config, DATA)
    assert isinstance(model, SemiSupervised)
    model.initialize(named_generator(1, "weights"))
    images, labels = torch.rand(12, 1, 3, 2), torch.arange(12) % 3
    FAMILY.prepare(model, images, labels, config, named_generator(0, "prepare"))  # type: ignore[arg-type]
    return model.double()


def observations(model: SemiSupervised, count: int) -> Tensor:
    shape = (count, 3) if isinstance(model, M1M2) else (count, 1, 3, 2)
    return torch.rand(shape, dtype=torch.float64)


def trained(data: ImageDataset, settings: Settings, until: int = 10**6) -> Trainer:
    return go_on(Trainer(data, settings), until)


def go_on(trainer: Trainer, until: int = 10**6) -> Trainer:
    loop.train(trainer, go_on=lambda: min(1, max(0, until - trainer.step_count)), after_block=lambda: None)
    return trainer


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("learn_from", ["all images", "labelled images"])
def test_gradients_agree_with_finite_differences(model: str, learn_from: str) -> None:
    config = config_of(model, alpha=0.7, learn_from=learn_from)
    networks = built(config)
    x = torch.rand(4, 1, 3, 2, dtype=torch.float64)
    players = FAMILY.players(networks, config)
    assert len(players) == 1 + (model == "M1+M2")
    for player in players:

        def loss(player=player) -> Tensor:  # type: ignore[no-untyped-def]
            batch = Batch(x, None, torch.arange(4), torch.Generator().manual_seed(5))
            return player.loss(batch, config).loss

        agrees_with_finite_differences(loss, player.parameters)


@pytest.mark.parametrize("model", MODELS)
def test_the_bound_without_a_label_is_the_mean_over_classes_and_an_entropy(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equation 7, class by class; however many of them are computed at a time."""
    networks = built(config_of(model))
    v, noise = observations(networks, 6), torch.randn(6, 2, dtype=torch.float64)
    q = Categorical(logits=networks.classify(v))
    each = [networks.labelled_bound(v, torch.full((6,), y), noise) for y in range(3)]
    expected = (q.probs * torch.stack(each, 1)).sum(1) + q.entropy()
    whole = networks.bound(v, noise)
    torch.testing.assert_close(whole.value, expected)
    likely = networks.posterior(v, q.probs.argmax(1))
    torch.testing.assert_close(whole.posterior.loc, likely.loc)
    torch.testing.assert_close(whole.posterior.scale, likely.scale)
    monkeypatch.setattr(semi_supervised, "ROWS_AT_ONCE", 6)
    apart = networks.bound(v, noise)
    torch.testing.assert_close(apart.value, whole.value)
    torch.testing.assert_close(apart.posterior.loc, whole.posterior.loc)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_both_bounds_are_below_the_evidence(model: str) -> None:
    """By importance sampling over classes and codes, written apart from them; and the first is −L of equation 6."""
    networks = built(config_of(model))
    v, samples = observations(networks, 5), 5_000
    prior = Independent(Normal(torch.zeros(2).double(), 1.0), 1)
    joint = []
    for y in range(3):
        classes = torch.full((5,), y)
        q = Independent(networks.posterior(v, classes), 1)
        noise = torch.randn(samples, 5, 2).double()
        z = q.mean + q.stddev * noise
        many, repeated = v.repeat(samples, *(1 for _ in v.shape[1:])), classes.repeat(samples)
        likelihood = networks.log_likelihood(many, z.view(-1, 2), repeated).view(samples, 5)
        weights = likelihood + prior.log_prob(z) - q.log_prob(z) - math.log(3)
        # Its KL is in closed form, that of the samples is not.
        bound = torch.stack([networks.labelled_bound(v, classes, one) for one in noise[:600]]).mean(0)
        torch.testing.assert_close(bound, weights[:600].mean(0), rtol=0, atol=0.2)
        joint.append(weights.logsumexp(0) - math.log(samples))
        assert (bound <= joint[-1] + 0.02).all()
    evidence = torch.stack(joint).logsumexp(0)
    unlabelled = torch.stack([networks.bound(v, torch.randn(5, 2).double()).value for _ in range(200)]).mean(
        0
    )
    assert (unlabelled <= evidence + 0.02).all()
    assert (unlabelled > evidence - 5).all()


def test_its_labelled_images_are_of_all_classes_alike() -> None:
    labels = torch.tensor([0] * 50 + [1] * 50 + [2] * 3 + [3] * 50)
    rows = balanced_rows(labels, 42, named_generator(3, "prepare"))
    assert len(set(rows.tolist())) == 42
    assert torch.bincount(labels[rows]).tolist() == [13, 13, 3, 13]
    counts = torch.bincount(labels[balanced_rows(labels, 7, named_generator(3, "prepare"))])
    assert sorted(counts.tolist()) == [1, 2, 2, 2]
    assert torch.equal(rows, balanced_rows(labels, 42, named_generator(3, "prepare")))
    assert not torch.equal(rows, balanced_rows(labels, 42, named_generator(4, "prepare")))


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_other_labels_are_never_read(digits: ImageDataset, small: Settings, model: str) -> None:
    """With all of them wrong it trains to the same weights and curves, bit for bit; with one of its own wrong not."""
    settings = updated(small, family="semi-supervised", variant=model, labels=20, feature_hidden=16)
    right, wrong = Trainer(digits, settings), Trainer(digits, settings)
    labels, draws = torch.tensor(digits.train_labels), named_generator(7, "prepare")
    mine = balanced_rows(labels, 20, draws)
    networks = wrong._model
    assert isinstance(networks, SemiSupervised)
    np.testing.assert_array_equal(
        networks.labelled_levels[:, 0].numpy(), digits.train_images[mine.numpy()], "of the training images"
    )
    assert torch.equal(networks.labelled_classes, labels[mine])
    assert torch.bincount(labels[mine]).tolist() == [2] * 10
    known = torch.zeros(600, dtype=torch.bool)
    known[mine] = True
    assert wrong._rows.labels is not None
    wrong._rows.labels[~known] = (wrong._rows.labels[~known] + 3) % 10
    for trainer in (right, wrong):
        go_on(trainer)
        trainer.refresh_posterior()
    first, second = right.snapshot(), wrong.snapshot()
    assert same_arrays(first.weights, second.weights)
    assert first.posterior is not None
    assert second.posterior is not None
    np.testing.assert_array_equal(first.posterior.loc, second.posterior.loc)
    curves = [trainer.history.training.view() for trainer in (right, wrong)]
    for key in FAMILY.metrics.stored:
        np.testing.assert_array_equal(curves[0][key], curves[1][key])
    other = Trainer(digits, settings)
    assert isinstance(other._model, SemiSupervised)
    other._model.labelled_classes[0] += 1
    assert not same_arrays(go_on(other).snapshot().weights, first.weights)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "network"), [("M2", "mlp"), ("M1+M2", "mlp"), ("M2", "conv"), ("M1+M2", "conv")]
)
def test_its_snapshot_computes_as_the_model_does(
    digits: ImageDataset, small: Settings, model: str, network: str
) -> None:
    """Codes at the class that it guesses, whatever is said, and images of the class that is asked for."""
    more = {"variant": model, "network": network, "labels": 20, "feature_hidden": 16}
    settings = updated(small, family="semi-supervised", epochs=1, conv_channels=2, dense=16, **more)
    trainer = trained(digits, settings)
    snapshot = trainer.snapshot()
    assert isinstance(snapshot, NumpySnapshot if network == "mlp" else TorchSnapshot)
    x, z, y = digits.held_out_images[:20], np.float32([[0.5, -1.0], [0.5, -1.0]]), np.array([4, 9])
    with torch.no_grad():
        drawn = trainer._model.eval().decode(torch.tensor(z), torch.tensor(y)).mean[:, 0].numpy()
        q = trainer._model.encode(torch.tensor(x)[:, None] / 255)
    np.testing.assert_allclose(snapshot.decode(z, y), drawn, rtol=1e-4, atol=1e-5)
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-3
    assert isinstance(q, Normal)
    for said in (None, 3):
        found = snapshot.encode(x, said)
        assert found is not None
        assert found[1] is not None
        np.testing.assert_allclose(found[0], q.loc.numpy(), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found[1], q.scale.numpy(), rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match="class y"):
        snapshot.decode(z)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_it_resumes_bit_for_bit(
    digits: ImageDataset, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setattr(restore, "load_source", lambda *_: digits)
    more = {"variant": model, "labels": 150, "feature_hidden": 16}
    settings = updated(small, family="semi-supervised", **more)
    whole = trained(digits, settings)
    save(trained(digits, settings, until=17), tmp_path)
    resumed = go_on(restore.open_run(tmp_path))
    assert resumed.held_out == whole.held_out
    first, second = whole.checkpoint(), resumed.checkpoint()
    assert same_arrays(first.snapshot.weights, second.snapshot.weights)
    assert same_arrays(first.training.tensors, second.training.tensors)


def stripes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Very noisy images of three kinds: stripes across, down, and squares of both."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    wave = np.arange(8) // 2 % 2
    kinds = np.stack([np.tile(wave[:, None], (1, 8)), np.tile(wave, (8, 1)), wave[:, None] ^ wave])
    noisy = kinds[labels] ^ (draw.random((count, 8, 8)) < 0.3)
    return (255 * noisy).astype(np.uint8), labels.astype(np.int64)


@pytest.mark.slow
def test_images_without_labels_help(small: Settings) -> None:
    """Two noisy images of each class are enough, from which the same classifier alone learns their noise."""
    images, labels = stripes(1200, 0)
    held_out, true = stripes(600, 1)
    data = ImageDataset("stripes", DataSource(key="stripes"), images, labels, held_out, true, ("a", "b", "c"))
    settings = updated(small, family="semi-supervised", labels=6, epochs=25, features=6)
    alone = trained(data, updated(settings, variant="M2", learn_from="labelled images")).held_out
    assert alone is not None
    for model in MODELS:
        found = trained(data, updated(settings, variant=model)).held_out
        assert found is not None
        assert found.values["accuracy"] > max(0.94, alone.values["accuracy"] + 0.02), model
        assert found.values["elbo"] > alone.values["elbo"], model


def test_bits_per_dimension_are_those_of_the_bound() -> None:
    image, nats = ImageSpec(4, 5, 3), {"accuracy": 0.9, "elbo": -60 * math.log(256)}
    found = FAMILY.derived(SemiSupervisedConfig(likelihood="logistic"), image, nats)
    assert found == {"bits_per_dim": pytest.approx(8.0)}
    assert FAMILY.derived(SemiSupervisedConfig(), image, nats) == {}
    assert FAMILY.objective(SemiSupervisedConfig(), {"reconstruction": -80.0, "kl": 7.0}) == -87.0
