"""Images in colour from the array to the picture: trained on, looked at, saved and opened again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from run_folders import save

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import DataSource, ImageDataset
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.runs.restore import moved_to, trainer_of
from vaeviewer.backend.training.loop import FREELY, train
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import DataError


def coloured(count: int = 300, height: int = 9, width: int = 11) -> ImageDataset:
    """Squares of one colour each, red left and blue right, on black: another picture turned, mirrored or in BGR."""
    draws = np.random.default_rng(4)
    images = np.zeros((count, height, width, 3), np.uint8)
    labels = draws.integers(0, 2, count)
    for image, label in zip(images, labels, strict=True):
        top = 5 * draws.integers(0, 2)
        image[top : top + 4, 6 * label : 6 * label + 4, 2 * label] = 230
    held_out = count // 5
    return ImageDataset(
        "coloured squares",
        DataSource(key="folder", path="/squares", checksum="c" * 64),
        images[held_out:],
        labels[held_out:],
        images[:held_out],
        labels[:held_out],
        class_names=("red", "blue"),
    )


def to_the_end(trainer: Trainer) -> None:
    train(trainer, go_on=lambda: FREELY, after_block=lambda: None)
    trainer.evaluate()


@pytest.fixture(params=["vae", "denoising"])
def trained(request: pytest.FixtureRequest, small: Settings) -> Trainer:
    settings = updated(small, family=request.param, epochs=80, learning_rate=5e-3)
    trainer = Trainer(coloured(), settings)
    to_the_end(trainer)
    return trainer


@pytest.mark.slow
def test_colours_come_back_where_they_were(trained: Trainer) -> None:
    snapshot, images = trained.snapshot(), trained.dataset.held_out_images
    codes = snapshot.encode(images)
    assert codes is not None
    drawn = snapshot.decode_levels(codes[0])
    assert drawn.shape == images.shape
    error = np.abs(drawn.astype(int) - images).mean()
    assert error < 0.5 * np.abs(images[::-1].astype(int) - images).mean()
    # Turning the channels round must make it worse: what is red is drawn red.
    assert error < 0.5 * np.abs(drawn[..., ::-1].astype(int) - images).mean()


@pytest.mark.slow
def test_numpy_and_torch_draw_the_same_colours(trained: Trainer) -> None:
    snapshot = trained.snapshot()
    z = np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32)
    model = trained.family.build(*snapshot.key)
    model.load_state_dict({name: torch.tensor(array) for name, array in snapshot.weights.items()})
    with torch.no_grad():
        by_torch = model.eval().decode(torch.tensor(z)).mean
    assert by_torch.shape == (5, 3, 9, 11)
    np.testing.assert_allclose(snapshot.decode(z), by_torch.permute(0, 2, 3, 1).numpy(), atol=1e-5)


@pytest.mark.slow
def test_a_run_in_colour_opens_again(trained: Trainer, tmp_path: Path) -> None:
    save(trained, tmp_path / "run")
    run = load_run(tmp_path / "run")
    assert run.data.image.channels == 3
    again = trainer_of(run, trained.dataset)
    z = np.zeros((1, 2), np.float32)
    np.testing.assert_array_equal(again.snapshot().decode(z), trained.snapshot().decode(z))
    assert again.evaluate() == trained.held_out


def test_grey_images_do_not_go_into_a_model_of_colour(small: Settings) -> None:
    data = coloured(60)
    grey = replace(
        data,
        train_images=data.train_images[..., 0].copy(),
        held_out_images=data.held_out_images[..., 0].copy(),
    )
    with pytest.raises(DataError, match="9×11 pixels, but the model draws 9×11 pixels in colour"):
        moved_to(Trainer(data, small), grey)


@pytest.mark.slow
def test_the_fused_step_and_the_eager_one_see_the_same_colours(small: Settings) -> None:
    figures = {}
    for engine in ("fused", "eager"):
        trainer = Trainer(coloured(), updated(small, epochs=60, engine=engine, learning_rate=5e-3))
        to_the_end(trainer)
        assert trainer.held_out is not None
        figures[engine] = trainer.held_out.values["elbo"]
    assert figures["fused"] == pytest.approx(figures["eager"], abs=2.0)
