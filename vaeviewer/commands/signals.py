"""Being told to stop: Ctrl-C, and what is like it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


USER_ERROR = 2
SIGNALLED = 128
"""Exit codes after a signal are this and its number: 130 after Ctrl-C."""


@contextmanager
def interrupt_flag() -> Iterator[list[int]]:
    """Yields a list that gets the number of each signal to stop; a second Ctrl-C interrupts at once."""
    flag: list[int] = []

    def note(number: int, _frame: object) -> None:
        if number == signal.SIGINT and number in flag:
            raise KeyboardInterrupt
        flag.append(number)

    before = {signal.SIGINT: signal.signal(signal.SIGINT, note)}
    for name in (
        "SIGTERM",
        "SIGHUP",
    ):  # shutting down, and a terminal that is closed, which Windows does not tell
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            before[number] = signal.signal(number, note)
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
