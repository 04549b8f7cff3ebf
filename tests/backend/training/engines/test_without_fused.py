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

TESTS = (
    "backend/training/test_trainer.py",
    "backend/runs/test_formats.py",
    "ui/test_other_family.py::test_chosen_trained_dragged_saved_and_opened_again[denoising-NumpySnapshot]",
)
"""Training, saving and resuming, and all of it in a window."""

TWO_COMMANDS = """
import sys
from vaeviewer.cli import main
quick = "--epochs 1 --hidden 16 --threads 1 --json".split()
assert main(["train", "--out", sys.argv[1], *quick]) == 0
sys.exit(main(["train", "--out", sys.argv[2], "--engine", "fused", *quick]))
"""


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
        [sys.executable, *map(str, words)],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_command_line_says_that_there_is_none(copy: Path, tmp_path: Path) -> None:
    done = run(copy, "-c", TWO_COMMANDS, tmp_path / "run", tmp_path / "other")
    assert done.returncode == 2, done.stderr
    report = json.loads(done.stdout)
    assert report["engine_reason"] == "no fused step: this installation has none"
    assert "eager" in report["mode"]
    assert "this installation has none; use auto or eager" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_training_resuming_and_a_window_work_without_it(copy: Path) -> None:
    tests = [f"tests/{name}" for name in TESTS]
    of_adam = ("-k", "not sgd and not adagrad")  # nothing else was fused
    done = run(copy, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", *of_adam, *tests)
    assert done.returncode == 0, done.stdout[-10_000:]
    assert int(done.stdout.rsplit(" passed", 1)[0].split()[-1]) > 40
