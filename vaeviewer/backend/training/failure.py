"""What went wrong while training, as plain text that holds on to no memory. Imports no torch."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

SMALLEST_BATCH = 8
"""Where halving the batch for want of memory ends: below it, the weights are what takes the room."""


class Kind(Enum):
    """What kind of failure it was, as far as the answer to it differs."""

    NON_FINITE = "non-finite"
    MEMORY = "memory"
    DEVICE = "device"
    OTHER = "other"


@dataclass(frozen=True)
class Failure:
    """An exception's text. The exception itself holds the frames it passed, and with them their tensors.

    Attributes:
        kind: What kind it was.
        reason: What it said, one line without a full stop.
        details: Its traceback.
    """

    kind: Kind
    reason: str
    details: str

    @property
    def spares_weights(self) -> bool:
        """Whether the weights are as good as before, if nothing was writing to them."""
        return self.kind in (Kind.MEMORY, Kind.OTHER)


def describe_failure(error: Exception) -> Failure:
    """The text of an exception. Drop the exception before recovering, so that its memory is free."""
    text = str(error).strip() or type(error).__name__
    reason = text.splitlines()[0].rstrip(".")
    return Failure(_kind(error), reason, "".join(traceback.format_exception(error)))


def smaller_batches(size: int) -> Iterator[int]:
    """What to try where memory does not suffice for ``size`` images: its halves, down to the smallest batch."""
    while size > SMALLEST_BATCH:
        size = max(SMALLEST_BATCH, size // 2)
        yield size


# Device libraries raise RuntimeError for everything; only the words tell what it was.
_MEMORY_WORDS = re.compile(r"out of memory|can't allocate memory|not enough memory|_ALLOC_FAILED")
_NO_ROOM_TO_LOAD = re.compile(r"annot allocate memory|failed to map segment")
_DEVICE_WORDS = re.compile(
    r"(CUDA|HIP|cuDNN|XPU) error|CUBLAS_STATUS_|CUDNN_STATUS_|MPS backend|"
    r"device-side assert|unspecified launch failure|CUDA driver"
)


def _kind(error: Exception) -> Kind:
    # By name, as not every torch supported has every class.
    names = {base.__name__ for base in type(error).__mro__}
    if "NonFiniteError" in names:
        return Kind.NON_FINITE
    if isinstance(error, MemoryError) or "OutOfMemoryError" in names:
        return Kind.MEMORY
    if isinstance(error, ImportError | OSError) and _NO_ROOM_TO_LOAD.search(str(error)):
        return Kind.MEMORY
    if isinstance(error, RuntimeError):
        if _MEMORY_WORDS.search(str(error)):
            return Kind.MEMORY
        if "AcceleratorError" in names or _DEVICE_WORDS.search(str(error)):
            return Kind.DEVICE
    return Kind.OTHER
