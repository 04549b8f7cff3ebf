from __future__ import annotations

import threading
import time

import pytest

from vaeviewer.session import pace
from vaeviewer.session.pace import Pace


def never() -> bool:
    return False


def test_at_full_speed_nobody_waits() -> None:
    assert all(Pace().wait(never) for _ in range(1000))


def test_steps_are_due_at_the_rate_and_missed_ones_are_not_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [50.0]
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now[0])
    slow = Pace()
    slow.set(10.0)
    wanted = lambda: True  # noqa: E731 -- so that no wait is waited
    assert slow.wait(wanted), "the first step is due at once"
    assert not slow.wait(wanted)
    now[0] += 0.11
    assert slow.wait(wanted)
    now[0] += 0.08  # the one before was a little late, this one is not
    assert not slow.wait(wanted)
    now[0] += 0.015
    assert slow.wait(wanted)
    now[0] += 5.0
    assert [slow.wait(wanted) for _ in range(3)] == [True, False, False]


def test_a_wait_ends_when_something_else_is_wanted() -> None:
    slow = Pace()
    slow.set(0.01)
    assert slow.wait(never)
    waited: list[bool] = []
    thread = threading.Thread(target=lambda: waited.append(slow.wait(never)))
    thread.start()
    while thread.is_alive():
        slow.wake()
        time.sleep(0.001)
    thread.join()
    assert waited == [False]


def test_another_pace_acts_at_once() -> None:
    slow = Pace()
    slow.set(0.01)
    assert slow.wait(never)
    slow.set(0.0)
    assert slow.wait(never)
