"""What is computed beside everything else, and what becomes of it when it can't be computed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from vaeviewer.analysis.lens import Asked
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot, TorchSnapshot
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.newest import Newest
from vaeviewer.session.sampler import Sampler


@pytest.fixture
def decoder(qtbot: QtBot) -> Iterator[GridDecoder]:
    made = GridDecoder()
    yield made
    assert made.close(10)


def test_what_failed_is_not_waited_for(
    qtbot: QtBot, decoder: GridDecoder, small: Settings, digits: ImageDataset
) -> None:
    trainer = Trainer(digits, small)
    models = [trainer.snapshot() for _ in range(3)]
    fails = {id(models[0]), id(models[1])}

    def compute(snapshot: Snapshot, _about: Any) -> Iterator[Any]:
        yield 0.5
        if id(snapshot) in fails:
            raise MemoryError("no room")
        yield "done"

    newest = Newest(decoder, "anything", compute, rest=0.0)
    with qtbot.waitSignal(decoder.failed):
        newest.want(models[0])
    assert newest.share is None, "nothing is under way"
    with qtbot.waitSignal(decoder.failed):
        newest.want(models[1])
    newest.want(models[2])
    qtbot.waitUntil(lambda: newest.value == "done", timeout=5_000)


def test_a_chain_asks_torch_on_the_decoders_thread_alone(
    qtbot: QtBot, decoder: GridDecoder, small: Settings, digits: ImageDataset
) -> None:
    made = Trainer(digits, updated(small, network="conv")).snapshot()
    asked_on: set[str] = set()

    class Watched(TorchSnapshot):
        def ask(self, question: Any) -> Any:
            asked_on.add(threading.current_thread().name)
            return super().ask(question)

    watched = Watched(
        made.step, made.epoch, made.model, made.data, made.weights, made.posterior, made.protocol
    )
    sampler = Sampler(decoder)
    sampler.begin(watched, Asked(digits.train_images[0]), np.zeros(2), np.full(2, 0.1))
    assert sampler.begun
    sampler.step()
    qtbot.waitUntil(lambda: sampler.state is not None, timeout=10_000)
    assert asked_on == {"grid-decoder"}, (
        "a second pool of threads on the same cores would halve training's speed"
    )


def test_a_chain_that_cannot_step_goes(
    qtbot: QtBot, decoder: GridDecoder, small: Settings, digits: ImageDataset
) -> None:
    snapshot = Trainer(digits, small).snapshot()
    sampler = Sampler(decoder)
    sampler.begin(
        snapshot, Asked(digits.train_images[0, :5]), np.zeros(2), np.full(2, 0.1)
    )  # of another size
    sampler.set_running(True)
    with qtbot.waitSignal(decoder.failed):
        sampler.step()
    assert not sampler.begun
    assert not sampler.running
