"""SIGKILL while it trains and saves: the run folder opens every time, at the last step that was announced or later."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vaeviewer.backend.runs.folder import load_run

pytestmark = pytest.mark.slow

KILLS_PER_RUN = 20
SCRIPT = Path(__file__).with_name("killed_trainer.py")


@pytest.mark.timeout(900)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks a process that has loaded torch")
def test_a_run_survives_kills_at_random_moments(tmp_path: Path, exhaustive: bool, figures: list[str]) -> None:
    rng = random.Random(11)
    kills = 300 if exhaustive else 8
    saves = during_save = 0
    with subprocess.Popen(
        [sys.executable, SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for kill in range(kills):
            folder, announced = tmp_path / f"run-{kill // KILLS_PER_RUN}", tmp_path / "announced"
            announced.write_text("")
            process.stdin.write(f"{folder}\t{announced}\n")
            process.stdin.flush()
            child = int(process.stdout.readline())
            wait_for_a_save(announced)
            time.sleep(rng.uniform(0.0, 0.2))
            os.kill(child, signal.SIGKILL)
            assert process.stdout.readline() == "gone\n"

            steps = [int(line) for line in announced.read_text().split()]
            before = names_in(folder)
            run = load_run(folder)
            assert run.notes == ()
            assert run.checkpoint.snapshot.step >= steps[-1]
            saves += len(steps)
            during_save += len(before) > 7 or any(name.endswith(".tmp") for name in before)
            assert len(before) <= 7 + 5, "what crashed saves leave does not pile up"
        process.stdin.close()
    figures.append(
        f"{kills} kills, {saves} saves; {during_save} kills left unfinished files, none left an unreadable folder"
    )


def wait_for_a_save(announced: Path) -> None:
    end = time.perf_counter() + 30
    while not announced.read_text().endswith("\n"):
        assert time.perf_counter() < end
        time.sleep(0.001)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
