"""What the plane shows is true of the step it names, at any pace."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data import load_dataset
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.states import Action, State
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


def drawn_steps(
    qtbot: QtBot, window: MainWindow, steps: int, timeout_s: float
) -> dict[int, tuple[NDArray[np.float32], str]]:
    """Train, and note what the plane draws and says after each of its changes, until so many steps were drawn.

    Afterwards, so that the encoding takes no time from the window, all positions are held against the encoder's.
    """
    found: dict[int, tuple[NDArray[np.float32], str]] = {}
    snapshots: dict[int, Snapshot] = {}
    plane = window.plane

    def look() -> bool:
        snapshot, positions = window.session.snapshot, plane._points.positions
        if snapshot is None or positions is None or snapshot.posterior is not plane._points.posterior:
            return False
        if snapshot.step and snapshot.step not in found:
            assert plane._points.late is None
            found[snapshot.step] = positions.copy(), plane._step_item.text
            snapshots[snapshot.step] = snapshot
        return len(found) >= steps

    window.session.request(Action.TRAIN)
    qtbot.waitUntil(look, timeout=int(1000 * timeout_s))
    window.session.request(Action.PAUSE)
    qtbot.waitUntil(lambda: window.session.state is State.PAUSED, timeout=30_000)
    parts = np.array_split(window.session.dataset.train_images, 20)
    for step, snapshot in snapshots.items():
        encoded = np.concatenate([snapshot.encode(part)[0] for part in parts])
        np.testing.assert_allclose(found[step][0], encoded[:, :2], rtol=0, atol=1e-4)
    return found


def test_in_slow_motion_every_point_is_of_the_step_that_the_plane_names(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, epochs=1000))
    trainer = window.session._thread._driver.trainer
    encode, calls = trainer.refresh_posterior, []

    def encode_beside_a_busy_program() -> None:
        calls.append(1)
        if len(calls) == 2:
            time.sleep(0.4)
        encode()

    trainer.refresh_posterior = encode_beside_a_busy_program
    window.session.set_steps_per_second(19.0)
    found = drawn_steps(qtbot, window, 40, 30)
    assert {step: text for step, (_, text) in found.items()} == {step: f"step {step:,}" for step in found}
    last = max(found)
    snapshot = window.session.snapshot
    if snapshot.step == last:  # else a step was taken meanwhile
        np.testing.assert_allclose(window.plane._points.positions, found[last][0], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("images", [10_000, 60_000])
def test_a_step_a_second_shows_forty_true_pictures(
    qtbot: QtBot, make_window: MakeWindow, exhaustive: bool, images: int, figures: list[str]
) -> None:
    folder = os.environ.get("VAEVIEWER_TEST_MNIST", "")
    if not exhaustive or (images == 60_000 and not folder):
        pytest.skip("takes a minute: --exhaustive; and for 60,000 images MNIST, see the README")
    window = make_window(updated(Settings(), epochs=1000))
    full: ImageDataset = load_dataset("mnist", Path(folder)) if images == 60_000 else load_dataset()
    window.session.use_data(full, keep_model=False)
    qtbot.waitUntil(
        lambda: window.session.dataset is full and window.session.state is State.READY, timeout=60_000
    )
    window.session.set_steps_per_second(1.0)
    found = drawn_steps(qtbot, window, 40, 400)
    assert sorted(found) == list(range(1, 41)), "each step is shown"
    figures.append(
        f"{images:,} images: 40 steps at one a second, {40 * images:,} positions are the encoder's"
    )


def test_a_change_to_slow_motion_shows_the_whole_plane_at_once(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, epochs=100_000))
    session = window.session
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: session.snapshot is not None and session.snapshot.step > 100, timeout=20_000)
    session.set_steps_per_second(0.1)  # so that no second slow step can mend it

    def consistent() -> bool:
        return (
            window.plane._points.posterior is session.snapshot.posterior is not None
            and (session.snapshot.posterior.row_steps == session.snapshot.step).all()
        )

    qtbot.waitUntil(consistent, timeout=5_000)
    assert window.plane._step_item.text == f"step {session.snapshot.step:,}"
    qtbot.wait(300)
    assert session.progress.step - session.snapshot.step == 0


def test_points_that_training_has_not_come_to_are_fainter_and_below(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, epochs=1000, batch_size=10))
    plane, session = window.plane, window.session
    session._thread._publisher._encode_costs.extend([10.0] * 5)  # as with many images
    session.set_steps_per_second(50.0)
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: plane._points.late is not None and session.snapshot.step >= 4, timeout=20_000)
    table, step = plane._points.posterior, session.snapshot.step
    assert np.ptp(table.row_steps) > 0
    np.testing.assert_array_equal(plane._points.late, table.row_steps < step // 2)
    assert plane._step_item.text == f"step {step:,} (faint points: from earlier steps)"
    session.request(Action.PAUSE)
    qtbot.waitUntil(lambda: session.state is State.PAUSED)
    qtbot.waitUntil(lambda: plane._step_item.text == f"step {session.snapshot.step:,}")
    assert plane._points.late is None


def test_single_steps_count_one_by_one(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> None:
    window = make_window(small)
    session = window.session
    for step in range(1, 6):
        session.request(Action.STEP)
        qtbot.waitUntil(lambda: session.state is State.PAUSED and session.snapshot.step > 0)
        qtbot.waitUntil(lambda n=step: window.plane._step_item.text == f"step {n}")
        assert window.statusBar().findChild(object, "stepStatus").text() == f"step {step}"
