"""The generative adversarial network of Goodfellow et al., "Generative Adversarial Nets" (2014).

With the networks of Radford, Metz & Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks" (2015), or fully connected ones, and what keeps the game in balance: the gradient penalty R1 of
Mescheder, Geiger & Nowozin (2018), spectral normalisation (Miyato et al. 2018), averaged weights (Karras et al. 2018),
or the Wasserstein distance with a gradient penalty (Gulrajani et al. 2017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from vaeviewer.backend.models.fields import ADVANCED, LIVE, ImageNetworks
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
    Preset,
)
from vaeviewer.backend.models.networks.numpy_mlp import MlpForm, WavesForm

if TYPE_CHECKING:
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel
    from vaeviewer.backend.models.networks.gan import GanNetworks

NEAREST = Metric(
    "nearest",
    "Distance to the nearest sample",
    "per image",
    better="lower",
    help="Squared distance Σ (x − G(z))² from an image to the nearest of up to 128 generated ones. It is large for "
    "images that the generator leaves out: mode collapse.",
    plot="nearest",
)
DISCRIMINATOR_LOSS = Metric(
    "discriminator_loss",
    "Discriminator's loss",
    "nats per image",
    help="What the discriminator lowers, without its penalty: −log D(x) − log(1 − D(G(z))), which is 2 log 2 = 1.39 "
    "where it can only guess. Of a Wasserstein critic: the mean of D(G(z)) less that of D(x).",
    plot="players",
)
GENERATOR_LOSS = Metric(
    "generator_loss",
    "Generator's loss",
    "nats per image",
    help="What the generator lowers: −log D(G(z)), which is log 2 = 0.69 where the discriminator can only guess. "
    "Under a Wasserstein critic: the mean of −D(G(z)).",
    plot="players",
)
GRADIENT = Metric(
    "gradient",
    "Discriminator's gradient",
    "per image",
    help="‖∂D/∂x‖² at the images: how fast the logit of the discriminator changes there. R1 keeps it small. Of a "
    "Wasserstein critic: (‖∂D/∂x‖ − 1)² between images and samples.",
    plot="gradient",
)
MOMENTUM = 0.0
"""β1 of both players' Adam, as in Mescheder et al. (2018). With the usual 0.9 the generator runs past all images."""


class GameConfig(ImageNetworks):
    """Settings of a generator and a discriminator."""

    r1: float = Field(
        3.0,
        ge=0.0,
        le=1000.0,
        title="R1",
        description="γ: the discriminator pays γ/2 · ‖∂D/∂x‖² at real images (Mescheder et al. 2018), without which "
        "the game circles or collapses. Of the non-saturating objective only.",
        json_schema_extra=LIVE,
    )
    averaging: float = Field(
        0.998,
        ge=0.0,
        le=0.99999,
        title="Averaging",
        description="Images are drawn by a running average of the generator's weights, of which each step keeps this "
        "share (Karras et al. 2018); at 0 it is the generator itself.",
        json_schema_extra=LIVE,
    )


class GanConfig(GameConfig):
    """Settings of the GAN."""

    family: Literal["gan"] = "gan"
    objective: Literal["non-saturating", "wasserstein"] = Field(
        "non-saturating",
        title="Objective",
        description="The generator raises log D(G(z)) (Goodfellow et al. 2014), or lowers the Wasserstein distance "
        "that a critic with gradients near 1 measures (WGAN-GP, Gulrajani et al. 2017).",
    )
    gradient_penalty: float = Field(
        10.0,
        ge=0.0,
        le=1000.0,
        title="Gradient penalty",
        description="λ: the Wasserstein critic pays λ · (‖∂D/∂x‖ − 1)² between real and generated images. Of that "
        "objective only.",
        json_schema_extra=LIVE,
    )
    discriminator_steps: int = Field(
        1,
        ge=1,
        le=20,
        title="Discriminator steps",
        description="Steps of the discriminator for each one of the generator, on the same images with other z; "
        "Gulrajani et al. (2017) take 5.",
    )
    spectral_norm: bool = Field(
        False,
        title="Spectral normalisation",
        description="Divide each weight matrix of the discriminator by its largest singular value "
        "(Miyato et al. 2018), so that its logit cannot change faster than the image does.",
    )
    waves: int = Field(
        64,
        ge=0,
        le=1024,
        title="Waves of z",
        description="The generator sees so many sines and cosines of z beside z itself (Tancik et al. 2020): with them "
        "it can change from class to class within a short way in the plane; 0: z alone.",
    )
    wave_scale: float = Field(
        2.0,
        gt=0.0,
        le=100.0,
        title="Wave scale",
        description="Deviation of the waves' frequencies, in radians per unit of z: the larger, the finer the "
        "patches into which the plane falls.",
        json_schema_extra=ADVANCED,
    )


class GAN(Family[GanConfig]):
    """A generator G(z) and a discriminator D(x), which play against each other."""

    key = "gan"
    title = "Generative adversarial network"
    sentence = (
        "A generator learns to draw what a discriminator takes for real; no image gets a place in the plane."
    )
    source = "Goodfellow et al. 2014"
    kin = "adversarial"
    Config = GanConfig
    metrics = Metrics((NEAREST, DISCRIMINATOR_LOSS, GENERATOR_LOSS, GRADIENT))
    capabilities = Capabilities(encodes=False, has_density=False)
    presets = {  # noqa: RUF012  # read only, as the interface says
        "dcgan": Preset(
            "Convolutional networks, after Radford et al. (2015).",
            {"network": "conv", "conv_channels": 8, "learning_rate": 2e-3},
        ),
        "original": Preset(
            "As in Goodfellow et al. (2014): no penalty, no average, z alone. It leaves out classes.",
            {"r1": 0.0, "averaging": 0.0, "waves": 0},
        ),
        "wgan-gp": Preset(
            "A Wasserstein critic with a gradient penalty, five steps of it for each of the generator, "
            "after Gulrajani et al. (2017).",
            {"objective": "wasserstein", "discriminator_steps": 5},
        ),
    }

    page = Page(
        see="The plane holds no images: there is no encoder, so none has a place. Drag, and each code <i>z</i> is "
        "drawn as something that a discriminator cannot tell from the images. Drawings are crisp where a VAE's are "
        "blurred, and between two classes lies a narrow seam of nonsense rather than a smooth blend.",
        why="Nothing compares a drawing with any one image: the generator only has to pass as real, and may leave out "
        "what is hard to draw. Choose the preset “Original” and watch it leave out some digits: mode collapse. "
        "R1 keeps the discriminator from changing abruptly, averaged weights steady the drawings, and waves "
        "of <i>z</i> let two numbers lead to all classes. Where the losses of discriminator and generator come to 1.39 "
        "and 0.69, the discriminator can only guess.",
        objective="max<sub><i>D</i></sub> &nbsp;E<sub><i>x</i></sub> [ log <i>D</i>(<i>x</i>) ] + "
        "E<sub><i>z</i></sub> [ log(1 − <i>D</i>(<i>G</i>(<i>z</i>))) ] − "
        "<i>γ</i>/2 E<sub><i>x</i></sub> ‖∇<i>D</i>(<i>x</i>)‖<sup>2</sup>, "
        "<br>max<sub><i>G</i></sub> &nbsp;E<sub><i>z</i></sub> [ log <i>D</i>(<i>G</i>(<i>z</i>)) ]",
    )

    def build(self, config: GanConfig, data: DataSpec) -> LatentModel:
        """A generator, its average, and a discriminator."""
        from vaeviewer.backend.models.networks.gan import GanNetworks
        from vaeviewer.backend.models.networks.waves import Waves

        return GanNetworks(
            config,
            data.image,
            waves=Waves(config.latent_dim, config.waves, config.wave_scale),
            spectral_norm=config.spectral_norm,
        )

    def players(self, model: LatentModel, config: GanConfig) -> Sequence[Player[GanConfig]]:
        """Two, the discriminator first, as in algorithm 1 of Goodfellow et al. (2014)."""
        from vaeviewer.backend.models.networks.gan import GanNetworks

        assert isinstance(model, GanNetworks), "what build makes"

        def discriminator(batch: Batch, config: GanConfig) -> Objective:
            return discriminator_objective(model, batch, config)

        def generator(batch: Batch, config: GanConfig) -> Objective:
            return generator_objective(model, batch, config)

        return [
            Player(
                "discriminator",
                list(model.discriminator.parameters()),
                discriminator,
                config.discriminator_steps,
                MOMENTUM,
            ),
            Player("generator", list(model.generator.parameters()), generator, momentum=MOMENTUM),
        ]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: GanConfig
    ) -> Mapping[str, Tensor]:
        """Both players' losses of each held-out image beside one drawn from its noise, and the nearest drawn image."""
        from vaeviewer.backend.models.networks.gan import GanNetworks, nearest

        assert isinstance(model, GanNetworks), "what build makes"
        drawn = model.decode(noise[0]).mean
        terms = _discriminator_terms(model, batch, drawn, config)
        terms["generator_loss"] = _generator_loss(model.judge(drawn), config)
        terms["nearest"] = nearest(batch.x, drawn)
        return {key: values.detach() for key, values in terms.items()}

    def numpy_form(self, config: GanConfig) -> MlpForm | None:
        """Where it is fully connected NumPy decodes."""
        return WavesForm(config.activation) if config.network == "mlp" else None

    def objective(self, config: GanConfig, terms: Mapping[str, Any]) -> Any:
        """Nothing is raised for long in a game: what is told of here is a loss that runs away."""
        return -abs(terms["discriminator_loss"]) - abs(terms["generator_loss"])


def discriminator_objective(model: GanNetworks, batch: Batch, config: GanConfig) -> Objective:
    """What the discriminator lowers, on a batch and as many images that the generator draws.

    Goodfellow et al. 2014, equation 1, with R1 (Mescheder et al. 2018, equation 9); or the critic's loss of Gulrajani
    et al. 2017, equation 3.
    """
    import torch

    with torch.no_grad():
        drawn = model.generate(batch.noise(len(batch.x), config.latent_dim))
    terms = {key: values.mean() for key, values in _discriminator_terms(model, batch, drawn, config).items()}
    weight = config.gradient_penalty if config.objective == "wasserstein" else 0.5 * config.r1
    return Objective(terms["discriminator_loss"] + weight * terms["gradient"], terms)


def generator_objective(model: GanNetworks, batch: Batch, config: GanConfig) -> Objective:
    """What the generator lowers, on as many images of its own as the batch has; the average of its weights follows."""
    from vaeviewer.backend.models.networks.adversary import held_fixed
    from vaeviewer.backend.models.networks.gan import follow_generator, nearest

    follow_generator(model, config.averaging, batch.step)
    drawn = model.generate(batch.noise(len(batch.x), config.latent_dim))
    loss = _generator_loss(held_fixed(model.discriminator)(drawn), config).mean()
    return Objective(loss, {"generator_loss": loss, "nearest": nearest(batch.x, drawn.detach()).mean()})


def _discriminator_terms(
    model: GanNetworks, batch: Batch, drawn: Tensor, config: GanConfig
) -> dict[str, Tensor]:
    """Its loss for each pair of a real and a drawn image and what is to be small of its gradient, each ``(n,)``."""
    from vaeviewer.backend.models.networks import adversary

    generated = model.judge(drawn)
    if config.objective == "wasserstein":
        mixed = adversary.mixed(batch.x, drawn, batch.uniform(len(batch.x)))
        _, squares = adversary.squared_gradient(model.judge, mixed, differentiable=True)
        loss = (generated - model.judge(batch.x)).squeeze(1)
        return {"discriminator_loss": loss, "gradient": (squares.clamp(min=1e-12).sqrt() - 1.0).square()}
    real, squares = adversary.squared_gradient(model.judge, batch.x, differentiable=config.r1 > 0)
    return {"discriminator_loss": adversary.telling_apart(real, generated), "gradient": squares}


def _generator_loss(generated: Tensor, config: GanConfig) -> Tensor:
    """``(n,)`` of logits ``(n, 1)``: Goodfellow et al. 2014, section 3, or Gulrajani et al. 2017, algorithm 1."""
    from vaeviewer.backend.models.networks.adversary import passing_as_real

    return -generated.squeeze(1) if config.objective == "wasserstein" else passing_as_real(generated)


FAMILY = GAN()
