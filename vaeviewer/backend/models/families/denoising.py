"""The denoising autoencoder: it sees a corrupted image and is to draw the clean one.

Vincent, Larochelle, Bengio & Manzagol, "Extracting and Composing Robust Features with Denoising Autoencoders" (2008).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from vaeviewer.backend.models.fields import LIVE, FamilyConfig, ImageNetworks
from vaeviewer.backend.models.interface import (
    Batch,
    Capabilities,
    DataSpec,
    Family,
    Metric,
    Metrics,
    Objective,
    Page,
    Player,
)
from vaeviewer.backend.models.networks.numpy_mlp import MlpForm, form_of

if TYPE_CHECKING:
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel

SQUARED_ERROR = Metric(
    "squared_error",
    "Squared error",
    "per image",
    better="lower",
    help="Σ (x − g(z))² over the pixels: how far the image drawn from the noisy one is from the clean one.",
    plot="squares",
)
CORRUPTION = Metric(
    "corruption",
    "Noise",
    "per image",
    help="Σ (x − x̃)² over the pixels: how far the noisy image itself is from the clean one. The model has to beat it.",
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


class Corruption(FamilyConfig):
    """How images are damaged before the encoder sees them."""

    noise: Literal["masking", "gaussian"] = Field(
        "masking",
        title="Noise",
        description="Masking noise blackens a share of the pixels, as in Vincent et al. (2008); "
        "Gaussian noise is added to all.",
    )
    noise_level: float = Field(
        0.5,
        ge=0.0,
        le=1.0,
        title="Noise level",
        description="The share of pixels that masking noise blackens, or the standard deviation of Gaussian noise.",
        json_schema_extra=LIVE,
    )

    def damage_text(self, pixels: str) -> str:
        """What is done to the images, after what their pixels are."""
        if self.noise == "masking":
            return f"{pixels}, {100 * self.noise_level:.0f} % of them blackened"
        return f"{pixels}, Gaussian noise of deviation {self.noise_level:g}"


class DenoisingConfig(Corruption, ImageNetworks):
    """Settings of the denoising autoencoder."""

    family: Literal["denoising"] = "denoising"
    error: Literal["cross-entropy", "squared"] = Field(
        "cross-entropy",
        title="Error",
        description="What training lowers: the cross-entropy between clean and drawn pixels, "
        "or their squared difference.",
    )


class Denoising(Family[DenoisingConfig]):
    """An encoder to a point, and a decoder, trained from corrupted images to clean ones."""

    key = "denoising"
    title = "Denoising autoencoder"
    sentence = (
        "It is shown damaged images and learns to draw them whole: its codes keep what noise cannot reach."
    )
    source = "Vincent et al. 2008"
    Config = DenoisingConfig
    metrics = Metrics((SQUARED_ERROR, CORRUPTION, CROSS_ENTROPY))
    capabilities = Capabilities(has_density=False, generates=False)
    page = Page(
        see="Each point is an image at its code <i>z</i> = <i>f</i>(<i>x</i>). No prior asks the points to lie "
        "anywhere: they spread as far as they like and leave gaps between the classes. Drag into a gap, and what is "
        "drawn there is often of no class.",
        why="The model is given a damaged image x̃ and is to draw the whole one, so that copying does not help: a code "
        "can keep only what survives the damage, such as the shape of a digit. The curve “Noise” says how far damaged "
        "images are from whole ones; the squared error has to stay below it. Raise the noise level while it trains, "
        "and the reconstructions keep less of a handwriting and more of what its digits have in common.",
        objective="min &nbsp;E<sub><i>q</i>(x̃|<i>x</i>)</sub> [ <i>L</i>(<i>x</i>, <i>g</i>(<i>f</i>(x̃))) ], "
        "<br><i>L</i> is the cross-entropy or the squared error",
    )

    def build(self, config: DenoisingConfig, data: DataSpec) -> LatentModel:
        """An encoder to z itself, and its mirror."""
        from vaeviewer.backend.models.latent_model import Autoencoder
        from vaeviewer.backend.models.likelihoods import BernoulliPixels

        return Autoencoder(config, data.image, BernoulliPixels(), gaussian=False)

    def players(self, model: LatentModel, config: DenoisingConfig) -> Sequence[Player[DenoisingConfig]]:
        """One: encoder and decoder together lower the error."""

        def loss(batch: Batch, config: DenoisingConfig) -> Objective:
            import torch

            terms = {key: values.mean() for key, values in _terms(model, batch, config).items()}
            with torch.no_grad():  # the plane shows where clean images lie
                code = model.encode(batch.x)
            lowered = "squared_error" if config.error == "squared" else "cross_entropy"
            return Objective(terms[lowered], terms, code)

        return [Player("model", list(model.parameters()), loss)]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: DenoisingConfig
    ) -> Mapping[str, Tensor]:
        """The errors of images drawn from corrupted held-out images."""
        return _terms(model, batch, config)

    def numpy_form(self, config: DenoisingConfig) -> MlpForm | None:
        """Where it is fully connected NumPy decodes."""
        return form_of(config, gaussian=False)

    def protocol(self, config: DenoisingConfig, pixels: str) -> str:
        """What is done to the images."""
        return config.damage_text(pixels)


def corrupted(batch: Batch, config: Corruption) -> Tensor:
    """x̃ ~ q(x̃|x) of the images of a batch, in their shape; Vincent et al. 2008, section 2.2."""
    x = batch.x
    if config.noise == "masking":
        return x * (batch.uniform(*x.shape) >= config.noise_level)
    return (x + config.noise_level * batch.noise(*x.shape)).clamp(0.0, 1.0)


def _terms(model: LatentModel, batch: Batch, config: DenoisingConfig) -> dict[str, Tensor]:
    """The metrics of each image, ``(n,)``: z = f(x̃), x̂ = g(z), and how far x̂ is from x (equations 1 and 5)."""
    noisy = corrupted(batch, config)
    code = model.encode(noisy)
    assert code is not None, "this family has an encoder"
    drawn = model.decode(code.mean)
    return {
        "squared_error": (drawn.mean - batch.x).square().flatten(1).sum(1),
        "corruption": (noisy - batch.x).square().flatten(1).sum(1),
        "cross_entropy": -drawn.log_prob(batch.x),
    }


FAMILY = Denoising()
