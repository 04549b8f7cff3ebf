"""The hand-made step is an accelerator and no more: without its folder the program trains, draws, saves and resumes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]

TRAINING = (
    "backend/models/test_registry.py",
    "backend/training/test_trainer.py",
    "backend/runs/test_formats.py",
)
"""Training, saving and resuming."""

WINDOW = "ui/test_other_family.py::test_chosen_trained_dragged_saved_and_opened_again"
"""Three kinds of model."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program and its tests, without what only the fused step needs."""
    folder = tmp_path_factory.mktemp("copy")
    rubbish = shutil.ignore_patterns("__pycache__", "fused")
    for name in ("vaeviewer", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=rubbish)
    (folder / "resources").symlink_to(ROOT / "resources")
    shutil.copy(ROOT / "pyproject.toml", folder)
    assert not list(folder.rglob("fused"))
    return folder


def run(copy: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_command_line_says_that_there_is_none(copy: Path, tmp_path: Path) -> None:
    quick = ("--epochs", "1", "--hidden", "16", "--threads", "1", "--json")
    done = run(copy, "vaeviewer", "train", "--out", tmp_path / "run", *quick)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["engine_reason"] == "no fused step: this installation has none"
    assert "eager" in report["mode"]
    refused = run(copy, "vaeviewer", "train", "--out", tmp_path / "other", "--engine", "fused", *quick)
    assert refused.returncode == 2
    assert "this installation has none; use auto or eager" in refused.stderr


def passed(copy: Path, *words: str) -> int:
    """How many tests pass there; none fails."""
    done = run(copy, "pytest", "-q", "-p", "no:cacheprovider", *words)
    assert done.returncode == 0, done.stdout[-10_000:]
    return int(done.stdout.rsplit(" passed", 1)[0].split()[-1])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_training_and_resuming_work_without_it(copy: Path) -> None:
    tests = [f"tests/{name}" for name in TRAINING]
    assert passed(copy, "-k", "not fused_step", *tests) > 50


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_window_trains_is_dragged_and_opens_a_run_without_it(copy: Path) -> None:
    assert passed(copy, f"tests/{WINDOW}") == 3
