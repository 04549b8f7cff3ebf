"""The same settings, seed, threads and machine give the same weights: in the window, dragged while the step's code is
being compiled, and on the command line, where it was compiled before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import same_arrays
from small_images import write_idx_folder

from vaeviewer.backend.runs.folder import load_run
from vaeviewer.native.object_code import available

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

data, changes = sys.argv[1], json.loads(sys.argv[2])
stage.hush_qt()
window = app.create_main_window(data=Path(data))
session = window.session
session.settings = updated(session.settings, **changes)
window.show()
assert stage.wait_until(lambda: session.state is State.READY)
window.controls.press_train()
while session.state is not State.FINISHED:
    drag = Drag(window, 125)
    drag.start()
    stage.pause(0.3)
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

    environment = {**os.environ, "VAEVIEWER_HOME": str(tmp_path / "cold")}  # nothing is compiled yet

    def answer(*words: str) -> dict[str, str]:
        """What a program says."""
        done = subprocess.run(
            [sys.executable, *words], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    flags = [
        word
        for name, value in CHANGES.items()
        for word in (
            f"--{name.replace('_', '-')}",
            ",".join(map(str, value)) if isinstance(value, list) else str(value),
        )
    ]
    told = [answer("-c", WINDOW, str(data), json.dumps(CHANGES))]
    command = ("train", "--out", str(tmp_path / "run"), "--data", str(data), *flags, "--json")
    told.append(answer("-m", "vaeviewer", *command))
    assert told[0]["mode"] == told[1]["mode"]
    assert told[0]["mode"].endswith("fused") is available()
    first, second = (load_run(Path(found["run"])).checkpoint for found in told)
    assert first.snapshot.step == CHANGES["epochs"] * IMAGES // CHANGES["batch_size"]  # type: ignore[operator]
    assert first.snapshot.step == second.snapshot.step
    assert same_arrays(first.snapshot.weights, second.snapshot.weights)
    assert same_arrays(first.training.tensors, second.training.tensors)
