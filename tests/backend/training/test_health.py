"""Training that makes no sense is noticed long before a number is infinite, and healthy training is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vaeviewer.backend.config import Settings, presets, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.symptoms import Trouble
from vaeviewer.backend.training.findings import Finding, Origin
from vaeviewer.backend.training.health import COLLAPSE_STEPS, Health, NonFiniteError
from vaeviewer.backend.training.trainer import Trainer

pytestmark = pytest.mark.slow

BASE = updated(Settings(), epochs=1000, threads=1)
SMALL = updated(BASE, hidden=(128, 64))


def train(trainer: Trainer, steps: int) -> Trainer:
    """Steps in blocks of eight, each state offered to be kept as good."""
    for step in range(steps):
        trainer.step()
        if step % 8 == 7:
            trainer.finish_block()
            trainer.keep_good_state()
    trainer.finish_block()
    return trainer


def treat(trainer: Trainer, finding: Finding) -> None:
    """Take the first remedy, as a session does."""
    (remedy,) = finding.remedies
    assert remedy.origin is Origin.GOOD
    trainer.restore_good_state()
    for field, value in remedy.changes.items():
        trainer.change(field, value)


def objective_of(trainer: Trainer) -> float:
    held_out = trainer.evaluate(record=False)
    return float(trainer.family.objective(trainer.settings.model, held_out.values))


HEALTHY: Mapping[str, Mapping[str, Any]] = {
    "default": {"hidden": BASE.model.hidden},
    "three times the rate": {"learning_rate": 0.01},
    "beta 0": {"beta": 0.0},
    "beta 4": {"beta": 4.0},
    "beta 20": {"beta": 20.0},
    "relu": {"activation": "relu"},
    "twenty dimensions": {"latent_dim": 20},
    "dynamic": {"protocol": "dynamic"},
    "gaussian, learned": {"likelihood": "gaussian"},
    "gaussian, learned from 0.01": {"likelihood": "gaussian", "gaussian_scale": 0.01},
    "gaussian, fixed at 1": {"likelihood": "gaussian", "gaussian_variance": "fixed", "gaussian_scale": 1.0},
    "sgd": {"optimizer": "sgd", "learning_rate": 1e-3},
    "adagrad": {"optimizer": "adagrad", "learning_rate": 0.01},
    "tiny batches": {"batch_size": 4},
}


@pytest.mark.parametrize("changes", HEALTHY.values(), ids=list(HEALTHY))
def test_healthy_training_is_left_alone(digits: ImageDataset, changes: Mapping[str, Any]) -> None:
    trainer = Trainer(digits, updated(SMALL, **changes))
    for _ in range(4):
        assert train(trainer, 24).finding is None
    assert trainer.good.step == 96 > COLLAPSE_STEPS


def test_the_paper_and_a_handful_of_images_are_left_alone(digits: ImageDataset) -> None:
    few = replace(digits, train_images=digits.train_images[:5], train_labels=digits.train_labels[:5])
    for dataset in (digits, few):
        assert train(Trainer(dataset, updated(presets()["paper"], threads=1)), 160).finding is None


def test_a_kl_that_is_counted_in_late_is_left_alone(digits: ImageDataset) -> None:
    trainer = train(Trainer(digits, updated(SMALL, beta=0.0, latent_dim=20)), 400)
    assert trainer.history.training.view()["kl"][-1] > 40.0
    trainer.change("beta", 4.0)
    assert train(trainer, 400).finding is None


@pytest.mark.parametrize("rate", [0.1, 10.0])
def test_a_rate_that_is_too_high_is_found_at_once_and_a_lower_one_helps(
    digits: ImageDataset, rate: float
) -> None:
    trainer = Trainer(digits, updated(BASE, learning_rate=rate))
    try:
        train(trainer, 40)
    except NonFiniteError:
        assert rate == 10.0
    finding = trainer.finding
    assert finding is not None
    assert finding.trouble is Trouble.EXPLODING
    assert finding.sentence.endswith(f": learning rate {rate:g} is probably too high.")
    assert finding.step <= 24
    assert trainer.good.step == 0
    treat(trainer, finding)
    assert train(trainer, 160).finding is None
    assert objective_of(trainer) > -230.0


def test_what_is_beyond_all_measure_is_found_within_a_few_steps_however_slow_they_are(
    digits: ImageDataset,
) -> None:
    trainer = Trainer(digits, updated(SMALL, learning_rate=5.0))
    for _ in range(6):
        trainer.step()
        trainer.finish_block()
    finding = trainer.finding
    assert finding is not None
    assert finding.trouble is Trouble.EXPLODING
    treat(trainer, finding)
    assert train(trainer, 80).finding is None


def test_a_beta_that_leaves_nothing_to_the_posterior_is_found(digits: ImageDataset) -> None:
    trainer = train(Trainer(digits, updated(SMALL, beta=100.0)), 80)
    finding = trainer.finding
    assert finding is not None
    assert finding.trouble is Trouble.COLLAPSED
    assert finding.sentence.startswith("β = 100 weighs the KL so much")
    treat(trainer, finding)
    assert train(trainer, 160).finding is None
    assert trainer.evaluate(record=False).values["kl"] > 1.0


@pytest.mark.parametrize(("field", "value"), [("learning_rate", 5.0), ("beta", 1000.0)])
def test_what_goes_wrong_later_leads_back_to_the_state_before(
    digits: ImageDataset, field: str, value: float
) -> None:
    trainer = train(Trainer(digits, SMALL), 160)
    before = trainer.evaluate(record=False)
    trainer.change(field, value)
    train(trainer, 160)
    finding = trainer.finding
    assert finding is not None
    assert [*finding.remedies[0].changes] == [field]
    assert 160 <= trainer.good.step < 200
    trainer.restore_good_state()
    after = trainer.evaluate(record=False)
    assert after.values["reconstruction"] > before.values["reconstruction"] - 60.0
    assert after.values["kl"] > 0.05


@pytest.mark.parametrize(("hidden", "rate"), [([64], 5.0), ([500], 0.1), ([256, 128], 0.1)])
def test_what_is_over_within_a_block_is_found_too(
    digits: ImageDataset, hidden: list[int], rate: float
) -> None:
    trainer = Trainer(digits, updated(BASE, learning_rate=rate, hidden=hidden))
    for _ in range(200):
        trainer.step()
    trainer.finish_block()
    assert trainer.finding is not None
    assert trainer.finding.step <= 24


def test_a_state_that_explodes_is_never_kept_as_good(digits: ImageDataset) -> None:
    trainer = Trainer(digits, updated(BASE, learning_rate=5.0))
    for _ in range(30):
        trainer.step()
        trainer.finish_block()
        trainer.keep_good_state()
        assert trainer.good.step == 0


def test_an_exploded_run_that_is_opened_again_goes_back_to_the_untrained_network(
    digits: ImageDataset,
) -> None:
    settings = updated(BASE, learning_rate=5.0)
    trainer = train(Trainer(digits, settings), 30)
    assert trainer.evaluate().values["elbo"] < -1e6
    opened = Trainer(digits, settings)
    opened.restore(trainer.checkpoint(), trainer.history, list(trainer.timeline), trainer.held_out)
    assert opened.finding is not None
    assert opened.good.step == 0
    assert opened.restore_good_state() == 0
    assert np.isfinite(opened.evaluate().values["elbo"])


def test_it_stays_until_a_setting_was_changed_and_the_terms_are_sane() -> None:
    health, high, low = (
        Health(-540.0, 784),
        updated(BASE, learning_rate=1.0),
        updated(BASE, learning_rate=1e-3),
    )
    taken = 0

    def look(elbo: float, settings: Settings) -> bool:
        nonlocal taken
        steps = np.arange(taken, taken + 20, dtype=np.int32)
        taken += 20
        terms = {"reconstruction": np.full(20, elbo, np.float32), "kl": np.zeros(20, np.float32)}
        health.look(steps, terms, settings)
        return health.finding(good_step=0) is not None

    assert not look(-300.0, high)
    assert look(-1e9, high)
    assert look(-1e9, low)
    assert look(-300.0, high)
    assert not look(-300.0, low)
    assert look(-1e9, low)
