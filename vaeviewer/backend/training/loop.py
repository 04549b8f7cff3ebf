"""The training loop that the command line and the window share: it asks how far to go on before every step."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from vaeviewer.backend.training.device import use_threads
from vaeviewer.backend.training.neighbours import Neighbours
from vaeviewer.backend.training.trainer import Trainer

BLOCK_SECONDS = 0.06
"""Metrics are fetched and checked about this often: snapshots appear between blocks."""

GPU_BLOCK_SECONDS = 0.09
"""The same on a GPU, which has nothing to do between blocks."""

FREELY = sys.maxsize
"""An answer of ``go_on``: as many steps as there are."""

WAIT_SECONDS = 0.1
"""How long at a time it waits for an engine that is not ready, before it asks again whether to go on."""

KEEP_SECONDS = 1.0
"""How often the good state is kept that a failure returns to …"""

KEEP_SHARE = 0.05
"""… and which share of the time that takes at most: of large networks it is a matter of seconds."""


def train(trainer: Trainer, *, go_on: Callable[[], int], after_block: Callable[[], None]) -> None:
    """Take steps until the planned epochs are done or ``go_on`` says 0. What it does depends on no clock.

    Args:
        trainer: The model in training.
        go_on: How many steps may be taken before it is asked again, some hundredths of a second later at most where
            steps are faster together. It must be cheap; it may wait, which slows training down.
        after_block: Called once the metrics of a block are in the history, about every 0.06 s of steps and at
            the end of each epoch, when the held-out figures are there too; also while the engine is waited for.

    Raises:
        NonFiniteError: A metric became infinite or NaN; the trainer can restore its last good state.
    """
    try:
        _train(trainer, go_on, after_block)
    finally:
        trainer.cores.share(False)
        use_threads(trainer.threads)  # which steps that have threads of their own change


def _train(trainer: Trainer, go_on: Callable[[], int], after_block: Callable[[], None]) -> None:
    block_start = time.perf_counter()
    keep_at = block_start + KEEP_SECONDS
    step_seconds = 0.0
    launches = trainer.device.type != "cpu"  # steps are only launched here, and a block's end waits for them
    block_seconds = GPU_BLOCK_SECONDS if launches else BLOCK_SECONDS
    block_steps = 1 if launches else FREELY
    block_first = trainer.step_count
    neighbours = Neighbours(trainer.threads)
    # Twice, as being asked may bring fewer epochs.
    while not trainer.finished and (allowed := go_on()) and not trainer.finished:
        # Waited for however long it takes, so that no clock decides how a step is computed.
        if not trainer.engine.ready:
            trainer.finish_block()
            trainer.engine.wait(WAIT_SECONDS)
            after_block()
            block_start, block_first = time.perf_counter(), trainer.step_count
            continue
        begin, first = time.perf_counter(), trainer.step_count
        fitting = _fitting(block_seconds - (begin - block_start), step_seconds)
        trainer.step(min(allowed, fitting, block_first + block_steps - first))
        now = time.perf_counter()
        step_seconds = (now - begin) / (trainer.step_count - first)
        epoch_done = trainer.batches.at_epoch_start
        # Few steps more, after many together, would cost a way through Python of their own.
        time_is_up = now - block_start >= block_seconds - 0.5 * (now - begin)
        taken = trainer.step_count - block_first
        if epoch_done or trainer.block_full or time_is_up or taken >= block_steps:
            trainer.finish_block()
            if launches:
                block_steps = _fitting(block_seconds, (time.perf_counter() - block_start) / max(1, taken))
            trainer.cores.share(neighbours.busy())
            if epoch_done:
                trainer.evaluate()
            if now >= keep_at:
                start = time.perf_counter()
                trainer.keep_good_state()
                cost = time.perf_counter() - start
                keep_at = start + max(KEEP_SECONDS, cost / KEEP_SHARE)
            after_block()
            block_start, block_first = time.perf_counter(), trainer.step_count
    trainer.finish_block()


def _fitting(seconds: float, step_seconds: float) -> int:
    """As many steps as end a block about when it is to end, so that it does not last for half as long again."""
    return max(1, round(seconds / step_seconds)) if step_seconds > 0 else 1
