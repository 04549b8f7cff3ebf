"""The figures as a table that says in words what each row means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vaeviewer.counts import counted

Figures = Mapping[str, Any]
Row = tuple[str, str]

WIDTH = 14

MUCH_OTHER_LOAD = 0.15
"""Cores kept busy by other programs, from which on the table warns."""


def table(figures: Figures) -> str:
    """All figures, a row each, below a heading per part; "—" is what could not be measured."""
    lines = [*_machine(figures["machine"])]
    parts = (
        ("Training, 60,000 images", _training),
        ("Training beside busy programs, over its speed alone", _busy),
        ("The open window", _window),
        ("A drag while it trains", _drag),
        ("A drag while convolutions train, 32 × 32 in colour", _drag_conv),
        ("The latent plane, 900 × 900 pixels", _plane),
        ("Start", _start),
        ("A lesson, 60,000 images", _lesson),
        ("Growth", _growth),
    )
    for heading, rows in parts:
        lines += ["", heading, *(f"{value:>{WIDTH}}  {meaning}" for value, meaning in rows(figures))]
    lines.append("")
    other_load = figures["other_load_cores"]
    if other_load is not None and other_load > MUCH_OTHER_LOAD:
        lines.append(
            f"Other programs kept {other_load:.1f} cores busy meanwhile, so these figures say little: "
            "end them and measure again."
        )
    if figures["quick"]:
        lines.append("A quick run: short repeats, rough figures.")
    return "\n".join(lines).rstrip()


def _machine(machine: Figures | None) -> Iterable[str]:
    if machine is None:
        return ["vaeviewer bench"]
    versions = machine["versions"]
    bfloat16 = "bfloat16 instructions" if machine["bfloat16"] else "no bfloat16 instructions"
    return [
        f"vaeviewer {versions['vaeviewer']} bench",
        f"{machine['processor']}, {machine['cores_available']} of {machine['cores']} cores, "
        f"{counted(machine['threads'], 'thread')} for training, {bfloat16}, trains on {machine['device']}",
        f"{machine['platform']}, Python {versions['python']}, torch {versions['torch']}, "
        f"PySide6 {versions['pyside6']}, pyqtgraph {versions['pyqtgraph']}, NumPy {versions['numpy']}",
    ]


def _training(figures: Figures) -> Iterable[Row]:
    training = figures["training"]
    if training is None:
        return
    for row in training.values():
        network = "-".join(map(str, row["hidden"]))
        yield (
            _rate(row["images_per_s"]),
            f"{network}, batch {row['batch_size']}, our fastest mode: {row['mode']}",
        )
        yield (
            _rate(row["plain_images_per_s"]),
            "the loop everyone writes: DataLoader, ToTensor, autograd, .item() each step",
        )
        yield _times(row["ratio_plain"]), "ours over that"
        yield _rate(row["eager_images_per_s"]), "the reference: autograd and torch.optim on whole tensors"
        yield _times(row["ratio_eager"]), "ours over that"
        yield _rate(row["compiled_images_per_s"]), "the same under torch.compile"
        yield _rate(row["fp32_images_per_s"]), "ours in float32"
        yield (
            _rate(row["limit_images_per_s"]),
            "the limit: the step's matrix products alone, float32, nothing between them",
        )
        yield _share(row["fraction_of_limit"]), "of the limit reached in float32"


def _busy(figures: Figures) -> Iterable[Row]:
    busy = figures["busy"]
    if busy is None:
        return
    for way, row in busy.items():
        for name, share in row.items():
            yield _share(share), f"{way} steps beside {name}"


def _window(figures: Figures) -> Iterable[Row]:
    window = figures["window"]
    if window is None:
        return
    yield _share(window["throughput_fraction"]), "of training's speed kept with the window open"
    yield _share(window["throughput_fraction_dragged"]), "kept with a constant drag on top, 60 moves a second"
    names = {"plane_hz": "plane", "curves_hz": "curves"}
    names |= {"reconstructions_hz": "reconstructions", "manifold_hz": "manifold"}
    for key, name in names.items():
        yield (
            f"{window[key]:.1f} Hz",
            f"refreshes of the {name} meanwhile; dragged {window['dragged'][key]:.1f}",
        )
    kept = "yes" if window["refresh_verified"] else "no"
    yield kept, "all panels kept to 10, 4, 2 and 1 Hz, with the drag too"


def _drag(figures: Figures) -> Iterable[Row]:
    drag = figures["drag"]
    if drag is None:
        return
    for rate, row in ((125, drag), (60, drag["at_60"]), (1000, drag["at_1000"])):
        yield (
            f"{_number(row['p50_ms'])}/{_number(row['p99_ms'])} ms",
            f"{rate:,} moves a second: from a move to the decoded image painted, median/99 %",
        )
    yield (
        f"{_number(drag['gap_p99_ms'])}/{_number(drag['gap_max_ms'])} ms",
        "lateness of a 4 ms timer in the window meanwhile, 99 %/longest",
    )
    yield (
        _ms(drag["gap_max_startup_ms"]),
        "longest lateness from the first picture to two seconds of training, or to the end of compiling",
    )


def _drag_conv(figures: Figures) -> Iterable[Row]:
    row = figures["drag_conv"]
    if row is not None:
        yield (
            f"{_number(row['p50_ms'])}/{_number(row['p99_ms'])} ms",
            "125 moves a second: from a move to the decoded image painted, median/99 %",
        )


def _plane(figures: Figures) -> Iterable[Row]:
    plane = figures["plane"]
    if plane is None:
        return
    for key, points in (("10k", "10,000"), ("60k", "60,000"), ("1m", "1,000,000")):
        yield _ms(plane[key]["refresh_ms"]), f"{points} points, from new positions to painted pixels"
    yield _ms(plane["scatter_ms"]), "60,000 points in pyqtgraph's ScatterPlotItem"
    yield _times(plane["ratio_scatter"]), "that over ours"


def _start(figures: Figures) -> Iterable[Row]:
    start = figures["start"]
    if start is None:
        return
    yield _seconds(start["first_paint_s"]), "from launch to the window's first picture"
    yield _seconds(start["ready_s"]), "from launch to ready to train"
    yield _seconds(start["torch_import_s"]), 'for python -c "import torch"'
    yield _share(start["first_paint_over_torch_import"]), "of that until the first picture"
    yield _seconds(start["compiled_s"]), "from Train to fused steps, the very first time"


def _lesson(figures: Figures) -> Iterable[Row]:
    digits, memory = figures["time_to_digits"], figures["memory_mb"]
    if digits is not None:
        run = digits["runs"][-1]
        yield (
            _seconds(figures["time_to_digits_s"]),
            f"from Train to a held-out ELBO of {digits['target_elbo']:.0f} nats per image, window open "
            f"({run['epochs']:.0f} epochs, {_number(run['elbo'])} nats)",
        )
    if memory is not None:
        peak, slope = memory["peak"], memory["slope_per_min"]
        yield f"{_number(peak, 0)} MB", "most memory resident, window open, live training"
        yield f"{_number(slope)} MB/min", f"growth of that towards the end of {memory['seconds']:.0f} s"


def _growth(figures: Figures) -> Iterable[Row]:
    for row in figures["growth"]:
        hidden = "-".join(map(str, row["hidden"]))
        plane = f"plane {_ms(row['plane_refresh_ms'])}" if row["plane_refresh_ms"] is not None else "no plane"
        yield (
            _rate(row["images_per_s"]),
            f"{row['images']:,} images, latent {row['latent_dim']}, hidden {hidden}: "
            f"{plane}, {_number(row['memory_mb'], 0)} MB",
        )


def _number(value: float | None, decimals: int = 1) -> str:
    return "—" if value is None else f"{value:,.{decimals}f}"


def _ms(value: float | None) -> str:
    return f"{_number(value)} ms"


def _seconds(value: float | None) -> str:
    return f"{_number(value, 2)} s"


def _rate(value: float | None) -> str:
    return f"{_number(value, 0)}/s"


def _times(value: float) -> str:
    return f"{value:.2f} ×"


def _share(value: float) -> str:
    return f"{value:.2f}"
