"""What settings are made of: frozen pydantic models whose fields carry bounds, label and help.

Imports no torch: forms and flags are there before torch is.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, FailFast, Field
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

HiddenWidth = Annotated[int, Field(ge=1, le=8192)]

MOST_WEIGHTS = 2**22
"""Of a first layer as it is by default: with more a step over large images takes too long for what it learns."""

LEAST_WIDTH = 32
"""Default layers are at least so wide, however large images are."""

LIVE: JsonDict = {"live": True}
"""Marks a field that may change while training runs."""


ADVANCED: JsonDict = {"advanced": True}
"""Marks a field that few need: forms fold it away."""


def marked(info: FieldInfo, mark: str) -> bool:
    """Whether a field carries a mark, ``"live"`` or ``"advanced"``."""
    return isinstance(info.json_schema_extra, dict) and bool(info.json_schema_extra.get(mark))


def at_most(value: Any, most: float) -> Any:
    """The smaller of both; a 0-d tensor, as the number of a step may be, stays on its device and is not waited for."""
    return min(value, most) if isinstance(value, (int, float)) else value.clamp(max=most)


class Group(BaseModel):
    """A group of settings."""

    # A validator is built at first use: a start that shows one family does not build those of all others.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class FamilyConfig(Group):
    """What every family's settings hold. Mark a field with :data:`LIVE` if it may change while training runs."""

    family: str
    latent_dim: int = Field(
        2,
        ge=1,
        le=256,
        title="Latent dimension",
        description="Numbers in z. Of more than two the plane shows two at a time; of one, a line.",
    )

    def widest(self, values: int) -> int:
        """Most numbers that the networks have anywhere for an image of so many ``values``."""
        return values

    def suited(self, values: int, before: int = 0) -> Self:
        """These settings, with what is at its default as it suits images of so many ``values``.

        Args:
            values: Of an image; 0: of any small one.
            before: Of the images that the defaults suited until now.
        """
        return self


class ImageNetworks(FamilyConfig):
    """Networks from an image to numbers and back; ``networks/choice.py`` builds what these settings name."""

    network: Literal["mlp", "conv"] = Field(
        "mlp",
        title="Network",
        description="Fully connected layers (a multilayer perceptron), or convolutions: strided ones that halve "
        "the image until it is small, and their mirror.",
    )
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
    conv_channels: int = Field(
        16,
        ge=1,
        le=256,
        title="Channels",
        description="Feature maps of the first convolution; each further halving of the image doubles them, "
        "up to eight times.",
        json_schema_extra=ADVANCED,
    )
    dense: int = Field(
        128,
        ge=0,
        le=8192,
        title="Dense layer",
        description="Units of the fully connected layer between the convolutions and z, on both sides; 0: none.",
        json_schema_extra=ADVANCED,
    )
    normalisation: Literal["none", "batch", "group"] = Field(
        "none",
        title="Normalisation",
        description="Of each convolution's outputs: over the batch (Ioffe & Szegedy 2015), over groups of an image's "
        "channels (Wu & He 2018), or none.",
        json_schema_extra=ADVANCED,
    )
    residual_blocks: int = Field(
        0,
        ge=0,
        le=8,
        title="Residual blocks",
        description="Pairs of convolutions with a short cut (He et al. 2016) after each halving and each doubling "
        "of the image.",
        json_schema_extra=ADVANCED,
    )

    def suited(self, values: int, before: int = 0) -> Self:
        """As :meth:`FamilyConfig.suited`: large images have narrower layers."""
        default: tuple[int, ...] = type(self).model_fields["hidden"].default
        if self.hidden != _narrowed(default, before):
            return self
        return self.model_copy(update={"hidden": _narrowed(default, values)})

    def widest(self, values: int) -> int:
        """As :meth:`FamilyConfig.widest`."""
        if self.network == "mlp":
            return max((values, *self.hidden))
        return max(
            values * max(4, self.conv_channels) // 4, self.dense
        )  # a quarter of the pixels, each of so many channels


def _narrowed(hidden: tuple[int, ...], values: int) -> tuple[int, ...]:
    """Layers of which none is wider than a power of two with which the first has :data:`MOST_WEIGHTS` at most."""
    most = MOST_WEIGHTS // max(1, values)
    widest = max(LEAST_WIDTH, 2 ** (most.bit_length() - 1) if most else 0)
    return tuple(min(width, widest) for width in hidden)


class PixelLikelihood(FamilyConfig):
    """What the generative network's outputs mean: p(x|z)."""

    likelihood: Literal["bernoulli", "gaussian", "logistic"] = Field(
        "bernoulli",
        title="Likelihood",
        description="p(x|z) of a pixel's values. Bernoulli with probability sigmoid(f(z)): the cross-entropy that most "
        "use, which for grey levels and colours is no probability of bytes. Gaussian with mean sigmoid(f(z)): a "
        "density. Discretised logistic (Salimans et al. 2017): the probability of each of 256 levels, so that "
        "its nats, and bits per dimension, are those of the file.",
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


class ElboObjective(PixelLikelihood):
    """How the two terms of the ELBO are weighed while a model is trained."""

    beta: float = Field(
        1.0,
        ge=0.0,
        le=1000.0,
        title="β",
        description="Weight of the KL term in the training objective: reconstruction − β·KL. "
        "The ELBO shown is always the true one, with β = 1.",
        json_schema_extra=LIVE,
    )
    warm_up: int = Field(
        0,
        ge=0,
        le=1_000_000,
        title="Warm-up steps",
        description="Gradient steps over which β rises evenly from 0 to its value (Bowman et al. 2016, Sønderby et "
        "al. 2016), so that codes come to say something before they are held to the prior; 0: it has it at once.",
        json_schema_extra=ADVANCED,
    )

    def beta_at(self, step: Any) -> Any:
        """β in force after so many steps."""
        return self.beta * at_most(step / self.warm_up, 1.0) if self.warm_up else self.beta
