"""What a user can mend is one sentence, however deep it came up."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from vaeviewer import cli
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data import load_dataset
from vaeviewer.backend.runs.copying import copy_of_run
from vaeviewer.backend.runs.saving import save_run
from vaeviewer.backend.training.trainer import Trainer

TOO_LITTLE = """
import resource, sys
from pathlib import Path
import vaeviewer.backend.runs.restore, vaeviewer.backend.runs.autosave
from vaeviewer import cli
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 400 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits a process as Linux does")
def test_too_little_memory_to_build_a_model_is_one_sentence(tmp_path: Path) -> None:
    words = ["train", "--out", str(tmp_path / "run"), "--hidden", "8192,8192", "--threads", "1"]
    done = subprocess.run(
        [sys.executable, "-c", TOO_LITTLE, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "not enough memory" in done.stderr


def test_weights_too_large_to_evaluate_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = Trainer(load_dataset(), updated(Settings(), hidden=[8], threads=1))
    run = copy_of_run(trainer, tmp_path / "run")
    snapshot = run.checkpoint.snapshot
    large = {name: array * (1e25 if "decoder" in name else 1) for name, array in snapshot.weights.items()}
    save_run(replace(run, checkpoint=replace(run.checkpoint, snapshot=replace(snapshot, weights=large))))
    assert cli.main(["evaluate", str(tmp_path / "run")]) == 2
    assert "holds weights too large to compute with." in capsys.readouterr().err
