"""A VAE with a learned prior: Tomczak & Welling, "VAE with a VampPrior" (2018)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from vaeviewer.backend.models.bound import ElboFamily
from vaeviewer.backend.models.fields import ElboObjective, ImageNetworks
from vaeviewer.backend.models.interface import (
    Batch,
    Capabilities,
    DataSpec,
    Objective,
    Page,
    Player,
    Preset,
    TrainingImages,
)
from vaeviewer.backend.models.networks.numpy_mlp import MlpForm, form_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.distributions import Normal

    from vaeviewer.backend.models.latent_model import LatentModel


class VampPriorConfig(ElboObjective, ImageNetworks):
    """Settings of the VAE with a learned prior."""

    family: Literal["vampprior"] = "vampprior"
    learned_prior: Literal["vampprior", "mixture"] = Field(
        "vampprior",
        title="Prior",
        description="What p(z) is a mixture of: the posteriors of learned pseudo-inputs, which begin as training "
        "images (VampPrior), or Gaussians with free means and variances.",
    )
    components: int = Field(
        50,
        ge=1,
        le=5000,
        title="Components",
        description="K: how many Gaussians the prior is made of. Pseudo-inputs pass the inference network at each "
        "step, so that many of them cost time.",
    )

    def widest(self, values: int) -> int:
        """As :meth:`FamilyConfig.widest`: each code is held against all components."""
        return max(super().widest(values), self.components * self.latent_dim)


class VampPrior(ElboFamily[VampPriorConfig]):
    """A VAE whose prior is learned, too."""

    key = "vampprior"
    title = "VAE with a learned prior"
    sentence = (
        "The prior moves to where the codes are: it is the mixture of clouds of some images that are learned."
    )
    source = "Tomczak & Welling 2018"
    kin = "variational"
    Config = VampPriorConfig
    capabilities = Capabilities(normal_prior=False)
    presets = {  # noqa: RUF012  # read only, as the interface says
        "mixture": Preset(
            "Ten free Gaussians in place of pseudo-inputs: the baseline of Tomczak & Welling (2018).",
            {"learned_prior": "mixture", "components": 10},
        )
    }
    page = Page(
        see="In place of the circles the plane shows the prior that was learned: hills where codes are, and valleys "
        "between the classes. The classes lie further apart than with a VAE, as nothing pulls them to the middle; "
        "what is decoded in a valley is improbable, and the prior says so.",
        why="The best prior for a given encoder is the average of all its posteriors <i>q</i>(<i>z</i>|<i>x</i>): then "
        "the KL asks of an image only what tells it from the others. That average would need every image at every "
        "step, so it is made of <i>K</i> pseudo-inputs <i>u<sub>k</sub></i>: images that training is free to change, "
        "with the same encoder. Take a single component, and the prior is one Gaussian again; take 500, and watch the "
        "KL.",
        objective="max &nbsp;E<sub><i>q</i>(<i>z</i>|<i>x</i>)</sub> [ log <i>p</i>(<i>x</i>|<i>z</i>) ] − <i>β</i> "
        "KL( <i>q</i>(<i>z</i>|<i>x</i>) ‖ <i>p</i>(<i>z</i>) )"
        "<br><i>p</i>(<i>z</i>) = <sup>1</sup>⁄<sub><i>K</i></sub> Σ<sub><i>k</i></sub> "
        "<i>q</i>(<i>z</i>|<i>u<sub>k</sub></i>)",
    )

    def build(self, config: VampPriorConfig, data: DataSpec) -> LatentModel:
        """A VAE's networks, and the prior's components."""
        from vaeviewer.backend.models.likelihoods import build_likelihood
        from vaeviewer.backend.models.networks.mixture_prior import MixturePriorAutoencoder

        likelihood = build_likelihood(config)
        return MixturePriorAutoencoder(
            config, data.image, likelihood, config.learned_prior, config.components
        )

    def prepare(
        self,
        model: LatentModel,
        images: TrainingImages,
        labels: Tensor | None,
        config: VampPriorConfig,
        generator: torch.Generator,
    ) -> None:
        """Let pseudo-inputs begin as training images, drawn at random."""
        import torch

        from vaeviewer.backend.models.networks.mixture_prior import MixturePriorAutoencoder

        if config.learned_prior != "vampprior":
            return
        assert isinstance(model, MixturePriorAutoencoder), "as it was built"
        rows = torch.randperm(len(images), generator=generator)
        model.start_from(images[rows[torch.arange(config.components) % len(rows)]])

    def players(self, model: LatentModel, config: VampPriorConfig) -> Sequence[Player[VampPriorConfig]]:
        """One: encoder, decoder and prior together raise the ELBO."""

        def loss(batch: Batch, config: VampPriorConfig) -> Objective:
            terms, posterior = elbo_terms(model, batch.x, batch.noise(1, len(batch.x), config.latent_dim))
            means = {key: values.mean() for key, values in terms.items()}
            objective = means["reconstruction"] - config.beta_at(batch.step) * means["kl"]
            return Objective(-objective, means, posterior)

        return [Player("model", list(model.parameters()), loss)]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: VampPriorConfig
    ) -> Mapping[str, Tensor]:
        """The ELBO's terms, averaged over the noise's samples."""
        return elbo_terms(model, batch.x, noise)[0]

    def numpy_form(self, config: VampPriorConfig) -> MlpForm | None:
        """Where it is fully connected NumPy decodes."""
        return form_of(config)


def elbo_terms(model: LatentModel, x: Tensor, noise: Tensor) -> tuple[dict[str, Tensor], Normal]:
    """The ELBO's terms of each image and q(z|x), under any prior.

    Args:
        model: With a diagonal Gaussian q(z|x).
        x: ``(n, C, H, W)``.
        noise: ε ~ N(0, I), ``(samples, n, latent_dim)``.

    Returns:
        ``reconstruction`` and ``kl``, means over the samples of log p(x|z) and log q(z|x) − log p(z), each ``(n,)``,
        nats. Of a single image the latter may be below 0.
    """
    from torch.distributions import Normal

    q = model.encode(x)
    assert isinstance(q, Normal), "this family's encoder gives one"
    z = q.loc + q.scale * noise
    log_q = (-0.5 * noise.square() - q.scale.log() - 0.5 * math.log(2.0 * math.pi)).sum(-1)
    terms = {
        "reconstruction": model.decode(z).log_prob(x).mean(0),
        "kl": (log_q - model.prior().log_prob(z)).mean(0),
    }
    return terms, q


FAMILY = VampPrior()
