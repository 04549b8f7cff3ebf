"""A family that nobody foresaw trains, evaluates, is saved, opened and resumed without any other change."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import same_arrays
from own_families import LaplaceVAE, Mean, Normed, TwoPlayers
from run_folders import save

from vaeviewer.backend.config import Settings, live_fields, presets, protocol_text, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models import registry
from vaeviewer.backend.runs import restore
from vaeviewer.backend.runs.folder import load_run, read_manifest
from vaeviewer.backend.runs.listing import summary_of
from vaeviewer.backend.snapshot import TorchSnapshot
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.cli import main
from vaeviewer.errors import SettingsError


@pytest.fixture(params=[TwoPlayers, Normed], ids=lambda kind: kind.key)
def settings(request: pytest.FixtureRequest, small: Settings) -> Iterator[Settings]:
    family = request.param()
    registry.register(family)
    yield updated(small, family=family.key, epochs=3, learning_rate=0.01)
    registry.unregister(family.key)


def train(trainer: Trainer, until: int = 10**6) -> Trainer:
    loop.train(trainer, go_on=lambda: min(1, max(0, until - trainer.step_count)), after_block=lambda: None)
    return trainer


def test_the_families_of_the_program_are_found() -> None:
    assert next(iter(registry.families())) == "vae"
    assert "denoising" in registry.families()
    for key, family in registry.families().items():
        assert family.key == key == family.Config().family
        assert family.title
        assert family.sentence.endswith(".")
        assert family.metrics.stored
        assert family.metrics.headline.better in ("higher", "lower")
        assert family.source[-4:].isdigit(), "lists are in the order of years"
    kin = [family.kin for family in registry.families().values()]
    assert len([*itertools.groupby(kin)]) == len({*kin}), "each group stands together"


@pytest.mark.slow
def test_it_learns_and_has_its_own_metrics(settings: Settings, digits: ImageDataset) -> None:
    trainer = Trainer(digits, settings)
    before = trainer.evaluate()
    held_out = train(trainer).held_out
    assert before is not None
    assert held_out is not None
    assert held_out.values["error"] < 0.9 * before.values["error"]
    assert held_out.values.keys() == {"error", "size", "balance"}
    rows = trainer.history.training.view()
    assert set(rows.columns()) == {"step", "epoch", "error", "size"}
    np.testing.assert_array_equal(rows["balance"], rows["error"] + rows["size"])
    assert protocol_text(settings) == "grey levels"
    assert live_fields(settings) == {"epochs", "learning_rate", "pull"}
    assert list(presets(settings.model.family)) == ["default"]


@pytest.mark.slow
def test_it_is_saved_opened_and_resumed_bit_for_bit(
    settings: Settings,
    digits: ImageDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(restore, "load_source", lambda *_: digits)
    whole = train(Trainer(digits, settings))
    part = train(Trainer(digits, settings), until=17)
    part.change("pull", 0.1)  # noted, though it changes nothing
    save(part, tmp_path)
    assert read_manifest(tmp_path).settings == settings
    found = summary_of(tmp_path)
    assert found.headline.key == "error"

    resumed = restore.open_run(tmp_path)
    assert [change.field for change in resumed.timeline] == ["pull"]
    train(resumed)
    first, second = whole.checkpoint(), resumed.checkpoint()
    assert same_arrays(first.snapshot.weights, second.snapshot.weights)
    assert same_arrays(first.training.tensors, second.training.tensors)
    assert whole.held_out == resumed.held_out
    assert whole.held_out is not None
    save(resumed, tmp_path)
    assert main(["evaluate", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {key: report[key] for key in whole.held_out.values} == pytest.approx(
        whole.held_out.values, rel=1e-5
    )


@pytest.mark.slow
def test_a_snapshot_of_it_decodes_as_the_model_does_in_eval(settings: Settings, digits: ImageDataset) -> None:
    """Batch normalisation would give each image another picture, depending on what is decoded beside it."""
    trainer = train(Trainer(digits, settings))
    snapshot = trainer.snapshot()
    assert isinstance(snapshot, TorchSnapshot)
    assert not snapshot.instant
    z = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    images = snapshot.decode(z)
    assert images.shape == (5, *digits.image_shape)
    trainer._model.eval()
    with torch.no_grad():
        expected = trainer._model.decode(torch.tensor(z)).mean[:, 0].numpy()
    np.testing.assert_allclose(images, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(snapshot.decode(z[2:3])[0], images[2], rtol=1e-5, atol=1e-6)
    assert snapshot.posterior is not None
    assert snapshot.posterior.scale is None
    trainer.refresh_posterior()
    table, codes = trainer.snapshot().posterior, snapshot.encode(digits.train_images)
    assert table is not None
    assert codes is not None
    np.testing.assert_allclose(table.loc, codes[0], rtol=1e-4, atol=1e-5)


def test_its_buffers_are_part_of_it(digits: ImageDataset, small: Settings, tmp_path: Path) -> None:
    registry.register(Normed())
    try:
        trainer = train(Trainer(digits, updated(small, family="normed", epochs=1)))
        save(trainer, tmp_path)
        weights = load_run(tmp_path).checkpoint.snapshot.weights
        assert weights["generation.1.num_batches_tracked"].dtype == np.int64
        # Two players look at the batch, one of them twice.
        assert weights["generation.1.num_batches_tracked"] == 3 * trainer.step_count
        assert not np.allclose(weights["generation.1.running_mean"], 0)
        before = {name: array.copy() for name, array in weights.items()}
        train(trainer, until=trainer.step_count + 2)
        trainer.restore_good_state()
        trainer.evaluate()
        assert same_arrays(before, load_run(tmp_path).checkpoint.snapshot.weights)
    finally:
        registry.unregister("normed")


def test_the_fused_step_says_why_it_does_not_serve(settings: Settings, digits: ImageDataset) -> None:
    trainer = Trainer(digits, settings)
    assert trainer.mode.endswith("eager")
    assert "made for the variational autoencoder" in trainer.engine_reason
    with pytest.raises(SettingsError, match="variational autoencoder"):
        Trainer(digits, updated(settings, engine="fused"))


def test_data_without_held_out_images_have_no_held_out_figures(
    settings: Settings, digits: ImageDataset
) -> None:
    from dataclasses import replace

    none = replace(
        digits, held_out_images=digits.held_out_images[:0], held_out_labels=digits.held_out_labels[:0]
    )
    trainer = train(Trainer(none, settings))
    assert trainer.held_out is None
    assert len(trainer.history.held_out) == 0
    assert trainer.finished


@pytest.fixture
def laplace(small: Settings) -> Iterator[Settings]:
    registry.register(LaplaceVAE())
    yield updated(small, family="laplace")
    registry.unregister("laplace")


def test_what_draws_without_a_generator_repeats(
    laplace: Settings, digits: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights as layers draw them, dropout, and rsample in training and on held-out images."""
    monkeypatch.setattr(restore, "load_source", lambda *_: digits)
    torch.manual_seed(1)
    whole = train(Trainer(digits, laplace))
    torch.manual_seed(2)
    part = train(Trainer(digits, laplace), until=17)
    save(part, tmp_path)
    torch.manual_seed(3)
    resumed = train(restore.open_run(tmp_path))
    assert resumed.held_out == whole.held_out
    assert same_arrays(resumed.checkpoint().snapshot.weights, whole.checkpoint().snapshot.weights)
    other = train(Trainer(digits, updated(laplace, seed=8)), until=1)
    assert not same_arrays(other.checkpoint().snapshot.weights, whole.checkpoint().snapshot.weights)
    part = train(Trainer(digits, laplace), until=1)
    drawn = torch.rand(3)
    train(part, until=2)
    assert not torch.equal(torch.rand(3), drawn), "each step draws anew"


def test_a_posterior_of_any_kind_has_its_standard_deviations(laplace: Settings, digits: ImageDataset) -> None:
    trainer = Trainer(digits, laplace)
    snapshot = trainer.snapshot()
    x = digits.train_images[:5]
    table, codes = snapshot.posterior, snapshot.encode(x)
    assert table is not None
    assert codes is not None
    assert table.scale is not None
    with torch.no_grad():
        scale = trainer._model.eval().encode(torch.tensor(x)[:, None] / 255).base_dist.scale  # type: ignore[union-attr]
    # Of a Laplace distribution of scale b it is √2 b.
    for found in (codes[1], table.scale[:5]):
        np.testing.assert_allclose(found, np.sqrt(2) * scale.numpy(), rtol=1e-4)


@pytest.mark.parametrize("protocol", ["grey", "threshold"])
def test_one_that_is_solved_at_once_has_no_steps_to_take(
    small: Settings,
    digits: ImageDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    protocol: str,
) -> None:
    monkeypatch.setattr(restore, "load_source", lambda *_: digits)
    registry.register(Mean())
    try:
        trainer = train(Trainer(digits, updated(small, family="mean-image", protocol=protocol)))
        assert trainer.finished
        assert trainer.step_count == 0
        weights = trainer.snapshot().weights
        seen = digits.train_images / 255 if protocol == "grey" else (digits.train_images > 127).astype(float)
        np.testing.assert_allclose(weights["levels"], seen.mean((1, 2)), atol=1e-6)
        zeros = digits.train_labels == 0
        np.testing.assert_allclose(weights["picture"][0], seen[zeros].mean(0), atol=1e-6)
        held_out = trainer.evaluate()
        assert held_out is not None
        save(trainer, tmp_path)
        opened = restore.open_run(tmp_path)
        assert opened.held_out == held_out
        assert opened.finished
        assert same_arrays(opened.snapshot().weights, weights)
        assert load_run(tmp_path).checkpoint.snapshot.data.images == 600
        assert main(["train", "--resume", str(tmp_path)]) == 0
        assert "nothing to train" in capsys.readouterr().out
        again = Trainer(digits, updated(small, family="mean-image", protocol=protocol))
        assert same_arrays(again.snapshot().weights, weights), "its draws are the seed's"
    finally:
        registry.unregister("mean-image")
