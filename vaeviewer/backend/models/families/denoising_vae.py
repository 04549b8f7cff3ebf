"""The denoising variational autoencoder: a VAE of which the encoder sees damaged images.

Im, Ahn, Memisevic & Bengio, "Denoising Criterion for Variational Auto-Encoding Framework" (2017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from vaeviewer.backend.models.bound import ElboFamily
from vaeviewer.backend.models.families.denoising import Corruption, corrupted
from vaeviewer.backend.models.families.vae import kl_by_dimension
from vaeviewer.backend.models.fields import LIVE, ElboObjective, ImageNetworks
from vaeviewer.backend.models.interface import Batch, DataSpec, Objective, Page, Player
from vaeviewer.backend.models.networks.numpy_mlp import MlpForm, form_of

if TYPE_CHECKING:
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel


class DenoisingVaeConfig(Corruption, ElboObjective, ImageNetworks):
    """Settings of the denoising VAE."""

    family: Literal["denoising-vae"] = "denoising-vae"
    noise_level: float = Field(
        0.15,
        ge=0.0,
        le=1.0,
        title="Noise level",
        description="The share of pixels that masking noise blackens, or the standard deviation of Gaussian noise.",
        json_schema_extra=LIVE,
    )


class DenoisingVAE(ElboFamily[DenoisingVaeConfig]):
    """q(z|x̃) of a damaged image x̃, p(x|z) of the whole one."""

    key = "denoising-vae"
    title = "Denoising VAE"
    sentence = "A VAE that is shown damaged images and has to explain the whole ones: its clouds allow for the damage."
    source = "Im et al. 2017"
    kin = "variational"
    Config = DenoisingVaeConfig
    page = Page(
        see="Each point is the middle of the cloud <i>q</i>(<i>z</i>|<i>x</i>) of a whole image, as of a VAE, and the "
        "clouds fill the prior in the same way. The encoder has learned that an image, damaged in another way, has to "
        "land near by: were some of its pixels black, its point would hardly move.",
        why="The encoder is given a damaged image x̃, but the decoder is held to the whole one. Averaged over damage, "
        "the posterior of an image is a mixture of many Gaussians, freer than one; and the objective still is a bound "
        "on log <i>p</i>(<i>x</i>). Raise the noise level while it trains: codes keep less of an image, the KL falls, "
        "and so does the ELBO.",
        objective="max &nbsp;E<sub><i>c</i>(x̃|<i>x</i>)</sub> [ E<sub><i>q</i>(<i>z</i>|x̃)</sub> "
        "[ log <i>p</i>(<i>x</i>|<i>z</i>) ] − <i>β</i> KL( <i>q</i>(<i>z</i>|x̃) ‖ <i>p</i>(<i>z</i>) ) ]"
        "<br>for <i>β</i> = 1 at most log <i>p</i>(<i>x</i>)",
    )

    def build(self, config: DenoisingVaeConfig, data: DataSpec) -> LatentModel:
        """An encoder to means and log-variances, and its mirror."""
        from vaeviewer.backend.models.latent_model import Autoencoder
        from vaeviewer.backend.models.likelihoods import build_likelihood

        return Autoencoder(config, data.image, build_likelihood(config), gaussian=True)

    def players(self, model: LatentModel, config: DenoisingVaeConfig) -> Sequence[Player[DenoisingVaeConfig]]:
        """One: encoder and decoder together raise the bound."""

        def loss(batch: Batch, config: DenoisingVaeConfig) -> Objective:
            import torch

            noise = batch.noise(1, len(batch.x), config.latent_dim)
            means = {key: values.mean() for key, values in _terms(model, batch, noise, config).items()}
            with torch.no_grad():  # the plane shows where whole images lie
                posterior = model.encode(batch.x)
            objective = means["reconstruction"] - config.beta_at(batch.step) * means["kl"]
            return Objective(-objective, means, posterior)

        return [Player("model", list(model.parameters()), loss)]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: DenoisingVaeConfig
    ) -> Mapping[str, Tensor]:
        """The bound's terms from damaged held-out images, averaged over the noise's samples."""
        return _terms(model, batch, noise, config)

    def numpy_form(self, config: DenoisingVaeConfig) -> MlpForm | None:
        """Where it is fully connected NumPy decodes."""
        return form_of(config)

    def protocol(self, config: DenoisingVaeConfig, pixels: str) -> str:
        """Whether pixels have probabilities or a density, and what is done to the images."""
        return config.damage_text(super().protocol(config, pixels))


def _terms(model: LatentModel, batch: Batch, noise: Tensor, config: DenoisingVaeConfig) -> dict[str, Tensor]:
    """The terms of each image, ``(n,)``, nats: the denoising bound of Im et al. 2017, with one x̃ for each image.

    Args:
        model: With a diagonal Gaussian q(z|x) and a standard normal p(z).
        batch: Whole images; its generator damages them.
        noise: ε ~ N(0, I), ``(samples, n, latent_dim)``.
        config: How they are damaged.
    """
    from torch.distributions import Normal

    q = model.encode(corrupted(batch, config))
    assert isinstance(q, Normal), "this family's encoder gives one"
    reconstruction = model.decode(q.loc + q.scale * noise).log_prob(batch.x).mean(0)
    return {"reconstruction": reconstruction, "kl": kl_by_dimension(q).sum(-1)}


FAMILY = DenoisingVAE()
