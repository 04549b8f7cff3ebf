"""The autoencoder: an encoder to a point, a decoder back, and an error between image and reconstruction.

Hinton & Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks" (2006).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import FailFast, Field

from vaeviewer.backend.models.fields import ADVANCED, HiddenWidth, ImageNetworks
from vaeviewer.backend.models.interface import (
    Batch,
    Capabilities,
    DataSpec,
    Family,
    ImageSpec,
    Metric,
    Metrics,
    Objective,
    Page,
    Player,
    Preset,
)
from vaeviewer.backend.models.networks.numpy_mlp import PointForm

if TYPE_CHECKING:
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel
    from vaeviewer.backend.models.networks.point_autoencoder import PointAutoencoder

SQUARED_ERROR = Metric(
    "squared_error",
    "Squared error",
    "per image",
    better="lower",
    help="Σ (x − g(z))² over the pixels: how far the reconstruction is from the image.",
    plot="squares",
)
CROSS_ENTROPY = Metric(
    "cross_entropy",
    "Cross-entropy",
    "nats per image",
    better="lower",
    help="−Σ x log g(z) + (1 − x) log(1 − g(z)) over the pixels, grey levels taken as probabilities.",
    plot="cross-entropy",
)

DARKEST = 1 / 512
"""Half a grey level: pixels of a linear decoder, which may be any number, are taken as within 1/512 … 511/512 for
the cross-entropy."""


class PointNetworks(ImageNetworks):
    """Networks of the autoencoder and its kin."""

    activation: Literal["tanh", "relu", "silu", "sigmoid", "linear"] = Field(  # type: ignore[assignment]
        "silu",
        title="Activation",
        description="The nonlinearity after each hidden layer. Linear is none at all: under the squared error pixels "
        "are linear in z, too, and the model can learn no more than principal components.",
    )
    hidden: Annotated[tuple[HiddenWidth, ...], FailFast()] = Field(
        (512, 256, 128),
        max_length=8,
        title="Hidden layers",
        description="Units in each hidden layer of the encoder, from the image inwards; the decoder mirrors them. "
        "Empty: one layer each way, from pixels to z and back.",
    )
    decoder_hidden: Annotated[tuple[HiddenWidth, ...], FailFast()] = Field(
        (),
        max_length=8,
        title="Decoder's layers",
        description="Units in each hidden layer of a fully connected decoder, from z outwards; "
        "empty: those of the encoder, mirrored.",
        json_schema_extra=ADVANCED,
    )
    tied: bool = Field(
        False,
        title="Tied weights",
        description="Whether a fully connected decoder has the weights of the encoder, transposed, and only biases of "
        "its own: half as many numbers to learn, and neither can undo a scale of the other.",
        json_schema_extra=ADVANCED,
    )
    error: Literal["squared", "cross-entropy"] = Field(
        "squared",
        title="Error",
        description="What training lowers: the squared difference between pixels and drawn pixels, "
        "or the cross-entropy.",
    )

    @property
    def linear_pixels(self) -> bool:
        """Whether pixels are the decoder's outputs themselves, and not their logistic function."""
        return self.activation == "linear" and self.error == "squared"

    def widest(self, values: int) -> int:
        """As :meth:`FamilyConfig.widest`."""
        return max(super().widest(values), self.latent_dim, *self.decoder_hidden)


class AutoencoderConfig(PointNetworks):
    """Settings of the autoencoder."""

    family: Literal["autoencoder"] = "autoencoder"


class Autoencoder(Family[AutoencoderConfig]):
    """z = f(x), x̂ = g(z), and the error between x and x̂."""

    key = "autoencoder"
    title = "Autoencoder"
    sentence = "Each image becomes one point from which it can be drawn again; nothing asks the points to lie anywhere."
    source = "Hinton & Salakhutdinov 2006"
    Config = AutoencoderConfig
    metrics = Metrics((SQUARED_ERROR, CROSS_ENTROPY))
    capabilities = Capabilities(has_density=False, generates=False)
    presets = {  # noqa: RUF012  # read only, as the interface says
        "linear": Preset(
            "One linear layer each way under the squared error: they find the plane of the two principal components "
            "(Baldi & Hornik 1989), though not their axes.",
            {"hidden": (), "activation": "linear"},
        ),
        "deep": Preset(
            "784-1000-500-250-2 logistic units under the cross-entropy, as in Hinton & Salakhutdinov (2006), figure 3, "
            "with Adam for their layer-by-layer start.",
            {
                "hidden": (1000, 500, 250),
                "activation": "sigmoid",
                "error": "cross-entropy",
                "learning_rate": 1e-3,
            },
        ),
    }
    page = Page(
        see="Each point is an image at its code <i>z</i> = <i>f</i>(<i>x</i>), the two numbers from which it is drawn "
        "again. No prior asks the points to lie anywhere: the plane may be of any size, classes lie in arms with gaps "
        "between them, and a point dragged into a gap or beyond the arms often decodes to nothing that is a digit.",
        why="Only the error counts, and it is measured at the images' own codes: what the decoder draws elsewhere was "
        "never asked for. That is why no z can be drawn at random to make a new image, as from a VAE, where the KL "
        "makes the clouds fill the plane. Choose the preset “Linear”: the reconstructions become those of two "
        "principal components, and the difference between the errors is what the nonlinear layers are worth.",
        objective="min &nbsp;Σ <i>L</i>(<i>x</i>, <i>g</i>(<i>f</i>(<i>x</i>))), &nbsp; "
        "<i>L</i> = ‖<i>x</i> − <i>x̂</i>‖² or the cross-entropy",
    )

    def build(self, config: AutoencoderConfig, data: DataSpec) -> LatentModel:
        """An encoder to z itself, and a decoder."""
        return build_networks(config, data.image)

    def players(self, model: LatentModel, config: AutoencoderConfig) -> Sequence[Player[AutoencoderConfig]]:
        """One: encoder and decoder together lower the error."""

        def loss(batch: Batch, config: AutoencoderConfig) -> Objective:
            code = model.encode(batch.x)
            assert code is not None, "this family has an encoder"
            terms = {key: values.mean() for key, values in errors(model, code.mean, batch.x, config).items()}
            return Objective(terms[lowered(config)], terms, code)

        return [Player("model", list(model.parameters()), loss)]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: AutoencoderConfig
    ) -> Mapping[str, Tensor]:
        """The errors of held-out images."""
        code = model.encode(batch.x)
        assert code is not None, "this family has an encoder"
        return errors(model, code.mean, batch.x, config)

    def numpy_form(self, config: AutoencoderConfig) -> PointForm | None:
        """Where it is fully connected NumPy decodes."""
        return point_form(config)


def build_networks(
    config: PointNetworks, image: ImageSpec, code: str = "linear", code_bias: float = 0.0
) -> PointAutoencoder:
    """The networks that the settings name; ``code`` and ``code_bias`` as ``PointAutoencoder`` has them."""
    from vaeviewer.backend.models.likelihoods import BernoulliPixels, LinearPixels
    from vaeviewer.backend.models.networks.point_autoencoder import PointAutoencoder

    mlp = config.network == "mlp"
    return PointAutoencoder(
        config,
        image,
        LinearPixels() if config.linear_pixels else BernoulliPixels(),
        decoder_hidden=config.decoder_hidden if mlp else (),
        code=code,
        code_bias=code_bias,
        tied=config.tied and mlp,
    )


def point_form(config: PointNetworks, code: str = "linear") -> PointForm | None:
    """How NumPy computes these networks; ``code`` as there."""
    if config.network != "mlp":
        return None
    output = "linear" if config.linear_pixels else "sigmoid"
    return PointForm(config.activation, code=code, output=output, tied=config.tied)


def lowered(config: PointNetworks) -> str:
    """The key of the error that training lowers."""
    return "squared_error" if config.error == "squared" else "cross_entropy"


def errors(model: LatentModel, code: Tensor, x: Tensor, config: PointNetworks) -> dict[str, Tensor]:
    """Both errors of each image drawn from its code, ``(n,)``; Hinton & Salakhutdinov 2006, notes 17 and 18."""
    import torch

    drawn = model.decode(code)
    if config.linear_pixels:
        p = drawn.mean.clamp(DARKEST, 1.0 - DARKEST)
        cross_entropy = -torch.xlogy(x, p) - torch.xlogy(1.0 - x, 1.0 - p)
    return {
        "squared_error": (drawn.mean - x).square().flatten(1).sum(1),
        "cross_entropy": cross_entropy.flatten(1).sum(1) if config.linear_pixels else -drawn.log_prob(x),
    }


FAMILY = Autoencoder()
