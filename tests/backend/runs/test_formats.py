"""Run folders that earlier versions wrote open, evaluate to the same figures, and go on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vaeviewer.backend.runs import restore
from vaeviewer.backend.runs.folder import read_manifest
from vaeviewer.backend.runs.formats import FORMAT
from vaeviewer.backend.runs.listing import summary_of
from vaeviewer.backend.runs.saving import mark_in_training
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.records import Change
from vaeviewer.backend.training.trainer import Trainer

FIXTURES = Path(__file__).parents[2] / "fixtures" / "runs-format-2"
"""``grey`` is the Bernoulli VAE with Adam; ``gaussian`` has a learned variance, three dimensions, Adagrad and a change
of its epochs. Beside each stand the figures that the version which wrote it printed, then and at its end."""


@pytest.fixture(params=["grey", "gaussian"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / request.param, tmp_path / request.param))


def figures(folder: Path, when: str) -> dict[str, float]:
    found = json.loads((FIXTURES / f"{folder.name}.{when}.json").read_text())
    found = found.get("held_out", found)
    return {key: found[key] for key in ("elbo", "reconstruction", "kl")}


@pytest.mark.slow
def test_it_evaluates_to_the_same_figures(folder: Path) -> None:
    found = restore.open_run(folder).evaluate(record=False)
    assert found is not None
    assert found.values == pytest.approx(figures(folder, "evaluate"), abs=1e-3)
    assert summary_of(folder).held_out == pytest.approx(found.values["elbo"], abs=1e-3)


def finish(trainer: Trainer) -> dict[str, float]:
    loop.train(trainer, go_on=lambda: 1, after_block=lambda: None)
    assert trainer.held_out is not None
    return dict(trainer.held_out.values)


@pytest.mark.slow
def test_it_goes_on_as_it_would_have(folder: Path) -> None:
    """With its optimizer's state: without, the figures differ by nats."""
    trainer = restore.open_run(folder)
    assert finish(trainer) == pytest.approx(figures(folder, "resumed"), abs=0.2)
    if folder.name == "gaussian":
        assert Change(15, "epochs", 4) in trainer.timeline
        assert trainer.settings.model.beta == 0.5


@pytest.mark.slow
def test_its_manifest_may_be_renewed_while_its_files_stay(folder: Path) -> None:
    mark_in_training(folder, in_training=True)
    assert read_manifest(folder).format == FORMAT
    assert finish(restore.open_run(folder)) == pytest.approx(figures(folder, "resumed"), abs=0.2)


def test_format_1_ended_cleanly(folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text()) | {"format": 1}
    del manifest["in_training"]
    path.write_text(json.dumps(manifest))
    assert not summary_of(folder).in_training
    assert restore.load_run(folder).checkpoint.snapshot.step == summary_of(folder).step


@pytest.mark.parametrize(
    "damage",
    [
        {"settings": 3},
        {"settings": {"train": []}},
        {"settings": {"train": {}, "model": 1}},
        {"checkpoints": {"a": 1}},
    ],
)
def test_what_is_wrong_with_an_old_manifest_is_said(folder: Path, damage: dict[str, object]) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    with pytest.raises(restore.RunFolderError, match=next(iter(damage))):
        restore.load_run(folder)
