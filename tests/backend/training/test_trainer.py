"""The trainer: repeatable, restorable, honest about failure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import same_arrays
from run_folders import save

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.runs.restore import moved_to, moved_to_cpu, trainer_of
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.health import NonFiniteError
from vaeviewer.backend.training.history import History
from vaeviewer.backend.training.trainer import Trainer


def train_all(trainer: Trainer) -> Trainer:
    loop.train(trainer, go_on=lambda: True, after_block=lambda: None)
    return trainer


def steps(trainer: Trainer, count: int) -> Trainer:
    for _ in range(count):
        trainer.step()
    trainer.finish_block()
    return trainer


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["grey", "dynamic", "threshold"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "adagrad"])
def test_training_raises_the_held_out_elbo(
    digits: ImageDataset, small: Settings, protocol: str, optimizer: str
) -> None:
    settings = updated(small, protocol=protocol, optimizer=optimizer, learning_rate=5e-3, epochs=6)
    trainer = Trainer(digits, settings)
    before = trainer.evaluate()
    after = train_all(trainer).held_out
    assert after is not None
    assert before is not None
    assert after.values["elbo"] > before.values["elbo"] + 50
    terms = after.values
    assert terms["elbo"] == pytest.approx(terms["reconstruction"] - terms["kl"])


@pytest.mark.slow
@pytest.mark.parametrize("variance", ["fixed", "learned"])
def test_gaussian_likelihood_trains(digits: ImageDataset, small: Settings, variance: str) -> None:
    settings = updated(small, likelihood="gaussian", gaussian_variance=variance, epochs=4)
    trainer = Trainer(digits, settings)
    before = trainer.evaluate()
    train_all(trainer)
    assert trainer.held_out is not None
    assert before is not None
    assert trainer.held_out.values["elbo"] > before.values["elbo"] + 10


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["grey", "dynamic"])
def test_same_seed_same_weights_whatever_is_looked_at(
    digits: ImageDataset, small: Settings, protocol: str
) -> None:
    settings = updated(small, protocol=protocol)
    quiet = train_all(Trainer(digits, settings))
    watched = Trainer(digits, settings)

    def look() -> None:
        watched.snapshot().decode(np.zeros((1, 2), np.float32))
        watched.refresh_posterior()
        watched.evaluate()
        watched.keep_good_state()
        torch.rand(3)

    loop.train(watched, go_on=lambda: True, after_block=look)
    assert same_arrays(quiet.snapshot().weights, watched.snapshot().weights)
    other = train_all(Trainer(digits, updated(settings, seed=8)))
    assert not same_arrays(quiet.snapshot().weights, other.snapshot().weights)


def test_an_epoch_visits_each_image_once(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, small)
    steps(trainer, trainer.batches.per_epoch)
    posterior = trainer.snapshot().posterior
    assert posterior is not None
    # 600 images in batches of 50: each step wrote 50 rows of its own.
    assert np.bincount(posterior.row_steps, minlength=12).tolist() == [50] * 12
    assert trainer.epoch == 1.0
    assert trainer.batches.at_epoch_start


def test_rows_of_the_posterior_know_their_age(digits: ImageDataset, small: Settings) -> None:
    trainer = steps(Trainer(digits, small), 3)
    live = trainer.snapshot().posterior
    assert live is not None
    assert len(set(live.row_steps.tolist())) > 1
    trainer.refresh_posterior()
    snapshot = trainer.snapshot()
    assert snapshot.posterior is not None
    assert len(set(snapshot.posterior.row_steps.tolist())) == 1
    loc, scale = snapshot.encode(digits.train_images)
    np.testing.assert_allclose(snapshot.posterior.loc, loc, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(snapshot.posterior.scale, scale, rtol=1e-4, atol=1e-5)


def test_a_snapshot_never_changes(digits: ImageDataset, small: Settings) -> None:
    trainer = steps(Trainer(digits, small), 2)
    snapshot = trainer.snapshot()
    before = {name: array.copy() for name, array in snapshot.weights.items()}
    steps(trainer, 5)
    assert same_arrays(before, dict(snapshot.weights))
    with pytest.raises(ValueError, match="read-only"):
        snapshot.weights["decoder.0.weight"][0, 0] = 1.0


def test_the_history_holds_every_step_and_every_epoch(digits: ImageDataset, small: Settings) -> None:
    trainer = train_all(Trainer(digits, small))
    training, held_out = trainer.history.training.view(), trainer.history.held_out.view()
    assert training.step.tolist() == list(range(1, 25))
    assert held_out.step.tolist() == [12, 24]
    assert held_out.epoch.tolist() == [1.0, 2.0]
    np.testing.assert_allclose(training["elbo"], training["reconstruction"] - training["kl"])


def test_held_out_figures_repeat_exactly(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, small)
    first, second = trainer.evaluate(), trainer.evaluate()
    assert first == second
    assert first is not None
    assert first.samples == 20  # 2,000 draws over 100 images


def test_the_learning_rate_follows_the_cosine(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, updated(small, learning_rate=0.1, epochs=2))
    assert trainer.learning_rate() == pytest.approx(0.1)
    steps(trainer, 12)
    assert trainer.learning_rate() == pytest.approx(0.05)
    trainer.change("epochs", 4)
    assert trainer.learning_rate() == pytest.approx(0.1 * 0.5 * (1 + np.cos(np.pi / 4)))
    trainer.change("learning_rate", 0.2)
    assert trainer.learning_rate() == pytest.approx(0.2 * 0.5 * (1 + np.cos(np.pi / 4)))
    assert [(c.step, c.field, c.value) for c in trainer.timeline] == [
        (12, "epochs", 4),
        (12, "learning_rate", 0.2),
    ]


def test_changes_survive_a_restore(digits: ImageDataset, small: Settings) -> None:
    trainer = steps(Trainer(digits, small), 3)
    for rate in (0.1, 0.05):
        trainer.change("learning_rate", rate)
    trainer.change("beta", 2.0)
    assert [(c.field, c.value) for c in trainer.timeline] == [("learning_rate", 0.05), ("beta", 2.0)]
    again = Trainer(digits, small)
    again.restore(trainer.checkpoint(), History.empty(small.family.metrics), list(trainer.timeline))
    assert again.settings == trainer.settings
    assert again.initial_settings == small
    train_all(trainer)
    train_all(again)
    assert same_arrays(trainer.snapshot().weights, again.snapshot().weights)


def test_only_live_settings_change(digits: ImageDataset, small: Settings) -> None:
    with pytest.raises(ValueError, match="batch_size"):
        Trainer(digits, small).change("batch_size", 10)


@pytest.mark.slow
def test_beta_weighs_the_kl_but_the_elbo_stays_true(digits: ImageDataset, small: Settings) -> None:
    plain = train_all(Trainer(digits, updated(small, epochs=8))).held_out
    heavy = train_all(Trainer(digits, updated(small, epochs=8, beta=50.0))).held_out
    assert plain is not None
    assert heavy is not None
    assert heavy.values["kl"] < 0.5 * plain.values["kl"]
    terms = heavy.values
    assert terms["elbo"] == pytest.approx(terms["reconstruction"] - terms["kl"])


def test_more_samples_per_image(digits: ImageDataset, small: Settings) -> None:
    trainer = train_all(Trainer(digits, updated(small, samples=4)))
    assert trainer.held_out is not None


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_restored_training_goes_on_bit_for_bit(digits: ImageDataset, small: Settings, optimizer: str) -> None:
    settings = updated(small, optimizer=optimizer, protocol="dynamic")
    straight = train_all(Trainer(digits, settings))
    first = steps(Trainer(digits, settings), 7)
    checkpoint = first.checkpoint()
    steps(first, 3)  # what happens later must not reach into the checkpoint
    resumed = Trainer(digits, settings)
    resumed.restore(checkpoint, History.empty(small.family.metrics), [])
    train_all(resumed)
    assert same_arrays(straight.snapshot().weights, resumed.snapshot().weights)
    assert same_arrays(straight.checkpoint().training.tensors, resumed.checkpoint().training.tensors)


@pytest.mark.parametrize("engine", ["eager", "auto"])
def test_checkpoints_of_one_step_share_their_memory_and_keep_it(
    digits: ImageDataset, small: Settings, engine: str
) -> None:
    trainer = steps(Trainer(digits, updated(small, engine=engine)), 3)
    trainer.keep_good_state()
    trainer.change("beta", 2.0)
    now, good = trainer.checkpoint(), trainer.good.checkpoint
    for ours, theirs in (
        (now.snapshot.weights, good.snapshot.weights),
        (now.training.tensors, good.training.tensors),
    ):
        assert all(np.shares_memory(array, theirs[name]) for name, array in ours.items())
    assert now.snapshot.posterior is not None
    assert (now.snapshot.model, good.snapshot.model) == (trainer.settings.model, small.model)
    as_it_was = {
        name: array.copy() for name, array in {**now.snapshot.weights, **now.training.tensors}.items()
    }

    later = steps(trainer, 2).checkpoint()
    assert not same_arrays(later.snapshot.weights, now.snapshot.weights)
    trainer.restore(now, History.empty(small.family.metrics), list(trainer.timeline))
    assert same_arrays(trainer.checkpoint().snapshot.weights, now.snapshot.weights)
    assert same_arrays(steps(trainer, 2).checkpoint().training.tensors, later.training.tensors)
    assert same_arrays({**now.snapshot.weights, **now.training.tensors}, as_it_was)


def test_training_further_plans_as_many_epochs_again(digits: ImageDataset, small: Settings) -> None:
    trainer = train_all(Trainer(digits, small))
    trainer.train_further()
    assert trainer.planned_epochs == 4
    train_all(trainer)
    assert trainer.epoch == 4.0


def test_a_non_finite_loss_is_found_and_undone(digits: ImageDataset, small: Settings) -> None:
    trainer = steps(Trainer(digits, small), 4)
    trainer.keep_good_state()
    good = trainer.snapshot()
    with torch.no_grad():
        for parameter in trainer._model.parameters():
            parameter.data.fill_(float("nan"))
    with pytest.raises(NonFiniteError, match="step 5") as caught:
        steps(trainer, 3)
    assert caught.value.step == 5
    with pytest.raises(NonFiniteError):
        trainer.snapshot()
    assert trainer.restore_good_state() == 4
    assert same_arrays(good.weights, trainer.snapshot().weights)
    assert trainer.history.training.view().step.tolist() == [1, 2, 3, 4]
    steps(trainer, 2)
    assert np.isfinite(trainer.history.training.view()["elbo"]).all()


def test_an_absurd_learning_rate_ends_in_the_typed_error(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, updated(small, learning_rate=10.0, optimizer="sgd", schedule="constant"))
    with pytest.raises(NonFiniteError):
        train_all(trainer).snapshot()
    trainer.restore_good_state()
    assert all(np.isfinite(w).all() for w in trainer.snapshot().weights.values())


def test_fewer_images_than_a_batch(digits: ImageDataset, small: Settings) -> None:
    few = replace(digits, train_images=digits.train_images[:7], train_labels=digits.train_labels[:7])
    trainer = train_all(Trainer(few, updated(small, batch_size=128)))
    assert trainer.batch_size == 7
    assert trainer.step_count == 2


def test_blocks_are_bounded(digits: ImageDataset, small: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaeviewer.backend.training.loop.BLOCK_SECONDS", 1e9)
    trainer = Trainer(digits, updated(small, batch_size=1, epochs=1))
    trainer.engine.prepare(wait=True)  # else blocks end where the compiler is waited for
    blocks: list[Any] = []
    loop.train(trainer, go_on=lambda: True, after_block=lambda: blocks.append(trainer.step_count))
    assert blocks == [256, 512, 600]


@pytest.mark.parametrize("spoil", ["weights", "optimizer"])
def test_what_is_not_finite_is_never_kept_as_good(digits: ImageDataset, small: Settings, spoil: str) -> None:
    """The metrics of a step are those before its update, so they cannot tell."""
    trainer = steps(Trainer(digits, small), 4)
    trainer.keep_good_state()
    steps(trainer, 2)
    name = "encoder.0.weight"
    spoilt = dict(trainer._model.named_parameters())[name].data
    if spoil == "optimizer":
        spoilt = trainer.engine.optimizer_state()[f"model.{name}.exp_avg"]
    spoilt[0, 17] = float("nan")
    with pytest.raises(NonFiniteError, match="step 6"):
        trainer.keep_good_state()
    with pytest.raises(NonFiniteError):
        trainer.checkpoint()
    assert trainer.restore_good_state() == 4
    trainer.checkpoint()


def test_a_posterior_that_is_not_finite_is_never_published(digits: ImageDataset, small: Settings) -> None:
    trainer = steps(Trainer(digits, small), 2)
    trainer._rows.loc[3, 0] = float("inf")
    with pytest.raises(NonFiniteError):
        trainer.snapshot()


def test_going_back_keeps_what_was_changed_since(
    digits: ImageDataset, small: Settings, tmp_path: Path
) -> None:
    trainer = steps(Trainer(digits, small), 4)
    trainer.keep_good_state()
    steps(trainer, 3)
    trainer.change("learning_rate", 1e-4)
    trainer.change("epochs", 7)
    steps(trainer, 1)
    assert trainer.restore_good_state() == 4
    assert trainer.settings.train.learning_rate == 1e-4
    assert trainer.planned_epochs == 7
    assert [(c.step, c.field) for c in trainer.timeline] == [(4, "learning_rate"), (4, "epochs")]
    save(trainer, tmp_path / "run")
    assert trainer.settings.train == trainer_of(load_run(tmp_path / "run"), digits).settings.train


def test_going_back_forgets_later_held_out_figures(digits: ImageDataset, small: Settings) -> None:
    trainer = steps(Trainer(digits, small), 12)
    figures = trainer.evaluate()
    trainer.keep_good_state()
    steps(trainer, 12)
    assert trainer.evaluate() != figures
    trainer.restore_good_state()
    assert trainer.held_out == figures
    assert trainer.held_out_is_current


def test_a_smaller_batch_goes_on_in_the_same_epoch(
    digits: ImageDataset, small: Settings, tmp_path: Path
) -> None:
    """The images of the epoch that were not used yet come in the same order, and no other twice."""
    trainer = steps(Trainer(digits, small), 15)  # 12 steps of 50 images are an epoch of 600
    trainer.keep_good_state()
    steps(trainer, 2)
    assert trainer.restore_good_state(batch_size=25) == 15
    assert (trainer.batch_size, trainer.batches.per_epoch) == (25, 24)
    assert trainer.settings.train.batch_size == 25
    assert trainer.epoch == 1.25
    assert [(c.step, c.field, c.value) for c in trainer.timeline] == [(15, "batch_size", 25)]
    save(trainer, tmp_path / "run")
    steps(trainer, 18)
    assert trainer.epoch == 2.0
    posterior = trainer.snapshot().posterior
    assert posterior is not None
    later = np.bincount(posterior.row_steps)[15:]
    assert later.tolist() == [
        150 + 25,
        *[25] * 17,
    ]  # those of the epoch's first quarter were encoded anew at 15

    again = trainer_of(load_run(tmp_path / "run"), digits)
    assert (again.batch_size, again.settings.train.batch_size, again.epoch) == (25, 25, 1.25)
    assert again.initial_settings.train.batch_size == 50
    steps(again, 18)
    assert same_arrays(trainer.snapshot().weights, again.snapshot().weights)
    assert moved_to(again, digits).batch_size == 25


def test_a_run_moves_to_the_cpu_without_its_device(
    digits: ImageDataset, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = steps(Trainer(digits, updated(small, device="auto")), 4)
    trainer.keep_good_state()
    good = trainer.snapshot()
    steps(trainer, 3)
    trainer.change("beta", 2.0)
    for owner, names in (
        (trainer, ("_model", "_rows", "_live", "engine")),
        (trainer._work, ("model", "rows", "noise", "pixels")),
    ):
        for name in names:
            monkeypatch.delattr(owner, name)  # as good as lost
    moved = moved_to_cpu(trainer)
    assert moved.initial_settings.compute.device == "cpu"
    assert moved.settings.model.beta == 2.0
    assert moved.step_count == 4
    assert moved.history.training.view().step.tolist() == [1, 2, 3, 4]
    assert same_arrays(good.weights, moved.snapshot().weights)
    steps(moved, 2)


def test_steps_until_an_epoch_are_counted(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, small)
    per_epoch = trainer.batches.per_epoch
    assert trainer.batches.until(1) == per_epoch
    steps(trainer, 2)
    assert trainer.batches.until(1) == per_epoch - 2
    assert trainer.batches.until(trainer.epoch + 0.5 / per_epoch) == 1, "any part of a step is one"
    assert trainer.batches.until(trainer.epoch) == trainer.batches.until(0) == 0
    assert trainer.batches.until(float("inf")) >= 10**9


def test_a_loss_knows_how_many_steps_were_taken(digits: ImageDataset, small: Settings) -> None:
    trainer = steps(Trainer(digits, updated(small, engine="eager")), 3)
    assert trainer._work.next_batch().step == 3
    restored = Trainer(digits, updated(small, engine="eager"))
    restored.restore(trainer.checkpoint(), History.empty(trainer.family.metrics), [])
    assert restored._work.next_batch().step == 3
