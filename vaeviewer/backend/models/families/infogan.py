"""InfoGAN: a GAN that can say which code an image was drawn from, so that each code comes to mean something.

Chen, Duan, Houthooft, Schulman, Sutskever & Abbeel, "InfoGAN: Interpretable Representation Learning by Information
Maximizing Generative Adversarial Nets" (2016).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from vaeviewer.backend.models.families.gan import (
    DISCRIMINATOR_LOSS,
    GENERATOR_LOSS,
    GRADIENT,
    MOMENTUM,
    NEAREST,
    GameConfig,
)
from vaeviewer.backend.models.fields import LIVE
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
from vaeviewer.backend.models.networks.numpy_mlp import MlpForm, form_of

if TYPE_CHECKING:
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel
    from vaeviewer.backend.models.networks.infogan import InfoGanNetworks

CATEGORY_INFORMATION = Metric(
    "category_information",
    "Category",
    "nats per image",
    better="higher",
    help="A bound on the mutual information between the category and the image, E[log Q(y|x)] + log K: log K, which is "
    "2.30 for ten, where the category can always be told from the image.",
    plot="information",
)
CODE_INFORMATION = Metric(
    "code_information",
    "Codes",
    "nats per image",
    better="higher",
    help="A bound on the mutual information between the continuous codes and the image, E[log Q(z|x)] + H(z), summed "
    "over the codes.",
    plot="information",
)


class InfoGanConfig(GameConfig):
    """Settings of InfoGAN."""

    family: Literal["infogan"] = "infogan"
    categories: int = Field(
        10,
        ge=2,
        le=100,
        title="Categories",
        description="Values of the categorical code y, each as likely as any other. Nobody tells it of classes: "
        "what a category comes to mean is found.",
    )
    codes: int = Field(
        2,
        ge=1,
        le=256,
        title="Continuous codes",
        description="So many of the first numbers of z are to be told from the image again; those behind them are "
        "noise, which may mean anything.",
    )
    category_weight: float = Field(
        1.0,
        ge=0.0,
        le=100.0,
        title="Weight of the category",
        description="λ of the information that the image has of the category (Chen et al. 2016, equation 6).",
        json_schema_extra=LIVE,
    )
    code_weight: float = Field(
        0.1,
        ge=0.0,
        le=100.0,
        title="Weight of the codes",
        description="λ of the information that the image has of the continuous codes.",
        json_schema_extra=LIVE,
    )


class InfoGAN(Family[InfoGanConfig]):
    """A generator that sees a category and codes, and a discriminator that also says what it saw."""

    key = "infogan"
    title = "InfoGAN"
    sentence = (
        "A GAN whose category and codes can be told from its images, so that each comes to mean something."
    )
    source = "Chen et al. 2016"
    kin = "adversarial"
    Config = InfoGanConfig
    metrics = Metrics(
        (NEAREST, DISCRIMINATOR_LOSS, GENERATOR_LOSS, GRADIENT, CATEGORY_INFORMATION, CODE_INFORMATION)
    )
    capabilities = Capabilities(encodes=False, has_density=False)
    class_title = "Category"
    presets = {  # noqa: RUF012  # read only, as the interface says
        "noise": Preset("Two codes and 62 numbers of noise, as in Chen et al. (2016).", {"latent_dim": 64}),
    }
    page = Page(
        see="Choose a category and drag: all of the plane is drawn in that category, mostly one digit, and the two "
        "numbers under the mouse change how it is drawn, such as its slant and its width. Nobody has told the model of "
        "digits, so a category may be two that look alike, or one digit may have two categories.",
        why="A GAN may use <i>z</i> however it likes. Here the discriminator, at its end, also guesses the category "
        "<i>y</i> and the codes from the image, and the generator is rewarded where the guess is right: a bound on the "
        "mutual information between code and image. Set the weight of the category to 0, and all categories draw the "
        "same.",
        objective="min<sub><i>G</i>,<i>Q</i></sub> max<sub><i>D</i></sub> &nbsp;<i>V</i>(<i>D</i>, <i>G</i>) − "
        "<i>λ</i> ( E<sub><i>z</i>,<i>y</i></sub> [ log <i>Q</i>(<i>z</i>, <i>y</i>|<i>G</i>(<i>z</i>, <i>y</i>)) ] + "
        "<i>H</i>(<i>z</i>, <i>y</i>) ), <br>the bracket is at most "
        "<i>I</i>(<i>z</i>, <i>y</i>; <i>G</i>(<i>z</i>, <i>y</i>))",
    )

    def build(self, config: InfoGanConfig, data: DataSpec) -> LatentModel:
        """A generator, its average, and a discriminator that shares its layers with Q."""
        from vaeviewer.backend.models.networks.infogan import InfoGanNetworks

        return InfoGanNetworks(config, data.image)

    def players(self, model: LatentModel, config: InfoGanConfig) -> Sequence[Player[InfoGanConfig]]:
        """Two: the discriminator with Q, which share their layers (Chen et al. 2016, section 6), and the generator."""
        from vaeviewer.backend.models.networks.infogan import InfoGanNetworks

        assert isinstance(model, InfoGanNetworks), "what build makes"

        def discriminator(batch: Batch, config: InfoGanConfig) -> Objective:
            return discriminator_objective(model, batch, config)

        def generator(batch: Batch, config: InfoGanConfig) -> Objective:
            return generator_objective(model, batch, config)

        return [
            Player("discriminator", list(model.discriminator.parameters()), discriminator, momentum=MOMENTUM),
            Player("generator", list(model.generator.parameters()), generator, momentum=MOMENTUM),
        ]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: InfoGanConfig
    ) -> Mapping[str, Tensor]:
        """Both players' losses of each held-out image beside one drawn from its noise, and what Q says of that."""
        from vaeviewer.backend.models.networks import adversary
        from vaeviewer.backend.models.networks.gan import nearest
        from vaeviewer.backend.models.networks.infogan import InfoGanNetworks

        assert isinstance(model, InfoGanNetworks), "what build makes"
        z, y = noise[0], _categories(batch, config)
        drawn = model.decode(z, y).mean
        real, squares = adversary.squared_gradient(model.judge, batch.x, differentiable=False)
        seen = model.discriminator(drawn)
        return {
            "nearest": nearest(batch.x, drawn),
            "discriminator_loss": adversary.telling_apart(real.detach(), seen[:, :1]),
            "generator_loss": adversary.passing_as_real(seen[:, :1]),
            "gradient": squares,
            **model.information(seen, z, y),
        }

    def class_names(self, config: InfoGanConfig, of_images: Sequence[str]) -> Sequence[str]:
        """Categories have numbers, as nobody knows beforehand what they come to mean."""
        return [str(number) for number in range(1, config.categories + 1)]

    def numpy_form(self, config: InfoGanConfig) -> MlpForm | None:
        """Where it is fully connected NumPy decodes."""
        return form_of(config)

    def objective(self, config: InfoGanConfig, terms: Mapping[str, Any]) -> Any:
        """Nothing is raised for long in a game: what is told of here is a loss that runs away."""
        return -abs(terms["discriminator_loss"]) - abs(terms["generator_loss"])


def discriminator_objective(model: InfoGanNetworks, batch: Batch, config: InfoGanConfig) -> Objective:
    """Tell images from drawn ones, with R1, and guess the codes of those; Chen et al. 2016, equation 6."""
    import torch

    from vaeviewer.backend.models.networks import adversary

    z, y = batch.noise(len(batch.x), config.latent_dim), _categories(batch, config)
    with torch.no_grad():
        drawn = model.generate(z, y)
    seen = model.discriminator(drawn)
    real, squares = adversary.squared_gradient(model.judge, batch.x, differentiable=config.r1 > 0)
    loss, slope = adversary.telling_apart(real, seen[:, :1]).mean(), squares.mean()
    told = {key: values.mean() for key, values in model.information(seen, z, y).items()}
    lowered = loss + 0.5 * config.r1 * slope - _weighted(told, config)
    return Objective(lowered, {"discriminator_loss": loss, "gradient": slope})


def generator_objective(model: InfoGanNetworks, batch: Batch, config: InfoGanConfig) -> Objective:
    """Pass as real, and let the codes be seen; the average of its weights follows."""
    from vaeviewer.backend.models.networks import adversary
    from vaeviewer.backend.models.networks.gan import follow_generator, nearest

    follow_generator(model, config.averaging, batch.step)
    z, y = batch.noise(len(batch.x), config.latent_dim), _categories(batch, config)
    drawn = model.generate(z, y)
    seen = adversary.held_fixed(model.discriminator)(drawn)
    loss = adversary.passing_as_real(seen[:, :1]).mean()
    told = {key: values.mean() for key, values in model.information(seen, z, y).items()}
    terms = {"generator_loss": loss, "nearest": nearest(batch.x, drawn.detach()).mean(), **told}
    return Objective(loss - _weighted(told, config), terms)


def _weighted(told: Mapping[str, Tensor], config: InfoGanConfig) -> Tensor:
    return (
        config.category_weight * told["category_information"] + config.code_weight * told["code_information"]
    )


def _categories(batch: Batch, config: InfoGanConfig) -> Tensor:
    """Of each image that is to be drawn, int64 ``(n,)``, all of them equally likely."""
    drawn = (batch.uniform(len(batch.x)) * config.categories).long()
    return drawn.clamp(max=config.categories - 1)


FAMILY = InfoGAN()
