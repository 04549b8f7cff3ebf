"""``vaeviewer evaluate --exact``, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vaeviewer.cli import main

pytestmark = pytest.mark.slow

QUICK = ("--hidden", "16", "--epochs", "1", "--threads", "1", "--device", "cpu", "--engine", "eager")


def run_of(tmp_path: Path, *words: str) -> str:
    out = str(tmp_path / "run")
    family = words[words.index("--family") + 1] if "--family" in words else "vae"
    assert main(["train", "--out", out, *(() if family == "pca" else QUICK), *words]) == 0
    return out


def report_of(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    capsys.readouterr()
    assert main(["evaluate", *words, "--exact", "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_it_says_what_the_elbo_falls_short_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run_of(tmp_path, "--protocol", "dynamic")
    found = report_of(capsys, out, "--limit", "30")
    log_px, elbo, gap, error = (found[key] for key in ("log_px", "elbo", "gap", "log_px_error"))
    assert isinstance(log_px, float)
    assert isinstance(elbo, float)
    assert isinstance(error, float)
    assert gap == pytest.approx(log_px - elbo)
    assert elbo < log_px
    assert 0.0 <= error < 0.01
    weighted = found["importance"]
    assert isinstance(weighted, dict)
    assert weighted["samples"] == 100
    assert elbo < weighted["log_px"] < log_px + 0.2
    assert found["images"] == 30
    assert isinstance(found["smoothness"], float)
    assert found["smoothness"] > 0.0
    assert found["seconds"] > 0.0  # type: ignore[operator]
    assert main(["evaluate", out, "--exact", "--limit", "5"]) == 0
    said = capsys.readouterr().out
    assert "log p(x) " in said
    assert "dynamically binarised" in said
    assert "100 samples each" in said
    assert "smoothness" in said


def test_of_a_linear_model_it_is_its_own_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The family's exact log p(x) stands under the same key, and quadrature does not change it."""
    out = run_of(tmp_path, "--family", "pca")
    capsys.readouterr()
    assert main(["evaluate", out, "--limit", "50", "--json"]) == 0
    closed = json.loads(capsys.readouterr().out)["log_px"]
    assert report_of(capsys, out, "--limit", "50")["log_px"] == pytest.approx(closed, abs=1e-3)


def test_with_many_dimensions_it_is_estimated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run_of(tmp_path, "--latent-dim", "4")
    found = report_of(capsys, out, "--limit", "2", "--annealed")
    assert found["log_px"] is None
    assert found["gap"] is None
    weighted, annealed = found["importance"], found["annealed"]
    assert isinstance(weighted, dict)
    assert isinstance(annealed, dict)
    assert weighted["samples"] == 1000
    assert weighted["log_px"] == pytest.approx(annealed["log_px"], abs=3.0)


def test_of_a_conditional_model_it_is_given_the_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run_of(tmp_path, "--family", "conditional")
    capsys.readouterr()
    assert main(["evaluate", out, "--exact", "--limit", "2"]) == 0
    assert "log p(x|y) " in capsys.readouterr().out


@pytest.mark.parametrize(("family", "word"), [("autoencoder", "likelihood"), ("semi-supervised", "M1+M2")])
def test_models_without_a_density_say_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], family: str, word: str
) -> None:
    out = run_of(tmp_path, "--family", family)
    capsys.readouterr()
    assert main(["evaluate", out, "--exact"]) == 2
    said = capsys.readouterr().err
    assert word in said
    assert said.strip().count("\n") == 0


def test_without_held_out_images_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (6, 8, 8), np.uint8))
    out = run_of(tmp_path, "--data", str(tmp_path / "images.npy"), "--held-out", "0")
    capsys.readouterr()
    assert main(["evaluate", out, "--exact", "--json"]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert "held out" in said.err
    assert said.err.strip().count("\n") == 0
