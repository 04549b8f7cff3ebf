"""The lens beside a drag: a map within the call, and all else of the image at which it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication
from pytestqt.qtbot import QtBot

from vaeviewer.analysis.lens import Asked, Lens, Search
from vaeviewer.analysis.lens_check import checked_lens
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session import lens_follower
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.lens_follower import LensFollower


@pytest.fixture
def decoder(qtbot: QtBot) -> Iterator[GridDecoder]:
    made = GridDecoder()
    yield made
    assert made.close(10)


@pytest.fixture(scope="module")
def model(digits: ImageDataset) -> Snapshot:
    return Trainer(digits, updated(Settings(), hidden=(16,), threads=1, device="cpu")).snapshot()


def at(z1: float) -> Asked:
    return Asked(None, near=(z1, 0.3))


def test_the_map_is_there_at_once_and_is_what_the_rest_begins_with(
    qtbot: QtBot, decoder: GridDecoder, model: Snapshot
) -> None:
    follower = LensFollower(decoder)
    follower.look("a", at(0.2), model)
    coarse = follower.lens
    assert coarse is not None, "within the call, as the hand is waiting"
    assert coarse.log_px is None
    qtbot.waitUntil(lambda: follower.complete, timeout=10_000)
    *_, whole = (found for found in checked_lens(model, at(0.2), Search()) if found is not None)
    assert follower.lens is not None
    assert follower.lens.log_px == pytest.approx(whole.log_px, abs=1e-6)
    assert whole.best is not None
    assert follower.lens.best is not None


def test_of_images_that_pass_by_the_last_alone_is_looked_at_closely(
    qtbot: QtBot, decoder: GridDecoder, model: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[float, float] | None] = []
    steps = lens_follower.checked_lens

    def counted(snapshot: Snapshot, asked: Asked, search: Search) -> Iterator[Lens | None]:
        for number, found in enumerate(steps(snapshot, asked, search)):
            if number == 1:
                begun.append(asked.near)
            yield found

    monkeypatch.setattr(lens_follower, "checked_lens", counted)
    follower = LensFollower(decoder)
    seen: set[object] = set()
    follower.changed.connect(lambda: seen.add(follower.asked and follower.asked.near))
    places = np.linspace(0.0, 1.0, 40).tolist()
    for place in places:
        follower.look(place, at(place), model)
        QCoreApplication.processEvents()
        time.sleep(0.002)
    qtbot.waitUntil(lambda: follower.complete, timeout=10_000)
    assert follower.asked is not None
    assert follower.asked.near == at(places[-1]).near
    assert begun[-1] == at(places[-1]).near
    assert len(begun) < 0.5 * len(places)
    assert 3 <= len(seen) < len(places), "some on the way, but not each: they came too fast"


def test_a_map_that_takes_long_leaves_the_window_its_time(
    qtbot: QtBot, decoder: GridDecoder, model: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, here = lens_follower.checked_lens, threading.current_thread()
    busy: list[float] = []

    def slow(snapshot: Snapshot, asked: Asked, search: Search) -> Iterator[Lens | None]:
        found = steps(snapshot, asked, search)
        if threading.current_thread() is here:
            time.sleep(0.04)
            busy.append(0.04)
        yield from found

    monkeypatch.setattr(lens_follower, "checked_lens", slow)
    follower = LensFollower(decoder)
    begin = time.perf_counter()
    while time.perf_counter() - begin < 0.5:
        follower.look(object(), at(0.1), model)
        qtbot.wait(1)
    assert len(busy) >= 2
    assert sum(busy) < 0.7 * (time.perf_counter() - begin)


def test_large_networks_are_asked_on_the_decoders_thread(
    qtbot: QtBot, decoder: GridDecoder, model: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lens_follower, "QUICK_WEIGHTS", 1000)
    follower = LensFollower(decoder)
    follower.look("a", at(0.2), model)
    assert follower.lens is None
    qtbot.waitUntil(lambda: follower.lens is not None, timeout=10_000)


def test_what_has_no_density_is_said_at_once_and_not_waited_for(
    qtbot: QtBot, decoder: GridDecoder, model: Snapshot
) -> None:
    weights = {name: np.full_like(array, 1e30) for name, array in model.weights.items()}
    follower = LensFollower(decoder)
    follower.look("a", at(0.2), replace(model, weights=weights))
    assert "too large" in follower.reason
    follower.look("a", at(0.2), model)
    qtbot.waitUntil(lambda: follower.complete, timeout=10_000)
