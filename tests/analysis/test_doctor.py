"""Each thing that goes wrong is provoked by real training and found, and a healthy run is left alone."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vaeviewer.analysis.doctor import JUDGED_STEPS, Case, examine
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.symptoms import Trouble
from vaeviewer.backend.training.findings import Finding, Origin
from vaeviewer.backend.training.loop import train
from vaeviewer.backend.training.trainer import Trainer

BASE = updated(Settings(), hidden=(64,), batch_size=50, threads=1, device="cpu", schedule="constant")


def trained(dataset: ImageDataset, epochs: int, **changes: Any) -> Trainer:
    trainer = Trainer(dataset, updated(BASE, epochs=epochs, **changes))
    train(trainer, go_on=lambda: sys.maxsize, after_block=lambda: None)
    return trainer


def found(trainer: Trainer) -> dict[Trouble, Finding]:
    best = trainer.best.step if trainer.best is not None else None
    case = Case(trainer.settings, trainer.dataset, trainer.history, best)
    *_, findings = examine(trainer.snapshot(), case)
    assert findings is not None
    return {finding.trouble: finding for finding in findings}


def only(trainer: Trainer, trouble: Trouble) -> Finding:
    findings = found(trainer)
    assert findings.keys() == {trouble}
    return findings[trouble]


def few(dataset: ImageDataset, rows: slice | np.ndarray[Any, Any]) -> ImageDataset:
    return replace(dataset, train_images=dataset.train_images[rows], train_labels=dataset.train_labels[rows])


def with_none_held_out(dataset: ImageDataset) -> ImageDataset:
    """For findings that do not come from those: evaluation takes longer than training."""
    return replace(
        dataset, held_out_images=dataset.held_out_images[:0], held_out_labels=dataset.held_out_labels[:0]
    )


ENOUGH = -(-JUDGED_STEPS // 12)
"""Epochs of 600 images in which there are steps enough to judge."""


@pytest.mark.slow
def test_overfitting_names_the_best_epoch_and_going_back_there_brings_its_figures(
    digits: ImageDataset,
) -> None:
    trainer = trained(few(digits, slice(100)), 100, hidden=(256, 128), learning_rate=5e-3)
    finding = only(trainer, Trouble.OVERFITTING)
    elbo = trainer.history.held_out.view()["elbo"]
    best = int(elbo.argmax())
    assert best < 90
    told = re.fullmatch(
        r"overfitting: the held-out ELBO has fallen for (\d+) epochs, from −([\d.]+) after epoch (\d+) to −([\d.]+), "
        r"while that of the images trained on has risen by [\d.]+\.",
        finding.sentence,
    )
    assert told is not None
    assert (int(told[1]), int(told[3])) == (len(elbo) - 1 - best, best + 1)
    assert (float(told[2]), float(told[4])) == pytest.approx((-elbo[best], -elbo[-1]), abs=0.06)
    (remedy,) = finding.remedies
    assert remedy.origin is Origin.BEST
    assert trainer.best is not None
    trainer.good = trainer.best
    trainer.restore_good_state()
    held_out = trainer.evaluate(record=False)
    assert held_out is not None
    assert held_out.values["elbo"] == pytest.approx(elbo[best], rel=1e-6)
    assert not found(trainer)


@pytest.mark.slow
def test_a_posterior_that_collapses_under_a_small_beta_is_found(digits: ImageDataset) -> None:
    blurred = {"likelihood": "gaussian", "gaussian_variance": "fixed", "gaussian_scale": 10.0}
    finding = found(trained(few(with_none_held_out(digits), slice(100)), 51, batch_size=5, **blurred))[
        Trouble.COLLAPSED
    ]
    assert re.search(r"the KL is 0\.0\d\d nats per image \(posterior collapse\)", finding.sentence)
    assert [(remedy.origin, remedy.changes) for remedy in finding.remedies] == [
        (Origin.NEW, {"warm_up": 2000})
    ]


@pytest.mark.slow
def test_codes_that_leave_the_prior_are_found_and_beta_brings_them_back(digits: ImageDataset) -> None:
    trainer = trained(
        few(with_none_held_out(digits), slice(100)), 60, beta=0.0, hidden=(64, 32), batch_size=5
    )
    finding = found(trainer)[Trouble.KL]
    assert "codes lie far outside the prior" in finding.sentence
    (remedy,) = finding.remedies
    assert (remedy.origin, remedy.changes) == (Origin.HERE, {"beta": 1.0})
    trainer.change("beta", 1.0)
    trainer.change("epochs", 70)
    train(trainer, go_on=lambda: sys.maxsize, after_block=lambda: None)
    assert Trouble.KL not in found(trainer)


@pytest.mark.slow
def test_dimensions_that_a_beta_silenced_are_found(digits: ImageDataset) -> None:
    finding = only(trained(with_none_held_out(digits), ENOUGH, beta=20.0, hidden=(64, 64)), Trouble.INACTIVE)
    assert finding.sentence.startswith("only 1 of 2 latent dimensions is active")
    assert [remedy.changes for remedy in finding.remedies] == [{"beta": 1.0}, {"latent_dim": 1}]


@pytest.mark.slow
def test_units_that_a_high_rate_killed_are_found(digits: ImageDataset) -> None:
    finding = found(
        trained(with_none_held_out(digits), ENOUGH, activation="relu", learning_rate=0.03, engine="eager")
    )[Trouble.DEAD]
    assert re.match(
        r"\d+ of the \d+ units in rectified layer \d of the (en|de)coder are dead", finding.sentence
    )
    assert [remedy.changes for remedy in finding.remedies] == [
        {"learning_rate": 0.003},
        {"activation": "silu"},
    ]


def test_images_of_one_class_are_told_of(digits: ImageDataset) -> None:
    threes = few(digits, digits.train_labels == 3)
    finding = only(trained(threes, 1), Trouble.ONE_CLASS)
    assert finding.sentence.startswith(f"all {len(threes.train_images)} images are of one class, “3”")
    assert [remedy.origin for remedy in finding.remedies] == [Origin.IMAGES]
    assert not found(trained(replace(threes, class_names=()), 1)), "images without labels have no class"


HEALTHY = {"default": {}, "rectified": {"activation": "relu", "hidden": (128, 64), "engine": "eager"}}


@pytest.mark.slow
@pytest.mark.parametrize("changes", HEALTHY.values(), ids=list(HEALTHY))
def test_a_healthy_run_is_left_alone(digits: ImageDataset, exhaustive: bool, changes: dict[str, Any]) -> None:
    for seed in range(20 if exhaustive else 1):
        trainer = Trainer(digits, updated(BASE, epochs=ENOUGH, learning_rate=1e-3, seed=seed, **changes))
        told: list[object] = []

        def look(trainer: Trainer = trainer, told: list[object] = told) -> None:
            told += [trainer.finding] if trainer.finding else []
            if trainer.batches.at_epoch_start and trainer.batches.passes % 10 == 0:
                told += found(trainer).values()

        train(trainer, go_on=lambda: sys.maxsize, after_block=look)
        assert trainer.step_count >= JUDGED_STEPS
        assert not told, f"seed {seed}"
        assert not found(trainer), f"seed {seed}"
