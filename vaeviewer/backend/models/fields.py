"""What settings are made of: frozen pydantic models whose fields carry bounds, label and help.

Imports no torch: forms and flags are there before torch is.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

HiddenWidth = Annotated[int, Field(ge=1, le=8192)]

LIVE: JsonDict = {"live": True}
"""Marks a field that may change while training runs."""


ADVANCED: JsonDict = {"advanced": True}
"""Marks a field that few need: forms fold it away."""


def marked(info: FieldInfo, mark: str) -> bool:
    """Whether a field carries a mark, ``"live"`` or ``"advanced"``."""
    return isinstance(info.json_schema_extra, dict) and bool(info.json_schema_extra.get(mark))


class Group(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FamilyConfig(Group):
    """What every family's settings hold. Mark a field with :data:`LIVE` if it may change while training runs."""

    family: str
    latent_dim: int = Field(
        2,
        ge=1,
        le=256,
        title="Latent dimension",
        description="Number of latent variables z. The plane shows models with two.",
    )

    def widest(self, values: int) -> int:
        """Most numbers that the networks have anywhere for an image of so many ``values``."""
        return values


class FullyConnected(FamilyConfig):
    """Networks of fully connected layers."""

    hidden: Annotated[tuple[HiddenWidth, ...], FailFast()] = Field(
        (512, 256, 128),
        min_length=1,
        max_length=8,
        title="Hidden layers",
        description="Units in each hidden layer of the inference network, from the image inwards; "
        "the generative network mirrors them.",
    )
    activation: Literal["tanh", "relu", "silu"] = Field(
        "silu", title="Activation", description="The nonlinearity after each hidden layer."
    )

    def widest(self, values: int) -> int:
        """As :meth:`FamilyConfig.widest`."""
        return max(values, *self.hidden)


class PixelLikelihood(FamilyConfig):
    """What the generative network's outputs mean: p(x|z)."""

    likelihood: Literal["bernoulli", "gaussian"] = Field(
        "bernoulli",
        title="Likelihood",
        description="p(x|z) of a pixel: Bernoulli with probability sigmoid(f(z)), "
        "or Gaussian with mean sigmoid(f(z)).",
    )
    gaussian_variance: Literal["fixed", "learned"] = Field(
        "learned",
        title="Gaussian variance",
        description="Whether the Gaussian likelihood keeps its variance or learns it, "
        "one value for all pixels.",
        json_schema_extra=ADVANCED,
    )
    gaussian_scale: float = Field(
        0.25,
        ge=0.01,
        le=10.0,
        title="Gaussian scale",
        description="Standard deviation of a pixel under the Gaussian likelihood: fixed, "
        "or where learning starts.",
        json_schema_extra=ADVANCED,
    )
