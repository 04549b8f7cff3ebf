"""What becomes of training that failed, in a window and without one. Imports no torch until something has failed.

An exception holds the frames it passed, and with them their tensors. So whoever recovers does it after ``attempt``
returned, when the exception, and with it that memory, is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from vaeviewer.backend.training.failure import Failure, Kind, smaller_batches

if TYPE_CHECKING:
    from vaeviewer.backend.training.trainer import Trainer

Action = Callable[[], None]
Attempt = Callable[[Action], Failure | None]
"""Does something; ``None``, or the text of what went wrong."""


@dataclass(frozen=True)
class Eased:
    """Training is about to go on with smaller batches, as there was not enough memory.

    Attributes:
        failed_size: Images per step when memory ran out.
        batch_size: Images per step from here on.
        step: Where it goes on.
        failure: What happened.
    """

    failed_size: int
    batch_size: int
    step: int
    failure: Failure


def with_smaller_batches(
    action: Action,
    trainer: Callable[[], Trainer],
    *,
    attempt: Attempt,
    tell: Callable[[Eased], None],
    go_on: Callable[[], bool] = lambda: True,
) -> Failure | None:
    """Train; where memory runs out, go back to the last good state and train again with half the batch, and so on.

    Args:
        action: Trains.
        trainer: What is trained, once something has failed.
        attempt: Does an action.
        tell: Called before each further try.
        go_on: Whether there may be another one.

    Returns:
        What is left to answer, or ``None``.
    """
    failure = attempt(action)
    if failure is None:
        return None
    for batch_size in smaller_batches(trainer().batch_size):
        if failure is None or failure.kind is not Kind.MEMORY or not go_on():
            break
        failure = attempt(partial(_again, action, trainer, batch_size, failure, tell))
    return failure


def _again(
    action: Action,
    trainer: Callable[[], Trainer],
    batch_size: int,
    failure: Failure,
    tell: Callable[[Eased], None],
) -> None:
    import torch

    torch.cuda.empty_cache()  # does nothing where there is no CUDA
    failed_size = trainer().batch_size
    step = trainer().restore_good_state(batch_size)
    tell(Eased(failed_size, batch_size, step, failure))
    action()


def in_good_state(trainer: Trainer, *, device_lost: bool, attempt: Attempt) -> Trainer:
    """The trainer back in its last good state, or one in that state on the CPU.

    Args:
        trainer: Its good state was kept in ordinary memory: its device may not answer any more.
        device_lost: It does not, so that it is not even tried.
        attempt: Does an action.
    """

    def restore() -> None:
        trainer.restore_good_state()

    if not device_lost and attempt(restore) is None:
        return trainer
    from vaeviewer.backend.runs.restore import moved_to_cpu

    return moved_to_cpu(trainer)
