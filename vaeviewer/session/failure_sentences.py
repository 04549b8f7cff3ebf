"""What the window says when training fails: what happened, where the run is now, and what to do."""

from __future__ import annotations

from vaeviewer.backend.training.failure import Failure, Kind
from vaeviewer.counts import counted


def eased(failed_size: int, batch_size: int, step: int) -> str:
    """Training goes on with a smaller batch."""
    return (
        f"There was not enough memory for batches of {counted(failed_size, 'image')}. "
        f"The batch size is now {batch_size}; it goes on from step {step:,}."
    )


def stopped(failure: Failure, *, device: str, batch_size: int, step: int) -> str:
    """Training has failed and the weights are those of ``step``.

    Args:
        failure: What happened.
        device: The device it happened on, such as ``cuda``.
        batch_size: Images per step when it happened.
        step: Of the last good state.
    """
    back = f"The weights are back at step {step:,}"
    match failure.kind:
        case Kind.NON_FINITE:
            return (
                f"Training stopped: {failure.reason}. {back}; lower the learning rate, then press Continue."
            )
        case Kind.MEMORY if device == "cpu":
            return (
                f"Training stopped: there is not enough memory, even for batches of {batch_size}. {back}; close "
                "other programs and press Continue, or press Reset and choose fewer hidden units or less data."
            )
        case Kind.MEMORY:
            return (
                f"Training stopped: {device.upper()} has not enough memory, even for batches of {batch_size}. "
                f"{back}; continue on the CPU, or close other programs that use {device.upper()} and press Continue."
            )
        case Kind.DEVICE if device != "cpu":
            return (
                f"Training stopped: {device.upper()} does not answer any more ({failure.reason}). "
                f"The run is kept at step {step:,}; continue on the CPU, or save it."
            )
        case _:
            return (
                f"Training stopped: {failure.reason}. {back}; "
                "press Continue to try again, or save the run and send the details to the developers."
            )


def unbuilt(failure: Failure, *, device: str) -> str:
    """There is no model, as it could not be made."""
    if failure.kind is Kind.MEMORY:
        where = f" on {device.upper()}" if device in ("cuda", "mps") else ""
        return (
            f"The model could not be made: there is not enough memory for it and its images{where}. "
            "Choose fewer hidden units in the settings, or less data."
        )
    return f"The model could not be made: {failure.reason}. Change the settings to try again."


def lost(failure: Failure, worse: Failure) -> str:
    """Not even going back succeeded."""
    return (
        f"Training stopped: {failure.reason}; and the last good state could not be restored: {worse.reason}. "
        "Press Continue to try again, or Reset for new weights."
    )


def not_done(failure: Failure) -> str:
    """Something beside training failed and changed nothing."""
    return f"This could not be done: {failure.reason}. The run goes on as it was."
