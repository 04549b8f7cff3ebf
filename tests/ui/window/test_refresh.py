"""When panels are drawn, with a clock of our own."""

from __future__ import annotations

from collections import Counter

import pytest

from vaeviewer.ui.panel import EACH_SNAPSHOT, NEVER
from vaeviewer.ui.window import refresh
from vaeviewer.ui.window.panels import PANELS
from vaeviewer.ui.window.refresh import Schedule

CADENCES = {
    panel.key: panel.cadence
    for panel in PANELS
    if EACH_SNAPSHOT < panel.cadence < NEVER and not panel.on_demand
}
CADENCES |= {"status": 0.3, "underlay": 0.5}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [100.0]
    monkeypatch.setattr(refresh.time, "perf_counter", lambda: moment[0])
    return moment


def drawn(schedule: Schedule, clock: list[float], seconds: float, frame: float) -> Counter[str | None]:
    """What was drawn in so many seconds of frames."""
    found: Counter[str | None] = Counter()
    for _ in range(round(seconds / frame)):
        clock[0] += frame
        found[schedule.most_overdue()] += 1
    return found


@pytest.mark.parametrize("frame", [0.025, 0.033, 0.047])
def test_each_panel_keeps_to_its_rate(clock: list[float], frame: float) -> None:
    found = drawn(Schedule(CADENCES), clock, 20.0, frame)
    for panel, seconds in CADENCES.items():
        assert found[panel] == pytest.approx(20.0 / seconds, rel=0.05)


def test_where_frames_are_few_every_panel_gets_its_share(clock: list[float]) -> None:
    found = drawn(Schedule(CADENCES), clock, 60.0, 0.2)
    assert found[None] == 0
    assert min(found[panel] * seconds for panel, seconds in CADENCES.items()) > 10


def test_what_was_just_drawn_is_not_drawn_again(clock: list[float]) -> None:
    schedule = Schedule(CADENCES)
    assert schedule.most_overdue() is not None
    schedule.all_drawn()
    assert schedule.most_overdue() is None
    clock[0] += max(CADENCES.values())
    assert schedule.most_overdue() is not None


def test_what_nobody_sees_takes_no_turns(clock: list[float]) -> None:
    schedule = Schedule({"seen": 0.1, "hidden": 0.1})
    clock[0] += 1.0
    assert [schedule.most_overdue("seen".__eq__) for _ in range(2)] == ["seen", None]
    clock[0] += 0.2
    assert {schedule.most_overdue() for _ in range(2)} == {"seen", "hidden"}
