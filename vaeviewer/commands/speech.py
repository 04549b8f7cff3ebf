"""What commands print: notes on standard error, answers on standard output."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaeviewer.backend.config import (
    Settings,
    protocol_text,
)
from vaeviewer.backend.data.names import readable
from vaeviewer.backend.runs import atomic_files
from vaeviewer.errors import UserError

if TYPE_CHECKING:
    from vaeviewer.backend.models.interface import ImageSpec
    from vaeviewer.backend.runs.folder import HeldOut


def note(sentence: str) -> None:
    """Say something beside the answer, on standard error."""
    complain(f"note: {sentence}")


def complain(line: str) -> None:
    """Print a line on standard error; what moves the cursor or colours a terminal, as an escape."""
    with suppress(OSError):  # the terminal may be gone, which is no reason to stop
        print(readable(line), file=sys.stderr)


def say(lines: str) -> None:
    """Print lines of the answer, as :func:`complain` does; once nobody reads them, say nothing more.

    Raises:
        UserError: It goes to a file that there is no room for.
    """
    try:
        print("\n".join(map(readable, lines.split("\n"))), flush=True)
    except OSError as error:
        # For what is left of this process, which would try again at its end.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        if error.errno in atomic_files.NO_ROOM:
            raise UserError(
                f"the answer could not be written: {atomic_files.reason(error)}; free some space where it goes."
            ) from None


def as_json(report: Mapping[str, Any]) -> str:
    """One JSON object, in which numbers that are not finite, which JSON does not have, are null."""

    def known(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: known(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [known(inner) for inner in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(known(report), allow_nan=False)


def terms_line(held_out: HeldOut | None, settings: Settings, image: ImageSpec) -> str:
    """The held-out metrics in words, with their units and protocol."""
    if held_out is None:
        return "no images are held out, so there are no held-out figures"
    terms = [
        f"{metric.title} {held_out.values[metric.key]:.2f} {metric.unit}"
        for metric in settings.family.metrics
    ]
    derived = settings.family.derived(settings.model, image, held_out.values)
    terms += [f"{key.replace('_', ' ')} {value:.3f}" for key, value in derived.items()]
    return f"held-out {', '.join(terms)} ({protocol_text(settings)})"
