"""What opening data found, in words."""

from __future__ import annotations

from vaeviewer.backend.data.report import LoadReport
from vaeviewer.counts import counted


def facts(report: LoadReport) -> str:
    """How many images there are, how large, in how many classes, and the memory they take; two lines or three."""
    colour = "colour" if report.channels == 3 else "grey"
    classes = counted(len(report.classes), "class", "classes") if report.classes else "no labels"
    lines = [
        f"{counted(report.images, 'image')} of {report.height} × {report.width} pixels in {colour}, "
        f"{classes}; {memory_text(report.memory)} of memory",
        f"{report.images - report.held_out:,} to train on, {report.held_out:,} held out",
    ]
    if report.passed_over:
        other = counted(report.passed_over, "other file or folder was", "other files and folders were")
        lines.append(f"{other} passed over, as no images")
    return "\n".join(lines)


def skipped_title(count: int) -> str:
    """What stands above the list of files that are not used."""
    return f"{counted(count, 'file was', 'files were')} skipped:"


def skipped_lines(report: LoadReport) -> list[str]:
    """A line for each of these files, with the reason."""
    return [f"{skipped.file} {skipped.why}" for skipped in report.skipped]


def memory_text(count: int) -> str:
    """A number of bytes, such as ``"31 MiB"``."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.1f} {unit}" if count < 10 * size else f"{count / size:,.0f} {unit}"
    return f"{count} bytes"
