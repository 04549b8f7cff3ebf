"""Work in the background: in order, answered on the owner's thread, and never after the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QThread
from pytestqt.qtbot import QtBot

from vaeviewer.session.background import Background


@pytest.fixture
def background(qtbot: QtBot) -> Iterator[Background]:
    made = Background()
    yield made
    assert made.close(5.0)


def test_results_come_in_order_on_the_owners_thread(qtbot: QtBot, background: Background) -> None:
    found: list[int] = []
    threads: list[str] = []

    def work(number: int) -> int:
        threads.append(threading.current_thread().name)
        return number

    def take(number: int) -> None:
        assert QThread.currentThread().isMainThread()
        found.append(number)

    for number in range(5):
        background.run(lambda number=number: work(number), take)
    qtbot.waitUntil(lambda: found == [0, 1, 2, 3, 4])
    assert set(threads) == {"background"}


def test_an_exception_is_raised_on_the_owners_thread_and_the_next_work_done(
    qtbot: QtBot, background: Background
) -> None:
    found: list[str] = []
    with qtbot.capture_exceptions() as exceptions:
        background.run(lambda: 1 // 0, lambda _: None)
        background.run(lambda: "done", found.append)
        qtbot.waitUntil(lambda: found == ["done"])
    assert [kind for kind, _, _ in exceptions] == [ZeroDivisionError]


def test_nothing_is_told_after_the_end(qtbot: QtBot, background: Background) -> None:
    found: list[str] = []
    go = threading.Event()

    def work() -> str:
        go.wait(5.0)
        return "too late"

    background.run(work, found.append)
    assert not background.close(0.01)
    go.set()
    assert background.close(5.0)
    background.run(lambda: "never", found.append)
    qtbot.wait(20)
    assert found == []
