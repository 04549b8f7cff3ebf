from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaeviewer.backend.models.families.vae import FAMILY
from vaeviewer.backend.training.history import History, MetricsTable, MetricsView

METRICS = FAMILY.metrics


def rows(first: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows whose every column follows from the step, so that a torn row shows."""
    step = np.arange(first, first + count, dtype=np.int32)
    return step, (step / 100).astype(np.float32), np.stack([-step, step / 2], axis=1).astype(np.float32)


def row(reconstruction: float, kl: float) -> dict[str, float]:
    return {"reconstruction": reconstruction, "kl": kl}


def columns(view: MetricsView) -> tuple[np.ndarray, ...]:
    return tuple(view.columns().values())


def test_a_new_table_is_empty() -> None:
    view = MetricsTable(METRICS).view()
    assert len(view) == 0
    assert view["elbo"].shape == (0,)
    assert [column.dtype for column in columns(view)] == [np.int32, np.float32, np.float32, np.float32]


def test_rows_come_back_in_order() -> None:
    table = MetricsTable(METRICS)
    table.append_row(1, 0.5, row(-100.0, 7.0))
    table.append(*rows(2, 3000))
    view = table.view()
    assert len(table) == len(view) == 3001
    np.testing.assert_array_equal(view.step, np.arange(1, 3002))
    assert view["elbo"][0] == -107.0
    np.testing.assert_array_equal(view.until(10).step, np.arange(1, 11))
    assert len(view.until(0)) == 0


@pytest.mark.parametrize("capacity", [0, 3, 6, -4])
def test_a_capacity_that_cannot_be_thinned_is_refused(capacity: int) -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        MetricsTable(METRICS, capacity)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=12), st.data())
def test_a_view_never_changes(counts: list[int], data: st.DataObject) -> None:
    """Under later appends, growth, thinning and truncation."""
    table = MetricsTable(METRICS, 16)
    seen: list[tuple[MetricsView, tuple[np.ndarray, ...]]] = []
    step = 0
    for count in counts:
        table.append(*rows(step, count))
        step += count
        if step and data.draw(st.booleans()):
            step = data.draw(st.integers(0, step - 1))
            table.truncate(step)
            step += 1
        view = table.view()
        seen.append((view, tuple(column.copy() for column in columns(view))))
        assert len(view) <= 16
        assert (np.diff(view.step) > 0).all()
    for view, copies in seen:
        for column, copy in zip(columns(view), copies, strict=True):
            np.testing.assert_array_equal(column, copy)


def test_nobody_can_write_into_a_view() -> None:
    table = MetricsTable(METRICS)
    table.append(*rows(0, 5))
    with pytest.raises(ValueError, match="read-only"):
        table.view()["kl"][0] = 1.0
    table.append(*rows(5, 5))
    assert len(table) == 10


def test_thinning_averages_the_older_half_and_keeps_the_newer() -> None:
    table = MetricsTable(METRICS, 64)
    table.append(*rows(0, 64))
    before = table.view()
    table.append_row(64, 0.64, row(-64.0, 32.0))
    after = table.view()
    assert len(after) == 64 - 16 + 1
    np.testing.assert_array_equal(after.step[:16], before.step[1:32:2])
    np.testing.assert_array_equal(after.step[16:], np.arange(32, 65))
    np.testing.assert_array_equal(after["kl"][16:-1], before["kl"][32:])
    assert after["kl"][:16].mean() == pytest.approx(before["kl"][:32].mean())
    assert after["reconstruction"][:16].mean() == pytest.approx(before["reconstruction"][:32].mean())


def test_a_million_rows_stay_small() -> None:
    table = MetricsTable(METRICS, 1024)
    for first in range(0, 1_000_000, 100):
        table.append(*rows(first, 100))
    view = table.view()
    assert 512 <= len(view) <= 1024
    assert all(column.base is not None and len(column.base) <= 1024 for column in columns(view))
    assert (np.diff(view.step) > 0).all()
    assert view.step[-1] == 999_999
    np.testing.assert_array_equal(view.step[-100:], np.arange(999_900, 1_000_000))
    # Every row still stands for its own stretch of the run: in order, though averaged.
    assert (np.diff(view["kl"]) > 0).all()


def test_one_append_may_exceed_the_capacity() -> None:
    table = MetricsTable(METRICS, 64)
    table.append(*rows(0, 1000))
    assert len(table) <= 64
    assert table.view().step[-1] == 999


@pytest.mark.parametrize("block", [1, 7, 16, 63])
def test_the_size_of_the_blocks_leaves_no_trace(block: int) -> None:
    """Blocks end by the clock, and a resumed run has others than one that was never interrupted."""
    whole, pieces = MetricsTable(METRICS, 64), MetricsTable(METRICS, 64)
    whole.append(*rows(0, 500))
    for first in range(0, 500, block):
        pieces.append(*rows(first, min(block, 500 - first)))
        if first % 3 == 0:  # saved and opened again
            pieces = MetricsTable.from_view(pieces.view(), 64)
    for a, b in zip(columns(whole.view()), columns(pieces.view()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_truncate_goes_back_to_a_step() -> None:
    table = MetricsTable(METRICS)
    table.append(*rows(0, 10))
    table.truncate(4)
    table.append_row(5, 0.0, row(-1.0, 1.0))
    np.testing.assert_array_equal(table.view().step, [0, 1, 2, 3, 4, 5])
    table.truncate(-1)
    assert len(table) == 0
    table.append_row(0, 0.0, row(-1.0, 1.0))
    assert len(table) == 1


def test_a_reader_sees_only_whole_rows() -> None:
    table = MetricsTable(METRICS, 256)
    done = threading.Event()
    problems: list[str] = []

    def read() -> None:
        while not done.is_set():
            view = table.view()
            # Averages of neighbours keep both relations, so every row, thinned or not, obeys them.
            if not np.allclose(view["kl"], -view["reconstruction"] / 2, rtol=1e-5):
                problems.append("a torn row")
            if len(view) > 1 and not (np.diff(view.step) > 0).all():
                problems.append("steps out of order")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for first in range(0, 20_000, 7):
            table.append(*rows(first, 7))
    finally:
        done.set()
        reader.join(timeout=30)
    assert not reader.is_alive()
    assert problems == []


def test_a_table_is_restored_from_its_view() -> None:
    table = MetricsTable(METRICS, 64)
    table.append(*rows(0, 200))
    restored = MetricsTable.from_view(table.view(), 64)
    for column, expected in zip(columns(restored.view()), columns(table.view()), strict=True):
        np.testing.assert_array_equal(column, expected)
    restored.append(*rows(200, 5))
    assert restored.view().step[-1] == 204
    assert table.view().step[-1] == 199


@pytest.mark.parametrize("count", [20, 63, 64])
def test_two_tables_of_one_view_go_different_ways(count: int) -> None:
    table = MetricsTable(METRICS, 64)
    table.append(*rows(0, count))
    view = table.view()
    one, other = MetricsTable.from_view(view, 64), MetricsTable.from_view(view, 64)
    one.append(*rows(1000, 3))
    table.append(*rows(500, 2))
    other.truncate(9)
    assert one.view().step[-1] == 1002
    assert table.view().step[-1] == 501
    assert other.view().step[-1] == 9
    np.testing.assert_array_equal(view.step, np.arange(count))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kl": np.array([1, np.nan], np.float32)}, "kl holds values that are not finite"),
        ({"epoch": np.array([np.inf, 0], np.float32)}, "epoch holds values that are not finite"),
        ({"step": np.array([2, 1], np.int32)}, "step does not rise"),
        ({"step": np.array([-1, 1], np.int32)}, "step does not rise"),
        ({"step": np.array(3, np.int32)}, r"step has shape \(\)"),
        ({"kl": np.zeros(3, np.float32)}, r"kl has shape \(3,\)"),
        ({"kl": np.zeros((2, 1), np.float32)}, r"kl has shape \(2, 1\)"),
    ],
)
def test_columns_that_no_table_wrote_are_refused(change: dict[str, np.ndarray], problem: str) -> None:
    table = MetricsTable(METRICS)
    table.append(*rows(0, 2))
    step, epoch, *stored = (table.view().columns() | change).values()
    with pytest.raises(ValueError, match=problem):
        MetricsTable.from_view(
            MetricsView(step, epoch, dict(zip(METRICS.stored, stored, strict=True)), METRICS), 64
        )


def test_a_history_is_restored_and_names_the_table_at_fault() -> None:
    history = History.empty(METRICS)
    history.training.append(*rows(0, 20))
    history.held_out.append(*rows(10, 1))
    restored = History.from_views(history.training.view(), history.held_out.view())
    assert (len(restored.training), len(restored.held_out)) == (20, 1)
    view = history.training.view()
    with pytest.raises(ValueError, match=r"^held_out\.kl has shape"):
        History.from_views(
            view, MetricsView(view.step, view.epoch, {**view.stored, "kl": view["kl"][:3]}, METRICS)
        )
