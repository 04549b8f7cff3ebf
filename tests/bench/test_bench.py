"""The benchmark as a user runs it, in its short form. Nothing here depends on how fast the machine is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QRect
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.vae import FAMILY, VaeConfig
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.bench import memory, stage
from vaeviewer.bench.common import percentile, tiled
from vaeviewer.bench.load import OtherLoad
from vaeviewer.bench.report import table
from vaeviewer.bench.training import _PlainVAE
from vaeviewer.bench.window import LEAST_HZ, _Count

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the whole of a quick benchmark

COMMAND = [sys.executable, "-m", "vaeviewer", "bench", "--quick"]

TRAINING = {
    "mode": str,
    "hidden": list,
    "batch_size": int,
    "images_per_s": float,
    "plain_images_per_s": float,
    "ratio_plain": float,
    "eager_images_per_s": float,
    "compiled_images_per_s": type(None),  # compiling takes too long for the short form
    "ratio_eager": float,
    "fp32_images_per_s": float,
    "limit_images_per_s": float,
    "fraction_of_limit": float,
}
MOVES = ("p50_ms", "p99_ms", "from_hand_p50_ms", "from_hand_p99_ms", "moves_per_s", "images_per_s")


@pytest.fixture(scope="module")
def done(request: pytest.FixtureRequest) -> subprocess.CompletedProcess[str]:
    if not request.config.getoption("--exhaustive"):
        pytest.skip("takes a minute and a half: --exhaustive")
    return subprocess.run([*COMMAND, "--json"], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def figures(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_standard_error_tells_what_is_going_on_and_nothing_else(
    figures: dict[str, Any], done: subprocess.CompletedProcess[str]
) -> None:
    lines = done.stderr.splitlines()
    assert len(lines) > 10
    assert all(line.startswith("bench: ") for line in lines), done.stderr


def test_the_machine_is_described(figures: dict[str, Any]) -> None:
    machine = figures["machine"]
    assert machine["processor"]
    assert 1 <= machine["threads"] <= machine["cores_available"] <= machine["cores"]
    assert isinstance(machine["bfloat16"], bool)
    assert {"vaeviewer", "python", "torch", "pyside6", "pyqtgraph", "numpy"} == set(machine["versions"])


def test_training(figures: dict[str, Any]) -> None:
    assert list(figures["training"]) == ["default"], "the others are of the long form"
    values = figures["training"]["default"]
    assert {key: type(value) for key, value in values.items()} == TRAINING
    assert all(value > 0 for value in values.values() if isinstance(value, float))
    # The middle of ratios is near the ratio of the middles, but not the same.
    for other in ("plain", "eager"):
        ratio = values["images_per_s"] / values[f"{other}_images_per_s"]
        assert values[f"ratio_{other}"] == pytest.approx(ratio, rel=0.5)
    fraction = values["fp32_images_per_s"] / values["limit_images_per_s"]
    assert values["fraction_of_limit"] == pytest.approx(fraction, rel=0.5)
    assert values["hidden"] == list(Settings().model.hidden)
    assert values["batch_size"] == Settings().train.batch_size


def test_training_beside_busy_programs(figures: dict[str, Any]) -> None:
    busy = figures["busy"]
    assert list(busy) == ["plain", "fused"]
    assert all(list(row) == ["one", "three"] for row in busy.values())
    assert all(0 < share < 5 for row in busy.values() for share in row.values())


def test_the_window(figures: dict[str, Any]) -> None:
    window = figures["window"]
    without = window["images_per_s_without"]
    assert window["throughput_fraction"] == pytest.approx(window["images_per_s_with"] / without)
    assert window["throughput_fraction_dragged"] == pytest.approx(window["images_per_s_dragged"] / without)
    rates = [
        (row[f"{name}_hz"], least) for row in (window, window["dragged"]) for name, least in LEAST_HZ.items()
    ]
    assert all(rate >= 0 for rate, _ in rates)
    assert window["refresh_verified"] is all(rate >= least for rate, least in rates)


def test_a_drag_is_followed(figures: dict[str, Any]) -> None:
    drag = figures["drag"]
    for row in (drag, drag["at_60"], drag["at_1000"]):
        assert set(MOVES) <= row.keys()
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["p50_ms"] <= row["from_hand_p50_ms"]
        assert 0 < row["images_per_s"] <= row["moves_per_s"] + 1
    assert 0 <= drag["gap_p99_ms"] <= drag["gap_max_ms"]
    assert drag["gap_max_startup_ms"] > 0


def test_a_drag_is_followed_where_torch_decodes(figures: dict[str, Any]) -> None:
    row = figures["drag_conv"]
    assert set(MOVES) <= row.keys()
    assert 0 < row["p50_ms"] <= row["p99_ms"]
    assert 0 < row["images_per_s"] <= row["moves_per_s"] + 1


def test_the_plane(figures: dict[str, Any]) -> None:
    plane = figures["plane"]
    assert all(plane[size]["refresh_ms"] > 0 for size in ("10k", "60k", "1m"))
    assert plane["ratio_scatter"] == pytest.approx(plane["scatter_ms"] / plane["60k"]["refresh_ms"])


def test_the_start(figures: dict[str, Any]) -> None:
    start = figures["start"]
    assert 0 < start["first_paint_s"] < start["ready_s"]
    assert start["first_paint_over_torch_import"] == pytest.approx(
        start["first_paint_s"] / start["torch_import_s"]
    )
    assert start["compiled_s"] is None, "compiling takes too long for the short form"


def test_the_lesson(figures: dict[str, Any]) -> None:
    seconds, digits = figures["time_to_digits_s"], figures["time_to_digits"]
    assert digits["target_elbo"] == -155
    for run in digits["runs"]:
        assert run.keys() == {"seconds", "epochs", "elbo"}
    if seconds is not None:  # a slow machine may not get there in the short form
        assert 0 < seconds <= digits["limit_s"] + 1
        assert digits["runs"][0]["elbo"] >= -155
    peak, slope = figures["memory_mb"]["peak"], figures["memory_mb"]["slope_per_min"]
    if sys.platform.startswith("linux"):
        assert peak > 100
        assert isinstance(slope, float)


def test_growth(figures: dict[str, Any]) -> None:
    rows = figures["growth"]
    assert rows
    for row in rows:
        assert row["images_per_s"] > 0
        assert (row["plane_refresh_ms"] is None) == (row["latent_dim"] != 2)
        assert row["hidden"] == list(Settings().model.hidden)


def test_the_table_has_a_line_for_every_figure(figures: dict[str, Any]) -> None:
    text = table(figures)
    for words in (
        "batch 128",
        "autograd and torch.optim",
        "under torch.compile",
        "matrix products alone",
        "fused steps beside three",
        "window open",
        "1,000 moves a second",
        "convolutions train",
        "1,000,000 points",
        "first picture",
        "held-out ELBO of -155",
        "MB/min",
        "10,000 images, latent 2",
    ):
        assert words in text
    assert max(map(len, text.splitlines())) < 160


def test_a_table_of_what_could_not_be_measured() -> None:
    names = (
        "machine",
        "training",
        "busy",
        "window",
        "drag",
        "drag_conv",
        "plane",
        "start",
        "time_to_digits_s",
        "time_to_digits",
    )
    missing: dict[str, Any] = dict.fromkeys((*names, "memory_mb", "other_load_cores"))
    assert "Growth" in table({**missing, "growth": [], "quick": False})


def test_the_table_warns_of_a_busy_machine(figures: dict[str, Any]) -> None:
    assert "Other programs" in table({**figures, "other_load_cores": 0.9})
    assert "Other programs" not in table({**figures, "other_load_cores": 0.05})


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_other_load_is_a_number_of_cores() -> None:
    load = OtherLoad()
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    cores, all_cores = load.cores(), os.cpu_count()
    assert cores is not None
    assert all_cores is not None
    assert 0 <= cores <= all_cores + 0.1  # the system counts in ticks


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")
def test_ctrl_c_ends_it_with_its_parts(exhaustive: bool) -> None:
    if not exhaustive:
        pytest.skip("takes a minute: --exhaustive")
    # In a session of its own: the signal goes to the one process, and what becomes of its parts is its affair.
    process = subprocess.Popen(
        COMMAND,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell's background job is deaf to Ctrl-C, and so is all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)  # ends only when no part holds standard error any more
    assert process.returncode == 130
    assert not out
    assert all(line.startswith("bench: ") for line in err.splitlines()), err
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_tiled_images_repeat(digits: ImageDataset) -> None:
    more = tiled(digits, 1_500)
    assert more.train_images.shape == (1_500, 28, 28)
    assert np.array_equal(more.train_images[600:1_200], digits.train_images)
    assert np.array_equal(more.train_labels[1_200:], digits.train_labels[:300])
    assert len(tiled(digits, 50).train_labels) == 50


def test_the_plain_network_is_the_same_network() -> None:
    model = Settings().model
    assert isinstance(model, VaeConfig)
    plain, ours = _PlainVAE(model, (28, 28)), FAMILY.build(model, DataSpec(ImageSpec(28, 28), 10))
    assert sorted(p.shape for p in plain.parameters()) == sorted(p.shape for p in ours.parameters())


def test_percentiles_of_nothing() -> None:
    assert percentile([], 99) is None
    assert percentile([1.0, 3.0], 50) == 2.0


def test_a_blocked_event_loop_is_noticed(qtbot: QtBot) -> None:
    heartbeat = stage.Heartbeat()
    heartbeat.start()
    stage.pause(0.02)
    time.sleep(0.05)
    heartbeat.stop()
    assert max(heartbeat.late_ms) >= 40


def test_waiting_passes_errors_on(qtbot: QtBot) -> None:
    with pytest.raises(ZeroDivisionError):
        stage.wait_until(lambda: bool(1 / 0))
    assert not stage.wait_until(lambda: False, 0.02)


def test_only_new_things_painted_count(qtbot: QtBot) -> None:
    class Panel(QWidget):
        def show_thing(self, thing: object, *, timeline: object = None) -> None:
            self.update(QRect())

    panel = Panel()
    qtbot.addWidget(panel)
    count = _Count(panel, "show_thing", [panel])
    with qtbot.waitExposed(panel):
        panel.show()
    count.begin()
    things = [object(), object()]
    for thing, expected in ((things[0], 1), (things[0], 1), (things[1], 2)):
        panel.show_thing(thing, timeline=())
        panel.repaint()
        stage.pause(0.02)
        assert count.number == expected
    count.end()
    panel.show_thing(object())
    panel.repaint()
    stage.pause(0.02)
    assert count.number == 2, "watched no longer"


def test_growth_is_of_what_stays_not_of_copies_that_come_and_go() -> None:
    times = np.arange(0.0, 180.0, 0.25)
    sizes = 1000 + 0.01 * times
    assert memory.slope(times, sizes) == pytest.approx(0.01)
    sizes[600::10] += 30.0  # saves towards the end
    assert memory.slope(times, sizes) == pytest.approx(0.01, rel=0.05)
    assert np.polyfit(times, sizes, 1)[0] > 0.015
    assert memory.slope(times[:1], sizes[:1]) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_memory_of_children_counts() -> None:
    before = memory.children_mb()
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as child:
        deadline = time.perf_counter() + 10
        while memory.children_mb() <= before + 1 and time.perf_counter() < deadline:
            time.sleep(0.01)
        assert memory.children_mb() > before + 1
        resident, peak = memory.resident_mb(), memory.peak_mb()
        assert child.stdin is not None
        child.stdin.write(b"\n")
    assert resident is not None
    assert peak is not None
    assert peak > 10
