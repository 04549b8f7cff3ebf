"""The same settings, seed, threads and machine give the same weights: in the window, dragged or not, whether the step's
code is compiled at that moment or was before, and on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import same_arrays
from small_images import write_idx_folder

from vaeviewer.backend.runs.folder import Run, load_run

CHANGES = {"hidden": [48, 24], "epochs": 3, "batch_size": 20, "threads": 2, "seed": 5}
IMAGES = 4_000
"""600 steps: from a third of them on they are fused, where that can be."""

WINDOW = """
import json, os, sys
from pathlib import Path
from vaeviewer import app
from vaeviewer.backend.config import updated
from vaeviewer.bench import stage
from vaeviewer.bench.drag import Drag
from vaeviewer.session.states import State

data, dragged, changes = sys.argv[1], sys.argv[2] == "dragged", json.loads(sys.argv[3])
stage.hush_qt()
window = app.create_main_window(data=Path(data))
session = window.session
session.settings = updated(session.settings, **changes)
window.show()
assert stage.wait_until(lambda: session.state is State.READY)
window.controls.press_train()
while session.state is not State.FINISHED:
    if dragged:
        drag = Drag(window, 125)
        drag.start()
    stage.pause(0.3)
    if dragged:
        drag.stop()
assert stage.wait_until(lambda: session.saved_step == session.progress.step)
print(json.dumps({"run": str(session.folder), "mode": session.progress.mode}))
window.close()
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_window_and_command_line_give_the_same_weights(tmp_path: Path) -> None:
    data = tmp_path / "images"
    write_idx_folder(data, train=IMAGES, height=12, width=12)

    def answer(words: list[str], home: str) -> dict[str, str]:
        """What a program says that has the home folder ``home``, with what was compiled before in it."""
        environment = {**os.environ, "VAEVIEWER_HOME": str(tmp_path / home)}
        done = subprocess.run(
            [sys.executable, *words], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    def window(home: str, dragged: str) -> dict[str, str]:
        return answer(["-c", WINDOW, str(data), dragged, json.dumps(CHANGES)], home)

    flags = [
        word
        for name, value in CHANGES.items()
        for word in (
            f"--{name.replace('_', '-')}",
            ",".join(map(str, value)) if isinstance(value, list) else str(value),
        )
    ]
    told = {
        "an empty cache": window("cold", "left alone"),
        "dragged": window("cold", "dragged"),
        "command line": answer(
            [
                "-m",
                "vaeviewer",
                "train",
                "--out",
                str(tmp_path / "run"),
                "--data",
                str(data),
                *flags,
                "--json",
            ],
            "cold",
        ),
    }
    assert len({found["mode"] for found in told.values()}) == 1, told
    runs: dict[str, Run] = {name: load_run(Path(found["run"])) for name, found in told.items()}
    first = runs["command line"]
    assert first.checkpoint.snapshot.step == CHANGES["epochs"] * IMAGES // CHANGES["batch_size"]  # type: ignore[operator]
    for name, run in runs.items():
        assert run.checkpoint.snapshot.step == first.checkpoint.snapshot.step, name
        assert same_arrays(run.checkpoint.snapshot.weights, first.checkpoint.snapshot.weights), name
        assert same_arrays(run.checkpoint.training.tensors, first.checkpoint.training.tensors), name
