"""``vaeviewer inspect``: what is in a folder or file of images, before anything is trained on it."""

from __future__ import annotations

import argparse
from pathlib import Path

from vaeviewer.backend.data.opening import open_images
from vaeviewer.backend.data.report import LoadReport
from vaeviewer.backend.runs.folder import is_run
from vaeviewer.commands.progress import opening_bar
from vaeviewer.commands.reading_flags import reading_of
from vaeviewer.commands.speech import as_json, say
from vaeviewer.counts import counted
from vaeviewer.errors import DataError

_MOST_CLASSES = 20
_MOST_SKIPPED = 20


def inspect(options: argparse.Namespace) -> int:
    """``vaeviewer inspect``; returns the exit code.

    Raises:
        UserError: Nothing there can be opened, or a flag's value cannot be used.
    """
    reading = reading_of(options)
    if is_run(Path(options.path)):
        raise DataError(
            f"{options.path} is a run, not images; vaeviewer {options.path} opens it, vaeviewer evaluate judges it."
        )
    with opening_bar() as progress:
        dataset = open_images(options.path, reading, progress=progress)
    report = dataset.report or LoadReport(images=0, held_out=0, height=0, width=0, channels=0)
    if options.json:
        say(as_json(report.as_json()))
        return 0
    for line in described(report):
        say(line)
    return 0


def described(report: LoadReport) -> list[str]:
    """A report in lines for people: counts, decisions, classes and what was skipped, the longest lists cut short."""
    colour = "colour" if report.channels == 3 else "grey"
    size = f"{report.height}×{report.width} pixels (height × width)"
    lines = [
        f"{counted(report.images, 'image')} of {size} in {colour}, {report.held_out:,} of them held out; "
        f"{report.memory / 2**20:,.1f} MiB",
        *report.notes,
    ]
    if report.classes:
        lines.append(f"{counted(len(report.classes), 'class', 'classes')}:")
        shown = list(report.classes.items())[:_MOST_CLASSES]
        lines += [f"  {name}: {count:,}" for name, count in shown]
        lines += _more(len(report.classes) - len(shown), "more class", "more classes")
    else:
        lines.append("no labels")
    if report.skipped:
        lines.append(f"{len(report.skipped):,} skipped:")
        lines += [f"  {skipped.file} {skipped.why}" for skipped in report.skipped[:_MOST_SKIPPED]]
        lines += _more(len(report.skipped) - _MOST_SKIPPED, "more file")
    if report.passed_over:
        lines.append(
            f"{counted(report.passed_over, 'other file or folder', 'other files and folders')} passed over"
        )
    return lines


def _more(count: int, one: str, many: str = "") -> list[str]:
    return [f"  and {counted(count, one, many)}; --json names all"] if count > 0 else []
