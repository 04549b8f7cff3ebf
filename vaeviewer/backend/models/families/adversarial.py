"""The adversarial autoencoder of Makhzani, Shlens, Jaitly, Goodfellow & Frey, "Adversarial Autoencoders" (2015)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from vaeviewer.backend.models.families.autoencoder import CROSS_ENTROPY, SQUARED_ERROR
from vaeviewer.backend.models.fields import LIVE, ImageNetworks
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
    TrainingImages,
)
from vaeviewer.backend.models.networks.numpy_mlp import MlpForm, form_of
from vaeviewer.errors import SettingsError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel
    from vaeviewer.backend.models.networks.aae import AdversarialAutoencoder

MOMENTUM = 0.5
"""β1 of Adam where encoder and discriminator play against each other."""

DISCREPANCY = Metric(
    "discrepancy",
    "Discrepancy",
    "thousandths",
    better="lower",
    help="Squared maximum mean discrepancy (Gretton et al. 2012) between codes and as many draws from the prior: 0 "
    "where both are distributed alike. Estimated, so it may lie a little below.",
    plot="discrepancy",
)
DISCRIMINATOR_LOSS = Metric(
    "discriminator_loss",
    "Discriminator's loss",
    "nats per image",
    help="−log D(z) − log(1 − D(f(x))), for z from the prior and f(x) the code of an image; 2 log 2 = 1.39 where the "
    "discriminator can only guess.",
    plot="players",
)
ENCODER_LOSS = Metric(
    "encoder_loss",
    "Encoder's loss",
    "nats per image",
    help="−log D(f(x)), which the encoder lowers to make its codes pass as draws from the prior; log 2 = 0.69 where "
    "the discriminator can only guess.",
    plot="players",
)


class AdversarialConfig(ImageNetworks):
    """Settings of the adversarial autoencoder."""

    family: Literal["adversarial"] = "adversarial"
    prior: Literal["gaussian", "mixture", "swiss-roll", "ring", "picture"] = Field(
        "gaussian",
        title="Prior",
        description="How codes are to be distributed: N(0, I), a mixture of Gaussians on a circle, a swiss roll, a "
        "ring, or wherever a picture has ink. Further dimensions than two are N(0, 1).",
    )
    picture: int = Field(
        1,
        ge=1,
        le=10**9,
        title="Picture",
        description="Which training image's ink is the prior, counted from 1.",
    )
    labels: bool = Field(
        False,
        title="Labels",
        description="The discriminator sees the class, too, and each class is to fill a part of its own of the "
        "mixture, roll, ring or picture (Makhzani et al. 2015, section 2.3).",
    )
    discriminator_steps: int = Field(
        1,
        ge=1,
        le=20,
        title="Discriminator steps",
        description="Steps of the discriminator for each one of the autoencoder.",
    )
    r1: float = Field(
        0.1,
        ge=0.0,
        le=1000.0,
        title="R1",
        description="γ: the discriminator pays γ/2 · ‖∂D/∂z‖² at draws from the prior (Mescheder et al. 2018), which "
        "keeps codes from circling around.",
        json_schema_extra=LIVE,
    )

    @property
    def uses_labels(self) -> bool:
        """Whether classes have parts of the prior: N(0, I) has none."""
        return self.labels and self.prior != "gaussian"


class Adversarial(Family[AdversarialConfig]):
    """An autoencoder of which the codes must pass as draws from a prior."""

    key = "adversarial"
    title = "Adversarial autoencoder"
    sentence = "An autoencoder whose codes a discriminator must not tell from draws of a prior, of any shape you like."
    source = "Makhzani et al. 2015"
    kin = "adversarial"
    Config = AdversarialConfig
    metrics = Metrics((SQUARED_ERROR, CROSS_ENTROPY, DISCREPANCY, DISCRIMINATOR_LOSS, ENCODER_LOSS))
    capabilities = Capabilities(has_density=False, normal_prior=False)
    presets = {  # noqa: RUF012  # read only, as the interface says
        "mixture": Preset("Codes fill ten Gaussians on a circle.", {"prior": "mixture"}),
        "swiss-roll": Preset("Codes lie along a swiss roll.", {"prior": "swiss-roll"}),
        "classes": Preset(
            "Each class has a Gaussian of its own, as in Makhzani et al. (2015), figure 4.",
            {"prior": "mixture", "labels": True},
        ),
        "picture": Preset("Codes lie where the first image has ink.", {"prior": "picture"}),
    }
    page = Page(
        see="The points lie as the prior says, whatever that is: in a disc, on ten islands, along a swiss roll, or in "
        "the shape of a drawn digit. Drag along the roll, and one class passes into the next; step off it, where the "
        "prior has no mass, and nothing has told the decoder what to draw.",
        why="There is no KL term, which would need the density of the prior: a discriminator is shown codes and draws "
        "from the prior, and the encoder learns to deceive it. So any distribution that can be drawn from will do. "
        "Each step has three phases: encoder and decoder lower the error, the discriminator learns to tell codes from "
        "draws, the encoder moves its codes where they pass. With labels each class is sent to a part of its own.",
        objective="min<sub><i>f</i>,<i>g</i></sub> &nbsp;E<sub><i>x</i></sub> [ "
        "−log <i>p</i>(<i>x</i>|<i>f</i>(<i>x</i>)) ], "
        "<br>max<sub><i>D</i></sub> &nbsp;E<sub><i>z</i>~<i>p</i>(<i>z</i>)</sub> [ log <i>D</i>(<i>z</i>) ] + "
        "E<sub><i>x</i></sub> [ log(1 − <i>D</i>(<i>f</i>(<i>x</i>))) ], "
        "<br>max<sub><i>f</i></sub> &nbsp;E<sub><i>x</i></sub> [ log <i>D</i>(<i>f</i>(<i>x</i>)) ]",
    )

    def build(self, config: AdversarialConfig, data: DataSpec) -> LatentModel:
        """An encoder to z itself, its mirror, a discriminator, and the prior."""
        from vaeviewer.backend.models.networks.aae import AdversarialAutoencoder

        return AdversarialAutoencoder(config, data)

    def prepare(
        self,
        model: LatentModel,
        images: TrainingImages,
        labels: Tensor | None,
        config: AdversarialConfig,
        generator: torch.Generator,
    ) -> None:
        """Take the ink of the picture that is the prior.

        Raises:
            SettingsError: There is no such image, or no ink in it.
        """
        from vaeviewer.backend.models.networks.aae import AdversarialAutoencoder

        assert isinstance(model, AdversarialAutoencoder), "what build makes"
        if config.prior != "picture" or model.shape is None:
            return
        if config.picture > len(images):
            raise SettingsError(
                f"picture must be at most {len(images)}, the number of training images, but is {config.picture}."
            )
        try:
            model.shape.take_ink(images[config.picture - 1 : config.picture][0])
        except ValueError as error:
            raise SettingsError(f"picture: training image {config.picture} {error}.") from None

    def players(self, model: LatentModel, config: AdversarialConfig) -> Sequence[Player[AdversarialConfig]]:
        """Three: the autoencoder, the discriminator, and the encoder alone; Makhzani et al. 2015, section 2."""
        from vaeviewer.backend.models.networks.aae import AdversarialAutoencoder

        assert isinstance(model, AdversarialAutoencoder), "what build makes"

        def autoencoder(batch: Batch, config: AdversarialConfig) -> Objective:
            return autoencoder_objective(model, batch, config)

        def discriminator(batch: Batch, config: AdversarialConfig) -> Objective:
            return discriminator_objective(model, batch, config)

        def encoder(batch: Batch, config: AdversarialConfig) -> Objective:
            return encoder_objective(model, batch, config)

        encoders = list(model.encoder.parameters())
        return [
            Player("autoencoder", [*encoders, *model.decoder.parameters()], autoencoder),
            Player(
                "discriminator",
                list(model.discriminator.parameters()),
                discriminator,
                config.discriminator_steps,
                MOMENTUM,
            ),
            Player("encoder", encoders, encoder, momentum=MOMENTUM),
        ]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: AdversarialConfig
    ) -> Mapping[str, Tensor]:
        """The errors of held-out images, and how their codes compare with draws from the prior."""
        from vaeviewer.backend.models.networks import adversary
        from vaeviewer.backend.models.networks.aae import AdversarialAutoencoder, discrepancy

        assert isinstance(model, AdversarialAutoencoder), "what build makes"
        code, drawn = model.encode(batch.x).mean, model.draw(len(batch.x), batch.y)
        judged = model.judge(code, batch.y)
        return {
            **_errors(model, batch, code),
            "discrepancy": 1000.0 * discrepancy(code, drawn),
            "discriminator_loss": adversary.telling_apart(model.judge(drawn, batch.y), judged),
            "encoder_loss": adversary.passing_as_real(judged),
        }

    def sees_labels(self, config: AdversarialConfig) -> bool:
        """Only where classes have parts of the prior."""
        return config.uses_labels

    def numpy_form(self, config: AdversarialConfig) -> MlpForm | None:
        """Where it is fully connected NumPy decodes."""
        return form_of(config, gaussian=False)

    def objective(self, config: AdversarialConfig, terms: Mapping[str, Any]) -> Any:
        """What training lowers of the errors."""
        return -terms["cross_entropy"]


def autoencoder_objective(
    model: AdversarialAutoencoder, batch: Batch, config: AdversarialConfig
) -> Objective:
    """The reconstruction phase: the cross-entropy of images drawn from their codes."""
    code = model.encode(batch.x)
    terms = {key: values.mean() for key, values in _errors(model, batch, code.mean).items()}
    return Objective(terms["cross_entropy"], terms, code)


def discriminator_objective(
    model: AdversarialAutoencoder, batch: Batch, config: AdversarialConfig
) -> Objective:
    """The regularisation phase, first half: tell draws from the prior, of the same classes, from codes."""
    import torch

    from vaeviewer.backend.models.networks import adversary
    from vaeviewer.backend.models.networks.aae import discrepancy

    with torch.no_grad():
        code, drawn = model.encode(batch.x).mean, model.draw(len(batch.x), batch.y)
        apart = 1000.0 * discrepancy(code, drawn).mean()
    real, squares = adversary.squared_gradient(
        lambda z: model.judge(z, batch.y), drawn, differentiable=config.r1 > 0
    )
    loss = adversary.telling_apart(real, model.judge(code, batch.y)).mean()
    terms = {"discriminator_loss": loss, "discrepancy": apart}
    return Objective(loss + 0.5 * config.r1 * squares.mean(), terms)


def encoder_objective(model: AdversarialAutoencoder, batch: Batch, config: AdversarialConfig) -> Objective:
    """Its second half: codes are to pass as draws from the prior. Its gradient is of the encoder alone."""
    from vaeviewer.backend.models.networks import adversary

    code = model.encode(batch.x).mean
    loss = adversary.passing_as_real(model.judge(code, batch.y)).mean()
    return Objective(loss, {"encoder_loss": loss})


def _errors(model: AdversarialAutoencoder, batch: Batch, code: Tensor) -> dict[str, Tensor]:
    """Of the images drawn from codes, each ``(n,)``."""
    drawn = model.decode(code)
    return {
        "squared_error": (drawn.mean - batch.x).square().flatten(1).sum(1),
        "cross_entropy": -drawn.log_prob(batch.x),
    }


FAMILY = Adversarial()
