from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from vaeviewer.session.grid_decoder import CHUNK_ROWS, SLOW_CHUNK_ROWS, GridDecoder


class GatedSnapshot:
    """Stands in for a Snapshot whose decoder is as slow as the test wants: each chunk waits for a permit."""

    image_shape = (2, 3)

    def __init__(self, value: float, latent_dim: int = 2, open_gate: bool = True) -> None:
        self.value = value
        self.model = SimpleNamespace(latent_dim=latent_dim)
        self.permits = threading.Semaphore(10**6 if open_gate else 0)
        self.entered = threading.Semaphore(0)
        self.chunks: list[np.ndarray] = []
        self.threads: set[int] = set()

    def decode(self, z: np.ndarray, y: int | None = None) -> np.ndarray:
        self.threads.add(threading.get_ident())
        self.chunks.append(z.copy())
        self.entered.release()
        assert self.permits.acquire(timeout=10)
        levels = np.full((len(z), *self.image_shape), self.value, dtype=np.float32) + z[:, :1, None]
        return levels / 255


class BrokenSnapshot(GatedSnapshot):
    def decode(self, z: np.ndarray, y: int | None = None) -> np.ndarray:
        raise FloatingPointError("weights are not finite")


@pytest.fixture
def decoder(qtbot: QtBot) -> Any:
    before = set(threading.enumerate())
    decoder = GridDecoder()
    yield decoder
    assert decoder.close(10)
    assert set(threading.enumerate()) <= before


@pytest.fixture
def received(decoder: GridDecoder) -> list[tuple[str, np.ndarray, object]]:
    received: list[tuple[str, np.ndarray, object]] = []
    decoder.decoded.connect(lambda kind, images, tag: received.append((kind, images, tag)))
    return received


def points(n: int) -> np.ndarray:
    return np.column_stack([np.arange(n), np.zeros(n)]).astype(np.float32)


def test_images_come_back_in_order_with_their_tag_on_the_owners_thread(
    qtbot: QtBot, decoder: GridDecoder
) -> None:
    snapshot = GatedSnapshot(5.0)
    where = []
    decoder.decoded.connect(lambda *_: where.append(threading.get_ident()))
    n = 2 * CHUNK_ROWS + 5
    with qtbot.waitSignal(decoder.decoded) as signal:
        decoder.request("manifold", snapshot, points(n), tag=("equal", 20))
    kind, images, tag = signal.args
    assert (kind, tag) == ("manifold", ("equal", 20))
    assert images.dtype == np.uint8
    assert images.shape == (n, 2, 3)
    assert images[:, 0, 0].tolist() == [i + 5 for i in range(n)]
    assert [len(chunk) for chunk in snapshot.chunks] == [CHUNK_ROWS, CHUNK_ROWS, 5]
    assert where == [threading.get_ident()]
    assert threading.get_ident() not in snapshot.threads


def test_the_latest_of_a_kind_wins_and_replaced_ones_are_never_computed(
    qtbot: QtBot, decoder: GridDecoder, received: list[Any]
) -> None:
    first = GatedSnapshot(1.0, open_gate=False)
    replaced, latest, other = GatedSnapshot(2.0), GatedSnapshot(3.0), GatedSnapshot(4.0)
    decoder.request("manifold", first, points(3 * CHUNK_ROWS), "first")
    assert first.entered.acquire(timeout=10)  # the first is being computed
    decoder.request("manifold", replaced, points(4), "replaced")
    decoder.request("underlay", other, points(4), "other")
    decoder.request("manifold", latest, points(4), "latest")
    first.permits.release(100)
    qtbot.waitUntil(lambda: len(received) == 2)
    assert [tag for _, _, tag in received] == ["latest", "other"]
    assert len(first.chunks) == 1  # gave way after one chunk
    assert replaced.chunks == []


def test_requests_faster_than_the_decoder_still_show_something(
    qtbot: QtBot, decoder: GridDecoder, received: list[Any]
) -> None:
    snapshots = [GatedSnapshot(float(i), open_gate=False) for i in range(4)]
    decoder.request("manifold", snapshots[0], points(2 * CHUNK_ROWS), 0)
    for i in (1, 2, 3):  # each comes while the one before is in its first chunk
        assert snapshots[i - 1].entered.acquire(timeout=10)
        decoder.request("manifold", snapshots[i], points(2 * CHUNK_ROWS), i)
        snapshots[i - 1].permits.release(100)
    snapshots[3].permits.release(100)
    qtbot.waitUntil(lambda: len(received) == 2)
    assert [tag for _, _, tag in received] == [1, 3]


def test_a_failure_is_reported_and_later_requests_are_served(qtbot: QtBot, decoder: GridDecoder) -> None:
    with qtbot.waitSignal(decoder.failed) as signal:
        decoder.request("manifold", BrokenSnapshot(0.0), points(3))
    assert signal.args == ["manifold", "The manifold could not be decoded: weights are not finite"]
    with qtbot.waitSignal(decoder.decoded):
        decoder.request("manifold", GatedSnapshot(0.0), points(3))


def test_it_is_busy_until_all_that_was_asked_is_answered(qtbot: QtBot, decoder: GridDecoder) -> None:
    assert not decoder.busy
    first, second = GatedSnapshot(0.0, open_gate=False), GatedSnapshot(0.0, open_gate=False)
    decoder.request("manifold", first, points(3))
    decoder.request("underlay", second, points(3))
    for snapshot in (first, second):
        assert snapshot.entered.acquire(timeout=10)
        assert decoder.busy
        snapshot.permits.release()
    qtbot.waitUntil(lambda: not decoder.busy)
    decoder.request("manifold", BrokenSnapshot(0.0), points(3))
    qtbot.waitUntil(lambda: not decoder.busy)


def test_no_thread_before_the_first_request_and_one_for_all(qtbot: QtBot, decoder: GridDecoder) -> None:
    before = threading.active_count()
    snapshots = [GatedSnapshot(0.0) for _ in range(3)]
    assert threading.active_count() == before
    for snapshot in snapshots:
        with qtbot.waitSignal(decoder.decoded):
            decoder.request("underlay", snapshot, points(2))
    assert threading.active_count() == before + 1
    assert len(set.union(*(snapshot.threads for snapshot in snapshots))) == 1


def test_closing_twice_or_before_use(qtbot: QtBot) -> None:
    decoder = GridDecoder()
    assert decoder.close()
    assert decoder.close()
    decoder.request("manifold", GatedSnapshot(0.0), points(2))
    assert not [thread for thread in threading.enumerate() if thread.name == "grid-decoder"]


def test_closing_is_bounded_and_nothing_arrives_after_it(
    qtbot: QtBot, decoder: GridDecoder, received: list[Any]
) -> None:
    stuck, waiting = GatedSnapshot(0.0, open_gate=False), GatedSnapshot(0.0)
    decoder.request("manifold", stuck, points(5 * CHUNK_ROWS))
    decoder.request("underlay", waiting, points(3))
    assert stuck.entered.acquire(timeout=10)
    assert not decoder.close(0.05)
    stuck.permits.release(100)
    assert decoder.close(10)
    qtbot.wait(20)
    assert len(stuck.chunks) == 1
    assert waiting.chunks == []
    assert received == []


def test_a_result_already_posted_is_dropped_by_close(
    qtbot: QtBot, decoder: GridDecoder, received: list[Any]
) -> None:
    decoder.request("manifold", GatedSnapshot(0.0), points(2))
    qtbot.waitUntil(lambda: len(received) == 1)
    snapshot = GatedSnapshot(0.0)
    decoder.request("manifold", snapshot, points(2))
    assert snapshot.entered.acquire(timeout=10)
    assert decoder.close(10)  # joined without the event loop running, so the result can only be queued
    qtbot.wait(20)
    assert len(received) == 1


def test_nothing_of_another_run_is_delivered(qtbot: QtBot, decoder: GridDecoder) -> None:
    found: list[tuple[str, object]] = []
    decoder.decoded.connect(lambda kind, images, tag: found.append((kind, tag)))
    slow, quick = GatedSnapshot(1.0, open_gate=False), GatedSnapshot(2.0)
    z = np.zeros((2 * CHUNK_ROWS, 2), np.float32)
    decoder.request("manifold", slow, z, "being computed")
    assert slow.entered.acquire(timeout=10)
    decoder.request("underlay", slow, z, "waiting")
    decoder.forget()
    slow.permits.release(100)
    decoder.request("manifold", quick, z, "new")
    qtbot.waitUntil(lambda: bool(found))
    decoder._thread.join(0.1)  # time for more
    qtbot.wait(20)
    assert found == [("manifold", "new")]
    assert len(slow.chunks) == 1
    done = threading.Event()
    decoder._ready.connect(done.set, Qt.ConnectionType.DirectConnection)
    decoder.request("manifold", quick, z, "on its way")
    assert done.wait(10)  # no event loop has run here
    decoder.forget()
    qtbot.wait(20)
    assert found == [("manifold", "new")]


def test_a_grid_lets_what_a_drag_asks_through(
    qtbot: QtBot, decoder: GridDecoder, received: list[tuple[str, np.ndarray, object]]
) -> None:
    snapshot = GatedSnapshot(0.0, open_gate=False)
    snapshot.instant = False  # type: ignore[attr-defined]  # as where torch decodes
    decoder.request("manifold", snapshot, points(4 * SLOW_CHUNK_ROWS))
    assert snapshot.entered.acquire(timeout=10)
    told: list[object] = []
    decoder.ask("decoded", snapshot, lambda asked: asked.value, told.append)
    snapshot.permits.release(1)
    qtbot.waitUntil(lambda: told == [0.0])
    assert received == []
    snapshot.permits.release(10)
    qtbot.waitUntil(lambda: len(received) == 1)
    assert [len(chunk) for chunk in snapshot.chunks] == [SLOW_CHUNK_ROWS] * 4
    assert received[0][1][:, 0, 0].tolist() == list(range(4 * SLOW_CHUNK_ROWS))


def test_a_long_job_lets_all_else_through_and_gives_way_to_the_next_of_its_kind(
    qtbot: QtBot, decoder: GridDecoder, received: list[tuple[str, np.ndarray, object]]
) -> None:
    snapshot, turns = GatedSnapshot(0.0), threading.Semaphore(0)
    steps: list[tuple[str, int, int]] = []

    def job(name: str, count: int) -> Any:
        def work(_: Any) -> Any:
            for step in range(count):
                assert turns.acquire(timeout=10)
                steps.append((name, step, threading.get_ident()))
                yield (name, step) if step % 2 else None

        return work

    told: list[object] = []
    decoder.ask_at_length("values", snapshot, job("first", 100), told.append)
    turns.release(3)
    qtbot.waitUntil(lambda: len(steps) == 3)
    decoder.request("manifold", snapshot, points(3), tag="between")
    turns.release(1)
    qtbot.waitUntil(lambda: len(received) == 1)
    assert len(steps) < 100, "served before the long job was over"
    decoder.ask_at_length("values", snapshot, job("second", 4), told.append)
    turns.release(10)
    qtbot.waitUntil(lambda: ("second", 3) in told)
    assert sum(name == "first" for name, *_ in steps) <= 6
    assert {ident for *_, ident in steps} != {threading.get_ident()}
    assert [entry for entry in told if entry[0] == "second"] == [("second", 1), ("second", 3)]

    decoder.ask_at_length("values", snapshot, job("third", 100), told.append)
    qtbot.waitUntil(lambda: any(name == "third" for name, *_ in steps))
    decoder.drop("values")
    before = len(told)
    turns.release(50)
    qtbot.wait(50)
    assert len([1 for name, *_ in steps if name == "third"]) <= 10
    assert told[before:] == []


def test_steps_that_are_given_up_end_on_the_decoders_thread(qtbot: QtBot, decoder: GridDecoder) -> None:
    """A job may have threads of its own to wait for; what asked, and whoever keeps its generator, need not."""
    ended: list[tuple[str, int]] = []
    pause = threading.Event()
    kept: list[Iterator[Any]] = []

    def job(name: str) -> Callable[[Any], Iterator[Any]]:
        def work(_snapshot: Any) -> Iterator[Any]:
            try:
                yield name
                while True:
                    pause.wait(0.001)
                    yield None
            finally:
                ended.append((name, threading.get_ident()))

        def begun(snapshot: Any) -> Iterator[Any]:
            kept.append(work(snapshot))
            return kept[-1]

        return begun

    told: list[object] = []
    snapshot = GatedSnapshot(0.0)
    for name, give_up in (
        ("dropped", lambda: decoder.drop("values")),
        ("replaced", lambda: decoder.ask_at_length("values", snapshot, job("forgotten"), told.append)),
        ("forgotten", decoder.forget),
        ("closed", decoder.close),
    ):
        if name != "forgotten":
            decoder.ask_at_length("values", snapshot, job(name), told.append)
        qtbot.waitUntil(lambda name=name: name in told)  # type: ignore[misc]
        give_up()
        qtbot.waitUntil(lambda name=name: name in dict(ended))  # type: ignore[misc]
    assert threading.get_ident() not in dict(ended).values()
