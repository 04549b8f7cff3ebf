"""What a run notes beside its weights: changes made on the way, and held-out figures. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import ConfigDict, Field

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

Step = Annotated[int, Field(ge=0, le=2**31 - 1)]
Name = Annotated[str, Field(max_length=500)]

PLANNED_EPOCHS = "planned_epochs"
"""What the timeline calls a change of the planned epochs by training further, which is no setting."""


@dataclass(frozen=True)
class Change:
    """A setting that was given another value while training ran.

    Attributes:
        step: Gradient steps taken before the change.
        field: Name of the setting.
        value: What it became.
    """

    __pydantic_config__ = STRICT

    step: Step
    field: Annotated[str, Field(max_length=64)]
    value: float | int | Name


@dataclass(frozen=True)
class HeldOut:
    """Figures of the held-out images.

    Attributes:
        values: Every metric of the family by key, derived ones too; means over the images.
        samples: How many z were drawn from q(z|x) per image.
    """

    __pydantic_config__ = STRICT

    values: Annotated[dict[Annotated[str, Field(max_length=64)], float], Field(max_length=64)]
    samples: Annotated[int, Field(ge=1, le=1_000_000)]
