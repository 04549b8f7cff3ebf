"""What a checkpoint says of training is checked here before a trainer goes on from it: names, shapes, bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vaeviewer.backend.config import Settings, live_fields, problem, shown, updated
from vaeviewer.backend.runs.tensor_files import check_arrays
from vaeviewer.backend.snapshot import Checkpoint
from vaeviewer.backend.training.records import PLANNED_EPOCHS, Change, Step

OPTIMIZER = "optimizer."
"""Prefix of the optimizer's arrays; the generators' begin with ``generator.``."""

CHANGED_BY_PROGRAM = frozenset({PLANNED_EPOCHS, "batch_size"})
"""What the timeline may hold beside live settings: training further, and batches made smaller for want of memory."""

_NEVER_NEGATIVE = ("step", "exp_avg_sq", "sum")
"""Arrays of optimizers that count, or sum up squares."""


class _Values(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    step: Step
    epoch: int = Field(ge=0, le=2**31 - 1)
    image: int = Field(ge=0, le=2**31 - 1)
    batch_size: int = Field(ge=1, le=65_536)
    planned_epochs: int = Field(ge=0, le=2**31 - 1)
    device: Literal["cpu", "cuda", "mps"]


def settings_after(settings: Settings, timeline: Iterable[Change]) -> Settings:
    """The settings in force at the end of a run that began with ``settings``.

    Raises:
        ValueError: A change is of a field that no run changes.
        SettingsError: A value is out of bounds.
    """
    may_change, changed = live_fields(settings) | CHANGED_BY_PROGRAM, {}
    for change in timeline:
        if change.field not in may_change:
            raise ValueError(f"there is no setting named {shown(change.field)} that could have changed")
        if change.field != PLANNED_EPOCHS:
            changed[change.field] = change.value
    return updated(settings, **changed)


def check(
    checkpoint: Checkpoint,
    *,
    optimizer: Mapping[str, tuple[int, ...]],
    generators: Mapping[str, NDArray[Any]],
) -> None:
    """Refuse what a trainer cannot go on from.

    Args:
        checkpoint: Read from files, its weights found to be the model's.
        optimizer: Shapes of the optimizers' arrays by name, float32.
        generators: States of fresh generators by name. Another kind of device has others: where the checkpoint
            is of another one, its generators are not looked at, as they will not be used.

    Raises:
        ValueError: The text names the value or array and what is wrong with it.
    """
    values = checkpoint.training.values
    try:
        position = _Values.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(shown(part) for part in first['loc'])} {problem(first)}") from None
    if position.step != checkpoint.snapshot.step:
        raise ValueError(f"its step is {position.step:,}, but the weights' is {checkpoint.snapshot.step:,}")
    _check_optimizer(checkpoint.training.tensors, optimizer)
    for name, fresh in generators.items():
        found = checkpoint.training.tensors.get(name)
        if found is None:
            raise ValueError(f"{name} is missing")
        if found.dtype != fresh.dtype or found.ndim != 1:
            raise ValueError(f"{name} is {found.dtype.name} {found.shape}, which is no generator's state")


def _check_optimizer(tensors: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]) -> None:
    found = {name.removeprefix(OPTIMIZER): a for name, a in tensors.items() if name.startswith(OPTIMIZER)}
    if not found:
        return  # none: the optimizers begin anew
    check_arrays(found, {name: ("float32", shape) for name, shape in shapes.items()})
    for name, array in found.items():
        if name.rpartition(".")[2] in _NEVER_NEGATIVE and (array < 0).any():
            raise ValueError(f"the optimizer's {name} is negative, which training does not lead to")
