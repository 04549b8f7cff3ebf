"""Steps per second."""

from __future__ import annotations

import pytest

from vaeviewer.session import rate_meter
from vaeviewer.session.rate_meter import RateMeter


def test_it_averages_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(rate_meter.time, "perf_counter", lambda: now)
    meter = RateMeter()
    meter.start(0)
    assert meter.steps_per_s is None
    step = 0
    for _ in range(100):  # 10 s at 50 steps/s, then 10 s at 10 steps/s
        now, step = now + 0.1, step + 5
        meter.note(step)
    assert meter.steps_per_s == pytest.approx(50)
    for _ in range(100):
        now, step = now + 0.1, step + 1
        meter.note(step)
    assert meter.steps_per_s == pytest.approx(10)
    meter.stop()
    assert meter.steps_per_s is None
