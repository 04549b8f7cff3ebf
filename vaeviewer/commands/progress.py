"""Progress bars, on standard error if it is a screen."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vaeviewer.backend.training.trainer import Trainer


class _Screen:
    """Standard error for the progress bar, which goes on when the terminal is gone."""

    def isatty(self) -> bool:
        return sys.stderr.isatty()

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


@contextmanager
def progress_bar(trainer: Trainer) -> Iterator[Any]:
    """A bar over the planned steps, with the newest held-out ELBO beside it, on standard error if it is a screen."""
    from tqdm import tqdm

    total = trainer.planned_epochs * trainer.batches.per_epoch
    with tqdm(
        total=total, initial=trainer.step_count, unit=" steps", disable=None, leave=False, file=_Screen()
    ) as bar:

        def after_block() -> None:
            best, beside = trainer.family.metrics.headline, ""
            if not trainer.engine.ready:
                beside = "preparing fast mode (only once)"
            elif trainer.held_out is not None:
                beside = f"held-out {best.title} {trainer.held_out.values[best.key]:.2f}"
            bar.set_postfix_str(beside, refresh=not trainer.engine.ready)
            bar.update(trainer.step_count - bar.n)

        yield after_block


@contextmanager
def opening_bar(*, fetches: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar over the files or images of data that are opened, once that takes longer than a moment.

    Args:
        fetches: They are fetched, and counted in bytes.
    """
    from tqdm import tqdm

    words: dict[str, Any] = (
        {"desc": "fetching", "unit": "B", "unit_scale": True} if fetches else {"desc": "opening"}
    )
    with tqdm(**words, disable=None, leave=False, delay=1.0, file=_Screen()) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


@contextmanager
def share_bar(title: str) -> Iterator[Callable[[float], None]]:
    """A bar over what takes long, which is told the share done, 0 … 1."""
    from tqdm import tqdm

    shape = "{l_bar}{bar}| {elapsed}<{remaining}"
    with tqdm(
        total=1.0, desc=title, disable=None, leave=False, delay=1.0, bar_format=shape, file=_Screen()
    ) as bar:

        def show(share: float) -> None:
            bar.update(share - bar.n)

        yield show
